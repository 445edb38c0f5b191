"""The check of the site's pages, what the site's extension mends, and figures that say in words
what they show."""

import importlib.util
import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from skimage.color import deltaE_ciede2000, rgb2lab

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.data import DataConfig
from fedlib.evidence.chapter import data_of_a_figure, open_chapter
from fedlib.evidence.colours import colours_of, paler, table
from fedlib.evidence.pictures import Picture, ends_in_words
from fedlib.grids import load_grid
from fedlib.papers.residual_reweighting import tables as residual_tables
from fedlib.validation import ConfigError
from tools import check_site

matplotlib.use("Agg")
ROOT = Path(__file__).parent.parent


def load_extension():
    path = ROOT / "book" / "_extensions" / "fedlib_site.py"
    spec = importlib.util.spec_from_file_location("fedlib_site", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def site(tmp_path):
    """A site of two pages without a fault; the second takes more text."""
    (tmp_path / "book").mkdir()
    (tmp_path / "index.html").write_text('<meta http-equiv="Refresh" content="0; url=a.html">')
    (tmp_path / "a.html").write_text('<h1 id="top">A</h1><a href="book/b.html#end">b</a>')

    def write(text=""):
        links = '<a href="../a.html#top">a</a><a href="#end">e</a><a href="https://x.org/y#z">x</a>'
        (tmp_path / "book" / "b.html").write_text(f'{links}<p id="end"></p>{text}')
        return check_site.problems(tmp_path)

    return write


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('<a href="../gone.html">x</a>', "the link '../gone.html' leads to no file"),
        ('<script src="gone.js"></script>', "the link 'gone.js' leads to no file"),
        ('<a href="../a.html#gone">x</a>', "the link '../a.html#gone' leads to no anchor"),
        ('<a href="#gone">x</a>', "the link '#gone' leads to no anchor"),
        ('<img src="../a.html">', "the picture '../a.html' has no alternative text but None"),
        ('<img src="../a.html" alt=" ">', "the picture '../a.html' has no alternative text"),
        ('<img src="../a.html" alt="x/' + 8 * "0a1b" + '.png">', "has no alternative text but"),
        ('<div class="output stderr"><pre>x</pre></div>', "an output of the stream for errors"),
        ("<pre>/home/me/lib/x.py:3: in f</pre>", "a path of a machine: '/home/me/lib/x.py:3"),
        ("<pre>UserWarning: data are missing</pre>", "a warning: 'UserWarning: data are missing"),
    ],
)  # fmt: skip
def test_a_fault_of_a_page_is_found(site, text, problem):
    assert site() == []
    (found,) = site(text)
    assert found.startswith("book/b.html: ") and problem in found


def test_what_is_right_is_no_fault(site, tmp_path):
    right = '<img src="../a.html" alt="Two lines that cross"><script>"/home/me/x"</script>'
    assert site(right + "<pre>%cd /content/fedlib</pre>") == []
    assert check_site.main([str(tmp_path)]) == 0
    (tmp_path / "empty").mkdir()
    assert check_site.main([str(tmp_path / "empty")]) == 1


def shown(figure):
    """What IPython makes of a figure."""
    return DisplayFormatter().format(figure)


@pytest.mark.parametrize(("vector", "kind"), [(True, "image/svg+xml"), (False, "image/png")])
def test_a_notebook_gets_the_text_of_a_figure_with_it(vector, kind):
    def draw():
        figure, axis = plt.subplots(FigureClass=Picture)
        axis.plot([1, 2], [3, 4])
        return figure.saying("A line\n that  rises", vector)

    data, metadata = shown(draw())
    assert set(data) == {kind, "text/plain"}
    assert metadata == {kind: {"alt": "A line that rises"}}
    assert data["text/plain"] == "<Picture size 640x480 with 1 Axes>"
    assert shown(draw())[0] == data  # to execute again changes nothing
    assert not plt.get_fignums()


def test_the_site_takes_the_text_from_the_output_unless_the_cell_has_one():
    def notebook(metadata, output):
        outputs = [{"output_type": "stream"}, {"data": {}, "metadata": output}]
        return {"cells": [{"metadata": metadata, "outputs": outputs}, {"metadata": {}}]}

    add = load_extension().add_alternative_texts
    text = {"image/svg+xml": {"alt": "A line that rises"}}
    (cell, other) = json.loads(add(json.dumps(notebook({"tags": ["x"]}, text))))["cells"]
    assert cell["metadata"]["mystnb"] == {"image": {"alt": "A line that rises"}}
    assert other["metadata"] == {}
    own = {"mystnb": {"image": {"alt": "my own"}}}
    assert json.loads(add(json.dumps(notebook(own, text))))["cells"][0]["metadata"] == own
    assert json.loads(add(json.dumps(notebook({}, {}))))["cells"][0]["metadata"] == {}


def test_the_site_loads_nothing_of_thebe_and_is_understood_by_screen_readers():
    body = SimpleNamespace(filename=None, attributes={"body": 'const thebe_selector = "x"'})
    scripts = [SimpleNamespace(filename="sphinx-thebe.js", attributes={}), "custom.js", body]
    context = {
        "script_files": scripts,
        "css_files": ["sphinx-thebe.css", "custom.css"],
        "body": '<div role="list" class="citation-list"><div class="fedlib-table fedlib-compact">'
        '<div class="cell_output docutils container">\n<img src="x"></div><p><img src="y"></p>',
    }
    app = SimpleNamespace(srcdir=".", env=SimpleNamespace(images={}))
    load_extension()._mend_page(app, "x", "page.html", context, None)
    assert context["script_files"] == ["custom.js"] and context["css_files"] == ["custom.css"]
    assert context["body"] == (
        '<div class="citation-list"><div tabindex="0" class="fedlib-table fedlib-compact">'
        '<div tabindex="0" class="cell_output fedlib-picture docutils container">\n<img src="x">'
        '</div><p tabindex="0" class="fedlib-picture"><img src="y"></p>'
    )


def test_a_panel_is_told_by_its_lowest_and_its_highest_line():
    ends = {"ROP": 9.84, "none": 97.2, "ALIE": 50.0}
    assert ends_in_words(ends, " %") == "the lines end between ROP at 9.84 % and none at 97.2 %"
    assert ends_in_words({"ROP": 9.84}) == "ROP ends at 9.84"
    assert ends_in_words({}) == "nothing is stored"


def test_a_rule_has_its_colour_wherever_it_stands_and_further_lines_of_it_are_paler():
    colours = colours_of(["krum", "avg", "x", "krum twice"], {"avg": "mean", "krum twice": "krum"})
    assert colours["krum"] == table()["krum"] == colours_of(["median", "krum"])["krum"]
    assert colours["avg"] == table()["none"] == "#000000"
    assert colours["krum twice"] == paler(table()["krum"]) != table()["krum"]
    assert colours["x"] not in (table()["krum"], table()["mean"])
    assert paler("#000000", 0) == "#000000" and paler("#000000") == "#666666"
    assert set(table()) <= {*AGGREGATORS, *ATTACKS}


# Machado, Oliveira and Fernandes (2009): what the colour-blind see of linear red, green and blue.
VISIONS = {
    "all": np.eye(3),
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
}  # fmt: skip


def in_lab(colours, vision):
    """Colours as a reader with a kind of vision sees them, in CIELAB."""
    rgb = np.array([matplotlib.colors.to_rgb(colour) for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.array(VISIONS[vision]).T, 0, 1)
    return rgb2lab(np.where(linear <= 0.0031, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize(
    "names",
    [
        ["mean", "geometric_median", "norm_clipping", "median", "trimmed_mean", "krum",
         "center_with_outliers", "mean_with_outliers"],
        ["mean", "median", "trimmed_mean", "repeated_median", "foolsgold", "residual_reweighting"],
        ["mean", "trimmed_mean", "median", "krum", "bulyan", "faba", "foolsgold", "fltrust",
         "flair", "gradient_guard"],
        ["median", "geometric_median", "krum", "centered_clipping", "nearest_neighbour_mixing"],
        ["rop", "alie", "ipm", "label_flip", "bit_flip", "none"],
        ["none", "random", "ipm", "two_stage"],
        ["omniscient", "scaled_variance", "ipm", "camouflage"],
    ],
    ids=lambda names: names[-1],
)  # fmt: skip
def test_lines_of_one_figure_can_be_told_apart_by_the_colour_blind(names, vision):
    lab = in_lab([table()[name] for name in names], vision)
    apart = deltaE_ciede2000(lab[:, None], lab[None])[np.triu_indices(len(names), 1)]
    assert apart.min() > 10
    white = in_lab(["#ffffff"], vision)
    assert deltaE_ciede2000(lab, white).min() > 20


@pytest.mark.filterwarnings("error")
def test_figures_of_data_that_are_absent_say_so_without_a_warning(monkeypatch, tmp_path):
    monkeypatch.setenv("FEDLIB_DATA", str(tmp_path / "none"))
    figure = residual_tables.figure_6("auto")
    assert "glyphs" in figure.alt and str(tmp_path) not in figure.alt
    assert data_of_a_figure("mnist", "auto").source == "embedded"
    with pytest.raises(ConfigError, match="data='all'"):
        data_of_a_figure("mnist", "all")


def test_a_chapter_names_no_folder_of_the_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("FEDLIB_DATA", str(tmp_path / "none"))
    monkeypatch.setenv("FEDLIB_RESULTS", str(tmp_path / "results"))
    given = {"scale": "smoke", "seeds": 1, "device": "cpu", "jobs": 1, "data": "auto"}
    key = load_grid("residual_reweighting").cells(
        "smoke", 1, partial(DataConfig, source="embedded")
    )
    chapter = open_chapter("residual_reweighting", {**given, "only": key[0].key})
    assert any("is not under the data folder" in line for line in chapter.banner.warnings)
    assert str(tmp_path) not in repr(chapter.banner)
