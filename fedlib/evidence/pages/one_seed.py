"""How often a single seed gives the verdict that all seeds together give."""

from __future__ import annotations

from collections import Counter

from fedlib.evidence.judgement import CONTRADICTED
from fedlib.evidence.pages.marks import Page, page_mark
from fedlib.evidence.pages.opened import judged_claims
from fedlib.evidence.verdicts import FAILS, HOLDS, TIE, UNDECIDED
from fedlib.grids import paper_slugs

_OPPOSITE = {HOLDS: FAILS, FAILS: HOLDS}


@page_mark("one_seed_check")
def one_seed_check(page: Page) -> str:
    """Say how the verdicts of single seeds compare with those of all seeds of their rows."""
    rows = [row for slug in paper_slugs() for row in judged_claims(slug).judged]
    pairs = [
        (alone, row.kind)
        for row in rows
        if row.kind != CONTRADICTED
        for alone in row.alone
        if alone in _OPPOSITE
    ]
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
