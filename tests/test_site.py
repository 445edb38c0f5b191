"""The rendered site, its links and texts, and how it looks to a browser.

``make browse`` names the site to look at. The browser is Chromium, driven by Playwright.
"""

import json
import os
import re
import shutil
import time
from importlib import resources
from pathlib import Path

import pytest

from tools import check_site

if "FEDLIB_SITE" not in os.environ:
    pytest.skip("no site to look at: make browse", allow_module_level=True)

SITE = Path(os.environ["FEDLIB_SITE"]).resolve()
PAGES = [str(page.relative_to(SITE)) for page in check_site.pages_of(SITE)]
FIRST_PAGES = set({os.path.dirname(page): page for page in reversed(PAGES)}.values())
"""One page of each folder."""
DESKTOP, PHONE = (1440, 900), (390, 844)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)

# Contrast takes axe by far the longest. Pieces of text with the same colours, sizes and grounds
# have the same contrast, so that one of each kind stands for all.
MARK_A_SAMPLE = """() => {
  const kinds = new Set(), known = new Map();
  const ground = (element) => {
    if (!element) return "";
    if (!known.has(element)) {
      const { backgroundColor, backgroundImage, opacity, position, filter } =
        getComputedStyle(element);
      known.set(element, ground(element.parentElement) +
        [backgroundColor, backgroundImage, opacity, filter, position === "sticky"].join());
    }
    return known.get(element);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.getClientRects().length) continue;
    const { color, fontSize, fontWeight } = getComputedStyle(element);
    const kind = [color, fontSize, fontWeight, ground(element)].join();
    if (!kinds.has(kind)) element.setAttribute("data-sample", "");
    kinds.add(kind);
  }
  return kinds.size;
}"""
# The rows of a long table are alike, so that a dozen of each kind stand for all.
SHORTEN = """() => {
  for (const list of document.querySelectorAll("tbody, ul, ol, dl, section, article")) {
    const counts = {};
    for (const child of [...list.children]) {
      const inside = [...child.querySelectorAll("[class]")].map((e) => e.className.toString());
      const kind = [child.tagName, child.className, ...[...new Set(inside)].sort()].join();
      counts[kind] = (counts[kind] || 0) + 1;
      if (counts[kind] > 12) child.remove();
    }
  }
}"""
CONTRAST = """() => axe.run({ include: [["[data-sample]"]] },
  { runOnly: ["color-contrast"], resultTypes: ["violations"], preload: false })"""
TAKE_THEME = "theme => { document.documentElement.dataset.theme = theme; }"
ALL_ELSE = """() => axe.run(document, { rules: { "color-contrast": { enabled: false } },
  resultTypes: ["violations"], preload: false })"""


def test_links_pictures_and_texts_of_all_pages_are_right():
    assert PAGES
    assert check_site.problems(SITE) == []


def test_every_chapter_can_be_downloaded_as_a_notebook_and_printed():
    chapters = [page for page in PAGES if page.startswith("notebooks/")]
    assert chapters
    for chapter in chapters:
        text = (SITE / chapter).read_text(encoding="utf-8")
        assert f'href="../_sources/{chapter.replace(".html", ".ipynb")}"' in text
        assert "window.print()" in text
        assert (SITE / "_sources" / chapter).with_suffix(".ipynb").is_file()


@pytest.fixture(scope="module")
def browser():
    """A browser for all pages."""
    playwright = pytest.importorskip("playwright.sync_api")
    pytest.importorskip("axe_playwright_python")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as driver:
        # Chromium's own sandbox cannot be had by root, as in a container.
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def tabs(browser):
    """A tab of the browser for each size of a screen, and the errors that it says."""
    opened = {}
    for width, height in (DESKTOP, PHONE):
        tab, errors = browser.new_page(viewport={"width": width, "height": height}), []
        tab.on("console", lambda said, to=errors: said.type == "error" and to.append(said.text))
        tab.on("pageerror", lambda error, to=errors: to.append(str(error)))
        tab.on("requestfailed", lambda request, to=errors: to.append(request.url))
        opened[width, height] = tab, errors
    return opened


def grave(result):
    """What axe says of a page, without what it calls minor or moderate."""
    return [
        (found["id"], node["target"], [reason["message"] for reason in node["any"]])
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"][:3]
    ]


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_says_no_error_and_can_be_read_by_everybody(tabs, name, size):
    tab, errors = tabs[size]
    errors.clear()
    tab.goto((SITE / name).as_uri())
    assert errors == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= size[0]
    tab.evaluate((resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8"))
    # A colour that is still on its way to another one would be measured.
    tab.add_style_tag(content="*, ::before, ::after { transition: none !important; }")
    tab.evaluate(SHORTEN)
    # Colours alone differ between the themes. Between the sizes they differ in the header and the
    # menus alone, and these are the same on all pages of a folder.
    themes = ("light", "dark") if size == DESKTOP or name in FIRST_PAGES else ()
    found = {"structure": grave(tab.evaluate(ALL_ELSE))}
    for theme in themes:
        tab.evaluate(TAKE_THEME, theme)
        assert tab.evaluate(MARK_A_SAMPLE) > 3
        found[theme] = grave(tab.evaluate(CONTRAST))
    assert found == {"structure": [], **{theme: [] for theme in themes}}


def test_a_link_to_something_folded_unfolds_it(tabs):
    tab, errors = tabs[DESKTOP]
    errors.clear()
    page = (SITE / "notebooks" / "two_stage_attack.html").as_uri()
    tab.goto(page)
    why = tab.locator("#two-stage-collapse p").last
    claims = tab.locator("#what-the-paper-claims .cell > details")
    assert not why.is_visible() and not claims.locator("table").first.is_visible()
    for name, inside in {
        "two-stage-collapse": why,
        "two-stage-claims": claims.locator("table").first,
    }.items():
        tab.evaluate("name => { location.hash = name; }", name)
        inside.wait_for(state="visible", timeout=5_000)
    # Folds elsewhere stay as they were, and a page that opens at a fold opens it as well.
    assert not tab.locator("#choices-that-the-text-leaves-open .cell table").is_visible()
    tab.goto("about:blank")
    tab.goto(f"{page}#two-stage-choices")
    tab.locator("#choices-that-the-text-leaves-open .cell table").wait_for(timeout=5_000)
    assert not tab.locator("#two-stage-collapse p").last.is_visible()
    assert errors == []


@pytest.fixture
def arena(tabs):
    """The arena's page, whose tables are ready to be clicked."""
    tab, errors = tabs[DESKTOP]
    errors.clear()
    tab.goto((SITE / "book/arena.html").as_uri())
    tab.wait_for_function("document.documentElement.dataset.arena === 'ready'")
    assert errors == []
    return tab


def column(table, head):
    """The texts of one column of a table, from the top."""
    heads = [text.strip() for text in table.locator("thead th").all_inner_texts()]
    place = heads.index(head) + 1
    return table.locator(f"tbody tr > :nth-child({place})").all_inner_texts()


def numbers(texts):
    """The first number of each text, where it has one."""
    found = [re.search(r"\d+(\.\d+)?", text) for text in texts]
    return [float(match[0]) for match in found if match]


def comes_to_hold(holds, seconds=10):
    """Whether something comes to hold: a table is drawn anew some time after it was asked to."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def test_the_tables_of_the_arena_are_sorted_by_clicks_on_their_heads(arena):
    table = arena.locator(".fedlib-sortable table").first
    head = table.get_by_role("columnheader", name="no attack, %")
    as_ranked = column(table, "rule")

    def accuracies():
        return numbers(column(table, "no attack, %"))

    rising = sorted(accuracies())
    assert len(rising) >= 30
    for ordered in (rising, rising[::-1]):
        assert accuracies() != ordered
        head.click()
        assert comes_to_hold(lambda wanted=ordered: accuracies() == wanted)
        assert column(table, "rule") != as_ranked
    assert sorted(column(table, "rule")) == sorted(as_ranked)


def test_the_tables_of_the_arena_are_sorted_with_the_keyboard(arena):
    table = arena.locator(".fedlib-sortable table").first
    ordered = sorted(column(table, "rule"), key=str.lower)
    assert column(table, "rule") != ordered
    table.locator("thead th").first.get_by_role("button").focus()
    arena.keyboard.press("Enter")
    assert comes_to_hold(lambda: column(table, "rule") == ordered)


def test_the_tables_of_the_arena_show_the_rows_that_have_a_word(arena):
    search = arena.locator(".fedlib-sortable").first.get_by_role("searchbox")
    table = arena.locator(".fedlib-sortable table").first
    rows = table.locator("tbody tr").all_inner_texts()
    having = [row for row in rows if "bulyan" in row.lower()]
    assert 0 < len(having) < len(rows)
    search.fill("bulyan")
    assert comes_to_hold(lambda: table.locator("tbody tr").all_inner_texts() == having)
    search.fill("")
    assert comes_to_hold(lambda: table.locator("tbody tr").all_inner_texts() == rows)


def test_a_rule_s_number_leads_to_its_runs_and_the_command_that_plays_them(arena):
    table = arena.locator(".fedlib-sortable table").first
    table.locator("tbody tr").first.get_by_role("link").last.click()
    arena.wait_for_url("**/book/records/arena_1.html**")
    command = arena.locator("details[open]").get_by_text("python -m fedlib run arena_1")
    command.first.wait_for(state="attached", timeout=5_000)


@pytest.fixture
def told(tabs):
    """What opens a page at its last figure that tells of its points.

    It gives the tab, the figure, and the panels that the figure tells of.
    """
    tab, errors = tabs[DESKTOP]

    def open_page(name):
        errors.clear()
        tab.goto((SITE / name).as_uri())
        figure = tab.locator(".fedlib-told").last
        # A figure may be folded.
        figure.evaluate(
            "figure => { const fold = figure.closest('details'); if (fold) fold.open = true; }"
        )
        figure.scroll_into_view_if_needed()
        assert errors == []
        return tab, figure, json.loads(figure.locator(".fedlib-points").text_content())["panels"]

    return open_page


def hover(figure, line, place):
    """Move the mouse to a point of a line of a figure."""
    picture = figure.locator("img")
    box = picture.bounding_box()
    across, down = (share / 10_000 for share in line["at"][2 * place :][:2])
    picture.hover(position={"x": across * box["width"], "y": down * box["height"]})


@pytest.mark.parametrize(
    "name", ["book/performance.html", "notebooks/clustering_with_outliers.html"]
)
def test_hovering_over_a_point_of_a_figure_shows_its_line_and_values(told, name):
    _, figure, panels = told(name)
    panel = panels[0]
    label = figure.locator(".fedlib-label")
    assert not label.is_visible()
    line = panel["lines"][0]
    hover(figure, line, 1)
    assert comes_to_hold(label.is_visible)
    said = label.inner_text().split("\n")
    # Another line may pass through the same place.
    alike = [other["name"] for other in panel["lines"] if other["at"][2:4] == line["at"][2:4]]
    assert said[0] in alike
    for text, (what, unit), value in zip(
        said[1:], (panel["x"], panel["y"]), (line["x"][1], line["y"][1]), strict=True
    ):
        assert text == f"{what}: {value} {unit}".removeprefix(": ").strip()
    figure.page.mouse.move(0, 0)
    assert comes_to_hold(lambda: not label.is_visible())


def test_the_arrow_keys_move_from_value_to_value_and_are_read_out(told):
    tab, figure, panels = told("book/performance.html")
    label, heard = figure.locator(".fedlib-label"), figure.get_by_role("status")
    first, second = panels[0]["lines"][:2]
    # A key was pressed before, so that the focus counts as the keyboard's.
    tab.keyboard.press("Shift")
    figure.focus()
    assert comes_to_hold(lambda: label.is_visible() and str(first["x"][-1]) in label.inner_text())
    for key, line, place in (
        ("Home", first, 0), ("ArrowRight", first, 1), ("ArrowDown", second, 1), ("End", second, -1),
    ):  # fmt: skip
        tab.keyboard.press(key)
        words = [panels[0]["title"], line["name"], f"clients n: {line['x'][place]}"]
        wanted = ", ".join([*words, f"{line['y'][place]} ms"])
        assert comes_to_hold(lambda wanted=wanted: heard.inner_text() == wanted), heard.inner_text()
    tab.keyboard.press("Escape")
    assert comes_to_hold(lambda: not label.is_visible())


def test_the_heat_map_tells_what_the_table_of_ranks_says(told):
    tab, _, _ = told("book/arena.html")
    figure = tab.locator("#arena-heat-map .fedlib-told")
    figure.scroll_into_view_if_needed()
    best = json.loads(figure.locator(".fedlib-points").text_content())["panels"][0]["lines"][0]
    hover(figure, best, 0)
    label = figure.locator(".fedlib-label")
    assert comes_to_hold(label.is_visible)
    rule, attack, accuracy = label.inner_text().split("\n")
    table = tab.locator(".fedlib-sortable table").first
    assert rule == column(table, "rule")[0]
    assert attack == f"attack: {column(table, 'by')[0]} (worst case)"
    assert numbers([accuracy]) == numbers(column(table, "worst case, %"))[:1]
