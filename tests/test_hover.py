"""What figures tell to who hovers over their points."""

import base64
import io
import json
import re
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from PIL import Image
from records import put, real
from test_check_site import ROOT, load_extension

from fedlib.evidence.hover import STEPS, thinned
from fedlib.evidence.pictures import POINTS_SUFFIX, Picture
from fedlib.evidence.plots import Panel, accuracy_panels
from fedlib.evidence.report import Archive

matplotlib.use("Agg")

PINK = "#ff00ff"


def shown(figure, alt="Points", vector=True):
    """The picture that a notebook gets, and what it tells of its points."""
    data, metadata = DisplayFormatter().format(figure.saying(alt, vector))
    (kind,) = metadata
    return data[kind], json.loads(metadata[kind].get("points", '{"panels": []}'))["panels"]


def lines_of(figure):
    """The lines of all panels by name."""
    return {line["name"]: line for panel in shown(figure)[1] for line in panel["lines"]}


def at(line):
    """Where the points of a line lie, from the left and from the top, in shares of the picture."""
    return np.array(line["at"]).reshape(-1, 2) / STEPS


def draw(x, y, **axes):
    """Three panels of a figure with a wide rim, the last with a line of pink squares."""
    with plt.rc_context({"figure.dpi": 110}):
        figure, panels = plt.subplots(1, 3, figsize=(7, 3), FigureClass=Picture)
        figure.subplots_adjust(left=0.3, bottom=0.4)  # Saving cuts this off.
        panels[2].plot(x, y, "s", color=PINK, ms=6, mew=0, antialiased=False, label="pink")
        panels[2].set(**axes)
        figure.suptitle("Points of a line", y=1.2)  # This is outside, and saving takes it in.
    return figure


AXES = {
    "linear": {"xlim": (0, 10), "ylim": (-5, 100)},
    "logarithmic": {"xscale": "log", "yscale": "log", "xlim": (0.5, 50), "ylim": (1, 200)},
    "equal": {"aspect": "equal", "xlim": (-50, 150), "ylim": (0, 100)},
    "symlog": {"yscale": "symlog", "ylim": (-10, 100)},
}


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("layout", [None, "constrained"])
def test_a_point_lies_where_its_mark_is_in_the_saved_points(axes, layout):
    for x, y in ((3.0, 20.0), (7.0, 64.0)):
        figure = draw([x], [y], **AXES[axes])
        if layout:
            figure.set_layout_engine(layout)
        picture, panels = shown(figure, vector=False)
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB"))
        down, across = np.nonzero((pixels == (255, 0, 255)).all(2))
        assert len(down) > 100
        (line,) = panels[0]["lines"]
        size = np.array(pixels.shape[1::-1])
        np.testing.assert_allclose(
            at(line)[0] * size, (across.mean() + 0.5, down.mean() + 0.5), atol=1.0
        )
        assert (line["x"], line["y"], line["colour"]) == ([x], [y], PINK)


@pytest.mark.parametrize("axes", AXES)
def test_points_lie_where_their_marks_are_in_the_saved_drawing(axes):
    picture, panels = shown(draw([1.0, 3.0, 9.0], [5.0, 20.0, 50.0], **AXES[axes]))
    size = np.array(re.search(r'viewBox="0 0 (\S+) (\S+)"', picture).groups(), dtype=float)
    marks = re.findall(r'<use [^>]*x="([\d.]+)" y="([\d.]+)" style="fill: #ff00ff', picture)
    assert len(marks) == 3
    np.testing.assert_allclose(
        at(panels[0]["lines"][0]) * size, np.array(marks, dtype=float), atol=0.1
    )


def test_what_has_no_label_or_cannot_be_seen_tells_nothing():
    figure, axis = plt.subplots(FigureClass=Picture)
    axis.plot([0, 1], [1, 2])
    axis.plot([0, 1], [1, 2], label="_hidden")
    axis.plot([], [], label="empty")
    axis.plot([0, 1], [500, 600], label="above")
    axis.axhline(1, label="a level without points")
    axis.plot([0, 1], [2, 2], label="not drawn", visible=False)
    axis.set(ylim=(0, 4))
    assert shown(figure)[1] == []
    axis.plot([0, 1, 2], [1, np.nan, 1e9], label="partly")
    axis.errorbar([0, 1], [1, 3], [0.1, 0.1], label="with bars")
    axis.scatter([0.5], [0.25], label="group")
    told = {name: (line["x"], line["y"]) for name, line in lines_of(figure).items()}
    assert told == {
        "partly": ([0], [1]), "with bars": ([0, 1], [1, 3]), "group": ([0.5], [0.25]),
    }  # fmt: skip


def test_a_long_line_is_thinned_to_what_can_be_told_apart():
    def straight(count, inches):
        return np.column_stack([np.linspace(0, inches, count), np.zeros(count)])

    dense = straight(1001, 2.0)
    kept = thinned(dense)
    assert (kept[0], kept[-1]) == (0, 1000)
    assert 20 <= len(kept) <= 2.0 / 0.07 + 1
    assert np.diff(dense[kept, 0]).min() >= 0.07 - 1e-9
    # More than sixty are too many, even where they lie far apart or have marks.
    assert len(thinned(straight(500, 100.0))) == 60
    assert len(thinned(straight(500, 1.0), all_seen=True)) == 60
    # Few are all kept, and so are those that have marks.
    assert thinned(straight(20, 0.1)).tolist() == list(range(20))
    assert thinned(straight(50, 0.1), all_seen=True).tolist() == list(range(50))
    assert thinned(straight(1, 0)).tolist() == [0]


def test_a_line_with_marks_keeps_its_points_unless_only_some_have_one():
    figure, axis = plt.subplots(figsize=(2, 2), FigureClass=Picture)
    x = np.linspace(0, 1, 50)
    axis.plot(x, x, ".-", label="marks")
    axis.plot(x, x, label="no marks")
    axis.plot(x, x, "x-", markevery=[49], label="a mark at its end")
    kept = {name: len(line["x"]) for name, line in lines_of(figure).items()}
    assert kept["marks"] == 50
    assert kept["no marks"] == kept["a mark at its end"] < 40


def test_values_have_the_names_and_units_of_the_axes_and_three_figures():
    figure, axes = plt.subplots(2, 2, sharex=True, sharey="row", FigureClass=Picture)
    for axis in axes.flat:
        axis.plot([400, 1250], [0.0123456, 74.8256], label="ROP", color="#d55e00")
    axes[0, 1].set_title("a\ntitle")
    axes[1, 0].set(xlabel="malicious clients, %", ylabel="reward")
    axes[0, 0].set(ylabel="test accuracy, %, mean of five")
    panels = shown(figure)[1]
    assert [panel["title"] for panel in panels] == ["", "a title", "", ""]
    assert {tuple(panel["x"]) for panel in panels} == {("malicious clients", "%")}
    accuracy, reward = ["test accuracy, mean of five", "%"], ["reward", ""]
    assert [panel["y"] for panel in panels] == [accuracy, accuracy, reward, reward]
    line = panels[1]["lines"][0]
    assert (line["x"], line["y"]) == ([400, 1250], [0.0123, 74.8])
    figure, axis = plt.subplots(FigureClass=Picture)
    axis.plot([1], [2], "o", label="one")
    figure.supxlabel("round")
    figure.supylabel("%")
    assert [shown(figure)[1][0][which] for which in "xy"] == [["round", ""], ["", "%"]]


def test_a_figure_tells_the_same_when_it_is_drawn_again_and_no_more_than_it_needs():
    def told():
        figure, axis = plt.subplots(FigureClass=Picture)
        for number in range(10):
            axis.plot(np.arange(5000), np.sin(np.arange(5000) / 500 + number), label=f"n {number}")
        return DisplayFormatter().format(figure.saying("Waves"))[1]["image/svg+xml"]

    first = told()
    assert first == told()
    assert first["alt"] == "Waves"
    # Each number of a list would have a line of its own in the notebook's file.
    assert isinstance(first["points"], str) and "\n" not in first["points"]
    assert 1_000 < len(first["points"]) < 15_000


def test_the_lines_of_stored_runs_tell_their_scale_unless_it_is_the_paper_s(toy, store):
    for scale, number in (("quick", 0), ("paper", 1)):
        put(store, toy.cells(scale, 1, real)[number], scale, 0.4)
    archive = Archive(toy, store)
    keys = [cell.key for cell in toy.cells("quick", 1, real)[:2]]
    panel = Panel("", dict(zip("ab", map(archive.best, keys), strict=True)))
    lines = lines_of(accuracy_panels([[panel]], {"a": "the mean", "b": "the median"}))
    assert set(lines) == {"the mean, quick scale", "the median"}
    assert lines["the median"]["y"][-1] == 40


def test_the_site_puts_the_points_of_a_figure_of_a_notebook_behind_it():
    site = load_extension()
    points = '{"panels":[{"title":"</script> a < b"}]}'
    outputs = [
        {"data": {}, "metadata": {"image/png": {"alt": "A line", "points": points}}},
        {"output_type": "stream"},
    ]
    source = json.dumps({"cells": [{"metadata": {}, "outputs": outputs}, {"metadata": {}}]})
    cell, other = json.loads(site.add_alternative_texts(source))["cells"]
    assert cell["metadata"]["mystnb"] == {"image": {"alt": "A line"}} and "outputs" not in other
    figure, behind, stream = cell["outputs"]
    assert [figure, stream] == outputs
    html = behind["data"]["text/html"]
    assert html.count("</script>") == 1
    assert json.loads(re.search(">(.*)</script>", html)[1]) == json.loads(points)
    # As the page has it, a figure that has points and one that has none.
    body = (
        f'<img alt="A line" src="a.png" />\n<div class="output text_html">{html}</div><img src="b">'
    )
    assert site.join_points(body, {}) == (
        '<span tabindex="0" class="fedlib-picture fedlib-told"><img alt="A line" src="a.png" />'
        f'{html}</span><img src="b">'
    )


def test_the_site_puts_the_points_of_a_figure_of_a_file_behind_it(tmp_path):
    site = load_extension()
    (tmp_path / f"map{POINTS_SUFFIX}").write_text('{"panels":[]}')
    images = {"map.svg": ({"page"}, "map.svg"), "other.svg": ({"page"}, "other.svg")}
    app = SimpleNamespace(srcdir=tmp_path, env=SimpleNamespace(images=images))
    body = '<p><img alt="A map" src="../_images/map.svg" /></p><img src="../_images/other.svg" />'
    context = {"script_files": [], "css_files": [], "body": body}
    site._mend_page(app, "another page", "page.html", context, None)
    assert "fedlib-told" not in context["body"]
    context["body"] = body
    site._mend_page(app, "page", "page.html", context, None)
    assert context["body"] == (
        '<p><span tabindex="0" class="fedlib-picture fedlib-told">'
        '<img alt="A map" src="../_images/map.svg" />'
        '<script type="application/json" class="fedlib-points">{"panels":[]}</script></span></p>'
        '<img src="../_images/other.svg" />'
    )
    assert site._POINTS_SUFFIX == POINTS_SUFFIX
    script = (ROOT / "book" / "_static" / "hover.js").read_text(encoding="utf-8")
    assert f"const STEPS = {STEPS};" in script
