"""Figure 2: what the models decide on the synthetic data."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from fedlib.data.tables import make_circle
from fedlib.evidence.pictures import Picture
from fedlib.evidence.plots import STYLE
from fedlib.evidence.report import Archive, CellResult, basis_of
from fedlib.papers.two_stage_attack.attacks import (
    ATTACK_TITLES,
    CONTROL_TITLES,
    PAPER_TITLES,
    SUPERSEDED_TITLES,
)
from fedlib.papers.two_stage_attack.grid import RULE_TITLES
from fedlib.papers.two_stage_attack.measures import (
    EXTENT,
    POINTS,
    RADIUS,
    decision,
    diverged,
    no_boundary,
)
from fedlib.papers.two_stage_attack.tables.common import CLASS_COLOURS, best

_KINDS = {
    "paper": tuple(PAPER_TITLES),
    "controls": tuple(CONTROL_TITLES),
    "superseded": tuple(SUPERSEDED_TITLES),
}
"""Which attacks a figure shows."""


def figure_2(archive: Archive, kind: str = "paper", small: bool = False) -> Picture:
    """Draw decision boundaries on the synthetic data, with a row for each rule.

    Each attack has a column, and each seed a line.

    Parameters
    ----------
    archive
        The stored runs.
    kind
        The attacks to show: those of the ``"paper"``, the ``"controls"``, or the ``"superseded"``.
    small
        Whether clients have batches of ten.
    """
    attacks = {attack: ATTACK_TITLES[attack] for attack in _KINDS[kind]}
    known: list[CellResult] = []
    lost: list[str] = []
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(RULE_TITLES), len(attacks), figsize=(1.9 * len(attacks), 6), sharex=True,
            sharey=True, layout="constrained", FigureClass=Picture,
        )  # fmt: skip
        for row, (rule, rule_title) in enumerate(RULE_TITLES.items()):
            for column, (attack, title) in enumerate(attacks.items()):
                axis = axes[row, column]
                _draw_data(axis)
                result = best(archive, "circle", attack, rule, small)
                if result is not None:
                    known.append(result)
                    if not _draw_boundaries(axis, result):
                        lost.append(f"There is no boundary for {rule_title} under {title}.")
                else:
                    _write(axis, "not computed")
                axis.set(aspect="equal", xlim=(-4, 4), ylim=(-4, 4), xticks=[], yticks=[])
                if row == 0:
                    axis.set_title(title.replace(", ", ",\n"))
                if column == 0:
                    axis.set_ylabel(rule_title)
        figure.suptitle(
            "black: the decision boundary, a line for each seed that has one; dotted: the true "
            "circle\n"
            f"({basis_of(known)})",
            fontsize=9,
        )
    return figure.saying(
        "Panels of points of two classes, inside and outside a dotted circle, with the decision "
        f"boundary of each seed's model in black. The rows are the rules "
        f"{', '.join(RULE_TITLES.values())}. The columns are the attacks "
        f"{'; '.join(attacks.values())}. {' '.join(lost)}"
    )


def _draw_data(axis: Any) -> None:
    """Draw points of either class, and the circle between them."""
    x, labels, _ = make_circle(400, 3)
    points = x[:, 0, 0]
    for label, colour in enumerate(CLASS_COLOURS):
        axis.plot(*points[labels == label].T, ".", ms=1.5, color=colour)
    turn = np.linspace(0, 2 * np.pi, 200)
    axis.plot(RADIUS * np.cos(turn), RADIUS * np.sin(turn), color="grey", lw=0.7, ls=":")


def _draw_boundaries(axis: Any, result: CellResult) -> int:
    """Draw the boundary of each seed's model, and return how many models have one.

    A model that has diverged gives no answer that means anything, so that nothing is drawn of it.
    """
    place = np.linspace(-EXTENT, EXTENT, POINTS)
    by_seed = [result.of_seed(seed) for seed in result.seeds]
    usable = [seeded for seeded in by_seed if not diverged(seeded)]
    bounded = [seeded for seeded in usable if not no_boundary(seeded)]
    for seeded in bounded:
        grid = decision(seeded.records[0])
        axis.contour(place, place, grid, levels=[0.5], colors="black", linewidths=1)
    lost = (
        (len(by_seed) - len(usable), "diverged"),
        (len(usable) - len(bounded), "without boundary"),
    )
    of = "" if len(by_seed) == 1 else f" of {len(by_seed)}"
    told = [f"{count}{of} {what}" if of else what for count, what in lost if count]
    if told:
        _write(axis, "\n".join(told))
    return len(bounded)


def _write(axis: Any, text: str) -> None:
    """Write at the bottom of a panel."""
    box = {"fc": "white", "ec": "none", "pad": 1}
    axis.text(0, -3.7, text, ha="center", va="bottom", fontsize=8, bbox=box)
