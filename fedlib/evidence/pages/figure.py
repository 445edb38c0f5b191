"""The figure of the benchmarks: how the times grow with the clients and the parameters."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.lines import Line2D

from fedlib.evidence.colours import colours_of
from fedlib.evidence.pages.marks import Page, page_figure
from fedlib.evidence.pages.measured import CPU_FILE
from fedlib.evidence.pictures import Picture
from fedlib.evidence.plots import STYLE

_RULES = ("median", "geometric_median", "krum", "centered_clipping", "nearest_neighbour_mixing")
_LINES = {"fedlib": "-", "byzfl": ":"}
"""The style of a library's lines."""
_PANELS = (
    ("a round, 431,080 parameters", "clients n"),
    ("rules, d = 100,000", "clients n"),
    ("rules, n = 25", "parameters d"),
)
"""The title of each panel and the label of its abscissa."""


@page_figure("measured", "performance.png")
def draw(page: Page, path: Path) -> None:
    """Draw how a round grows with the clients, and each rule with the clients and parameters.

    Parameters
    ----------
    page
        It knows where the benchmarks' results are.
    path
        Where to write the figure.
    """
    summary: dict[str, Any] = json.loads(page.benchmark(CPU_FILE))
    with matplotlib.rc_context(STYLE):
        figure = Picture(figsize=(10, 3.6), layout="constrained")
        axes = figure.subplots(1, 3)
        for library, style in _LINES.items():
            rounds = _milliseconds(summary, "round", "cnn_20_50", library)
            points = [(n, t) for n, _, t in rounds]
            _line(axes[0], points, style, color="black", label=f"a round, {library}")
            for rule, colour in colours_of(_RULES).items():
                times = _milliseconds(summary, "aggregator", rule, library)
                look = {"color": colour, "label": f"{rule}, {library}"}
                _line(axes[1], [(n, t) for n, d, t in times if d == 100_000], style, **look)
                _line(axes[2], [(d, t) for n, d, t in times if n == 25], style, **look)
        for axis, (title, label) in zip(axes, _PANELS, strict=True):
            _finish(axis, title, label)
        axes[0].set_yticks([20, 50, 100, 200, 500])
        handles = [
            Line2D([], [], color=colour, marker=".", label=rule)
            for rule, colour in colours_of(_RULES).items()
        ]
        handles += [
            Line2D([], [], color="grey", linestyle=style, label=library)
            for library, style in _LINES.items()
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=4)
        figure.save(path)


def _milliseconds(
    summary: dict[str, Any], kind: str, name: str, library: str
) -> list[tuple[int, int, float]]:
    """Return both sizes of each entry of a name, and the milliseconds that a library took."""
    return [
        (*entry["size"], 1000 * entry["seconds"][library])
        for entry in summary["measured"]
        if (entry["kind"], entry["name"]) == (kind, name) and library in entry["seconds"]
    ]


def _line(axis: Any, points: Sequence[tuple[int, float]], style: str, **look: Any) -> None:
    """Draw a line through the points from left to right."""
    axis.plot(*zip(*sorted(points), strict=True), style, marker=".", **look)


def _finish(axis: Any, title: str, label: str) -> None:
    """Give a panel its title and labels and the scales of its axes."""
    axis.set(title=title, xlabel=label, ylabel="ms", xscale="log", yscale="log")
    axis.grid(alpha=0.25)
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("")
    if label == "clients n":
        axis.set_xticks([10, 25, 50, 100], ["10", "25", "50", "100"])
        axis.xaxis.set_minor_formatter("")
