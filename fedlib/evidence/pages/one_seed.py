"""How often a single seed gives the verdict that all seeds together give."""

from __future__ import annotations

from collections import Counter

from fedlib.evidence.judgement import CONTRADICTED
from fedlib.evidence.pages.marks import Page, page_mark
from fedlib.evidence.pages.opened import judged_claims
from fedlib.evidence.verdicts import FAILS, HOLDS, TIE, UNDECIDED
from fedlib.grids import paper_slugs

_OPPOSITE = {HOLDS: FAILS, FAILS: HOLDS}


def _pairs() -> list[tuple[str, str]]:
    """Return the verdict of each single seed of a row, and that of all seeds of the row."""
    rows = [row for slug in paper_slugs() for row in judged_claims(slug).judged]
    return [
        (alone, row.kind)
        for row in rows
        if row.kind != CONTRADICTED
        for alone in row.alone
        if alone in _OPPOSITE
    ]


@page_mark("one_seed_share")
def one_seed_share(page: Page) -> str:
    """Say in one sentence how often a single seed gives the verdict of all seeds of its row."""
    pairs = _pairs()
    if not pairs:
        return "No verdict of a single seed can be compared with that of several seeds yet."
    same = sum(_compared(alone, kind) == "same" for alone, kind in pairs)
    return (
        "How far can a single seed be trusted? In the rows with several seeds we judged each seed "
        f"alone. {100 * same / len(pairs):.0f} % of the verdicts *holds* and *does not hold* that "
        "one seed gave are also the verdict of all seeds together."
    )


@page_mark("one_seed_check")
def one_seed_check(page: Page) -> str:
    """Say how the verdicts of single seeds compare with those of all seeds of their rows."""
    pairs = _pairs()
    if not pairs:
        return "No row has several seeds yet, so that verdicts on one seed cannot be checked."
    found = Counter(_compared(alone, kind) for alone, kind in pairs)
    same = found["same"]
    return (
        "The rows with several seeds show how much a verdict on one seed is worth. In these rows "
        f"{len(pairs):,} single seeds would give the verdict *holds* or *does not hold* if they "
        f"were alone, by the same rules and with the same noise. For {same:,} of them "
        f"({100 * same / len(pairs):.0f} %) all seeds together "
        f"give the same verdict. For {found[UNDECIDED]} all seeds together decide nothing, for "
        f"{found[TIE]} they tie, and for {found['opposite']} they give the opposite verdict. The "
        "single seed is one of all the seeds, so this is a little too favourable."
    )


def _compared(alone: str, kind: str) -> str:
    """Say what all seeds give: the same as one alone, the opposite, a tie, or nothing."""
    if alone == kind:
        return "same"
    return "opposite" if kind == _OPPOSITE[alone] else kind
