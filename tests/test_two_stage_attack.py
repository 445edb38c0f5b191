"""The chapter on the two-stage attack: its grid, figures, tables and claims."""

import numpy as np
import pytest
import torch
from records import put

from fedlib import engine
from fedlib.data import DataConfig, load_dataset
from fedlib.data.datasets import EMBEDDED_VARIANT
from fedlib.evidence.report import Archive
from fedlib.grids import expand, load_grid, run_grid
from fedlib.papers.two_stage_attack import tables
from fedlib.papers.two_stage_attack.measures import (
    accuracy_or_constant,
    asymmetry,
    certified,
    error_span,
    radius_error,
)
from fedlib.papers.two_stage_attack.variants import VARIANTS
from fedlib.runs.store import Store
from fedlib.validation import ConfigError

GRID = load_grid("two_stage_attack")


def real(name):
    return DataConfig(name, "real", "canonical")


CELLS = {cell.key: cell.config for cell in GRID.cells("paper", 1, real)}


def test_the_paper_scale_is_the_papers_protocol():
    for place, run in CELLS.items():
        assert run.n_clients == 10
        assert run.n_byzantine == (0 if "/none/" in place else 1)
        assert run.aggregator.n_byzantine == 1
        if not place.startswith("variants"):
            per_epoch = (50_000 if "circle" in place else 60_000) / (10 * run.client.batch_size)
            assert run.rounds == 30 * per_epoch
    circle, mnist = CELLS["circle/rl/krum"], CELLS["mnist/rlb/krum"]
    assert (circle.client.gamma, circle.client.gamma_unit, circle.model) == (2, "one", "elu_4_2")
    assert (mnist.client.gamma, mnist.client.gamma_unit, mnist.model) == (0.04, "norm", "elu_cnn")
    assert (circle.attack.n_iterations, circle.attack.threshold) == (300, 0.005)
    assert (circle.attack.action, circle.attack.state) == ("gradient", "model")
    assert (mnist.attack.action, mnist.attack.state) == ("scale", "last_layer")
    assert (circle.attack.knowledge, mnist.attack.knowledge) == ("white", "black")


def test_every_cell_is_a_run_of_its_own():
    assert len({config.id for config in CELLS.values()}) == len(CELLS)
    for claim in tables.CLAIMS:
        assert set(claim.cells) <= set(CELLS), claim.text
    for variant in VARIANTS:
        for base in variant.cells:
            assert {base, variant.cell(base)} <= set(CELLS)


def test_smoke_cells_run_from_end_to_end(tmp_path):
    store = Store(GRID.slug, tmp_path)
    for only in ("circle/*/median", "mnist/rl/mean", "mnist/ipm/krum"):
        cells = expand(GRID, "smoke", data="embedded", only=only)
        outcome = run_grid(cells, store, "smoke", jobs=1, progress=False)
        assert not outcome.failed
        assert len(outcome.computed) == len(cells)
    archive = Archive(GRID, store)
    for figure in (
        tables.figure_1(),
        tables.figure_2(archive),
        tables.figure_3(archive, "circle"),
        tables.reward_curves(archive, "mnist"),
    ):
        assert figure.axes
    figure = tables.stage_one_figure(archive)
    upper, lower = figure.subfigs
    assert [axis.get_title() for axis in upper.axes] == ["", "", "the data"]
    assert [len(axis.images) for axis in lower.axes] == [1] * 20
    assert "glyphs" in lower.get_suptitle() and "smoke" in lower.get_suptitle()
    curves = tables.certificate_curves(archive, "circle")
    assert [len(axis.lines) for axis in curves.axes] == [0, 5, 0] * 2  # the median's alone
    rows = tables.stage_one_table(archive).rows
    assert rows[1][2].count(",") == 1  # two estimates
    assert rows[0][2] == "not computed"
    # A file that is not what its name says is named, and not drawn.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "file", lambda *_: b"some text")
        with pytest.raises(ConfigError, match=r"/smoke/\w+-learned.npz holds no learned samples"):
            tables.stage_one_figure(archive)


def grid(inside):
    """Rows of a decision that is class 1 where ``inside`` says no."""
    place = np.linspace(-4, 4, 61)
    x, y = np.meshgrid(place, place)
    return ["".join("0" if cell else "1" for cell in row) for row in inside(x, y)]


@pytest.mark.parametrize(
    ("inside", "error", "uneven"),
    [
        (lambda x, y: np.hypot(x, y) <= 2, 0.0, 0.0),
        (lambda x, y: np.hypot(x, y) <= 3, 1.0, 0.0),
        (lambda x, y: x > 9, 2.0, 2.0),  # all outside: the boundary is in the middle
        (lambda x, y: x < 9, 2.0, 2.0),  # none
        (lambda x, y: x < 0.01, 2.0, 2.0),  # a line: in the middle on one side, none on the other
        (lambda x, y: x < -0.1, 2.0, 2.0),  # a line that leaves the middle outside
    ],
)
def test_the_distance_of_a_boundary_to_the_circle(tmp_path, quiet, inside, error, uneven):
    store = Store(GRID.slug, tmp_path)
    cell = next(c for c in GRID.cells("paper", 1, real) if c.key == "circle/none/mean")
    put(
        store,
        cell,
        "paper",
        0.9,
        decision=grid(inside),
        robustness_level=[0.1, 0.2],
        test_loss=[2.0, 1.0],
    )
    archive = Archive(GRID, store)
    result = archive.best(cell.key)
    assert radius_error(result) == pytest.approx(error, abs=0.1)
    assert asymmetry(result) == pytest.approx(uneven, abs=0.1)
    even, near = tables.claims_table(archive).judged[:2]
    for row, value in ((even, uneven), (near, error)):
        held = "holds" if value < 0.3 else "does not hold"
        assert row.verdict == f"{held}, provisional: one seed"
    assert tables.accuracy_table(archive, "circle").rows[0][1:3] == ("90.00", "0.2")


def test_the_time_of_a_policy_counts_where_it_was_taken(tmp_path, quiet):
    def claimed(*seeds):
        store = Store(GRID.slug, tmp_path / str(len(seeds)))
        for seed, seconds in enumerate(seeds, 1):
            cells = {cell.key: cell for cell in GRID.cells("paper", seed, real)}
            taken = {"seconds": seconds} if seconds else None
            put(store, cells["circle/rl/mean"], "paper", 0.9, taken, stage_one_distance=[0.1])
        rows = tables.claims_table(Archive(GRID, store)).judged
        (row,) = (row for row in rows if "Synthetic, no defence: learning" in row.text)
        return row.here, row.runs.split(", ")[2], row.verdict

    quick, slow = ({"epoch": 10.0, "data": 1.0, "policy": spent} for spent in (15.0, 40.0))
    assert claimed(None) == ("–", "0 of 1 seed", "undecided: nothing to measure")
    assert claimed(None, quick) == ("1.5 epochs", "1 of 2 seeds", "holds, provisional: one seed")
    assert claimed(slow, None, None) == (
        "4.0 epochs",
        "1 of 3 seeds",
        "does not hold, provisional: one seed",
    )


def test_a_model_worse_than_a_constant_answer_has_lost_what_there_is_to_lose(tmp_path):
    store = Store(GRID.slug, tmp_path)
    given = {
        "none": (0.94, [2.0, 1.0], [0.1, 0.04]),
        "random": (0.1375, [2.0, 9.0], [0.1, 0.0]),  # always outside
        "ipm": (0.5, [2.0, None], [0.1, None]),  # diverged
    }
    for cell in GRID.cells("paper", 1, real):
        data, attack, rule = cell.key.split("/")[-3:]
        if (data, rule) == ("circle", "mean") and attack in given and "var" not in cell.key:
            accuracy, loss, level = given[attack]
            put(
                store, cell, "paper", accuracy, test_loss=loss, robustness_level=level,
                perturbation_error=[0.1, None, 0.35],
            )  # fmt: skip
    archive = Archive(GRID, store)
    found = {attack: archive.best(f"circle/{attack}/mean") for attack in given}
    assert accuracy_or_constant(found["none"]) == pytest.approx(94)
    for attack in ("random", "ipm"):
        assert accuracy_or_constant(found[attack]) == pytest.approx(86.25)
        assert certified(found[attack]) == 0
    assert certified(found["none"]) == 0.04
    assert error_span(found["none"]) == pytest.approx(25)


@pytest.mark.parametrize(
    ("white", "black", "said"),
    [
        (0.90, 0.91, "holds"),
        (0.88, 0.94, "does not hold"),
        (0.80, 0.81, "undecided: all at chance"),
        (0.94, 0.95, "undecided: nothing to measure"),
    ],
)
def test_a_black_box_is_compared_with_a_white_one_that_does_harm(
    tmp_path, quiet, white, black, said
):
    store = Store(GRID.slug, tmp_path)
    accuracies = {"none": 0.95, "rl": white, "rlb": black}
    points = {"data_checksum": load_dataset(CELLS["circle/none/krum"].data).checksum}
    circle = grid(lambda x, y: np.hypot(x, y) <= 2)
    for seed in (1, 2, 3):
        for cell in GRID.cells("paper", seed, real):
            data, attack, rule = cell.key.split("/")[-3:]
            if (data, rule) == ("circle", "krum") and "variants" not in cell.key:
                put(
                    store, cell, "paper", accuracies.get(attack, 0.5), points, decision=circle,
                    test_loss=[2.0, None if attack == "ipm" else 1.0], robustness_level=[0.1],
                    stage_one_distance=[0.1],
                )  # fmt: skip
    rows = {row.text: row for row in tables.claims_table(Archive(GRID, store)).judged}
    name = "Synthetic, Krum: "
    row = rows[f"{name}the black box does as much harm as the white box"]
    assert row.verdict == said
    # A model that has diverged has lost no more than one that is worse than a constant answer.
    row = rows[f"{name}IPM does more harm than random"]
    assert (row.here.partition(" (")[0], row.verdict) == (
        "+0.0 points of accuracy", "undecided: a tie at chance",
    )  # fmt: skip
    row = rows[f"{name}random does harm"]  # from 95 to the 86.25 % inside the circle
    assert row.here.startswith("+8.") and row.verdict == "holds"
    table = tables.accuracy_table(Archive(GRID, store), "circle")
    shown = {row[0]: row[-2:] for row in table.rows}
    assert shown["IPM"] == ("diverged", "none")
    assert shown["no attack"] == ("95.00 ± 0.00", "0.1")


def test_a_line_of_the_certificate_is_a_seeds_and_ends_where_its_model_diverges(tmp_path):
    store = Store(GRID.slug, tmp_path)
    levels = {1: [0.1, 0.2], 2: [0.3, None], 3: [None, None]}
    for seed, level in levels.items():
        cell = next(c for c in GRID.cells("paper", seed, real) if c.key == "circle/ipm/mean")
        put(store, cell, "paper", 0.9, robustness_level=level, worst_loss=level)
    figure = tables.certificate_curves(Archive(GRID, store), "circle")
    lines = figure.axes[0].lines
    assert [list(line.get_ydata()) for line in lines] == [[0.1, 0.2], [0.3], []]
    assert [list(line.get_xdata()) for line in lines] == [[1, 2], [1], []]
    assert [line.get_markevery() for line in lines] == [[], [0], []]
    assert len(figure.legends[0].get_texts()) == 5


def test_the_caption_says_what_a_constant_answer_is_worth(tmp_path):
    store = Store(GRID.slug, tmp_path)
    for cell in GRID.cells("paper", 1, real):
        if cell.key.endswith("/none/mean") and "variants" not in cell.key:
            put(store, cell, "paper", 0.9, test_loss=[2.0, 1.0], robustness_level=[0.1])
    archive = Archive(GRID, store)
    # 1,375 of the 10,000 test points are further than 2 from the middle; exp(-2) of all would be.
    said = "Of the test points 86.25 % lie inside the circle: a model that always says inside has"
    caption = tables.accuracy_table(archive, "circle").caption
    assert said in caption and caption.endswith("always says outside 13.75 %.")
    assert "circle" not in tables.accuracy_table(archive, "mnist").caption


def test_decisions_are_the_models_on_the_plane():
    setting = CELLS["circle/none/mean"].with_(rounds=1, eval_every=1)
    dataset = load_dataset(setting.data)
    metrics = engine.run(setting, dataset)
    assert len(metrics["decision"]) == 61
    federation, state = engine.prepare(setting, dataset)
    engine.play_round(federation, state)
    with torch.no_grad():
        # The third row and the sixtieth column: y = -4 + 2 * 8/60, x = -4 + 59 * 8/60.
        point = torch.tensor([-4 + 59 * 8 / 60, -4 + 2 * 8 / 60]).view(1, 1, 1, 2)
        assert int(metrics["decision"][2][59]) == int(state.model(point).argmax())
    with pytest.raises(ConfigError, match="track='decision' is for data with two features"):
        data = DataConfig("mnist", "embedded", EMBEDDED_VARIANT, 60, 20)
        image = CELLS["mnist/none/mean"].with_(track=("decision",), data=data)
        engine.run(image, load_dataset(data))
