"""How the pages show a verdict: its words, a sign, a colour, and bars that count verdicts."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fedlib.evidence.judgement import CONTRADICTED, Judgement
from fedlib.evidence.tally import (
    FAILS_MOSTLY,
    HOLDS_PARTLY,
    NOT_COMPUTED,
    in_words,
    kind_of_row,
)
from fedlib.evidence.verdicts import FAILS, HOLDS, TIE, UNDECIDED


class Look(NamedTuple):
    """How a kind of verdict looks.

    Attributes
    ----------
    css
        The end of the name of its CSS class.
    sign
        A sign that tells it from the others without colour.
    """

    css: str
    sign: str


LOOKS = {
    HOLDS: Look("holds", "✓"),
    HOLDS_PARTLY: Look("partly", "◐"),
    FAILS_MOSTLY: Look("mostly-fails", "◔"),
    FAILS: Look("fails", "✗"),
    TIE: Look("tie", "="),
    CONTRADICTED: Look("contradicted", "≠"),
    UNDECIDED: Look("undecided", "?"),
    NOT_COMPUTED: Look("absent", "–"),
}
"""The kinds of verdicts, in the order in which they are shown."""


def chip(kind: str) -> str:
    """Return the HTML of a verdict: its sign and its words on its colour."""
    look = LOOKS[kind]
    return (
        f'<span class="fedlib-kind fedlib-is-{look.css}">'
        f'<span aria-hidden="true">{look.sign}</span> {kind}</span>'
    )


def bar(counts: Mapping[str, int], noun: str) -> str:
    """Return the HTML of a bar that shows how many verdicts there are of each kind.

    Parameters
    ----------
    counts
        The number of verdicts of each kind.
    noun
        What is counted, in the plural.
    """
    shown = [(kind, count) for kind in LOOKS if (count := counts.get(kind, 0))]
    words = ", ".join(f"{count} {in_words(kind, count)}" for kind, count in shown)
    total = sum(count for _, count in shown)
    parts = "".join(
        f'<span class="fedlib-is-{LOOKS[kind].css}" style="flex-grow:{count}"></span>'
        for kind, count in shown
    )
    label = html.escape(f"{total} {noun}: {words}")
    return f'<div class="fedlib-bar" role="img" aria-label="{label}">{parts}</div>'


def legend(counts: Mapping[str, int]) -> str:
    """Return the HTML of the counts below a bar, each with its colour, sign and words.

    Parameters
    ----------
    counts
        The number of verdicts of each kind. Kinds without any are left out.
    """
    items = "".join(
        f'<li data-kind="{kind}"><span class="fedlib-kind fedlib-is-{look.css}" '
        f'aria-hidden="true">{look.sign}</span> <b>{count}</b> {in_words(kind, count)}</li>'
        for kind, look in LOOKS.items()
        if (count := counts.get(kind, 0))
    )
    return f'<ul class="fedlib-legend">{items}</ul>'


def counted_rows(rows: Sequence[Judgement]) -> Counter[str]:
    """Return how many rows there are of each kind."""
    return Counter(map(kind_of_row, rows))
