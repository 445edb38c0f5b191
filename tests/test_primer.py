"""The pages for learners: the primer prints what it shows, and names what there is."""

import re
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS

ROOT = Path(__file__).parent.parent
PRIMER = (ROOT / "book" / "primer.md").read_text(encoding="utf-8")
GLOSSARY = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
TEASER = (ROOT / "notebooks" / "teaser.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PRIMER, re.DOTALL)


def terms():
    """The entries of the glossary."""
    (entries,) = re.findall(r"```\{glossary\}\n(.*?)```", GLOSSARY, re.DOTALL)
    return re.findall(r"^(\S.*)$", entries, re.MULTILINE)


def test_the_code_of_the_primer_prints_what_the_page_shows(capsys):
    assert len(BLOCKS) == PRIMER.count("```python") == 3
    names: dict = {}
    for code, shown in BLOCKS:
        exec(code, names)
        assert capsys.readouterr().out == shown


@pytest.mark.parametrize(("kind", "parts"), [("aggregators", AGGREGATORS), ("attacks", ATTACKS)])
def test_the_maps_name_parts_of_the_catalogue(kind, parts):
    linked = re.findall(rf"\[(\w+)\]\(#{kind}-(\w+)\)", PRIMER)
    assert len(linked) > 20
    for text, target in linked:
        assert text == target and target in parts


def test_the_promises_of_the_primer_are_those_of_the_lower_bound():
    (least,) = re.findall(
        r"With ten clients this is (\S+) for two attackers and (\d) for four", PRIMER
    )
    assert [float(Fraction(value)) for value in least] == [f / (10 - 2 * f) for f in (2, 4)]


def test_the_glossary_is_sorted_and_has_every_term_that_a_page_refers_to():
    entries = terms()
    assert entries == sorted(entries, key=str.casefold) and len(set(entries)) == len(entries)
    folded = {entry.casefold() for entry in entries}
    pages = [*(ROOT / "book").rglob("*.md"), *(ROOT / "notebooks").glob("*.md")]
    for page in pages:
        for text in re.findall(r"\{term\}`([^`]+)`", page.read_text(encoding="utf-8")):
            target = re.sub(r".*<(.+)>", r"\1", " ".join(text.split()))
            assert target.casefold() in folded, f"{page.name}: {text}"


def test_the_glossary_has_the_words_in_italics_of_the_primer():
    prose = re.sub(r"```.*?```|\$\$.*?\$\$", "", PRIMER, flags=re.DOTALL)
    words = re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", prose)
    known = GLOSSARY.casefold() + " italics"
    assert len(words) > 20
    assert [word for word in words if word.casefold() not in known] == []


def test_every_row_of_the_papers_symbols_has_a_column_for_each_paper():
    letters, meanings = (
        GLOSSARY.split(head)[1].split("\n\n")[0] for head in ("| letter |", "| meaning | this book")
    )
    for table, columns in ((letters, 6), (meanings, 7)):
        rows = table.splitlines()[1:]
        assert len(rows) > 12
        for row in rows:
            assert row.count("|") == columns + 1, row


def test_the_answers_of_the_teaser_are_true():
    benign = torch.randn(8, 1000, generator=torch.Generator().manual_seed(1))

    def sent(name, **parameters):
        forged = ATTACKS[name](n_byzantine=2, **parameters).apply(benign)[0]
        return torch.cat([benign, forged.expand(2, -1)])

    def aggregated(rule, name, **parameters):
        return AGGREGATORS[rule](n_byzantine=2).apply(sent(name, **parameters))[0]

    # With epsilon = 3 the mean points the right way and is a fifth as long.
    mean = benign.mean(0)
    torch.testing.assert_close(aggregated("mean", "ipm", epsilon=3.0), mean / 5)
    torch.testing.assert_close(aggregated("mean", "ipm", epsilon=5.0), -mean / 5)
    assert aggregated("mean", "ipm", epsilon=4.0).abs().max() < 1e-6
    # The median does not ask how far below the attackers' values are, and the mean does.
    assert torch.equal(aggregated("median", "alie", z=1.5), aggregated("median", "alie", z=2.0))
    assert not torch.allclose(aggregated("mean", "alie", z=1.5), aggregated("mean", "alie", z=2.0))
    # The page is about these numbers.
    assert re.findall(r"^(n_clients|n_byzantine|epsilon|z) = ([\d.]+)", TEASER, re.MULTILINE) == [
        ("n_clients", "10"), ("n_byzantine", "2"), ("epsilon", "5.0"), ("z", "2.0")
    ]  # fmt: skip
