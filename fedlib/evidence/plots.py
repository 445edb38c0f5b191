"""Figures that several chapters draw. They need matplotlib, which the library itself does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fedlib.compat import require

try:
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D
except ModuleNotFoundError:
    require("matplotlib")
    raise

from fedlib.evidence.colours import PALETTE, colours_of
from fedlib.evidence.pictures import Picture, ends_in_words
from fedlib.evidence.results import CellResult, basis_of, range_of
from fedlib.evidence.statistics import FAR_APART
from fedlib.runs.store import SCALES

__all__ = ["PALETTE", "STYLE", "Panel", "accuracy_panels", "final_lines"]

# These quantities are shares and are shown in percent. Other quantities are losses.
_SHARES = {"test_accuracy": "test accuracy, %", "attack_success": "attack success, %"}
_DASHES = {"paper": "-", "quick": (0, (4, 1.5)), "smoke": (0, (1, 1.5))}
_REDUCED = (0, (6, 1.5, 1, 1.5))
"""The style of runs that have less than the protocol of their scale."""
_BROAD: dict[str, Any] = {"lw": 4.0, "alpha": 0.3, "zorder": 1.5}
"""How the curve looks with which the others are compared."""
# Every figure has these settings, so that its text is as large as the page's on a wide screen.
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.dpi": 110,
    "savefig.bbox": "tight",
}


@dataclass(frozen=True)
class Panel:
    """One panel of :func:`accuracy_panels`.

    Attributes
    ----------
    title
        The panel's title.
    curves
        The results by the names of their curves. A result is None if nothing is stored.
    parts
        The registered name of the rule or attack that a curve shows, for each curve that has
        another name. It decides the curve's colour.
    """

    title: str
    curves: Mapping[str, CellResult | None]
    parts: Mapping[str, str] = field(default_factory=dict)


def accuracy_panels(
    rows: Sequence[Sequence[Panel]],
    labels: Mapping[str, str],
    quantity: str = "test_accuracy",
    said: str = "",
    baseline: str | None = None,
    about: Sequence[str] = (),
) -> Picture:
    """Draw how the test accuracy, an attack's success or the training loss goes over the runs.

    The style of a line tells the scale, and whether the run has less than the protocol of its
    scale. The abscissa is the share of the run, because the scales differ in their numbers of
    rounds. A band spans the seeds if there are several. The lines of a smaller scale, or of less
    than the protocol, are pale beside better ones in the same panel.

    Parameters
    ----------
    rows
        The panels, row by row.
    labels
        The texts of the legend by the names of the curves, in the order of the legend.
    quantity
        ``"test_accuracy"`` or ``"attack_success"``, which are shown in percent, or
        ``"train_loss"``, which is cut at 5.
    said
        What the legend says of the runs beside their data.
    baseline
        The name of the curve with which the others are compared, such as ``"none"``. It is broad
        and pale and lies below the others, so that a line on it can still be seen.
    about
        The names of the curves that the figure is about. They are broader than the others, and
        the first is the broadest. Thinner lines lie above broader ones, so that equal lines can
        all be seen.

    Returns
    -------
    Picture
        The figure. All its panels have the same ordinate, which ends above the highest curve.
    """
    top = _top(rows, labels, quantity)
    parts = {name: part for panels in rows for p in panels for name, part in p.parts.items()}
    colours = colours_of(labels, parts)
    looks = _looks(baseline, about)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            len(rows),
            len(rows[0]),
            FigureClass=Picture,
            figsize=(max(2.5 * len(rows[0]), 5.0), max(1.9 * len(rows) + 0.6, 3.0)),
            sharex=True,
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        styles: dict[tuple[str, str], Any] = {}
        data: set[str] = set()
        seeds: list[int] = []
        mixed = False
        for row, panels in enumerate(rows):
            for column, panel in enumerate(panels):
                axis = axes[row, column]
                axis.set_title(panel.title)
                axis.grid(alpha=0.25)
                axis.set(xlim=(0, 100), ylim=(0, top))
                held = {n: r for n in labels if (r := panel.curves.get(n)) is not None}
                best = max((result.rank[1:] for result in held.values()), default=())
                for name, result in held.items():
                    styles[result.scale, result.reduced] = _dashes(result)
                    data.add(result.data)
                    pale = result.rank[1:] < best
                    mixed |= pale
                    style = {
                        "color": colours[name],
                        "ls": _dashes(result),
                        "lw": 1.4 if result.scale == "paper" else 1.0,
                        "alpha": 1.0,
                        **looks.get(name, {}),
                    }
                    style["alpha"] *= 0.35 if pale else 1.0
                    seeds.append(len(result.seeds))
                    _draw_curve(axis, result, labels[name], quantity, style)
        for axis in axes[-1]:
            axis.set_xlabel("training completed, %")
        for axis in axes[:, 0]:
            axis.set_ylabel(_SHARES.get(quantity, "training loss"))
        drawn = {n for panels in rows for p in panels for n in labels if p.curves.get(n)}
        handles = _handles(labels, colours, drawn, styles, looks)
        figure.legend(
            handles=handles,
            title="data: "
            + (", ".join(sorted(data)) or "nothing stored")
            + (f", {range_of(seeds)}" if seeds else "")
            + (f"; {said}" if said else "")
            + ("; compare lines of one style only (the smaller scale is pale)" if mixed else ""),
            loc="outside upper center",
            ncols=(len(handles) + 1) // 2,
        )
    panels_in_words = [
        f"{panel.title + ': ' if panel.title else ''}{_panel_in_words(panel, labels, quantity)}."
        for panels in rows
        for panel in panels
    ]
    return figure.saying(
        f"Line charts of the {_in_words(quantity)} over the run, with a line for each of "
        f"{', '.join(labels.values())}. {' '.join(panels_in_words)}"
    )


def _in_words(quantity: str) -> str:
    """Return the name of a quantity without its unit."""
    return _SHARES.get(quantity, "training loss").removesuffix(", %")


def _panel_in_words(panel: Panel, labels: Mapping[str, str], quantity: str) -> str:
    """Say where the lines of a panel end."""
    factor = 100 if quantity in _SHARES else 1
    ends = {
        text: factor * float(np.mean([curve[-1] for curve in result.curve(quantity)[1]]))
        for name, text in labels.items()
        if (result := panel.curves.get(name)) is not None
    }
    finite = {text: end for text, end in ends.items() if np.isfinite(end)}
    return ends_in_words(finite, " %" if quantity in _SHARES else "")


def _looks(baseline: str | None, about: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return how the lines look that are broader than the others, by their names."""
    count = len(about)
    found: dict[str, dict[str, Any]] = {
        name: {"lw": 2.2 + 1.2 * (count - 1 - place), "zorder": 1.8 + 0.1 * place}
        for place, name in enumerate(about)
    }
    return found if baseline is None else {**found, baseline: _BROAD}


def _handles(
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    drawn: set[str],
    styles: Mapping[tuple[str, str], Any],
    looks: Mapping[str, Mapping[str, Any]] | None = None,
    marked: bool = False,
) -> list[Line2D]:
    """Return the lines of a legend: the colours of the names, and then the styles of the scales.

    The points are ``marked`` if a scale is also told by how they look.
    """
    return [
        *(
            Line2D(
                [],
                [],
                color=colours[n],
                label=text if n in drawn else f"{text} (not computed)",
                **(looks or {}).get(n, {}),
            )
            for n, text in labels.items()
        ),
        *(
            Line2D(
                [],
                [],
                color="grey",
                ls=dashes,
                label=reduced or f"{scale} scale",
                # A point alone has no line that could show its scale.
                marker="o" if marked else None,
                ms=4,
                mfc=None if scale == "paper" and not reduced else "white",
            )
            for (scale, reduced), dashes in sorted(styles.items(), key=_place)
        ),
    ]


def _dashes(result: CellResult) -> Any:
    """Return the style of the lines of some runs."""
    return _REDUCED if result.reduced else _DASHES[result.scale]


def _place(style: tuple[tuple[str, str], Any]) -> tuple[int, str]:
    """Return where a style stands in a legend: the largest scale first, the full protocol first."""
    (scale, reduced), _ = style
    return -SCALES.index(scale), reduced


def _top(rows: Sequence[Sequence[Panel]], labels: Mapping[str, str], quantity: str) -> float:
    """Return the end of the ordinate, a little above the highest value.

    It is at most 102 % or a loss of 5.
    """
    results = [p.curves.get(name) for panels in rows for p in panels for name in labels]
    values = [v for r in results if r is not None for curve in r.curve(quantity)[1] for v in curve]
    scale, limit = (100, 102.0) if quantity in _SHARES else (1, 5.0)
    finite = [scale * value for value in values if np.isfinite(value)]
    return min(1.08 * max(finite, default=limit), limit)


def _draw_curve(
    axis: plt.Axes, result: CellResult, label: str, quantity: str, style: dict[str, Any]
) -> None:
    """Draw the mean of a result over its seeds, and a band that spans the seeds.

    The line is named by the label, and by the scale where it is not the paper's. If the seeds end
    so far apart that no run has their mean, each seed has a thin line of its own in its place.
    """
    rounds, curves = result.curve(quantity)
    share = 100 * np.asarray(rounds) / rounds[-1]
    # The loss of a run that diverged is no number. It must leave the picture at the top.
    values = np.nan_to_num(np.asarray(curves), nan=1e9)
    values = 100 * values if quantity in _SHARES else values.clip(max=1e9)
    scale = result.reduced or ("" if result.scale == "paper" else f"{result.scale} scale")
    named = f"{label}, {scale}" if scale else label
    if quantity in _SHARES and np.ptp(values[:, -1]) > FAR_APART:
        thin = {**style, "lw": 0.6 * style["lw"]}
        for seed, of_seed in zip(result.seeds, values, strict=True):
            axis.plot(share, of_seed, label=f"{named}, seed {seed}", **thin)
        return
    axis.plot(share, values.mean(0), label=named, **style)
    if len(values) > 1:
        low, high = values.min(0), values.max(0)
        axis.fill_between(share, low, high, color=style["color"], alpha=0.2 * style["alpha"], lw=0)


def final_lines(
    points: Mapping[str, Sequence[tuple[float, CellResult | None]]],
    labels: Mapping[str, str],
    abscissa: str,
    quantities: Sequence[str] = ("test_accuracy",),
    parts: Mapping[str, str] | None = None,
    ticks: Sequence[float] | None = None,
) -> Picture:
    """Draw what runs reach after their last round, with a line for each name.

    Each quantity has a panel. A bar is one standard deviation over the seeds long in both
    directions, if there are several. Runs of two scales are never joined by a line, and those of
    the smaller scale are pale.

    Parameters
    ----------
    points
        For each name the places on the abscissa and their results. A point is left out if its
        result is None or does not have the quantity.
    labels
        The texts of the legend by name, in the order of the legend.
    abscissa
        The label of the abscissa.
    quantities
        ``"test_accuracy"`` or ``"attack_success"``, or both.
    parts
        As in :class:`Panel`.
    ticks
        The places on the abscissa that have a mark. None leaves the choice to matplotlib.
    """
    colours = colours_of(labels, parts)
    said = []
    known = [result for line in points.values() for _, result in line if result is not None]
    best = max((result.rank for result in known), default=None)
    drawn: set[str] = set()
    styles: dict[tuple[str, str], Any] = {}
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1,
            len(quantities),
            FigureClass=Picture,
            figsize=(4.4 * len(quantities), 3.2),
            squeeze=False,
            layout="constrained",
        )
        last = max((x for line in points.values() for x, _ in line), default=0)
        for axis, quantity in zip(axes[0], quantities, strict=True):
            ends: dict[str, float] = {}
            for name, text in labels.items():
                line = [(x, r) for x, r in points.get(name, ()) if r and r.has(quantity)]
                if line:
                    drawn.add(name)
                if line and line[-1][0] == last:
                    ends[text] = line[-1][1].final(quantity).mean
                for (scale, reduced), part in _by_scale(line).items():
                    found = [result.final(quantity) for _, result in part]
                    styles[scale, reduced] = _dashes(part[0][1])
                    full = scale == "paper" and not reduced
                    axis.errorbar(
                        [x for x, _ in part], [one.mean for one in found],
                        [one.spread or 0 for one in found], color=colours[name], marker="o",
                        ms=4, mfc=None if full else "white", lw=1.2, ls=styles[scale, reduced],
                        alpha=1.0 if part[0][1].rank == best else 0.8,
                        label=text if full else f"{text}, {reduced or f'{scale} scale'}",
                    )  # fmt: skip
            said.append(f"In {_in_words(quantity)}, {ends_in_words(ends, ' %')}.")
            axis.set(xlabel=abscissa, ylabel=_SHARES[quantity], ylim=(0, 102))
            if ticks is not None:
                axis.set_xticks(ticks)
            axis.grid(alpha=0.25)
        handles = _handles(labels, colours, drawn, styles if len(styles) > 1 else {}, marked=True)
        mixed = "; compare lines of one style only" if len(styles) > 1 else ""
        if any(len(result.seeds) > 1 for result in known):
            mixed += "; a bar is one standard deviation over the seeds"
        figure.legend(
            handles=handles, title=basis_of(known) + mixed, loc="outside upper center", ncols=3
        )
    return figure.saying(
        f"Line charts against the number of {abscissa}, with a line for each of "
        f"{', '.join(labels.values())}. {' '.join(said)}"
    )


def _by_scale(
    line: Sequence[tuple[float, CellResult]],
) -> dict[tuple[str, str], list[tuple[float, CellResult]]]:
    """Return the points of a line by the scale and the protocol of their runs."""
    parts: dict[tuple[str, str], list[tuple[float, CellResult]]] = {}
    for x, result in line:
        parts.setdefault((result.scale, result.reduced), []).append((x, result))
    return parts
