"""Figures say what they are made of."""

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_hex
from test_report import put, real

from fedlib.evidence import colours
from fedlib.evidence.bars import partition_bars
from fedlib.evidence.plane import plane
from fedlib.evidence.plots import Panel, accuracy_panels, final_lines
from fedlib.evidence.report import Archive
from fedlib.grids import expand
from fedlib.papers.centered_clipping import tables

matplotlib.use("Agg")


def legend_texts(figure):
    legend = figure.legends[0]
    return [legend.get_title().get_text(), *(text.get_text() for text in legend.get_texts())]


def test_accuracy_panels_name_data_and_scale(toy, store):
    put(store, toy.cells("quick", 1, real)[0], "quick", 0.4)
    archive = Archive(toy, store)
    panel = Panel("mean", {"mean": archive.best("table/mean"), "median": None})
    figure = accuracy_panels([[panel, panel]], {"mean": "the mean", "median": "the median"})
    assert legend_texts(figure) == [
        "data: MNIST, 1 seed",
        "the mean",
        "the median (not computed)",
        "quick scale",
    ]
    axis = figure.axes[0]
    assert axis.get_title() == "mean"
    np.testing.assert_allclose(axis.lines[0].get_xydata(), [[50, 10], [100, 40]])


def test_a_figure_of_embedded_data_says_so(toy, store):
    put(store, expand(toy, "smoke", 1, "embedded")[0], "smoke", 0.4)
    result = Archive(toy, store).best("table/mean")
    figure = accuracy_panels([[Panel("", {"mean": result})]], {"mean": "mean"})
    assert legend_texts(figure)[0] == "data: embedded glyphs in place of MNIST, 1 seed"


def test_the_baseline_lies_broad_and_pale_below_the_other_lines(toy, store):
    put(store, toy.cells("quick", 1, real)[0], "quick", 0.4)
    result = Archive(toy, store).best("table/mean")
    labels = {"mean": "the mean", "none": "no attack"}
    panel = Panel("", dict.fromkeys(labels, result))
    figure = accuracy_panels([[panel]], labels, baseline="none")
    other, baseline = figure.axes[0].lines
    assert baseline.get_linewidth() > 2 * other.get_linewidth()
    assert baseline.get_zorder() < other.get_zorder()
    assert baseline.get_alpha() < other.get_alpha()
    of_other, of_baseline, _ = figure.legends[0].get_lines()
    assert of_baseline.get_linewidth() == baseline.get_linewidth() > of_other.get_linewidth()


def test_lines_that_the_figure_is_about_are_broad_and_the_broadest_is_at_the_bottom(toy, store):
    put(store, toy.cells("quick", 1, real)[0], "quick", 0.4)
    result = Archive(toy, store).best("table/mean")
    labels = {"a": "other", "b": "first", "c": "second"}
    panel = Panel("", dict.fromkeys(labels, result))
    figure = accuracy_panels([[panel]], labels, about=("b", "c"))
    lines = sorted(figure.axes[0].lines, key=lambda line: line.get_zorder())
    assert [line.get_label().split(",")[0] for line in lines] == ["first", "second", "other"]
    widths = [line.get_linewidth() for line in lines]
    assert widths == sorted(widths, reverse=True) and len(set(widths)) == 3
    assert {line.get_linewidth() for line in figure.legends[0].get_lines()} >= set(widths[:2])


def test_several_seeds_are_a_mean_with_a_band(toy, store):
    for seed, accuracy in ((1, 0.4), (2, 0.6)):
        put(store, toy.cells("quick", seed, real)[0], "quick", accuracy)
    result = Archive(toy, store).best("table/mean")
    axis = accuracy_panels([[Panel("", {"mean": result})]], {"mean": "mean"}).axes[0]
    assert axis.lines[0].get_ydata()[-1] == 50
    assert len(axis.collections) == 1


def test_seeds_that_end_far_apart_have_a_line_each(toy, store):
    for seed, accuracy in ((1, 0.1), (2, 0.9)):
        put(store, toy.cells("quick", seed, real)[0], "quick", accuracy)
    result = Archive(toy, store).best("table/mean")
    axis = accuracy_panels([[Panel("", {"mean": result})]], {"mean": "mean"}).axes[0]
    assert [line.get_ydata()[-1] for line in axis.lines] == [10, 90]
    assert [line.get_label() for line in axis.lines] == [
        "mean, quick scale, seed 1", "mean, quick scale, seed 2",
    ]  # fmt: skip
    assert not axis.collections


def test_no_line_joins_runs_of_two_scales(toy, store):
    put(store, toy.cells("paper", 1, real)[0], "paper", 0.9)
    put(store, toy.cells("quick", 1, real)[1], "quick", 0.6)
    archive = Archive(toy, store)
    full, short = archive.best("table/mean"), archive.best("table/median")
    points = {"mean": [(0, full), (2, full), (4, short)]}
    figure = final_lines(points, {"mean": "mean", "median": "median"}, "attackers")
    lines = [line.get_xydata().tolist() for line in figure.axes[0].lines]
    assert lines == [[[0, 90], [2, 90]], [[4, 60]]]
    title, *texts = legend_texts(figure)
    assert title.endswith("; compare lines of one style only")
    assert texts == ["mean", "median (not computed)", "paper scale", "quick scale"]


def test_a_diverged_loss_leaves_the_picture_and_the_ordinate_fits_the_rest(toy, store):
    put(store, toy.cells("quick", 1, real)[0], "quick", 0.4, train_loss=[2.0, None])
    result = Archive(toy, store).best("table/mean")
    rows, labels = [[Panel("", {"mean": result})]], {"mean": "mean"}
    axis = accuracy_panels(rows, labels, "train_loss").axes[0]
    assert axis.get_ylabel() == "training loss"
    np.testing.assert_allclose(axis.get_ylim(), (0, 2.16))
    assert axis.lines[0].get_ydata()[-1] > 1000
    accuracy = accuracy_panels(rows, labels).axes[0]
    np.testing.assert_allclose(accuracy.get_ylim(), (0, 43.2))


def test_partition_bars_are_as_high_as_the_shares():
    counts = tables.partition_counts()
    figure = partition_bars(counts)
    assert len(counts) == 2
    for axis, table in zip(figure.axes, counts.values(), strict=True):
        assert table.sum() == 50_000
        tops = {round(bar.get_x(), 2): bar.get_y() + bar.get_height() for bar in axis.patches}
        np.testing.assert_allclose(list(tops.values()), table.sum(1))


def test_a_plane_has_a_mark_for_each_group_and_a_line_for_each_path():
    picture = plane(
        {"honest": np.zeros((3, 2)), "ROP's clients": [1.0, 2.0]},
        "Points.",
        {"ROP": np.array([[0.0, 0.0], [0.0, 1.0]])},
        circle=([0.5, 0.5], 2.0, "ball"),
        parts={"ROP's clients": "rop", "ROP": "rop"},
    )
    (axis,) = picture.axes
    honest, sent, end = axis.collections
    assert [len(group.get_offsets()) for group in (honest, sent, end)] == [3, 1, 1]
    assert end.get_offsets().tolist() == [[0.0, 1.0]]
    path, ball = axis.lines
    assert to_hex(sent.get_facecolor()[0]) == colours.table()["rop"]
    assert (ball.get_xdata().max(), ball.get_ydata().min()) == pytest.approx((2.5, -1.5), abs=1e-2)
    assert path.get_ydata().tolist() == [0.0, 1.0]
    assert picture.alt == "Points."
