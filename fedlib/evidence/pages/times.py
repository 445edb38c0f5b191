"""How long the stored runs took."""

from __future__ import annotations

import statistics
from itertools import product

from fedlib.evidence.pages.markdown import table
from fedlib.evidence.pages.marks import Page, page_mark
from fedlib.grids import grid_slugs
from fedlib.grids.progress import duration
from fedlib.runs.store import Store

_SCALES = ("quick", "paper")


@page_mark("times")
def times(page: Page) -> str:
    """Return a table of the median times of a run on a CPU, by paper, data and scale."""
    seconds, names = _seconds()
    order, rows = list(grid_slugs()), []
    for slug, data in sorted(seconds, key=lambda one: (order.index(one[0]), names[one[1]])):
        by_scale = seconds[slug, data]
        medians = [
            duration(statistics.median(by_scale[scale])) if scale in by_scale else "–"
            for scale in _SCALES
        ]
        rows.append([f"`{slug}`", names[data], *medians])
    return table(("grid", "data", *_SCALES), rows, numbers=len(_SCALES))


_Data = tuple[str, str]
_Seconds = dict[tuple[str, _Data], dict[str, list[float]]]


def _seconds() -> tuple[_Seconds, dict[_Data, str]]:
    """Return the times of all runs on a CPU in seconds, and what their data are called.

    The times are by the paper and the data (their short name and checksum), and then by the scale.
    Later versions of the library may describe the same bytes in other words, so the newest words
    of all are taken.
    """
    seconds: _Seconds = {}
    names: dict[_Data, tuple[str, str]] = {}
    for slug, scale in product(grid_slugs(), _SCALES):
        for record in Store(slug).read(scale).values():
            made = record["provenance"]
            data = record["config"]["data"]["name"], made["data_checksum"]
            name = made["started"], made["data"]
            names[data] = max(name, names.get(data, name))
            if made["device"].startswith("cpu"):
                by_scale = seconds.setdefault((slug, data), {})
                by_scale.setdefault(scale, []).append(made["wall_time_s"])
    return seconds, {data: name for data, (_, name) in names.items()}
