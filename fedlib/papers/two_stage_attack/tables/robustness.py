"""Figure 3 and the certificates: how much perturbation the models withstand."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from fedlib.evidence.pictures import Picture
from fedlib.evidence.plots import STYLE
from fedlib.evidence.report import Archive, CellResult, basis_of
from fedlib.evidence.table import Note
from fedlib.papers.two_stage_attack.attacks import ATTACK_TITLES, ATTACKS_ON
from fedlib.papers.two_stage_attack.grid import RULE_TITLES
from fedlib.papers.two_stage_attack.measures import diverged, level
from fedlib.papers.two_stage_attack.tables.common import (
    attack_handles,
    best,
    colours_on,
    computable,
)

_CERTIFICATES = {"robustness_level": "certified level ρ̂", "worst_loss": "loss up to it"}
"""The two quantities of a certificate, and what they are called beside their axes."""
_SEEN_FROM = 1e-5
"""The least perturbation on the axis."""


def figure_3(archive: Archive, data: str) -> Picture | Note:
    """Draw the test error against the level of perturbation, with a panel for each rule.

    Each seed of an attack has a line.

    A model that no small perturbation can move, as one that always gives the same answer, has all
    its points left of the axis. Its error is drawn as a level line. A diverged model has none.
    If no run is stored, the result is a sentence that says which command computes the runs.
    """
    if not any(
        best(archive, data, attack, rule) for attack in ATTACKS_ON[data] for rule in RULE_TITLES
    ):
        return computable("Figure 3", data)
    known: list[CellResult] = []
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, len(RULE_TITLES), figsize=(9, 3.2), sharey=True, layout="constrained",
            FigureClass=Picture,
        )  # fmt: skip
        drawn: set[str] = set()
        for axis, (rule, title) in zip(axes, RULE_TITLES.items(), strict=True):
            for attack, colour in colours_on(data).items():
                result = best(archive, data, attack, rule)
                if result is not None:
                    known.append(result)
                    drawn.add(attack)
                    _draw_errors(axis, result, colour, attack)
            _say_what_is_missing(axis, [
                attack for attack in colours_on(data) if best(archive, data, attack, rule)
            ])  # fmt: skip
            clean = best(archive, data, "none", rule)
            if clean is not None and np.isfinite(level(clean)):
                axis.axvline(level(clean), color="grey", lw=1, ls="--")
            axis.set(title=title, xlabel="perturbation ρ (mean squared distance)", xscale="log")
            axis.set_xlim(1e-5, 3)
            axis.grid(alpha=0.25)
        seen = [x for axis in axes for line in axis.lines for x in _seen(line)]
        axes[0].set_ylim(0, min(102.0, 1.1 * max(seen, default=100.0)))
        axes[0].set_ylabel("test error, %")
        certified = Line2D([], [], color="grey", ls="--", label="certified without attack")
        shown = [attack for attack in colours_on(data) if attack in drawn]
        figure.legend(
            handles=[*attack_handles(shown), certified],
            title=basis_of(known),
            loc="outside upper center",
            ncols=5,
        )
    return figure.saying(
        "Line charts of the test error against the size of a perturbation, on a logarithmic axis, "
        f"with a panel for each of the rules {', '.join(RULE_TITLES.values())} and a line for each "
        f"seed of an attack: {', '.join(ATTACK_TITLES[attack] for attack in shown)}."
    )


def _say_what_is_missing(axis: Any, stored: list[str]) -> None:
    """Write into a panel that it has no runs, or none under an attack."""
    if stored in ([], ["none"]):
        text = "attacks not computed" if stored else "not computed"
        axis.text(0.5, 0.5, text, ha="center", transform=axis.transAxes, color="#595959")


def _seen(line: Line2D) -> list[float]:
    """Return the errors of a line of the figure that are on its axis."""
    x, y = (np.asarray(line.get_data()[i], dtype=float) for i in (0, 1))
    marks_a_level = line.get_linestyle() == "--"
    return [] if marks_a_level else [float(one) for one in y[(x <= 3) & np.isfinite(y)]]


_WIDTHS = {"none": {"lw": 5, "alpha": 0.25, "zorder": 1}, "learned": {"lw": 2.2, "zorder": 3}}
"""No attack is a broad pale line, and the paper's attack a broad one, as in the other chapters."""


def _draw_errors(axis: Any, result: CellResult, colour: str, attack: str) -> None:
    """Draw the error against the level, with a line for each seed that has not diverged."""
    title, wide = ATTACK_TITLES[attack], _WIDTHS.get(attack, {"lw": 0.8})
    for seed in result.seeds:
        if diverged(result.of_seed(seed)):
            continue
        metrics = result.of_seed(seed).records[0]["metrics"]
        levels, errors = (
            np.array(metrics[name], dtype=float)
            for name in ("perturbation_level", "perturbation_error")
        )
        if not np.isfinite(levels).any():
            continue
        if np.nanmax(levels) < _SEEN_FROM:
            axis.axhline(100 * errors[-1], color=colour, lw=0.8, ls=":")
        else:
            axis.plot(
                levels,
                100 * errors,
                ".-",
                ms=3,
                color=colour,
                label=f"{title}, seed {seed}",
                **wide,
            )


def certificate_curves(archive: Archive, data: str) -> Picture:
    """Draw what a model certifies over training.

    The level is in the upper row, and the worst loss up to this level is in the lower row.

    There is a column for each rule, a colour for each attack and a line for each seed. A line ends
    in a cross where its model has diverged.
    """
    known: list[CellResult] = []
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            2, len(RULE_TITLES), figsize=(9, 4.6), sharex=True,
            layout="constrained", FigureClass=Picture,
        )  # fmt: skip
        # Without a defence the values span forty powers of ten. On the same axis the lines of the
        # defences would be flat, so that each panel has its own.
        for column, (rule, title) in enumerate(RULE_TITLES.items()):
            axes[0, column].set_title(title)
            axes[1, column].set_xlabel("round")
            for attack, colour in colours_on(data).items():
                result = best(archive, data, attack, rule)
                if result is None:
                    continue
                known.append(result)
                for axis, quantity in zip(axes[:, column], _CERTIFICATES, strict=True):
                    names = [
                        f"{ATTACK_TITLES[attack]}, seed {record['seed']}"
                        for record in result.records
                    ]
                    _draw_until_divergence(axis, *result.curve(quantity), colour, names)
        for axis, text in zip(axes[:, 0], _CERTIFICATES.values(), strict=True):
            axis.set_ylabel(text)
        for axis in axes.flat:
            axis.set_yscale("log")
            axis.grid(alpha=0.25)
        figure.legend(
            handles=attack_handles(colours_on(data)),
            title=basis_of(known),
            loc="outside upper center",
            ncols=5,
        )
    return figure.saying(
        "Line charts over the rounds, on logarithmic axes: above the certified level of "
        "perturbation, below the worst loss up to it. There is a column for each of the rules "
        f"{', '.join(RULE_TITLES.values())} and a line for each seed of an attack: "
        f"{', '.join(ATTACK_TITLES[attack] for attack in colours_on(data))}."
    )


def _draw_until_divergence(
    axis: Any, rounds: list[int], curves: list[list[float]], colour: str, names: list[str]
) -> None:
    """Draw a line for each seed up to its last finite value; a cross ends those cut short."""
    for curve, name in zip(curves, names, strict=True):
        end = int(np.max(np.flatnonzero(np.isfinite(curve)), initial=-1)) + 1
        axis.plot(
            rounds[:end], curve[:end], color=colour, lw=0.7, label=name,
            marker="x", ms=4, markevery=[end - 1] if 0 < end < len(curve) else [],
        )  # fmt: skip
