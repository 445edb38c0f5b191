"""The chapter on the two-stage attack: its grid, figures, tables and claims."""

import math
import re

import numpy as np
import pytest
import torch
from records import put

from fedlib import engine
from fedlib.__main__ import main
from fedlib.data import DataConfig, load_dataset
from fedlib.data.datasets import EMBEDDED_VARIANT
from fedlib.evidence.claims import claims_table
from fedlib.evidence.found import Headed
from fedlib.evidence.pages.records import _cell as shown_cell
from fedlib.evidence.report import Archive
from fedlib.grids import expand, load_grid, run_grid
from fedlib.papers.two_stage_attack import found as finding
from fedlib.papers.two_stage_attack import tables
from fedlib.papers.two_stage_attack.claims import CLAIMS
from fedlib.papers.two_stage_attack.measures import (
    COMPARED,
    asymmetry,
    boundary_error,
    curve_error,
    diverged,
    error_span,
    late_level,
    level,
    missing_boundary,
    no_boundary,
    policy_epochs,
    radius_error,
    taken,
)
from fedlib.papers.two_stage_attack.tables.worth import Left, answer
from fedlib.papers.two_stage_attack.variants import RULES, VARIANTS
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
    circle, mnist = CELLS["circle/learned/krum"], CELLS["pixels/learned_blind/krum"]
    assert (circle.client.gamma, circle.client.gamma_unit, circle.model) == (2, "one", "elu_4_2")
    assert (mnist.client.gamma, mnist.client.gamma_unit, mnist.model) == (0.04, "norm", "elu_cnn")
    assert (circle.attack.n_iterations, circle.attack.threshold) == (300, 0.005)
    assert (circle.attack.action, circle.attack.state) == ("gradient", "model")
    assert (mnist.attack.action, mnist.attack.state) == ("scale", "last_layer")
    # The price of distance is in units of the norm of images whose pixels are from 0 to 1.
    assert not mnist.data.normalise and CELLS["mnist/none/mean"].data.normalise
    assert CELLS["pixels/none/mean"].data.name == "mnist"
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
    for only in ("circle/*/median", "pixels/learned/mean", "pixels/greedy/krum"):
        cells = expand(GRID, "smoke", data="embedded", only=only)
        outcome = run_grid(cells, store, "smoke", jobs=1, progress=False)
        assert not outcome.failed
        assert len(outcome.computed) == len(cells)
    archive = Archive(GRID, store)
    for figure in (
        tables.figure_1(),
        tables.figure_2(archive),
        tables.figure_3(archive, "circle"),
        tables.reward_curves(archive, "pixels"),
        tables.figure_3(archive, "pixels"),
    ):
        assert figure.axes
    figure = tables.stage_one_figure(archive)
    upper, lower = figure.subfigs
    assert [axis.get_title() for axis in upper.axes] == ["", "", "the data"]
    assert [len(axis.images) for axis in lower.axes] == [1] * 20
    assert "glyphs" in lower.get_suptitle() and "smoke" in lower.get_suptitle()
    curves = tables.certificate_curves(archive, "circle")
    assert [len(axis.lines) for axis in curves.axes] == [0, 9, 0] * 2  # the median's alone
    learners = tables.reward_curves(archive, "circle")
    # Two curves and of each an honest and a greedy line, and two rows of plans.
    titles = [row[0] for row in tables.accuracy_table(archive, "mnist").rows]
    assert len(titles) == 5 and titles[-1].endswith("(superseded)")
    assert [len(axis.lines) for axis in learners.axes] == [0, 6, 0, 0, 2, 0]
    superseded = tables.reward_curves(archive, "circle", superseded=True)
    assert [len(axis.lines) for axis in superseded.axes] == [0, 2, 0]
    rows = tables.stage_one_table(archive).rows
    assert rows[1][2].count(",") == 1  # two estimates
    assert rows[1][3].count("→") == 2 and rows[1][4].count("→") == 1
    assert rows[1][5].startswith("100 → ")  # the own samples are among the data
    assert rows[4][:4] == ("Synthetic", "median, superseded", rows[4][2], "–")
    assert rows[0][2] == "not computed"
    # The numbers of a data set are not mixed with those of another.
    said = tables.stage_one_in_words(archive).text
    assert said.startswith("Synthetic: in ") and "the attacker's own." in said
    assert tables.krum_table(archive).rows[-1][1:] == ("–", "–")
    table = tables.accuracy_table(archive, "circle")
    assert [row[0] for row in table.rows][-1].endswith("(superseded)")
    parts = [tables.accuracy_table(archive, "circle", superseded=one).rows for one in (False, True)]
    assert (len(parts[1]), parts[0] + parts[1]) == (2, table.rows)
    assert all(row[4] != "–" for row in table.rows)
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
        (lambda x, y: np.hypot(x, y) <= 0.2, 2.0, 2.0),  # a few points inside
        (lambda x, y: np.hypot(x, y) > 0.2, 2.0, 2.0),  # a few points outside
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
    shown = f"{error:.2f}"[:3]
    row = tables.accuracy_table(archive, "circle").rows[0][1:4]
    assert row[:2] == ("90.00", "0.2") and row[2].startswith(("1.9", "2.0", shown, "0.0"))
    lost = error == 2.0 and inside(4, 0) == inside(-4, 0)
    assert ("no boundary in 1 seed" in row[2]) == lost == no_boundary(result)
    assert missing_boundary(result) == float(lost)


def test_the_time_of_a_policy_counts_where_it_was_taken(tmp_path, quiet):
    def claimed(*seeds):
        store = Store(GRID.slug, tmp_path / str(len(seeds)))
        measured = {
            "robustness_level": [0.1],
            "decision": ["01" * 30 + "0"] * 61,
            "perturbation_level": [0.0, 10.0],
            "perturbation_error": [0.1, 0.2],
            "stage_one_distance": [0.1],
        }
        for seed, seconds in enumerate(seeds, 1):
            cells = {cell.key: cell for cell in GRID.cells("paper", seed, real)}
            taken = {"seconds": seconds} if seconds else None
            put(store, cells["circle/learned/mean"], "paper", 0.9, taken, **measured)
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


def test_a_model_that_has_diverged_has_neither_level_nor_boundary(tmp_path):
    store = Store(GRID.slug, tmp_path)
    given = {
        "none": ([2.0, 1.0], [0.1, 0.04]),
        "random": ([2.0, 9.0], [0.1, 0.0]),  # always outside
        "ipm": ([2.0, None], [0.1, None]),  # diverged
    }
    for cell in GRID.cells("paper", 1, real):
        data, attack, rule = cell.key.split("/")[-3:]
        if (data, rule) == ("circle", "mean") and attack in given and "var" not in cell.key:
            loss, levels = given[attack]
            put(
                store, cell, "paper", 0.9, test_loss=loss, robustness_level=levels,
                decision=grid(lambda x, y: x < 9), perturbation_level=[1e-4, None, 0.3],
                perturbation_error=[0.1, None, 0.35],
            )  # fmt: skip
    archive = Archive(GRID, store)
    found = {attack: archive.best(f"circle/{attack}/mean") for attack in given}
    assert (level(found["none"]), level(found["random"])) == (0.04, 0)
    assert boundary_error(found["random"]) == 2
    assert error_span(found["none"]) == pytest.approx(25)
    for measure in (level, boundary_error, curve_error, error_span, missing_boundary):
        assert np.isnan(measure(found["ipm"]))
    shown = {row[0]: row[1:4] for row in tables.accuracy_table(archive, "circle").rows}
    assert shown["IPM"] == ("diverged", "none", "none")
    assert shown["random"] == ("90.00", "0", "2.00; no boundary in 1 seed")


@pytest.mark.parametrize(
    ("levels", "errors", "mean"),
    [
        ([1e-4, 0.3], [0.1, 0.3], 20.0),  # a straight line in the logarithm of the level
        ([1e-9, 1e-8], [0.86, 0.86], 86.0),  # one that always answers the same
        ([0.0, 0.3], [0.2, 0.2], 20.0),
    ],
)
def test_errors_are_compared_at_the_same_perturbations(tmp_path, levels, errors, mean):
    store = Store(GRID.slug, tmp_path)
    cell = next(c for c in GRID.cells("paper", 1, real) if c.key == "circle/none/mean")
    put(
        store, cell, "paper", 0.9, test_loss=[2.0, 1.0], perturbation_level=levels,
        perturbation_error=errors,
    )  # fmt: skip
    assert curve_error(Archive(GRID, store).best(cell.key)) == pytest.approx(mean)
    assert (COMPARED[0], COMPARED[-1]) == pytest.approx((1e-4, 0.3))


def test_how_often_krum_takes_the_attacker_is_counted_once_it_attacks(tmp_path):
    store = Store(GRID.slug, tmp_path)
    cell = next(c for c in GRID.cells("paper", 1, real) if c.key == "circle/hidden/krum")
    assert "taken" in cell.config.track
    put(
        store, cell, "paper", 0.9, rounds=[200, 300, 400, 500],
        byzantine_taken=[0.9, 0.9, 0.2, 0.4],
    )  # fmt: skip
    archive = Archive(GRID, store)
    assert taken(archive.best(cell.key)) == pytest.approx(0.3)
    rows = {row[0]: row[1:] for row in tables.krum_table(archive).rows}
    assert rows["greedy, hidden"] == ("30.0", "–")


def test_attacks_are_ordered_by_the_level_and_the_boundary_that_they_leave(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    radii = {"none": 2.0, "random": 2.2, "ipm": 2.4, "learned": 3.0, "learned_blind": 2.8}
    levels = {"none": 0.04, "random": 0.01, "ipm": 0.03, "learned": 0.001, "learned_blind": 0.002}
    for seed in (1, 2, 3):
        for cell in GRID.cells("paper", seed, real):
            data, attack, rule = cell.key.split("/")[-3:]
            if data != "circle" or "variants" in cell.key or rule == "krum":
                continue
            radius, found = radii.get(attack, 2.1), levels.get(attack, 0.02)
            lost = rule == "mean" and attack == "ipm"
            if rule == "median":
                found = (0.04 + found) / 2
            inside = grid(lambda x, y, radius=radius: np.hypot(x, y) <= radius)
            put(
                store, cell, "paper", 0.9, decision=inside, test_loss=[1.0, None if lost else 1.0],
                robustness_level=[0.1, None if lost else found * (1 + seed / 100)],
                stage_one_distance=[0.1], perturbation_level=[1e-3, 0.1],
                perturbation_error=[0.1, 0.1 + found],
            )  # fmt: skip
    rows = {row.text: row for row in tables.claims_table(Archive(GRID, store)).judged}
    name = "Synthetic, median: two-stage, black box "
    assert rows[f"{name}lowers the certified level more than IPM"].verdict == "holds"
    assert rows[f"{name}moves the boundary further from the circle than IPM"].verdict == "holds"
    name = "Synthetic, no defence: two-stage lowers the certified level more than "
    assert rows[f"{name}random"].verdict == "holds"
    # IPM has diverged in every seed: it has no level to compare with.
    verdict = rows[f"{name}IPM"].verdict
    assert verdict.startswith("undecided: nothing to measure: in each seed a model has diverged")
    row = rows["Synthetic, median: random lowers the certified level less than without a defence"]
    assert row.here.startswith("the defence leaves 37.5") and row.verdict == "holds"
    row = rows["Synthetic, no defence: under the two-stage attack the boundary is missing"]
    assert (
        row.verdict
        == "undecided: 5 seeds must answer a question of yes or no, and 3 have an answer"
    )


def judged_by_levels(levels, folder):
    """The judged claims by their texts, where three seeds leave about these certified levels."""
    store = Store(GRID.slug, folder)
    for seed in (1, 2, 3):
        for cell in GRID.cells("paper", seed, real):
            if cell.key in levels:
                found = levels[cell.key] * (1 + seed / 1000)
                put(
                    store, cell, "paper", 0.9, robustness_level=[0.1, found], test_loss=[1.0, 1.0],
                    decision=grid(lambda x, y: np.hypot(x, y) <= 2),
                    perturbation_level=[1e-3, 0.1], perturbation_error=[0.1, 0.1],
                    stage_one_distance=[0.1],
                )  # fmt: skip
    return {row.text: row for row in tables.claims_table(Archive(GRID, store)).judged}


def test_a_defence_cannot_weaken_an_attack_that_does_no_harm_without_it(tmp_path, quiet):
    levels = {"none/mean": 0.04, "random/mean": 0.043, "none/median": 0.04, "random/median": 0.039}
    harmful = {"variants/random/circle/random/mean": 0.001}
    harmful["variants/random/circle/random/median"] = 0.039
    known = {f"circle/{place}": found for place, found in levels.items()} | harmful
    rows = judged_by_levels(known, tmp_path)
    text = "Synthetic, median: random lowers the certified level less than without a defence"
    assert rows[text].here.startswith("the defence leaves 2.5 % of the level less")
    assert rows[text].kind == "tie"
    stronger = rows[f"{text} [random attack of scale 10 in place of 1]"]
    assert stronger.here.startswith("the defence leaves 95.0 %") and stronger.verdict == "holds"


def test_no_attack_is_compared_with_one_that_leaves_no_level_at_all(tmp_path, quiet):
    levels = {"none": 0.04, "greedy": 1e-17, "learned": 3e-4}
    known = {f"circle/{attack}/mean": left for attack, left in levels.items()}
    row = judged_by_levels(known, tmp_path)[
        "Synthetic, no defence: two-stage lowers the certified level more than greedy"
    ]
    assert (row.here, row.kind) == ("–", "undecided")
    assert row.remark.endswith("or another attack already leaves practically no level")


def test_a_ratio_of_levels_counts_as_much_against_a_claim_as_its_reciprocal_for_it(tmp_path, quiet):
    def rows(ipm, learned):
        levels = {"none": 0.4, "ipm": ipm, "learned": learned}
        known = {f"circle/{attack}/median": left for attack, left in levels.items()}
        return judged_by_levels(known, tmp_path / str(ipm))

    name = "Synthetic, median: two-stage lowers the certified level more than IPM"
    for_it, against = (rows(*levels)[name] for levels in ((0.4, 0.02), (0.02, 0.4)))
    assert (for_it.kind, against.kind) == ("holds", "does not hold")
    assert for_it.here.startswith("5.0 % of the level") and against.here.startswith("2000.0 %")
    noises = [re.search(r"noise ([\d.]+)", row.runs)[1] for row in (for_it, against)]
    assert noises[0] == noises[1]


def test_an_attack_without_effect_does_not_lower_the_level_more_than_one_that_raises_it(
    tmp_path, quiet
):
    levels = {"none": 0.04, "ipm": 0.05, "learned": 0.04}
    known = {f"circle/{attack}/krum": left for attack, left in levels.items()}
    row = judged_by_levels(known, tmp_path)[
        "Synthetic, Krum: two-stage lowers the certified level more than IPM"
    ]
    assert row.kind == "tie"
    assert row.here.startswith("100.0 % of the level under IPM, or without attack if that is lower")


def test_a_verdict_on_the_level_is_that_of_the_last_evaluations(tmp_path, quiet):
    """The last level of three seeds is half of the clean one, and those before are higher."""
    store = Store(GRID.slug, tmp_path)
    for seed in (1, 2, 3):
        for cell in GRID.cells("paper", seed, real):
            if cell.key in ("circle/none/median", "circle/learned/median"):
                before, last = (0.06, 0.02) if "learned" in cell.key else (0.04, 0.04)
                put(
                    store, cell, "paper", 0.9, test_loss=[1.0],
                    robustness_level=[before, before, before, before, last],
                )  # fmt: skip
    claims = [claim for claim in CLAIMS if "median: the two-stage attack lowers" in claim.text]
    (row,) = claims_table(Archive(GRID, store), claims[:1]).judged
    said = "it holds by the last evaluation alone; with those before it: 130.0 % of the level"
    assert row.verdict.startswith(f"undecided: {said}")


def test_a_ruined_model_with_a_finite_loss_has_diverged(tmp_path):
    store = Store(GRID.slug, tmp_path)
    for cell in GRID.cells("paper", 1, real):
        if cell.key in ("circle/none/mean", "circle/ipm/mean"):
            level = None if "ipm" in cell.key else 0.04
            put(store, cell, "paper", 0.5, test_loss=[5e33], robustness_level=[0.1, level])
    archive = Archive(GRID, store)
    assert diverged(archive.best("circle/ipm/mean"))
    assert not diverged(archive.best("circle/none/mean"))


def test_a_level_that_certifies_nothing_is_that_of_a_model_that_has_diverged(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    levels = {"circle/none/mean": [0.1, 0.04], "circle/random/mean": [2e3, 3.6e19],
              "circle/ipm/mean": [2e3, 0.02]}  # fmt: skip
    for cell in GRID.cells("paper", 1, real):
        if cell.key in levels:
            put(store, cell, "paper", 0.5, test_loss=[3e13], robustness_level=levels[cell.key])
    none, random, ipm = (Archive(GRID, store).best(key) for key in levels)
    assert (level(none), level(ipm)) == (0.04, 0.02)
    assert math.isnan(level(random))
    assert [diverged(one) for one in (none, random, ipm)] == [False, True, False]
    # The mean of the last levels is not known if one of them is void.
    assert math.isnan(late_level(ipm)) and late_level(none) == pytest.approx(0.07)


def test_every_claim_about_a_baseline_is_tested_at_two_strengths():
    baselines = {f"circle/{attack}/{rule}" for attack in ("random", "ipm") for rule in RULES}
    about = [
        claim
        for claim in tables.CLAIMS
        if claim.place.startswith("section 4, ") and "Synthetic" in claim.text
        and not baselines.isdisjoint(claim.cells) and not claim.reading
    ]  # fmt: skip
    assert len(about) > 20
    readings = ("random attack of scale 10", "IPM of ε = 0.5")
    texts = [c.text for c in tables.CLAIMS if c.reading.startswith(readings)]
    for claim in about:
        strengths = {cell.split("/")[1] for cell in claim.cells} & {"random", "ipm"}
        assert texts.count(claim.text) == len(strengths), claim.text


def test_every_claim_about_the_learned_attack_is_tested_where_it_learns_once():
    learned = {f"circle/learned/{rule}" for rule in RULES}
    about = {
        claim.text
        for claim in tables.CLAIMS
        if claim.place.startswith(("section 4, ", "abstract")) and not claim.reading
        and not learned.isdisjoint(claim.cells) and claim.measure is not policy_epochs
    }  # fmt: skip
    assert len(about) > 15
    once = [c for c in tables.CLAIMS if c.reading == "learned once, as in the text"]
    assert {claim.text for claim in once} == about
    for claim in once:
        assert not learned & set(claim.cells)
        assert any(cell.startswith("variants/once/circle/learned/") for cell in claim.cells)


def boundary_claim(text):
    return next(claim for claim in tables.CLAIMS if claim.text.startswith(text))


def test_a_boundary_is_compared_with_the_farthest_of_the_others():
    claim = boundary_claim("Synthetic, median: two-stage moves the boundary further")
    assert claim.cells == ("circle/none/median", "circle/random/median", "circle/learned/median")
    # Random noise brings the boundary nearer to the circle than it is without an attack.
    assert claim.value([0.7, 0.6, 1.0]) == pytest.approx(0.3)
    # Nothing is farther than a boundary that is missing.
    assert math.isnan(claim.value([0.3, 2.0, 2.0]))
    assert claim.value([0.3, 2.0, 1.0]) == -1
    alone = boundary_claim("Synthetic, median: random moves the boundary away")
    assert alone.cells == ("circle/none/median", "circle/random/median")
    assert alone.value([0.3, 2.0]) == pytest.approx(1.7)


def test_a_line_of_the_certificate_is_a_seeds_and_ends_where_its_model_diverges(tmp_path):
    store = Store(GRID.slug, tmp_path)
    levels = {1: [0.1, 0.2], 2: [0.3, None], 3: [None, None]}
    for seed, found in levels.items():
        cell = next(c for c in GRID.cells("paper", seed, real) if c.key == "circle/ipm/mean")
        put(store, cell, "paper", 0.9, robustness_level=found, worst_loss=found)
    figure = tables.certificate_curves(Archive(GRID, store), "circle")
    lines = figure.axes[0].lines
    assert [list(line.get_ydata()) for line in lines] == [[0.1, 0.2], [0.3], []]
    assert [list(line.get_xdata()) for line in lines] == [[1, 2], [1], []]
    assert [line.get_markevery() for line in lines] == [[], [0], []]
    assert len(figure.legends[0].get_texts()) == 9


def test_the_caption_says_what_a_constant_answer_is_worth(tmp_path):
    store = Store(GRID.slug, tmp_path)
    for cell in GRID.cells("paper", 1, real):
        if cell.key.endswith("/none/mean") and "variants" not in cell.key:
            put(store, cell, "paper", 0.9, test_loss=[2.0, 1.0], robustness_level=[0.1])
    archive = Archive(GRID, store)
    # 1,375 of the 10,000 test points are further than 2 from the middle; exp(-2) of all would be.
    said = "Of the test points 86.25 % lie inside the circle: a model that always says inside has"
    caption = tables.accuracy_table(archive, "circle").caption
    assert said in caption and caption.endswith("always says outside has 13.75 %.")
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


def test_what_was_found_has_the_numbers_of_the_store(tmp_path, quiet):
    store = Store(GRID.slug, tmp_path)
    assert all(text.endswith(" yet.") for text in finding.found(Archive(GRID, store)))
    circle = grid(lambda x, y: np.hypot(x, y) <= 2)
    nothing = grid(lambda x, y: x < 9)
    given = {
        ("none", "mean"): (0.94, 0.04, circle),
        ("ipm", "mean"): (0.14, 0.0, nothing),
        ("none", "median"): (0.93, 0.04, circle),
        ("ipm", "median"): (0.92, 0.03, circle),
        ("greedy", "mean"): (0.9, 0.02, circle),
    }
    cells = (*GRID.cells("paper", 1, real), *GRID.cells("paper", 2, real))
    for number, cell in enumerate(cells):
        data, attack, rule = cell.key.split("/")[-3:]
        if data == "circle" and (attack, rule) in given and "variants" not in cell.key:
            accuracy, level, decision = given[attack, rule]
            if 2 * number >= len(cells):  # The second seed, which only the first cell has.
                if (attack, rule) != ("none", "mean"):
                    continue
                accuracy = 0.5
            put(
                store, cell, "paper", accuracy, test_loss=[2.0, 1.0],
                robustness_level=[level, level], decision=decision,
            )  # fmt: skip
    greedy, ipm, defended, *unknown = finding.found(Archive(GRID, store))
    assert greedy.startswith(
        "Of the attackers that learn no policy, the greedy one destroys the model in 0 of 1 seed ("
    )
    assert ipm.endswith(
        "nothing, destroys the model in the only seed that is stored (one seed, at the paper's "
        "scale). In 1 seed the model gives nearly every point the same answer."
    )
    assert [link.shown for link in ipm.links] == ["in the only seed that is stored"]
    assert (
        "Under IPM with a factor of -10, the median keeps 75 % of the certified level" in defended
    )
    assert len(unknown) == 3 and all(text.endswith(" is not computed yet.") for text in unknown)


@pytest.mark.parametrize(("seeds", "said"), [
    ("dfk", "destroys the model in 2 of 3 seeds (3 seeds, at the paper's scale). In 1 seed the "
     "model diverges, and in 1 seed it gives nearly every point the same answer. The other seed "
     "keeps 25.0 % of the certified level that the model has without an attack."),
    ("ddz", "In 2 seeds the model diverges. The other seed keeps less than 0.1 % of the certified "
     "level that the model has without an attack."),
    ("kkf", "In 1 seed the model gives nearly every point the same answer. The other 2 seeds "
     "keep between 25.0 and 25.0 % of the certified level that the model has without an attack."),
    ("kz", "destroys the model in none of 2 seeds (2 seeds, at the paper's scale). The models keep "
     "between 0.0 and 25.0 % of the certified level that the model has without an attack."),
])  # fmt: skip
def test_every_way_in_which_a_model_ends_is_counted_once(tmp_path, seeds, said):
    store = Store(GRID.slug, tmp_path)
    circle, flat = grid(lambda x, y: np.hypot(x, y) <= 2), grid(lambda x, y: x < 9)
    ends = {"d": (None, flat), "f": (0.02, flat), "k": (0.01, circle), "z": (1e-9, circle)}
    for seed, end in enumerate(seeds, 1):
        for cell in GRID.cells("paper", seed, real):
            if cell.key in ("circle/none/mean", "circle/learned/mean"):
                left, decision = (0.04, circle) if "none" in cell.key else ends[end]
                loss = [2.0, None if left is None else 1.0]
                put(
                    store, cell, "paper", 0.8625, test_loss=loss,
                    robustness_level=[left, left], decision=decision,
                )  # fmt: skip
    first = finding.found(Archive(GRID, store))[0]
    assert said in first
    destroyed = sum(end in "df" for end in seeds)
    if destroyed:
        assert first.head.endswith(
            f"the learned attack destroys the model in {destroyed} of 3 seeds."
        )
    else:
        assert not isinstance(first, Headed)


_AND_SO_DO = (
    ", and so do two simple attacks that learn no policy (a greedy one, and one that sends "
    "constant signs)"
)
_AND_SO_DOES = ", and so does a simple attack that learns no policy (a greedy one)"


@pytest.mark.parametrize(("signs", "so"), [("flat", _AND_SO_DO),
                                          ("circle", _AND_SO_DOES)])  # fmt: skip
def test_the_headline_says_if_attacks_that_learn_nothing_destroy_the_model_too(
    tmp_path, quiet, signs, so
):
    store = Store(GRID.slug, tmp_path)
    circle, flat = grid(lambda x, y: np.hypot(x, y) <= 2), grid(lambda x, y: x < 9)
    ends = {"none": circle, "learned": flat, "greedy": flat,
            "signs": flat if signs == "flat" else circle}  # fmt: skip
    for cell in GRID.cells("paper", 1, real):
        data, attack, *rest = cell.key.split("/")
        if (data, rest) == ("circle", ["mean"]) and attack in ends:
            put(
                store, cell, "paper", 0.8625, test_loss=[2.0, 1.0],
                robustness_level=[0.1, 0.02], decision=ends[attack],
            )  # fmt: skip
    first = finding.found(Archive(GRID, store))[0]
    assert first.head == f"Without a defence the learned attack destroys the model{so}."
    # An attack that leaves models on a ball alone does not stand in the headline.
    for cell in GRID.cells("paper", 1, real):
        if cell.key == "variants/projected/circle/greedy/mean":
            put(
                store, cell, "paper", 0.9, test_loss=[2.0, 1.0], robustness_level=[0.1, 0.09],
                decision=circle,
            )  # fmt: skip
    first = finding.found(Archive(GRID, store))[0]
    assert "a greedy one" not in first.head


def test_it_is_said_that_the_attack_of_the_paper_learns_once(tmp_path):
    store = Store(GRID.slug, tmp_path)
    circle, flat = grid(lambda x, y: np.hypot(x, y) <= 2), grid(lambda x, y: x < 9)
    once = "variants/once/circle/learned/mean"

    def put_all(ends):
        for cell in GRID.cells("paper", 1, real):
            if cell.key in ends:
                put(
                    store, cell, "paper", 0.9, test_loss=[2.0, 1.0], decision=ends[cell.key],
                    robustness_level=[0.1, 0.02],
                )  # fmt: skip

    put_all({"circle/none/mean": circle, "circle/learned/mean": flat})
    first = finding.found(Archive(GRID, store))[0]
    assert first.endswith(
        " Our attack learns again every 50 rounds. The attack of the paper learns once. Runs of "
        "the attack that learns once are not computed yet."
    )
    put_all({once: circle})
    first = finding.found(Archive(GRID, store))[0]
    assert first.head == "Without a defence the learned attack destroys the model."
    assert first.endswith("The attack that learns once destroys the model in none of 1 seed.")
    assert first.links[-1].target.endswith(f"#cell-{once}")


def test_other_ways_to_build_the_attack_are_told_beside_the_usual_one(tmp_path):
    store = Store(GRID.slug, tmp_path)
    note = tables.stronger_table(Archive(GRID, store), "median")
    assert note.text == "Other ways to build the attack are not computed under the median yet."
    base = "circle/learned/median"
    left = {"circle/none/median": 0.04, base: 0.03, f"variants/once/{base}": 0.01}
    for seed in (1, 2):
        for cell in GRID.cells("paper", seed, real):
            if cell.key in left and (seed == 1 or "variants" not in cell.key):
                put(
                    store, cell, "paper", 0.9, test_loss=[2.0, 1.0],
                    robustness_level=[left[cell.key] / seed] * 2,
                )  # fmt: skip
    table = tables.stronger_table(Archive(GRID, store), "median")
    assert table.rows == (("learns once, as in the text", "25 %", "75 %", "1"),)
    assert [cell.links[0].shown for cell in table.rows[0][1:3]] == ["25 %", "75 %"]
    assert table.caption.startswith(
        "What is left of the certified level under the median, by the mean of the last 5 "
    )


def test_what_learning_is_worth_is_said_beside_the_best_control(tmp_path):
    store = Store(GRID.slug, tmp_path)
    left = {
        "mean": {"none": 0.04, "learned": 0.001, "greedy": 0.002, "signs": 0.03},
        "median": {"none": 0.04, "learned": 0.03, "greedy": 0.02},
        "krum": {"none": 0.04, "learned": 0.03, "greedy": None},
    }
    for seed in (1, 2):
        for cell in GRID.cells("paper", seed, real):
            data, attack, rule = cell.key.split("/")[-3:]
            if data != "circle" or "variants" in cell.key or attack not in left[rule]:
                continue
            found = left[rule][attack]
            put(
                store, cell, "paper", 0.9, test_loss=[1.0, None if found is None else 1.0],
                robustness_level=[0.1, None if found is None else found * seed],
            )  # fmt: skip
    archive = Archive(GRID, store)
    table = tables.worth_table(archive, "circle")
    rows = {row[0]: dict(zip(table.header, row, strict=True)) for row in table.rows}
    # Both levels grow with the seed, so that what is left of them is the same.
    assert rows["no defence"]["two-stage"] == "2.5 (2.5 to 2.5)"
    assert rows["no defence"]["untrained policy"] == "not computed"
    assert rows["Krum"]["greedy"] == "2 diverged"
    assert tables.worth_in_words(archive, "circle").text == (
        "No defence: in the seeds that both have, the learned policy leaves 2.5 %, and the best "
        "control (greedy) leaves 5.0 %. The policy is ahead in 2 of 2 seeds, so in these seeds "
        "learning is worth something. Median: in the seeds that both have, the learned "
        "policy leaves 75.0 %, and the best control (greedy) leaves 50.0 %. The policy is ahead in "
        "0 of 2 seeds, so in these seeds learning is worth nothing."
    )  # Krum's only control has diverged.


@pytest.mark.parametrize(
    ("left", "end"), [(2.0, ", so no learning is needed to destroy the model."), (60.0, ".")]
)
def test_a_learned_policy_that_makes_all_models_diverge_is_said_so(left, end):
    found = {"learned": Left({}, 3), "greedy": Left({1: left, 2: left}, 0)}
    assert answer("no defence", found) == (
        "No defence: under the learned policy the model diverges in every seed (3 seeds). The best "
        f"control (greedy) leaves {left:.1f} %{end}"
    )


def test_a_plan_whose_policy_has_diverged_has_a_cross(tmp_path):
    store = Store(GRID.slug, tmp_path)
    cell = next(c for c in GRID.cells("paper", 1, real) if c.key == "circle/learned/mean")
    put(
        store, cell, "paper", 0.9, policy_reward=[0.1, 0.9], plan_reward=[0.9, 0.2, 0.4],
        policy_diverged=[1.0],
    )  # fmt: skip
    below = tables.reward_curves(Archive(GRID, store), "circle").axes[3]
    crosses = [line for line in below.lines if line.get_marker() == "x"]
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in crosses] == [([2], [0.2])]


def test_a_figure_without_runs_names_the_command_that_computes_them(tmp_path):
    archive = Archive(GRID, Store(GRID.slug, tmp_path))
    for figure in (tables.figure_3(archive, "pixels"), tables.reward_curves(archive, "pixels")):
        assert "on MNIST: not computed yet" in figure.text
        assert figure.command.endswith("two_stage_attack --scale paper --only 'pixels/*'")
    assert tables.stage_one_in_words(archive).text.endswith(" is not computed yet.")
    assert tables.worth_in_words(archive, "circle").text.endswith(" is not computed yet.")


def test_a_figure_and_a_table_tell_diverged_models_and_seeds_apart(tmp_path):
    store = Store(GRID.slug, tmp_path)
    circle, flat = grid(lambda x, y: np.hypot(x, y) <= 2), grid(lambda x, y: x < 9)
    for seed, (left, decision) in enumerate([(None, circle), (0.02, flat), (0.01, circle)], 1):
        for cell in GRID.cells("paper", seed, real):
            main = cell.key == "circle/ipm/mean"
            if main or (seed == 1 and cell.key.endswith("epsilon_10/circle/ipm/mean")):
                loss = [2.0, None if left is None else 1.0]
                put(
                    store, cell, "paper", 0.9, test_loss=loss,
                    robustness_level=[0.1, left], decision=decision,
                )  # fmt: skip
    archive = Archive(GRID, store)
    panel = tables.figure_2(archive).axes[2]
    assert panel.get_title() == "IPM"
    assert [text.get_text() for text in panel.texts] == ["1 of 3 diverged\n1 of 3 without boundary"]
    assert len(panel.collections) == 1  # the boundary of the third seed alone
    rows = {row[0]: row[1:] for row in tables.sweep_table(archive).rows}
    # The cell of Figure 2 has the same strength and more seeds.
    assert rows["IPM, epsilon 10"][0] == "0.015 (3 seeds, 1 diverged)"
    assert "#cell-circle/ipm/mean" in rows["IPM, epsilon 10"][0].links[0].target
    assert rows["IPM, epsilon 5"][0] == "–"


def test_the_halves_of_the_projection_table_have_the_same_seeds(tmp_path):
    store = Store(GRID.slug, tmp_path)
    measured = {"robustness_level": [0.1, 0.1], "test_loss": [0.5, 0.5]}
    for seed in (1, 2):
        for cell in GRID.cells("paper", seed, real):
            if cell.key == "circle/random/mean":
                put(store, cell, "paper", 0.8 + seed / 100, **measured)
            elif cell.key == "variants/projected/circle/random/mean" and seed == 1:
                put(store, cell, "paper", 0.9, **measured)
    table = tables.projection_table(Archive(GRID, store))
    rows = {row[0]: row[1:] for row in table.rows}
    assert (rows["random"][0], rows["random"][3]) == ("81.00", "90.00")  # seed 1 alone
    assert set(rows["IPM"]) == {"–"}
    assert "1 seed" in table.caption


def test_the_projection_is_told_beside_attackers_that_do_not_learn(tmp_path):
    store = Store(GRID.slug, tmp_path)
    circle, flat = grid(lambda x, y: np.hypot(x, y) <= 2), grid(lambda x, y: x < 9)
    place = "variants/projected/circle/{}/mean"
    ends = {"none": "cc", "learned": "ff", "untrained": "fc", "greedy": "ff"}
    keys = {place.format(name): end for name, end in ends.items()}
    for seed in (1, 2):
        for cell in GRID.cells("paper", seed, real):
            if cell.key in keys:
                decision = flat if keys[cell.key][seed - 1] == "f" else circle
                put(store, cell, "paper", 0.86, test_loss=[2.0, 1.0],
                    robustness_level=[0.1, 0.04], decision=decision)  # fmt: skip
    told = next(text for text in finding.found(Archive(GRID, store)) if "projects" in text)
    assert told.endswith(
        "With a ball around 0 of radius 10 as this set, the learned attack destroys the model "
        "without a defence in 2 of 2 seeds (2 seeds, at the paper's scale). In 2 seeds the model "
        "gives nearly every point the same answer. With it, of the attackers that learn no policy, "
        "the untrained policy destroys it in 1 of 2 seeds and the greedy one in 2 of 2 seeds."
    )


def test_superseded_cells_are_marked_among_the_records(tmp_path, capsys, monkeypatch):
    superseded = GRID.superseded
    assert superseded("circle/rl/mean") and superseded("variants/policy/circle/rl/mean")
    assert superseded("mnist/none/mean")
    assert not superseded("circle/learned/mean") and not superseded("pixels/none/krum")
    monkeypatch.setenv("FEDLIB_RESULTS", str(tmp_path))
    assert main(["list", GRID.slug, "--only", "circle/*/mean"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines if line.endswith(", superseded")} == {
        "circle/rl/mean", "circle/rlb/mean"
    }  # fmt: skip
    archive = Archive(GRID, Store(GRID.slug, tmp_path))
    assert ">superseded</em>" in shown_cell(archive, "circle/rl/mean")
    assert "superseded" not in shown_cell(archive, "circle/learned/mean")


def test_what_the_policies_earn_is_told_beside_honesty_and_greed(tmp_path):
    grid = load_grid("two_stage_attack")
    store = Store(grid.slug, tmp_path)
    assert tables.rewards_in_words(Archive(grid, store), "circle").text.endswith("yet.")
    rises, flat = [-0.4] * 4 + [0.5] * 4 + [0.7] * 4 + [-9.0] * 4, [-0.4] * 16
    longer = "variants/longer/circle/learned/median"
    rewards = {"circle/learned/mean": rises, "circle/learned/median": flat, longer: flat}
    for cell in grid.cells("paper", 1, lambda name: DataConfig(name, "real", "canonical")):
        if cell.key in rewards:
            put(
                store, cell, "paper", 0.9, policy_reward=rewards[cell.key],
                reference_reward=[-0.35, 0.72 if cell.key.endswith("mean") else 0.0, -9.0],
            )  # fmt: skip
    archive = Archive(grid, store)
    said = tables.rewards_in_words(archive, "circle").text
    assert said.startswith(
        "No defence: the policy earns clearly more than an honest attacker in 1 of 1 seed, and the "
        "greedy attacker earns clearly more than the policy in none of 1. Median: the policy earns "
        "clearly more than an honest attacker in none of 1 seed, and the greedy attacker earns "
        "clearly more than the policy in 1 of 1. Median, if the policy learns from 4 times as many "
        "rounds: "
    )
    rows = tables.rewards_table(archive, "circle").rows
    assert [row[:3] for row in rows] == [
        ("two-stage", "no defence", "1"),
        ("two-stage", "median", "1"),
        ("two-stage, 4 times as many", "median", "1"),
    ]
    assert rows[0][3:] == ("-0.40", "0.50", "0.70", "-9.00", "0.70", "-0.35", "0.72")
