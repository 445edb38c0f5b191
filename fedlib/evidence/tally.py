"""How many of a paper's sentences hold, and in how many rows of the table of claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from fedlib.evidence.judgement import CONTRADICTED, Judgement
from fedlib.evidence.judging import ClaimsTable
from fedlib.evidence.table import plural
from fedlib.evidence.verdicts import FAILS, HOLDS, TIE, UNDECIDED

HOLDS_PARTLY = "holds in some readings or settings"
"""The kind of a sentence that holds in half of its decided rows or more, but not in all of them, or
that has too few decided rows."""
FAILS_MOSTLY = "does not hold in most readings or settings"
"""The kind of a sentence that holds in fewer than half of its decided rows, if these are enough."""

NOT_COMPUTED = "not computed"
"""The kind of an undecided claim of which some runs are missing."""

_WORDS = {
    HOLDS: ("holds", "hold"),
    HOLDS_PARTLY: (HOLDS_PARTLY, "hold in some readings or settings"),
    FAILS_MOSTLY: (FAILS_MOSTLY, "do not hold in most readings or settings"),
    FAILS: ("does not hold", "do not hold"),
    TIE: ("tie", "ties"),
    UNDECIDED: ("undecided", "undecided"),
    CONTRADICTED: (CONTRADICTED, CONTRADICTED),
    NOT_COMPUTED: (NOT_COMPUTED, NOT_COMPUTED),
}
"""The words for each kind after the number 1, and after another number."""


def in_words(kind: str, count: int) -> str:
    """Return the words for some verdicts of a kind, such as ``do not hold``.

    Parameters
    ----------
    kind
        The kind of verdict.
    count
        How many verdicts there are. After the number 1 the words are in the singular.
    """
    one, many = _WORDS.get(kind, (kind, kind))
    return one if count == 1 else many


def sentences(table: ClaimsTable) -> dict[tuple[str, str], list[Judgement]]:
    """Return the rows of each sentence of the paper; questions of this book are left out.

    Parameters
    ----------
    table
        The paper's claims, judged.
    """
    found: dict[tuple[str, str], list[Judgement]] = {}
    for row in table.judged:
        if not row.own:
            found.setdefault((row.place, row.claim.says), []).append(row)
    return found


def whole_rows(rows: Sequence[Judgement]) -> list[Judgement]:
    """Return the rows of a sentence, those that are parts of it joined to one for each reading.

    Parameters
    ----------
    rows
        The rows of the sentence.

    Returns
    -------
    list of Judgement
        One row for each reading in which the sentence has parts, and the other rows as they are. A
        joined row fails if a part of it fails, and it holds if all parts hold.
    """
    whole = [row for row in rows if not row.claim.is_part]
    by_reading: dict[str, list[Judgement]] = {}
    for row in rows:
        if row.claim.is_part:
            by_reading.setdefault(row.claim.reading, []).append(row)
    for parts in by_reading.values():
        # The first of these kinds that a part has is that of the whole.
        kinds = (FAILS, CONTRADICTED, UNDECIDED, TIE, HOLDS)
        whole.append(next(row for kind in kinds for row in parts if row.kind == kind))
    return whole


def kind_of(rows: Sequence[Judgement]) -> str:
    """Return the verdict on a sentence from the verdicts on its rows.

    The decided rows count. A sentence without a decided row is undecided, or contradicted in print
    if all of its rows are. Three things say that the decided rows are not enough for the whole
    sentence: they are fewer than half of the rows, the paper's own numbers contradict the sentence
    in some setting, or all of them are of a named reading while the rows without one are undecided.

    Rows that are parts of the sentence count together, as one row for each reading.

    - If all decided rows hold, the sentence holds. If they are not enough, or if at least half of
      them hold, it holds in some readings or settings. If fewer hold, and at least half of the rows
      are decided, it does not hold in most.
    - If all are ties, the sentence is a tie. If they are not enough, it is undecided.
    - Otherwise it does not hold. One row is enough for this, because a sentence is about all of its
      settings. If it fails only in named readings, which the text has not chosen, only the rows
      without a reading count. The sentence is then a tie if these rows are ties, and undecided
      otherwise.

    Parameters
    ----------
    rows
        The rows of the sentence. There is at least one.
    """
    rows = whole_rows(rows)
    decided = [row for row in rows if row.decided]
    kinds = {row.kind for row in decided}
    if not decided:
        return CONTRADICTED if all(row.kind == CONTRADICTED for row in rows) else UNDECIDED
    by_the_text = [row for row in rows if not row.claim.reading]
    by_a_reading = bool(by_the_text) and not any(row.decided for row in by_the_text)
    most_are_decided = 2 * len(decided) >= len(rows)
    enough = most_are_decided and all(row.kind != CONTRADICTED for row in rows) and not by_a_reading
    if HOLDS in kinds:
        if most_are_decided and 2 * sum(row.kind == HOLDS for row in decided) < len(decided):
            return FAILS_MOSTLY
        return HOLDS if enough and kinds == {HOLDS} else HOLDS_PARTLY
    fails = any(row.kind == FAILS for row in by_the_text or rows)
    return FAILS if fails else TIE if enough else UNDECIDED


def kind_of_row(row: Judgement) -> str:
    """Return the kind of verdict on a row, with the rows of missing runs as a kind of their own."""
    missing = row.kind == UNDECIDED and row.remark == NOT_COMPUTED
    return NOT_COMPUTED if missing else row.kind


def kind_of_sentence(rows: Sequence[Judgement]) -> str:
    """Return the kind of verdict on a sentence.

    It is not computed if some rows are not, and the paper's own numbers contradict all others.

    Parameters
    ----------
    rows
        The rows of the sentence.
    """
    kinds = set(map(kind_of_row, whole_rows(rows)))
    if NOT_COMPUTED in kinds and kinds <= {NOT_COMPUTED, CONTRADICTED}:
        return NOT_COMPUTED
    return kind_of(rows)


def tally(table: ClaimsTable) -> str:
    """Say how many of the paper's sentences hold, and how many of the rows that they have.

    A sentence has a row for each reading of it and each setting that it is tested in.

    Parameters
    ----------
    table
        The paper's claims, judged.
    """
    found = sentences(table)
    of_sentences = Counter(kind_of_sentence(rows) for rows in found.values())
    of_rows = Counter(kind_of_row(row) for rows in found.values() for row in rows)
    return (
        f"{plural(len(found), 'sentence')}: {_counted(of_sentences)} "
        f"({plural(sum(of_rows.values()), 'row')}: {_counted(of_rows)})"
    )


def _counted(kinds: Mapping[str, int]) -> str:
    """Say how many there are of each kind: ``1 holds, 2 do not hold``."""
    said = [f"{count} {in_words(kind, count)}" for kind in _WORDS if (count := kinds.get(kind, 0))]
    return ", ".join(said) or "none"


def contradicted(table: ClaimsTable) -> list[Judgement]:
    """Return the paper's claims that its own numbers do not support."""
    return [row for row in table.judged if row.kind == CONTRADICTED]
