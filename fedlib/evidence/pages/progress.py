"""How far the papers' grids are computed, and which of the papers' claims are decided."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fedlib.evidence import claims
from fedlib.evidence.pages.markdown import escaped, table
from fedlib.evidence.pages.marks import Page, page_mark
from fedlib.evidence.pages.opened import judged_claims, opened
from fedlib.evidence.published import published_slugs
from fedlib.grids import load_grid


@page_mark("coverage:SLUG")
def coverage(page: Page, slug: str) -> str:
    """Say how far a paper's grid is computed."""
    return opened(slug).coverage()


@page_mark("hours:SLUG")
def hours(page: Page, slug: str) -> str:
    """Say how many hours the stored runs at the paper's scale took, on each kind of device."""
    return hours_of(opened(slug).store.read("paper").values())


def hours_of(records: Iterable[dict[str, Any]]) -> str:
    """Return the sum of the runs' times, as ``12.3 h CPU, 0.5 h GPU``.

    Parameters
    ----------
    records
        The records of the runs.
    """
    seconds = {"CPU": 0.0, "GPU": 0.0}
    for record in records:
        made = record["provenance"]
        seconds["CPU" if made.get("device", "cpu") == "cpu" else "GPU"] += made["wall_time_s"]
    return ", ".join(f"{time / 3600:.1f} h {kind}" for kind, time in seconds.items() if time)


@page_mark("tally:SLUG")
def tally(page: Page, slug: str) -> str:
    """Say how many of a paper's sentences hold, do not hold, and are undecided."""
    return claims.tally(judged_claims(slug))


@page_mark("contradicted")
def contradicted(page: Page) -> str:
    """Return a table of the claims, of all papers, that a paper's own numbers contradict."""
    rows = []
    for slug in published_slugs():
        title = load_grid(slug).name
        for row in claims.contradicted(judged_claims(slug)):
            cells = (title, f"{row.text} ({row.place})", row.needed, row.in_print)
            rows.append(list(map(escaped, cells)))
    heads = ("paper", "claim", "needed", "its own numbers give")
    return table(heads, rows) if rows else "None."
