"""Accuracy against the malicious share, and the share at which each defence breaks."""

from __future__ import annotations

from collections import Counter
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from fedlib.evidence.colours import colours_of
from fedlib.evidence.pictures import Picture, ends_in_words
from fedlib.evidence.plots import STYLE
from fedlib.evidence.report import Archive, CellResult, Table, basis_of, data_named
from fedlib.evidence.results import seeds_in_words
from fedlib.papers.gradient_guard.keys import line
from fedlib.papers.gradient_guard.measures import BREAKS, LAST, late_accuracy
from fedlib.papers.gradient_guard.settings import (
    ATTACK_TITLES,
    FLAIRS_LIMIT,
    FULL,
    GREY,
    LINE_TITLES,
    ON_AXIS,
    PUBLISHED_ATTACKS,
    SHARES,
)

_PARTS = {"fedsgd": "mean", **dict.fromkeys(ON_AXIS, "gradient_guard")}
"""The rules of the lines that are not named as these are registered."""
_BROAD = dict(zip((*ON_AXIS, "gradient_guard"), (4.0, 2.2, 2.2), strict=True))
"""The widths of the lines that the chapter is about. They lie below the others, which are thinner,
so that lines on top of each other can all be seen."""
_LINES: dict[str, dict[str, Any]] = {
    name: {
        "color": colour,
        "ls": (0, (2, 1)) if name in ON_AXIS else "-",
        "lw": _BROAD.get(name, 1.2),
        "zorder": 2.5 - 0.1 * _BROAD.get(name, 0.0),
        "label": LINE_TITLES[name],
    }
    for name, colour in colours_of(LINE_TITLES, _PARTS).items()
}


def share_panels(archive: Archive, data: str) -> Picture:
    """Draw accuracy against the malicious share, with a panel for each attack.

    Two readings of Gradient Guard have lines of their own. All points of a line are of one scale.
    Where the lines of a panel differ in scale, the panel's title says so.

    Parameters
    ----------
    archive
        The stored runs of the grid.
    data
        The data set, one of ``DATA_TITLES``.
    """
    known: list[CellResult] = []
    said = []
    attacks = FULL if data == "cifar10" else PUBLISHED_ATTACKS
    rows = len(attacks) // 2
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows, 2, figsize=(8.4, 1 + 2.5 * rows), sharex=True, sharey=True,
            layout="constrained", FigureClass=Picture,
        )  # fmt: skip
        for axis, attack in zip(axes.flat, attacks, strict=True):
            scales: dict[str, str] = {}
            lacking: list[str] = []
            ends: dict[str, float] = {}
            for name, style in _LINES.items():
                at = _shares_of(data, attack, name)
                found = archive.together(line(data, attack, name, at))
                points = [(float(s), r) for s, r in zip(at, found, strict=True) if r is not None]
                if any(result is not None for result in found[1:]):
                    scales[name] = points[0][1].scale
                elif name in ON_AXIS:
                    points, found = [], []  # The clean run alone is the default's.
                elif at:
                    lacking.append(LINE_TITLES[name])
                known += [result for _, result in points]
                if found and found[-1] is not None:
                    ends[LINE_TITLES[name]] = late_accuracy(points[-1][1]).mean
                # A line breaks at a share that is not computed.
                late = [late_accuracy(result) if result else None for result in found]
                axis.errorbar(
                    [float(share) for share, _ in zip(at, found, strict=False)],
                    [one.mean if one else np.nan for one in late],
                    [(one.spread or 0) if one else np.nan for one in late],
                    marker=".", elinewidth=1.2, **style,
                )  # fmt: skip
            said.append(f"{ATTACK_TITLES[attack]}: {ends_in_words(ends, ' %')}.")
            axis.set(title=_panel_title(attack, scales), xlim=(-2, 52))
            if not scales or lacking:
                which = f": {', '.join(lacking)}" if scales else ""
                axis.text(
                    0.5, 0.02 if scales else 0.5, f"not computed{which}", ha="center",
                    va="bottom" if scales else "center", fontsize=9, transform=axis.transAxes,
                )  # fmt: skip
            axis.grid(alpha=0.25)
        highest = max((late_accuracy(result).mean for result in known), default=100)
        # A network that learns little would have its lines on the floor of a whole axis.
        axes.flat[0].set_ylim(0, 102 if highest > 50 else 1.15 * highest)
        figure.supxlabel("malicious clients, %", fontsize=9)
        figure.supylabel(f"test accuracy, %, mean of the last {LAST} evaluations", fontsize=9)
        handles = [
            Line2D([], [], **style)
            for name, style in _LINES.items()
            if name not in ON_AXIS or data in GREY
        ]
        figure.legend(handles=handles, title=basis_of(known), loc="outside upper center", ncols=4)
    return figure.saying(
        "Line charts of the test accuracy against the percentage of malicious clients, with a line "
        f"for each defence and a panel for each attack. At the largest percentage: {' '.join(said)}"
    )


def _shares_of(data: str, attack: str, name: str) -> tuple[str, ...]:
    """The malicious shares at which the grid has cells of a line; a reading may have none."""
    on_axis = data in GREY and attack in FULL
    if name in ON_AXIS and not on_axis:
        return ()
    more = (FLAIRS_LIMIT,) if name == "flair" and on_axis else ()
    return tuple(sorted((*SHARES, *more), key=int))


def _panel_title(attack: str, scales: dict[str, str]) -> str:
    """Name the attack, the scale of most of its lines, and the lines of other scales."""
    title = ATTACK_TITLES[attack]
    if not scales:
        return title
    usual = Counter(scales.values()).most_common(1)[0][0]
    others = [
        f"\n{scale} scale: "
        + ", ".join(LINE_TITLES[name] for name in scales if scales[name] == scale)
        for scale in sorted(set(scales.values()) - {usual})
    ]
    return title + (f" ({usual} scale)" if usual != "paper" else "") + "".join(others)


def break_share(results: dict[str, CellResult], seed: int) -> float:
    """The least malicious share that leaves less than half of the clean accuracy.

    Parameters
    ----------
    results
        The results of a rule by malicious share, with one for each of ``SHARES``.
    seed
        The seed whose runs are judged.

    Returns
    -------
    float
        The share in percent, or 60 if more than half is left at every share.
    """
    accuracy = {
        share: late_accuracy(result.of_seed(seed)).mean for share, result in results.items()
    }
    return next((float(s) for s in SHARES[1:] if accuracy[s] < BREAKS / 100 * accuracy["0"]), 60.0)


def break_table(archive: Archive, data: str) -> Table:
    """The malicious share at which each defence breaks, for every seed.

    Parameters
    ----------
    archive
        The stored runs of the grid.
    data
        The data set, one of ``DATA_TITLES``.
    """
    rows = []
    basis: list[CellResult] = []
    for name, title in LINE_TITLES.items():
        row = [title]
        for attack in PUBLISHED_ATTACKS:
            if not _shares_of(data, attack, name):
                row.append("not tried")
                continue
            cells = line(data, attack, name, SHARES)
            found = archive.common(cells)
            if found is None:
                row.append(archive.linked("not computed", *cells))
                continue
            basis += found
            by_share = dict(zip(SHARES, found, strict=True))
            seeds = sorted(set.intersection(*(set(result.seeds) for result in found)))
            shares = [break_share(by_share, seed) for seed in seeds]
            shown = ", ".join("> 50" if share == 60 else f"{share:.0f}" for share in shares) + " %"
            if set(shares) <= {60.0}:
                shown = "not up to 50 %" if shares else "no seed in common"
            text = f"{shown}\n{seeds_in_words(found[0].scale, len(seeds))}"
            row.append(archive.linked(text, *cells))
        rows.append(tuple(row))
    return Table(
        ("defence", *(ATTACK_TITLES[attack] for attack in PUBLISHED_ATTACKS)),
        tuple(rows),
        "The smallest malicious share at which less than half of the accuracy without attackers is "
        f"left, on {data_named(result.data for result in basis)}. Each entry has a number for each "
        "seed, and below it the scale and how many seeds these are. Accuracies are means of the "
        f"last {LAST} evaluations",
        compact=True,
    )
