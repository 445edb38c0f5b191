"""How long the stored runs took."""

from __future__ import annotations

import statistics

from fedlib.evidence.pages.markdown import table
from fedlib.evidence.pages.marks import Page, page_mark
from fedlib.grids import grid_slugs
from fedlib.grids.progress import duration
from fedlib.runs.store import Store

_SCALES = ("quick", "paper")


@page_mark("times")
def times(page: Page) -> str:
    """Return a table of the median times of a run on a CPU, by paper, data and scale."""
    rows = []
    for slug in grid_slugs():
        for data, by_scale in sorted(_seconds(slug).items()):
            medians = [
                duration(statistics.median(by_scale[scale])) if scale in by_scale else "–"
                for scale in _SCALES
            ]
            rows.append([f"`{slug}`", data, *medians])
    return table(("grid", "data", *_SCALES), rows, numbers=len(_SCALES))


def _seconds(slug: str) -> dict[str, dict[str, list[float]]]:
    """Return the times of a paper's runs on a CPU in seconds, by data and scale."""
    seconds: dict[str, dict[str, list[float]]] = {}
    for scale in _SCALES:
        for record in Store(slug).read(scale).values():
            provenance = record["provenance"]
            if provenance["device"].startswith("cpu"):
                by_scale = seconds.setdefault(provenance["data"], {})
                by_scale.setdefault(scale, []).append(provenance["wall_time_s"])
    return seconds
