"""The verdict page and the pages of records in a browser: filters, folds and copied commands."""

import shutil
from pathlib import Path
from urllib.parse import urlencode

import pytest

from fedlib.evidence.claims import Claim, above
from fedlib.evidence.judgement import Judgement
from fedlib.evidence.judging import ClaimsTable
from fedlib.evidence.pages import records as records_page
from fedlib.evidence.pages import verdicts as verdicts_page
from fedlib.evidence.pages.marks import Page

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("needs Chromium", allow_module_level=True)

STATIC = Path(__file__).parent.parent / "book" / "_static"
# Two papers of the library lend their names to invented claims.
CLAIMS = {
    "centered_clipping": [
        ("Fig. 1", "MNIST: alpha beats beta", "holds"),
        ("Fig. 1", "CIFAR-10: alpha beats beta", "does not hold"),
        ("Fig. 2", "MNIST: rop diverges", "tie"),
        ("this book", "MNIST: does alpha tire", "undecided"),
    ],
    "gradient_guard": [("abstract", "MNIST: beta is stable", "holds")],
}
CELLS = {
    "centered_clipping": "table_iv/mnist_noniid/rop/tm/0",
    "gradient_guard": "mnist/none/0/krum",
}


def judged(slug):
    rows = []
    for place, text, kind in CLAIMS.get(slug, ()):
        claim = Claim(place, text, (CELLS[slug],), sum, above(0), "{:.1f}")
        rows.append(Judgement(claim, "+1.0", "–", "paper, MNIST, 1 seed", kind))
    return ClaimsTable((), (), judged=tuple(rows))


def write(path, markdown):
    """Write the HTML of a page's Markdown, in which headings make sections, as the site has it."""
    parts, inside = [], False
    for line in markdown.splitlines():
        if line.startswith("#"):
            name = line.lstrip("#").strip(" `").lower().replace(" ", "-")
            level = len(line) - len(line.lstrip("#"))
            parts.append(f'{"</section>" * inside}<section id="{name}"><h{level}>{name}</h{level}>')
            inside = True
        elif not line.startswith("```"):
            parts.append(line)
    style = f'<link rel="stylesheet" href="{STATIC / "evidence.css"}">'
    path.write_text(
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>x</title>{style}"
        f'<script src="{STATIC / "evidence.js"}"></script></head><body>'
        f"{''.join(parts)}{'</section>' * inside}</body></html>"
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEDLIB_RESULTS", str(folder))  # an empty store
        for module in (records_page, verdicts_page):
            patch.setattr(module, "judged_claims", judged)
        write(folder / "verdicts.html", verdicts_page.all_verdicts(Page("")))
        write(folder / "records.html", records_page.records(Page(""), "centered_clipping"))
    return folder


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def visit(browser, site):
    """Return a function that opens a page of the site; an error of a script fails the test."""
    context = browser.new_context()
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(error))

    def opened(name, anchor="", **asked):
        query = f"?{urlencode(asked, doseq=True)}" if asked else ""
        page.goto(f"file://{site / name}{query}{'#' if anchor else ''}{anchor}")
        return page

    yield opened
    context.close()
    assert not errors


def shown(page):
    """The sentences that are seen."""
    return page.locator(".fedlib-sentence:visible .fedlib-says").all_inner_texts()


def test_words_filter_sentences_and_their_rows(visit):
    page = visit("verdicts.html")
    assert len(shown(page)) == 4
    page.fill("input[name=words]", "ALPHA cifar-10")
    assert shown(page) == ["alpha beats beta"]
    assert page.locator(".fedlib-sentence li:visible").count() == 1
    assert page.inner_text(".fedlib-count") == "1 sentence, 1 of 5 rows"
    assert not page.locator("section#gradient-guard").is_visible()
    page.fill("input[name=words]", "")
    assert len(shown(page)) == 4
    assert page.locator("section#gradient-guard").is_visible()
    assert page.locator(".fedlib-sentence[open]").count() == 0


def test_a_verdict_counts_the_rows_that_the_other_filters_leave(visit):
    page = visit("verdicts.html")

    def count(kind):
        return int(page.inner_text(f".fedlib-kinds button[data-kind='{kind}'] b"))

    assert (count("holds"), count("tie")) == (2, 1)
    page.select_option("select[name=paper]", "gradient_guard")
    assert (count("holds"), count("tie")) == (1, 0)
    # A chosen verdict changes no count.
    page.locator(".fedlib-kinds button[data-kind=tie]").click()
    assert (count("holds"), count("tie")) == (1, 0)
    page.select_option("select[name=paper]", "")
    assert (count("holds"), count("tie")) == (2, 1)


def test_parts_of_cells_names_and_the_papers_name_count_as_words(visit):
    page = visit("verdicts.html", words="rop centered")
    assert sorted(shown(page)) == ["alpha beats beta", "does alpha tire", "rop diverges"]


def test_a_word_that_stands_nowhere_is_left_out_and_named(visit):
    page = visit("verdicts.html", words="surpasses diverges")
    assert shown(page) == ["rop diverges"]
    assert page.inner_text(".fedlib-count").endswith("Found nowhere and left out: surpasses")


def test_sentences_that_have_the_words_themselves_come_first(visit):
    # All of them have "noniid" in the names of their cells, and one has "rop" in its own text.
    page = visit("verdicts.html", words="rop noniid")
    assert shown(page) == ["rop diverges", "alpha beats beta", "does alpha tire"]
    page.fill("input[name=words]", "")
    assert shown(page)[:2] == ["alpha beats beta", "rop diverges"]


def test_verdicts_are_chosen_by_clicks_and_by_the_keyboard(visit):
    page = visit("verdicts.html")
    holds = page.locator(".fedlib-kinds button[data-kind=holds]")
    holds.click()
    assert holds.get_attribute("aria-pressed") == "true"
    assert shown(page) == ["alpha beats beta", "beta is stable"]
    page.locator(".fedlib-kinds button[data-kind=tie]").focus()
    page.keyboard.press("Space")
    assert shown(page) == ["alpha beats beta", "rop diverges", "beta is stable"]
    holds.focus()
    page.keyboard.press("Enter")
    assert shown(page) == ["rop diverges"]


def test_a_paper_is_chosen_by_its_list_or_its_address(visit):
    page = visit("verdicts.html", paper="gradient_guard")
    assert shown(page) == ["beta is stable"]
    page.select_option("select[name=paper]", "centered_clipping")
    assert len(shown(page)) == 3
    page = visit("verdicts.html", verdict=["tie", "undecided"])
    assert shown(page) == ["rop diverges", "does alpha tire"]


def test_a_link_to_a_claim_unfolds_its_sentence(visit):
    anchor = judged("gradient_guard").judged[0].claim.anchor("gradient_guard")
    page = visit("verdicts.html", anchor)
    assert page.locator(f"li#{anchor}").is_visible()
    assert page.locator(".fedlib-sentence[open]").count() == 1


def test_a_link_to_a_cell_unfolds_it_with_a_command_that_is_copied(visit):
    page = visit("records.html", f"cell-{CELLS['centered_clipping']}")
    cell = page.locator(f"[id='cell-{CELLS['centered_clipping']}']")
    assert page.locator(".fedlib-cell[open]").count() == 1
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    cell.locator("button").click()
    assert page.evaluate("window.copied") == (
        "python -m fedlib run centered_clipping --scale paper --seeds 1 "
        f"--only {CELLS['centered_clipping']}"
    )


def test_cells_are_chosen_by_the_address_and_by_patterns(visit):
    wanted = [CELLS["centered_clipping"], "table_iv/mnist_noniid/rop/tm/0.9"]
    page = visit("records.html", "cells", only=wanted)
    assert page.locator(".fedlib-cell[open] code").all_inner_texts() == wanted
    assert (
        page.locator("form .fedlib-command")
        .inner_text()
        .startswith("python -m fedlib verify centered_clipping --only " + wanted[0])
    )
    page.fill("input[name=only]", "*/rop/tm/0")
    found = page.locator(".fedlib-cell[id^=cell-]:visible code").all_inner_texts()
    assert found and all(key.endswith("/rop/tm/0") for key in found)
    page.fill("input[name=only]", "figure_12 rop")
    found = page.locator(".fedlib-cell[id^=cell-]:visible code").all_inner_texts()
    assert found and all("figure_12" in key and "rop" in key for key in found)
