"""Figures 2 to 8."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from fedlib.attacks.backdoor import PixelBackdoor
from fedlib.data import load_dataset
from fedlib.evidence.chapter import data_of_a_figure
from fedlib.evidence.pictures import Picture
from fedlib.evidence.plots import PALETTE, STYLE, Panel, accuracy_panels, final_lines
from fedlib.evidence.report import Archive, CellResult, Note
from fedlib.papers.residual_reweighting.domains import white
from fedlib.papers.residual_reweighting.keys import (
    ATTACKERS,
    REMOVED,
    RULE_TITLES,
    Comparison,
    ImageBackdoor,
    Unattacked,
    key_at,
)

_PARTS = {"fedavg": "mean", "ours": "residual_reweighting", "unattacked": "mean"}
"""The rules of the lines that are not named as these are registered."""


def figure_2(n_clients: int = 10, lam: float = 2.0, delta: float = 0.1) -> Picture:
    """Confidence against the normalised residual (equations 6 and 8), for a middle rank.

    Parameters
    ----------
    n_clients
        How many clients there are.
    lam, delta
        The rule's bound of full confidence, and its threshold.
    """
    residual = np.linspace(-20, 20, 2001)
    bound = lam * np.sqrt(2 / n_clients)
    confidence = np.minimum(1, bound / np.maximum(np.abs(residual), 1e-12))
    confidence[confidence <= delta] = 0
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained", FigureClass=Picture)
        axis.plot(residual, confidence, color="black")
        for low, high, colour, label in (
            (0, bound, PALETTE[2], "trusted"),
            (bound, bound / delta, PALETTE[4], "trusted less and less"),
            (bound / delta, 20, PALETTE[0], "replaced by the line"),
        ):
            for sign in (1, -1):
                axis.axvspan(
                    *sorted((sign * low, sign * high)),
                    color=colour,
                    alpha=0.25,
                    lw=0,
                    label=label if sign > 0 else None,
                )
        axis.set(xlabel="normalised residual e", ylabel="confidence w", xlim=(-20, 20))
        axis.legend(loc="upper right", fontsize=8)
    return figure.saying(
        f"Curve of the confidence in a value against its normalised residual. The confidence is 1 "
        f"up to a residual of {bound:.2f}, falls to {delta:g} at {bound / delta:.1f}, and is 0 "
        "beyond, where the value is replaced by that of the line. The curve is the same on both "
        "sides of zero."
    )


def figure_3(archive: Archive) -> Picture:
    """Label flips on MNIST: accuracy, and how many 1s are taken for 7s."""
    points = _final_results(archive, "figure_3", ATTACKERS)
    for rule, line in points.items():
        # The same run without attackers, but with the 1s that are taken for 7s counted.
        unattacked, (_, first) = archive.best(str(Unattacked("flips", rule))), line[0]
        # It stands for a run of its own scale alone.
        if unattacked is not None and (first is None or first.scale == unattacked.scale):
            line[0] = (0.0, unattacked)
    return final_lines(
        points,
        RULE_TITLES,
        "attackers of 100",
        ("test_accuracy", "attack_success"),
        _PARTS,
    )


def figure_5(archive: Archive) -> Picture:
    """Accuracy as the holders of digit 0 leave."""
    return final_lines(
        _final_results(archive, "figure_5", REMOVED),
        RULE_TITLES,
        "holders of digit 0 that left, of 20",
        parts=_PARTS,
        ticks=[int(setting) for setting in REMOVED],
    )


def _final_results(
    archive: Archive, item: str, settings: Sequence[str]
) -> dict[str, list[tuple[float, CellResult | None]]]:
    """For each rule the settings, as numbers, and what is stored of them."""
    return {
        rule: [
            (float(setting), archive.best(str(Comparison(item, setting, rule))))
            for setting in settings
        ]
        for rule in RULE_TITLES
    }


def success_over_rounds(archive: Archive, item: str, place: str) -> Picture | Note:
    """Draw an attack's success over training with a line for each rule (Figures 4 and 7).

    One more line shows FedAvg without an attack.

    Parameters
    ----------
    archive
        The stored runs.
    item
        What the cells' keys begin with: ``table_3/cifar10/naive`` or ``figure_7``.
    place
        What the cells without an attack are named by, one of ``TRIGGERED``.
    """
    curves = {rule: archive.best(key_at(item, rule)) for rule in RULE_TITLES}
    if not any(curves.values()):
        return _computable(f"{item}/*")
    curves["unattacked"] = archive.best(str(Unattacked(place, "fedavg")))
    labels = {**RULE_TITLES, "unattacked": "FedAvg, no attack"}
    return accuracy_panels(
        [[Panel("", curves, _PARTS)]],
        labels,
        "attack_success",
        baseline="unattacked",
        about=("ours",),
    )


def figure_6(data: str = "auto") -> Picture:
    """Three images of MNIST with and without the trigger.

    Parameters
    ----------
    data
        ``auto``, ``real`` or ``embedded``.
    """
    dataset = load_dataset(data_of_a_figure("mnist", data))
    shown = dataset.x_test[:3]
    triggered = PixelBackdoor(n_byzantine=1, value=white("mnist")).add_trigger(shown)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, 6, figsize=(7, 1.5), layout="constrained", FigureClass=Picture
        )
        images = [image for pair in zip(shown, triggered, strict=True) for image in pair]
        for axis, image in zip(axes, images, strict=True):
            axis.imshow(image[0].numpy(), cmap="gray")
            axis.set_axis_off()
        figure.suptitle(f"as it is, and with the trigger ({dataset.label})", fontsize=9)
    return figure.saying(
        f"Three images ({dataset.label}), each as it is and with the trigger of the backdoor, "
        "a few white pixels.",
        vector=False,
    )


def _computable(cells: str) -> Note:
    """Say that nothing of a figure is computed, and which command computes its runs."""
    return Note(
        "Nothing of this figure is computed yet. This command computes its runs:",
        command=f"python -m fedlib run residual_reweighting --scale paper --only '{cells}'",
    )


def figure_8(archive: Archive) -> Picture | Note:
    """Draw accuracy and attack success over training, with a panel for each rule."""
    results = {
        rule: archive.best(str(ImageBackdoor("cifar10", "naive", rule))) for rule in RULE_TITLES
    }
    known = [result for result in results.values() if result is not None]
    if not known:
        return _computable("table_3/cifar10/naive/*")
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            2, 3, figsize=(7.5, 4.2), sharex=True, sharey=True, layout="constrained",
            FigureClass=Picture,
        )  # fmt: skip
        for axis, (rule, result) in zip(axes.flat, results.items(), strict=True):
            axis.set(title=RULE_TITLES[rule], ylim=(0, 102))
            axis.grid(alpha=0.25)
            if result is not None:
                _draw_accuracy_and_success(axis, result)
            else:
                axis.text(0.5, 0.5, "not computed", ha="center", transform=axis.transAxes)
        figure.supxlabel("round", fontsize=9)
        figure.supylabel("%", fontsize=9)
        drawn = next(axis for axis in axes.flat if axis.lines)
        handles, labels = drawn.get_legend_handles_labels()
        title = f"{known[0].scale} scale, {known[0].data}"
        figure.legend(handles, labels, title=title, loc="outside upper center", ncols=2)
    ends = [
        f"{RULE_TITLES[rule]}: {result.accuracy.mean:.0f} % and "
        f"{result.final('attack_success').mean:.0f} %."
        for rule, result in results.items()
        if result is not None
    ]
    return figure.saying(
        "Line charts of the test accuracy and the attack's success over the rounds, a panel for "
        f"each rule. At the end: {' '.join(ends) or 'nothing is stored.'}"
    )


def _draw_accuracy_and_success(axis: Axes, result: CellResult) -> None:
    """Both quantities' means over the seeds, in %."""
    curves_of = {"test_accuracy": ("test accuracy", 1), "attack_success": ("attack success", 0)}
    for quantity, (label, colour) in curves_of.items():
        rounds, curves = result.curve(quantity)
        axis.plot(rounds, 100 * np.mean(curves, axis=0), color=PALETTE[colour], label=label)
