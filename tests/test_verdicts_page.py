"""What the page of verdicts says of the rows of a sentence."""

import re
from pathlib import Path

import pytest

from fedlib.evidence.claims import Claim, above
from fedlib.evidence.judgement import Judgement
from fedlib.evidence.pages.verdicts import _in_settings, abstracts, all_verdicts
from fedlib.evidence.verdicts import FAILS, HOLDS, TIE, UNDECIDED
from fedlib.grids import load_grid, paper_slugs

ROOT = Path(__file__).parent.parent


def rows(*kinds_by_reading):
    """Rows of one sentence, as pairs of a reading and a kind."""
    return [
        Judgement(
            Claim("T", "A: it wins", ("a",), sum, above(0), "{}", reading=reading),
            "",
            "–",
            "–",
            kind,
        )
        for reading, kind in kinds_by_reading
    ]


@pytest.mark.parametrize(("given", "said"), [
    ([("", HOLDS)], "1 row"),
    ([("", HOLDS), ("b", FAILS), ("c", UNDECIDED)],
     "holds in 1 of 2 decided rows, 1 row undecided"),
    # Three of the rows are of one reading, in which one does not hold.
    ([("", HOLDS), ("", HOLDS), ("", FAILS), ("b", FAILS), ("c", HOLDS), ("d", TIE),
      ("e", UNDECIDED)],
     "holds in 3 of 6 decided rows, 1 tie, 1 row undecided; in 1 of 5 readings all rows hold, "
     "in 1 no row is decided"),
    ([("", FAILS), ("b", FAILS), ("c", HOLDS), ("d", HOLDS), ("d", UNDECIDED), ("e", UNDECIDED)],
     "holds in 2 of 4 decided rows, 2 rows undecided; in 1 of 5 readings all rows hold, "
     "in 1 all decided rows hold, in 1 no row is decided"),
    ([("code", HOLDS), ("", UNDECIDED)],
     "holds in 1 of 1 decided row, 1 row undecided; the only decided reading: code"),
    ([("", FAILS), ("code", UNDECIDED)],
     "holds in 0 of 1 decided row, 1 row undecided; the only decided reading: as the text says it"),
    ([("", UNDECIDED), ("b", UNDECIDED)], "2 undecided"),
])  # fmt: skip
def test_rows_are_counted_and_readings_if_there_are_many(given, said):
    assert _in_settings(rows(*given)) == said


def test_every_abstract_has_sentences_that_lead_to_their_rows():
    said, below = abstracts(None), all_verdicts(None)
    for slug in paper_slugs():
        assert f"<span>{load_grid(slug).name}</span><ul><li>" in said
    links = re.findall(r'href="../book/verdicts.html#([^"]+)"', said)
    assert len(links) == len(set(links)) >= len(paper_slugs())
    assert all(f'<details class="fedlib-sentence" id="{link}"' in below for link in links)
    assert "{abstracts}" in (ROOT / "book" / "verdicts.md").read_text()
