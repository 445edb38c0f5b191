"""The figure of the rules: their times in reads of the matrix, which is the limit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from fedlib.evidence.pages.marks import Page, page_figure
from fedlib.evidence.pages.measured import CPU_FILE
from fedlib.evidence.plots import PALETTE, STYLE

_SIZES = ((25, 1_000_000), (100, 100_000))
# A library's mark, and its name in the legend.
_LIBRARIES = {
    "fedlib": ("o", "fedlib"),
    "torch": ("|", "fedlib without compiled kernels"),
    "byzfl": ("x", "byzfl"),
    "flower": ("+", "Flower"),
    "krum": ("2", "krum"),
}


@page_figure("measured", "reads.png")
def draw(page: Page, path: Path) -> None:
    """Draw the time of each rule in reads of the matrix, for each library that has the rule.

    Parameters
    ----------
    page
        It knows where the benchmarks' results are.
    path
        Where to write the figure.
    """
    summary: dict[str, Any] = json.loads(page.benchmark(CPU_FILE))
    reads = {size: _reads(summary, size) for size in _SIZES}
    # In the order of our times with the larger matrix, the fastest on top.
    rules = sorted(reads[_SIZES[0]], key=lambda rule: -reads[_SIZES[0]][rule]["fedlib"])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 6), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        for axis, size in zip(panels, _SIZES, strict=True):
            for (library, (mark, label)), colour in zip(_LIBRARIES.items(), PALETTE, strict=False):
                points = [
                    (reads[size][rule][library], place)
                    for place, rule in enumerate(rules)
                    if library in reads[size].get(rule, {})
                ]
                if points:
                    axis.plot(
                        *zip(*points, strict=True),
                        linestyle="none",
                        marker=mark,
                        color=colour,
                        label=label,
                        markersize=9 if mark == "|" else 6,
                        markeredgewidth=1.5,
                    )
            axis.axvline(1, color="grey", linewidth=0.8)
            axis.set(
                title=f"{size[0]} clients, {size[1]:,} parameters",
                xlabel="time, in reads of the matrix",
                xscale="log",
            )
            axis.xaxis.set_major_formatter("{x:g}")
            axis.grid(alpha=0.25)
        panels[0].set_yticks(range(len(rules)), [rule.replace("_", " ") for rule in rules])
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=5)
        figure.savefig(path)


def _reads(summary: dict[str, Any], size: tuple[int, int]) -> dict[str, dict[str, float]]:
    """Return how many reads of a matrix of this size each library takes for each rule of ours."""
    entries = [
        entry
        for entry in summary["measured"]
        if entry["kind"] == "aggregator" and tuple(entry["size"]) == size
    ]
    one_read = next(e["seconds"]["memory"] for e in entries if "memory" in e["seconds"])
    return {
        entry["name"]: {name: seconds / one_read for name, seconds in entry["seconds"].items()}
        for entry in entries
        if "fedlib" in entry["seconds"]
    }
