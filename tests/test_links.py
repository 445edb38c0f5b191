"""Every number leads to its records: the links, their anchors, and the pages that they lead to."""

import fnmatch
import html
import importlib
import inspect
import re
import shlex
from collections import Counter
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml

from fedlib.__main__ import _parser
from fedlib.evidence import links
from fedlib.evidence.claims import Claim, Former, above, tally
from fedlib.evidence.judgement import CONTRADICTED, Judgement
from fedlib.evidence.links import Link, Linked, as_html, cell_anchor, leading_to, records_of
from fedlib.evidence.pages.kinds import LOOKS
from fedlib.evidence.pages.marks import Page
from fedlib.evidence.pages.opened import judged_claims, opened
from fedlib.evidence.pages.records import records
from fedlib.evidence.pages.verdicts import abstracts, all_verdicts, tally_bars, verdicts
from fedlib.evidence.report import Archive, Table
from fedlib.evidence.tally import (
    NOT_COMPUTED,
    in_words,
    kind_of_row,
    kind_of_sentence,
    sentences,
)
from fedlib.evidence.verdicts import UNDECIDED
from fedlib.grids import choose_stored, grid_slugs, load_grid, paper_slugs
from fedlib.runs.store import Store
from fedlib.validation import ConfigError

ROOT = Path(__file__).parent.parent
SLUGS = paper_slugs()
NEEDS_DATA = {"stage_one_table"}
"""Tables that need data sets, which need not be at hand."""


@pytest.fixture(scope="module", autouse=True)
def stored():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEDLIB_RESULTS", str(ROOT / "results"))
        yield


@pytest.fixture(scope="module")
def pages(stored):
    """The pages of records by slug."""
    return {slug: records(Page(""), slug) for slug in grid_slugs()}


@pytest.fixture(scope="module")
def anchors(pages):
    """The anchors of the pages of records by slug; the list of cells is a heading of its own."""
    return {slug: {*ids(text), links.ALL_CELLS} for slug, text in pages.items()}


def ids(text):
    return list(map(html.unescape, re.findall(r' id="([^"]+)"', text)))


def addresses(text):
    return list(map(html.unescape, re.findall(r'<a href="([^"]+)"', text)))


def tables_of(slug):
    """Every table of a chapter that needs no more than the stored runs."""
    archive = Archive(load_grid(slug))
    module = importlib.import_module(f"fedlib.papers.{slug}.tables")
    for name, make in vars(module).items():
        if not inspect.isfunction(make) or name in NEEDS_DATA:
            continue
        needed = [
            parameter.name
            for parameter in inspect.signature(make).parameters.values()
            if parameter.default is inspect.Parameter.empty
        ]
        if needed == ["archive"] and "Table" in str(make.__annotations__["return"]):
            found = make(archive)
            if isinstance(found, Table):
                yield name, found


def test_the_first_line_leads_to_the_cell():
    text = leading_to("97.39 paper\n97.73 ± 0.30", "toy", ["a/b"])
    assert text == "97.39 paper\n97.73 ± 0.30"
    assert as_html(text) == (
        '<a href="../book/records/toy.html#cell-a/b">97.39 paper</a><br>97.73 ± 0.30'
    )


def test_each_side_of_an_arrow_leads_to_its_own_cell():
    text = leading_to("1.0 → 2.0 (+1.0)", "toy", ["a", "b"])
    assert text.links == (
        Link("1.0", "../book/records/toy.html#cell-a"),
        Link("2.0 (+1.0)", "../book/records/toy.html#cell-b"),
    )
    # Equal numbers on both sides are not taken for one another.
    assert addresses(as_html(leading_to("5 → 5", "toy", ["a", "b"]))) == [
        "../book/records/toy.html#cell-a",
        "../book/records/toy.html#cell-b",
    ]


def test_a_number_of_several_cells_leads_to_all_of_them():
    address = records_of("toy", "a/b", "c's, d", "a/b")
    assert parse_qs(urlsplit(address).query) == {"only": ["a/b", "c's, d"]}
    assert address.endswith("#cells")
    assert addresses(as_html(leading_to("3 of 4", "toy", ["a", "b"]))) == [
        "../book/records/toy.html?only=a&only=b#cells"
    ]


def test_a_link_must_stand_in_its_text():
    with pytest.raises(ValueError, match="must stand in the text"):
        Linked("1 and 2", [Link("2", "#b"), Link("1", "#a")])


def test_a_table_has_links_and_anchors_in_its_html_alone():
    cell = Linked("<1>\n2", [Link("<1>", "x.html?a=1&b=2#c")])
    table = Table(("h",), (("plain",), (cell,)), anchors={1: "claim-x"})
    assert '<td><a href="x.html?a=1&amp;b=2#c">&lt;1&gt;</a><br>2</td>' in table._repr_html_()
    assert '<tr><td>plain</td></tr><tr id="claim-x">' in table._repr_html_()
    assert repr(table) == "h\nplain\n<1> | 2"


def test_an_archive_links_only_to_cells_of_its_grid(toy, store):
    archive = Archive(toy, store)
    assert archive.linked("1.0", "table/mean").links[0].target.endswith("toy.html#cell-table/mean")
    with pytest.raises(ConfigError, match="did you mean 'table/mean'"):
        archive.linked("1.0", "table/meen")
    with pytest.raises(ConfigError, match="at least one key"):
        archive.linked("1.0")


def test_anchors_are_made_of_names_alone():
    assert cell_anchor("table_iv/mnist_iid/rop/cc_tau1/0.99") == (
        "cell-table_iv/mnist_iid/rop/cc_tau1/0.99"
    )
    assert re.fullmatch(r"[\w./-]+", cell_anchor("readings/clients'-samples, highest/mnist"))
    claim = Claim("Fig. 1", "A, β = 0: it wins", ("a",), sum, above(0), "{:.1f}", reading="r")
    # Links from elsewhere lead here, so that this text must not change.
    assert claim.anchor("toy") == "claim-a-0-it-wins-3e90f20c"
    other = Claim("Fig. 1", "A, β = 0: it wins", ("b",), max, above(1), "{:.2f}", reading="s")
    assert claim.anchor("toy") != other.anchor("toy")
    assert claim.anchor("toy") != claim.anchor("other")
    # A claim that is reworded keeps its anchor, and that of its sentence.
    words = Former("A, β = 0: it wins", "it wins everywhere")
    reworded = replace(claim, text="A, β = 0: A wins", sentence="A wins", former=words)
    assert reworded.anchor("toy") == claim.anchor("toy")
    assert (reworded.says, reworded.at_first.says) == ("A wins", "it wins everywhere")
    assert claim.at_first.says == claim.says == "it wins"
    # So does one whose reading or place is said in other words.
    moved = replace(
        claim, place="Fig. 2", reading="t", former=Former(claim.text, "", "Fig. 1", "r")
    )
    assert moved.anchor("toy") == claim.anchor("toy")


def test_every_anchor_that_was_published_still_leads_to_its_claim():
    """If a claim is reworded on purpose, its former words go into its field ``former``.

    The list has the anchors of all claims and sentences of November 2026. A line may go only if its
    claim goes.
    """
    lines = (ROOT / "tests/recorded/anchors.txt").read_text().splitlines()
    published = {line for line in lines if not line.startswith("# ")}
    assert len(published) == 805
    present = {name for slug in SLUGS for name in ids(verdicts(Page(""), slug))}
    assert published <= present, sorted(published - present)


@pytest.mark.parametrize("slug", grid_slugs())
def test_anchors_on_a_page_of_records_are_unique_and_all_there(pages, slug):
    found = ids(pages[slug])
    assert max(Counter(found).values()) == 1
    cells = set(map(cell_anchor, Archive(load_grid(slug)).all_cells()))
    judged = judged_claims(slug).judged if slug in SLUGS else ()
    claims = {row.claim.anchor(slug) for row in judged}
    assert set(found) == cells | claims


@pytest.mark.parametrize("slug", grid_slugs())
def test_the_example_in_the_filter_of_a_page_of_records_fits_some_of_its_cells(pages, slug):
    (pattern,) = re.findall('name="only" placeholder="([^"]+)"', pages[slug])
    cells = Archive(load_grid(slug)).all_cells()
    assert 0 < len(fnmatch.filter(cells, pattern)) < len(cells)


@pytest.mark.parametrize("slug", SLUGS)
def test_every_link_of_a_chapters_tables_has_its_target(anchors, slug):
    linked = {}
    for name, table in tables_of(slug):
        linked[name] = addresses(table._repr_html_())
        for address in linked[name]:
            parts = urlsplit(address)
            assert parts.path == f"../book/records/{slug}.html"
            assert unquote(parts.fragment) in anchors[slug], address
            keys = parse_qs(parts.query).get("only", [])
            assert {cell_anchor(key) for key in keys} <= anchors[slug], address
    assert all(linked.values()), f"tables without a link: {[n for n in linked if not linked[n]]}"
    assert ("claims_table" in linked and "variants_table" in linked) or slug == "gradient_guard"


@pytest.mark.parametrize("slug", SLUGS)
def test_every_claim_leads_to_the_records_of_its_cells(pages, slug):
    shown = dict(re.findall(r'<details class="fedlib-cell" id="(claim-[^"]+)">(.*)', pages[slug]))
    for row in judged_claims(slug).judged:
        targets = addresses(shown[row.claim.anchor(slug)])
        assert targets == [f"#{cell_anchor(key)}" for key in dict.fromkeys(row.claim.cells)]
    chapter = judged_claims(slug)
    assert ids(chapter._repr_html_()) == [
        row.claim.anchor(slug) for row in sorted(chapter.judged, key=lambda row: row.own)
    ]


@pytest.mark.parametrize("slug", SLUGS)
def test_the_verdict_page_has_every_claim_once_and_its_links_work(anchors, slug):
    text = verdicts(Page(""), slug)
    found = ids(text)
    assert max(Counter(found).values()) == 1
    rows = [name for name in found if name.startswith("claim-")]
    assert set(rows) == {row.claim.anchor(slug) for row in judged_claims(slug).judged}
    for address in addresses(text):
        assert urlsplit(address).path == f"../book/records/{slug}.html"
        assert urlsplit(address).fragment in anchors[slug]


def test_the_sentences_of_the_abstracts_lead_to_those_of_the_papers():
    found = set(ids("".join(verdicts(Page(""), slug) for slug in SLUGS)))
    led_to = [urlsplit(address).fragment for address in addresses(abstracts(Page("")))]
    assert led_to and set(led_to) <= found


@pytest.mark.parametrize("slug", SLUGS)
def test_the_bars_count_what_the_tally_counts(slug):
    judged = judged_claims(slug)
    rows = [row for row in judged.judged if not row.own]
    expected = [
        Counter(kind_of_sentence(held) for held in sentences(judged).values()),
        Counter(map(kind_of_row, rows)),
    ]
    text = verdicts(Page(""), slug)
    bars = re.findall(r'aria-label="\d+ (?:sentences|rows): ([^"]+)"', text)
    legends = re.findall(r'<ul class="fedlib-legend">(.*?)</ul>', text)
    kinds_in = {in_words(kind, count): kind for kind in LOOKS for count in (1, 2)}
    for bar, legend, counts in zip(bars, legends, expected, strict=True):
        said = {kinds_in[k]: int(n) for n, k in (part.split(" ", 1) for part in bar.split(", "))}
        listed = re.findall(r'<li data-kind="([^"]+)">.*?<b>(\d+)</b>', legend)
        assert {kind: int(count) for kind, count in listed} == said
        assert said == dict(counts)
    # These are the numbers of the front page, which has them in words.
    total = sum(expected[0].values())
    assert tally(judged).startswith(f"{total} sentence")
    # The page's parts for single sentences have the same kinds.
    own = text.partition("fedlib-own")[0]
    kinds = Counter(re.findall(r'<details class="fedlib-sentence"[^>]* data-kind="([^"]+)"', own))
    assert kinds == expected[0]
    assert f'data-paper="{slug}"' in tally_bars(Page(""))


@pytest.mark.parametrize(("kinds", "kind"), [
    ((NOT_COMPUTED, NOT_COMPUTED), NOT_COMPUTED),
    ((NOT_COMPUTED, CONTRADICTED), NOT_COMPUTED),
    ((CONTRADICTED, CONTRADICTED), CONTRADICTED),
    ((NOT_COMPUTED, UNDECIDED), UNDECIDED),
    ((NOT_COMPUTED, "holds", "holds"), "holds"),
])  # fmt: skip
def test_a_sentence_without_an_undecided_row_is_not_undecided(kinds, kind):
    claim = judged_claims(SLUGS[0]).judged[0].claim
    rows = [
        Judgement(claim, "", "", "", UNDECIDED, NOT_COMPUTED)
        if of == NOT_COMPUTED
        else Judgement(claim, "", "", "", of)
        for of in kinds
    ]
    assert kind_of_sentence(rows) == kind


@pytest.mark.parametrize("slug", SLUGS)
def test_the_commands_of_a_cell_choose_its_runs_and_no_others(pages, slug):
    archive, parser, store = Archive(load_grid(slug)), _parser(), Store(slug)
    # Keys with letters that a shell reads otherwise come first, then some of the others.
    keys = sorted(archive.all_cells(), key=lambda key: re.fullmatch(r"[\w./-]+", key) is not None)
    cells = dict(re.findall(r'<details class="fedlib-cell" id="(cell-[^"]+)">(.*)', pages[slug]))
    checked = 0
    for key in (keys[0], keys[len(keys) // 2]):
        results = {result.scale: result for result in archive.results([key])}
        text = cells[html.escape(cell_anchor(key))]
        found = re.findall(r'<pre class="fedlib-command">(.*?)</pre>', text)
        for words in (shlex.split(html.unescape(command)) for command in found):
            assert words[:3] == ["python", "-m", "fedlib"]
            options = parser.parse_args(words[3:])
            assert (options.slug, options.only) == (slug, [key])
            if words[3] == "run":
                seeds = results[options.scale].seeds if results else [1]
                assert options.seeds == max(seeds)
            else:
                runs = choose_stored(archive.grid, store, scales=[options.scale], only=options.only)
                held = {record["id"] for record in results[options.scale].records}
                assert held <= {run.record["id"] for run in runs}
                checked += 1
    assert checked


@pytest.mark.parametrize("slug", SLUGS)
def test_a_row_says_which_runs_come_next_unless_its_verdict_is_firm(pages, slug):
    archive, judged = opened(slug), judged_claims(slug).judged
    folded = re.compile(r'<details class="fedlib-cell" id="(claim-[^"]+)">(.*?)</details>', re.S)
    parts = dict(folded.findall(pages[slug]))
    kinds = Counter()
    for row in judged:
        part = parts[row.claim.anchor(slug)]
        command = re.search(r"What comes next:.*?<pre[^>]*>(.*?)</pre>", part)
        firm = row.kind == CONTRADICTED or (row.decided and not row.provisional)
        kinds["firm" if firm else "open" if row.next_runs else "closed"] += 1
        assert (command is not None) == bool(row.next_runs) == (not firm and command is not None)
        assert ("No more runs are planned" in part) == (not firm and not row.next_runs)
        if command is not None:
            words = shlex.split(html.unescape(command[1]))[3:]
            chosen = vars(_parser().parse_args(words))
            seed = row.next_runs[0][1]
            assert (chosen["scale"], chosen["seeds"]) == ("paper", seed)
            missing = {cell for cell in row.claim.cells if seed not in archive.seeds(cell, "paper")}
            assert {cell for cell, _ in row.next_runs} == missing
            assert len(chosen["only"]) == len(missing)
    assert kinds["open"]


def test_every_grid_has_a_page_of_records_in_the_site():
    site = yaml.safe_load((ROOT / "_toc.yml").read_text())
    named = [
        section["file"]
        for part in site["parts"]
        for chapter in part["chapters"]
        if chapter["file"] == "book/records"
        for section in chapter["sections"]
    ]
    assert sorted(named) == [f"book/records/{slug}" for slug in sorted(grid_slugs())]
    for slug in grid_slugs():
        assert f"{{records:{slug}}}" in (ROOT / f"book/records/{slug}.md").read_text()


def test_the_filter_counts_the_rows_of_all_papers():
    text = all_verdicts(Page(""))
    buttons = dict(re.findall(r'data-kind="([^"]+)" aria-pressed="false">.*?<b>(\d+)</b>', text))
    rows = Counter(re.findall(r'<li id="claim-[^"]+" data-kind="([^"]+)"', text))
    assert {kind: int(count) for kind, count in buttons.items()} == dict(rows)
