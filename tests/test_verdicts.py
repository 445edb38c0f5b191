"""From the values of a few seeds to a verdict, on small archives made by hand."""

import importlib
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import put

from fedlib.data import DataConfig, make_partition
from fedlib.data.catalogue import DATASETS
from fedlib.evidence.agreement import attack_shows, informative, verdict
from fedlib.evidence.claims import (
    Claim,
    Former,
    PrintedNumber,
    above,
    at_least,
    below,
    drop,
    near,
    percent_left,
    retested,
    stated,
)
from fedlib.evidence.judgement import Judgement
from fedlib.evidence.judging import Judge, claims_table, propagated
from fedlib.evidence.noise import Noise, NoiseBook, is_chance, pool
from fedlib.evidence.pages import one_seed
from fedlib.evidence.report import Archive
from fedlib.evidence.sensitivity import deciding
from fedlib.evidence.statistics import MARGIN, WIDEST_MARGIN
from fedlib.evidence.tally import kind_of, tally, whole_rows
from fedlib.evidence.verdicts import SeedValue, count_answers, decide, unstable
from fedlib.grids import Variant, load_grid, paper_slugs, varied
from fedlib.runs.store import Store

ROOT = Path(__file__).resolve().parent.parent
TOO_FEW = "undecided: some seeds are far from the others, and too few are clearly on one side"
MNIST = "0fa6d6565a8c3c625178be6403669c236d152d4b783ec5f4f9cb963fc165420b"


def real(name):
    return DataConfig(name, "real", "canonical")


def fill(store, toy, accuracies, scale="paper"):
    """Store the accuracies in percent of the seeds of each rule of the toy paper."""
    for rule, values in accuracies.items():
        for seed, value in enumerate(values, 1):
            if value is not None:
                cell = next(c for c in toy.cells(scale, seed, real) if c.key == f"table/{rule}")
                put(store, cell, scale, value / 100, {"data_checksum": MNIST})


def lead(first, second):
    cells = (f"table/{first}", f"table/{second}")
    return Claim("section 1", f"{first} beats {second}", cells, drop, above(0), "{:+.1f}")


def judged(store, toy, claim, printed=None):
    (row,) = claims_table(Archive(toy, store), [claim], printed).judged
    return row


def test_a_verdict_on_nearly_canonical_data_says_how_near(toy, store, monkeypatch):
    def copy(name):
        return DataConfig(name, "real", "jpeg")

    nearly = "3 of 70,000 images from JPEG: at most 0.1 points"
    for words, said in (("", "other data than the paper's"), (nearly, nearly)):
        if words:
            monkeypatch.setitem(DATASETS["mnist"].nearly_canonical, "jpeg", words)
        for seed in (1, 2, 3, 4, 5):
            for cell, value in zip(toy.cells("paper", seed, copy), (0.8, 0.6), strict=False):
                put(store, cell, "paper", value + seed / 1000, {"data_checksum": MNIST})
        assert judged(store, toy, lead("mean", "median")).verdict == f"holds, {said}"


def test_a_quantity_that_is_not_known_decides_nothing():
    cells = ("table/mean", "table/median")
    claim = Claim("section 1", "more", cells, max, above(0), "{:+.1f}", ("cosine", "cosine"))
    assert math.isnan(claim.value([1.0, math.nan])) and claim.value([1.0, 2.0]) == 2.0


# --- the rule -----------------------------------------------------------------------------


def seeds(*values, noise=1.0):
    return [SeedValue(value, noise) for value in values]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((5.1,), "holds, provisional: one seed"),
        ((-5.1,), "does not hold, provisional: one seed"),
        ((4.9,), "undecided: one seed, too near the limit"),
        ((15.2, 12.2), "holds"),
        ((1.6, 1.5), "holds"),
        ((1.4, 1.5), "undecided: the seeds do not decide it"),
        ((-1.6, -1.5), "does not hold"),
        # One seed of four collapses: four are not enough where they contradict one another.
        ((40, 40, 40, -40), "undecided: the seeds contradict one another"),
        ((40, 40, 40, 40, -40), "holds, in 4 of 5 seeds"),
        ((40, 40, 40, -40, -40), "undecided: the seeds contradict one another"),
        ((40, 40, 0, -40, -40), "undecided: the seeds contradict one another"),
    ],
)
def test_evidence_adds_up_over_seeds(values, said):
    assert str(decide(seeds(*values), above(0), math.inf)) == said


@pytest.mark.parametrize(
    ("values", "needed", "said"),
    [
        # The limit itself does not satisfy a claim of more, and it does satisfy one of at least.
        ((0, 40, 40, 40, 40), above(0), "holds, in 4 of 5 seeds"),
        ((0, 40, 40, 40, 40), at_least(0), "holds"),
        ((0, 0, 40, 40, 40), above(0), TOO_FEW),
        ((0, 0, -40, -40, -40), above(0), "does not hold"),
        ((0, 0, -40, -40, -40), at_least(0), TOO_FEW),
    ],
)
def test_a_value_on_the_limit_is_on_the_side_that_the_limit_is_on(values, needed, said):
    assert str(decide(seeds(*values, noise=0.3), needed, math.inf)) == said


def test_the_noise_of_a_distance_is_not_smaller_near_zero():
    def distance(values):
        return abs(values[0] - values[1])

    def difference(values):
        return values[0] - values[1]

    for values in ((50.0, 50.0), (50.5, 50.0), (90.0, 50.0)):
        expected = propagated(difference, values, [1.0, 1.0])
        assert expected == pytest.approx(math.sqrt(2))
        assert 0.49 * expected < propagated(distance, values, [1.0, 1.0]) <= 1.2 * expected
    # Of two equal numbers the least can only fall, by half of the noise on average.
    assert propagated(min, [50.0, 50.0], [1.0, 1.0]) == pytest.approx(math.sqrt(0.5))


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((1,), "undecided: 5 seeds must answer a question of yes or no, and one has an answer"),
        ((1,) * 4, "undecided: 5 seeds must answer a question of yes or no, and 4 have an answer"),
        ((1, 1, 1, 1, 1), "holds"),
        ((1, 1, 0, 1, 1), "undecided: the seeds contradict one another"),
        ((0, 0, 0, 0, 0, 0), "does not hold"),
    ],
)
def test_answers_of_yes_or_no_are_counted(answers, said):
    assert str(count_answers(seeds(*answers), above(0.5))) == said


def test_many_small_differences_are_a_tie():
    assert decide(seeds(*[0.95] * 10), above(0), math.inf, equal=0).kind == "tie"


def test_few_degrees_of_freedom_need_more_evidence():
    # The t of 4 degrees of freedom that is as rare as 3 under normal noise is 6.62.
    assert decide(seeds(3.4, 3.3), above(0), 4).kind == "holds"
    assert decide(seeds(3.3, 3.2), above(0), 4).kind == "undecided"
    assert decide(seeds(11.1), above(0), 4).kind == "holds"
    assert decide(seeds(11.0), above(0), 4).kind == "undecided"


def test_a_value_that_has_no_noise_decides():
    assert decide(seeds(0.1, noise=0), above(0), 10).kind == "holds"
    assert decide(seeds(-0.1, noise=0), above(0), 10).kind == "does not hold"
    assert decide(seeds(0, 0, noise=0), at_least(0), 10).kind == "undecided"


@pytest.mark.parametrize(
    ("values", "kind"),
    [((0.9,), "tie"), ((0.9, -0.9), "tie"), ((0.9, 2.5), "holds"), ((0.9, -3.5), "undecided")],
)
def test_values_within_the_noise_of_equality_are_a_tie(values, kind):
    assert decide(seeds(*values), above(0), math.inf, equal=0).kind == kind
    # A claim that needs a clear lead fails by a tie, and it is a tie that is reported.
    assert decide(seeds(0.5), above(4), math.inf, equal=0).kind == "tie"
    assert decide(seeds(-1.5), above(4), math.inf, equal=0).kind == "does not hold"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        # The loans' naive backdoor against FedAvg: a success that is to be above 50 %.
        ((57.9, 76.4, 82.8), "undecided: unstable, 3 of 5 seeds"),
        ((57.9, 76.4, 82.8, 70), "undecided: unstable, 4 of 5 seeds"),
        ((57.9, 76.4, 82.8, 70, 81), "holds"),
        # The seeds disagree, but the limit is far away for all of them.
        ((93, 92, 97), "holds"),
        ((6.5, 0.3), "does not hold"),
        # Two seeds decide it and are not unstable, and the others agree.
        ((80, 81, 57.9), "holds"),
        ((41, 49, 42), "does not hold"),
        # Another seed contradicts them, if only by a little.
        ((49, 56, 55), "undecided: unstable, 3 of 5 seeds"),
        # The first seed alone would be a provisional verdict.
        ((76.4, 57.9), "undecided: unstable, 2 of 5 seeds"),
        ((76.4, 57.9, 57.8), "holds"),
    ],
)
def test_seeds_far_apart_decide_only_what_is_far_from_the_limit(values, said):
    assert str(decide(seeds(*values, noise=1.2), above(50), 22)) == said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        # One seed is far away, and most of the others are a little on the other side.
        ((49, 48, 92, 49, 48), TOO_FEW),
        ((49, 51, 92, 49, 51), TOO_FEW),
        # Four of five are often on one side by chance, if they are within the noise of the limit.
        ((51, 52, 92, 44, 53), "undecided: the seeds contradict one another"),
        ((55, 56, 92, 44, 57), "holds, in 4 of 5 seeds"),
        ((51, 52, 92, 54, 53), "holds"),
        # These are not unstable, and each is within the noise of the limit.
        ((49, 54, 57, 56, 55), "holds"),
    ],
)
def test_one_of_five_seeds_does_not_decide_against_the_others(values, said):
    assert str(decide(seeds(*values, noise=4), above(50), math.inf)) == said


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        # IPM under Krum with batches of ten, whose mean is 1.4 standard errors below 100.
        ((5.5, 23.5, -3.8, 3.0, 14.5), "undecided"),
        ((5.5, 23.5, 3.8, 3.0, 14.5), "undecided"),
        ((15.5, 23.5, -3.8, 13.0, 14.5), "holds"),
        # These five are clear by their own spread, which is less than that of other cells.
        ((8.5, 8.3, 8.7, 7.8, 9.0), "holds"),
        ((-8.5, -8.3, -8.7, -7.8, -9.0), "does not hold"),
        ((8.5, 8.3, 8.7, 7.8), "undecided"),
    ],
)
def test_the_mean_of_many_seeds_must_be_clearly_beyond_the_limit(values, kind):
    assert decide(seeds(*values, noise=14), above(0), math.inf).kind == kind


def test_a_seed_on_the_limit_is_on_the_side_of_the_limit():
    for values in ((2.2, 2.2), (2.2, 2.2, 0, 0)):
        assert decide(seeds(*values), at_least(0), 20).kind == "holds"
    assert decide(seeds(-2.2, -2.2, 0, 0), above(0), 20).kind == "does not hold"
    # Five seeds on the limit say nothing by their own spread.
    assert decide(seeds(0, 0, 0, 0, 0, 3.2), above(0), math.inf).kind == "undecided"


def test_a_value_that_is_not_finite_is_no_evidence():
    with pytest.raises(ValueError, match="not finite"):
        decide(seeds(math.inf, 1, 2), above(0), 10)


def test_seeds_without_an_effect_seldom_decide():
    rng = np.random.default_rng(1)
    drawn = rng.normal(size=(2000, 5))
    kinds = [decide(seeds(*values, noise=1), above(0), math.inf).kind for values in drawn]
    assert 0.03 < np.mean([kind != "undecided" for kind in kinds]) < 0.09


def test_the_mean_of_stable_seeds_near_equality_is_a_tie():
    # One of five is often beyond the noise, also where both sides are equal.
    near, far = (103.9, 99.4, 99.1, 100.6), (106.9, 99.4, 103.1, 100.6)
    for values, kind in ((near, "tie"), (far, "undecided")):
        assert decide(seeds(*values, noise=3.4), below(100), 58, equal=100).kind == kind
    # One seed is clearly different, although the wide noise of another hides it in the mean.
    chaos = [SeedValue(48.8, 20), SeedValue(134.6, 95), SeedValue(11.3, 2.3), SeedValue(97.3, 38),
             SeedValue(115.7, 43)]  # fmt: skip
    assert decide(chaos, below(100), 30, equal=100).kind == "undecided"
    # Unstable seeds are no tie, although their mean is near.
    assert decide(seeds(80, 120, noise=3.4), below(100), 58, equal=100).kind == "undecided"


def test_many_unstable_seeds_are_decided_at_once():
    assert str(decide(seeds(*range(51, 100), noise=1), above(50), math.inf)) == "holds"
    some = "holds, in 48 of 49 seeds"
    assert str(decide(seeds(49.5, *range(52, 100), noise=1), above(50), math.inf)) == some


NEARBY = st.floats(-15, 15, allow_nan=False)
LIMITS = st.sampled_from([-1.0, 0.0, 2.0, 3.0, 5.0, 8.0])
VALUES = st.lists(st.floats(-100, 100, allow_nan=False) | NEARBY | LIMITS, min_size=1, max_size=6)
NOISE = st.sampled_from([0.0, 0.1, 1.0, 10.0])
RANGES = st.sampled_from([above(0), at_least(3), below(-1), near(5)])


@given(VALUES, RANGES, st.sampled_from([4, 20, 1000]), st.booleans(), st.booleans(), st.data())
def test_a_seed_that_agrees_never_weakens_a_verdict(values, needed, freedom, ties, alike, data):
    """The noise is the same for all seeds, or each seed has its own."""
    first = data.draw(NOISE)
    found = [SeedValue(value, first if alike else data.draw(NOISE)) for value in values]
    equal = 0.0 if ties else None
    before = decide(found, needed, freedom, equal)
    if before.kind not in ("holds", "does not hold"):
        return
    sign = 1 if before.kind == "holds" else -1
    agreeing = (st.floats(-100, 100, allow_nan=False) | NEARBY).filter(
        lambda value: (value in needed) == (sign == 1)
    )
    added = SeedValue(data.draw(agreeing), first if alike else data.draw(NOISE))
    after = decide([*found, added], needed, freedom + 1, equal)
    # The two limits that the page on verdicts names.
    one_of_two = len(found) == 1 and unstable([*found, added])
    nearest = sign * needed.depth(added.value) < min(sign * needed.depth(v) for v in values)
    may_undo = one_of_two or (len(found) > 1 and unstable(found) and nearest)
    assert after.kind == before.kind or (may_undo and after.remark.startswith("unstable"))


CELL = st.lists(st.floats(45, 65).map(lambda value: round(value, 1)), min_size=2, max_size=4)


@given(CELL, st.lists(CELL, min_size=2, max_size=5), st.data())
def test_a_seed_that_agrees_changes_the_pool_but_never_turns_a_verdict_round(values, others, data):
    """The noise is that of the pool, to which the new seed adds."""

    def verdict_on(mine):
        noise = pool({"mine": mine, **{str(i): cell for i, cell in enumerate(others)}})
        return decide(seeds(*mine, noise=noise.sd), above(50), noise.freedom), noise

    before, old = verdict_on(values)
    if before.kind not in ("holds", "does not hold"):
        return
    holds = before.kind == "holds"
    new = data.draw(st.floats(45, 65).filter(lambda value: (value > 50) == holds))
    after, noise = verdict_on([*values, new])
    assert after.kind in (before.kind, "undecided")
    # All seeds agree, the noise is no larger and as well known, and the seeds are not unstable.
    if (
        all((value > 50) == holds for value in values)
        and noise.sd <= old.sd
        and noise.freedom >= old.freedom
        and not unstable(seeds(*values, new, noise=noise.sd))
    ):
        assert after.kind == before.kind


def test_a_verdict_needs_a_seed():
    with pytest.raises(ValueError, match="at least one seed"):
        decide([], above(0), 10)


# --- the noise ----------------------------------------------------------------------------


def test_the_pool_is_the_mean_variance_of_stable_cells():
    # Variances 0.5, 2 and 0.5 with 1, 1 and 1 degrees of freedom: their mean is 1.
    noise = pool({"a": [1, 2], "b": [1, 3], "c": [5, 6], "single": [9]})
    assert (noise.sd, noise.freedom, noise.unstable) == (pytest.approx(1), 3, frozenset())
    assert pool({"single": [9]}) is None


def test_a_cell_that_collapsed_in_one_seed_is_unstable_and_does_not_widen_the_noise():
    rng = np.random.default_rng(1)
    cells = {str(i): list(50 + rng.normal(size=3)) for i in range(200)}
    found = pool({**cells, "collapsed": [98.3, 10.1, 98.0]})
    assert "collapsed" in found.unstable
    assert len(found.unstable) <= 3
    assert found.sd == pytest.approx(1, rel=0.08)


def test_a_cell_is_not_unstable_by_what_its_test_set_explains():
    cells = {**{str(i): [50, 50.1] for i in range(9)}, "apart": [50, 53]}
    assert pool(cells).unstable == {"apart"}
    # On 1,000 samples an accuracy of 51.5 % has an error of 1.6 points.
    errors = dict.fromkeys(cells, 1.6)
    assert pool(cells, errors).unstable == frozenset()
    assert pool({**cells, "apart": [50, 60]}, errors).unstable == {"apart"}


def test_cells_at_chance_say_nothing_of_the_spread(store, toy):
    fill(store, toy, {"mean": (50, 52, 51), "median": (10, 10, 10), "trimmed_mean": (70, 71, 72)})
    archive = Archive(toy, store)
    noise = archive.noise.of(archive.best("table/median"))
    assert (noise.sd, noise.freedom, noise.origin) == (pytest.approx(1), 4, "")


def test_too_few_seeds_take_the_noise_of_another_scale_and_say_so(store, toy):
    fill(store, toy, {"mean": (50, 52, 51), "median": (60, 61, 62)}, scale="quick")
    fill(store, toy, {"mean": (80,), "median": (70,)})
    row = judged(store, toy, lead("mean", "median"))
    # Each accuracy has a noise of 1 from the other scale, and of more from 20 test images.
    assert row.runs == "paper, MNIST, 1 seed, noise 14 (4 df of other scales)"
    # Ten points are within 14, but the noise of another scale is no reason for a tie.
    assert row.verdict == "undecided: one seed, too near the limit"


def with_others(toy, store, changed):
    """An archive of steady seeds, and of a first seed of the same cells with a changed run."""

    def cells(scale, seed, data):
        mine = toy.cells(scale, seed, data)
        others = [
            replace(cell, key=cell.key.replace("table", "other"), config=changed(cell.config))
            for cell in mine
        ]
        return [*mine, *others]

    grid = replace(toy, cells=cells)
    fill(store, grid, {"mean": (50, 52, 51), "median": (60, 61, 62)})
    for cell in grid.cells("paper", 1, real):
        if cell.key.startswith("other/"):
            put(store, cell, "paper", 0.8, {"data_checksum": MNIST})
    return Archive(grid, store)


def test_the_noise_of_clients_that_learn_in_another_way_is_that_of_another_protocol(toy, store):
    archive = with_others(
        toy, store, lambda run: run.with_(client=replace(run.client, momentum=0.5))
    )
    own = archive.noise.of(archive.best("table/mean"))
    other = archive.noise.of(archive.best("other/mean"))
    assert (own.freedom, own.origin) == (4, "")
    assert (other.freedom, other.origin) == (4, "of other protocols")


def test_the_noise_of_data_shared_out_in_another_way_is_not_known(toy, store):
    partition = make_partition({"name": "dirichlet", "alpha": 0.1})
    archive = with_others(toy, store, lambda run: run.with_(partition=partition))
    assert archive.noise.of(archive.best("table/mean")).freedom == 4
    assert archive.noise.of(archive.best("other/mean")) is None
    known = [archive.noise.freedom(archive.shared(f"{key}/mean")) for key in ("table", "other")]
    assert known == [4, 0]


def test_a_record_from_before_a_field_is_of_the_same_protocol(toy, store):
    fill(store, toy, {"mean": (50, 52, 51), "median": (60, 61, 62)})
    for path in store.paths("paper"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for record in lines[:3]:
            del record["config"]["server_step"], record["config"]["client"]["augment"]
        path.write_text("".join(f"{json.dumps(record)}\n" for record in lines))
    archive = Archive(toy, Store("toy", store.folder.parent))
    noise = archive.noise.of(archive.best("table/mean"))
    assert (noise.freedom, noise.origin) == (4, "")


def test_the_noise_of_another_data_set_never_serves(toy, store):
    """Cells of two data sets: one has its noise from another scale, the other has none."""

    def cells(scale, seed, data):
        mine = toy.cells(scale, seed, data)
        source = data("fashion_mnist")
        others = [
            replace(
                cell,
                key=cell.key.replace("table", "other"),
                config=replace(
                    cell.config, data=replace(source, train_samples=60, test_samples=20)
                ),
            )
            for cell in mine
        ]
        return [*mine, *others]

    grid = replace(toy, cells=cells)
    fill(store, grid, {"mean": (50, 52, 51), "median": (60, 61, 62)}, scale="quick")
    fill(store, grid, {"mean": (80,), "median": (60,)})
    for cell in grid.cells("paper", 1, real):
        if cell.key.startswith("other/"):
            put(store, cell, "paper", 0.8, {"data_checksum": MNIST})
    archive = Archive(grid, store)
    known = archive.noise.of(archive.best("table/mean"))
    assert (known.freedom, known.origin) == (4, "of other scales")
    assert archive.noise.of(archive.best("other/mean")) is None
    row = judged(store, grid, replace(lead("mean", "median"), cells=("other/mean", "other/median")))
    assert row.verdict == "undecided: the spread between seeds is not known"


def test_without_any_second_seed_nothing_is_decided(store, toy):
    fill(store, toy, {"mean": (80,), "median": (10,)})
    row = judged(store, toy, lead("mean", "median"))
    assert row.verdict == "undecided: the spread between seeds is not known"


def test_the_noise_of_a_statistic_is_that_of_its_numbers():
    assert propagated(drop, [80, 70], [3, 4]) == pytest.approx(5)
    assert propagated(sum, [1, 2, 3], [0, 0, 0]) == 0
    # Of a minimum only the least counts, unless another comes near.
    assert propagated(min, [10, 50], [2, 2]) == pytest.approx(2)
    # An accuracy is not below zero, so that the second number hardly makes the least one smaller.
    assert propagated(min, [10, 10], [0, 30]) == pytest.approx(15)
    assert propagated(min, [10, 10], [0, 30], least=0) == pytest.approx(5)
    assert propagated(lambda v: 100 * v[1] / v[0], [80, 40], [0, 4]) == pytest.approx(5)


# --- verdicts on archives -----------------------------------------------------------------


@pytest.fixture
def steady(monkeypatch):
    """Makes the noise of every cell one point, and the test set large."""
    monkeypatch.setattr(NoiseBook, "of", lambda self, result: Noise(1.0, 1000))
    monkeypatch.setattr("fedlib.evidence.noise.test_size", lambda record: 10_000_000)


def test_a_second_seed_that_agrees_leaves_the_verdict(store, toy, steady):
    worst = Claim(
        "abstract", "above 60", ("table/mean",), min, above(60), "{:.1f} %", of_level=True
    )
    fill(store, toy, {"mean": (75.2,)})
    assert judged(store, toy, worst).verdict == "holds, provisional: one seed"
    fill(store, toy, {"mean": (None, 72.2)})
    row = judged(store, toy, worst)
    assert (row.verdict, row.here) == ("holds", "73.7 % (seeds: 75.2, 72.2)")


@pytest.mark.parametrize(
    ("before", "kind"),
    [((65.0, 65.0), "holds"), ((61.0, 61.0), "undecided"), ((61.0, 55.0), "undecided")],
)
def test_a_verdict_is_not_that_of_the_last_evaluation_alone(store, toy, steady, before, kind):
    mean_of_the_last = dict(zip((1, 2), before, strict=True))
    claim = Claim(
        "abstract", "above 60", ("table/mean",), min, above(60), "{:.1f} %", of_level=True,
        measure=lambda result: result.accuracy.mean,
        late=lambda result: mean_of_the_last[result.seeds[0]],
        of_accuracy=True,
    )  # fmt: skip
    fill(store, toy, {"mean": (75.0, 75.0)})
    row = judged(store, toy, claim)
    assert row.kind == kind
    said = "it holds by the last evaluation alone; with those before it: "
    # All seeds may be on the side of the verdict and still be no evidence for it.
    said += {
        55.0: "58.0 % (seeds: 61.0, 55.0)",
        61.0: "61.0 % (seeds: 61.0, 61.0), which decides nothing",
    }.get(before[1], "")
    assert row.remark == ("" if kind == "holds" else said)
    # The statistic itself is that of the last evaluation in any case.
    assert row.here.startswith("75.0 %")


@pytest.mark.parametrize(
    ("late", "kind"),
    [
        ((80.5, 79.5), "tie"),
        ((82.5, 78.5), "tie"),
        ((83, 84), "undecided"),
        ((math.nan,) * 2, "undecided"),
    ],
)
def test_a_tie_must_last_too(store, toy, steady, late, kind):
    mean_of_the_last = dict(zip((1, 2), late, strict=True))
    claim = Claim(
        "abstract", "above 80", ("table/mean",), min, above(80), "{:.1f} %", of_level=True,
        measure=lambda result: result.accuracy.mean, equal=80,
        late=lambda result: mean_of_the_last[result.seeds[0]],
        of_accuracy=True,
    )  # fmt: skip
    fill(store, toy, {"mean": (80.1, 79.9)})
    assert judged(store, toy, claim).kind == kind


def test_runs_of_other_lengths_or_on_other_copies_are_not_compared(store, toy, steady, monkeypatch):
    def copy(name):
        return DataConfig(name, "real", "jpeg")

    fill(store, toy, {"mean": (80.0, 80.0)})
    for seed in (1, 2, 3):
        cell = next(c for c in toy.cells("paper", seed, copy) if c.key == "table/median")
        put(store, cell, "paper", 0.6, {"data_checksum": MNIST})
    row = judged(store, toy, lead("mean", "median"))
    assert row.verdict == "undecided: the runs are on different copies of the data"
    # A cell that has the canonical copy too takes that, however many seeds the other has.
    fill(store, toy, {"median": (60.0,)})
    assert judged(store, toy, lead("mean", "median")).verdict == "holds, provisional: one seed"
    original = Archive.common

    def shorter(archive, keys):
        first, *others = original(archive, keys)
        return [replace(first, reduced="1 of 10 epochs"), *others]

    monkeypatch.setattr(Archive, "common", shorter)
    row = judged(store, toy, lead("mean", "median"))
    assert row.verdict == "undecided: some runs are shorter than others"


def test_a_tie_says_what_it_means_and_needs_the_noise_of_its_own_protocol(
    store, toy, steady, monkeypatch
):
    claim = replace(lead("mean", "median"), tie_means="neither is better")
    fill(store, toy, {"mean": (80.1, 80.2), "median": (80.0, 80.0)})
    assert judged(store, toy, claim).verdict == "tie, neither is better"
    elsewhere = Noise(1.0, 1000, origin="of other scales")
    monkeypatch.setattr(NoiseBook, "of", lambda self, result: elsewhere)
    assert judged(store, toy, claim).kind == "undecided"
    # It is said also if only one of the cells has such a noise, and it is not the least known one.
    own = {"table/mean": Noise(1.0, 1000)}
    monkeypatch.setattr(NoiseBook, "of", lambda self, result: own.get(result.key, elsewhere))
    row = judged(store, toy, claim)
    assert row.kind == "undecided"
    assert "of other scales" in row.runs


def test_a_time_is_known_no_better_than_the_evaluations_are_apart(store, toy, monkeypatch):
    monkeypatch.setattr(NoiseBook, "of", lambda self, result: Noise(0.01, 1000))
    claim = Claim(
        "Fig. 1", "slower", ("table/mean", "table/median"), drop, above(0), "{:.0f} rounds",
        measure=lambda result: 900.0 if result.key == "table/mean" else 860.0,
    )  # fmt: skip
    fill(store, toy, {"mean": (80.0,), "median": (80.0,)})
    assert judged(store, toy, claim).kind == "holds"
    # The toy grid evaluates at every half of a run, so that the two are less than that apart.
    assert judged(store, toy, replace(claim, in_time=True)).kind == "tie"
    # Numbers that are no larger than the noise itself cannot tell that they are equal.
    few = replace(claim, measure=lambda r: claim.measure(r) - 800, in_time=True)
    assert judged(store, toy, few).kind == "undecided"


def test_a_ratio_with_a_noise_larger_than_equality_is_no_tie():
    assert decide([SeedValue(98.0, 30.0)], below(100), 1000, 100).kind == "tie"
    assert decide([SeedValue(1.1, 51_000.0)], below(100), 1000, 100).kind == "undecided"


@pytest.fixture
def many_samples(monkeypatch):
    """Makes the test set large, so that the noise is that between the seeds alone."""
    monkeypatch.setattr("fedlib.evidence.noise.test_size", lambda record: 10_000_000)


STEADY = {"median": (90, 91.4, 92.8), "trimmed_mean": (70, 71, 72)}
"""Two cells whose seeds have a standard deviation of 1.2 points, pooled."""


def test_seeds_that_agree_leave_the_verdict_where_each_adds_to_the_pool(store, toy, many_samples):
    above_60 = Claim("1", "above 60", ("table/mean",), min, above(60), "{:.1f}", of_level=True)
    fill(store, toy, STEADY)
    said = []
    for seed, value in enumerate((75.2, 72.2, 74.0, 95.0)):
        fill(store, toy, {"mean": (*[None] * seed, value)})
        said.append(judged(store, toy, above_60).verdict)
    # The fourth seed is far from the others, which decide the claim without it.
    assert said == ["holds, provisional: one seed", "holds", "holds", "holds"]


def test_a_seed_that_agrees_can_widen_the_noise_and_so_undo_a_verdict(store, toy, many_samples):
    """This is the limit that the page on verdicts names: the new seed adds to the pool."""
    above_60 = Claim("1", "above 60", ("table/mean",), min, above(60), "{:.1f}", of_level=True)
    fill(store, toy, {**STEADY, "mean": (63.2, 63.2)})
    row = judged(store, toy, above_60)
    assert (row.verdict, row.runs.partition(", noise ")[2]) == ("holds", "1.1 (5 df)")
    # It is so near to the limit that it adds no evidence itself.
    fill(store, toy, {"mean": (None, None, 60.2)})
    row = judged(store, toy, above_60)
    assert row.verdict == "undecided: the seeds do not decide it"
    assert "noise 1.4 (6 df)" in row.runs


def test_a_claim_on_an_unstable_cell_needs_five_seeds_near_the_limit(store, toy, many_samples):
    """The success of the loans' naive backdoor against FedAvg, with its real values."""
    succeeds = Claim("4.3", "it succeeds", ("table/mean",), min, above(50), "{:.1f}", of_level=True)
    fill(store, toy, {"mean": (57.9, 76.4, 82.8), **STEADY})
    row = judged(store, toy, succeeds)
    assert row.verdict == "undecided: unstable, 3 of 5 seeds"
    assert row.here == "72.4 (seeds: 57.9, 76.4, 82.8)"
    assert "noise 1.2 (4 df)" in row.runs
    fill(store, toy, {"mean": (None, None, None, 80, 81)})
    assert judged(store, toy, succeeds).verdict == "holds"


def test_an_unstable_cell_that_is_far_from_the_limit_decides(store, toy, many_samples):
    fill(store, toy, {"mean": (12, 18, 30), **STEADY})
    assert judged(store, toy, lead("median", "mean")).verdict == "holds"
    # Of a minimum only the least number counts, and that is of stable cells.
    least = Claim("1", "least", ("table/mean", "table/trimmed_mean"), max, above(40), "{:.1f}")
    assert judged(store, toy, least).verdict == "holds"


def test_what_other_seeds_say_of_an_unstable_cell_counts(store, toy, many_samples):
    """Only the first seed is in common, but the others show how far seeds may be apart."""
    fill(store, toy, {"median": (82, None, None, 81, 83), "trimmed_mean": (70, 71, 72)})
    fill(store, toy, {"mean": (82,)})
    cells = ("table/mean", "table/median")
    succeeds = Claim("1", "it succeeds", cells, lambda v: v[0], above(50), "{:.1f}")
    assert judged(store, toy, succeeds).verdict == "holds, provisional: one seed"
    equal = replace(succeeds, needed=above(0), statistic=drop)
    assert judged(store, toy, equal).verdict == "tie, one seed"
    fill(store, toy, {"mean": (None, 76, 58)})
    row = judged(store, toy, succeeds)
    assert row.verdict == "undecided: unstable, 1 of 5 seeds"
    assert "noise 12 " in row.runs  # and 1 before
    # A tie by a wide noise would be no tie.
    assert not judged(store, toy, equal).decided


def test_seeds_that_a_claim_cannot_use_do_not_hide_an_unstable_cell(store, toy, many_samples):
    """Both cells have all seeds, and the claim has nothing to judge in two of them."""
    fill(store, toy, {"median": (82, 81, 83), "trimmed_mean": (70, 71, 72), "mean": (82, 76, 58)})

    def only_high(values):
        return values[0] if values[0] > 80 else math.nan

    cells = ("table/mean", "table/median")
    succeeds = Claim("1", "it succeeds", cells, only_high, above(50), "{:.1f}")
    row = judged(store, toy, succeeds)
    assert row.verdict == "undecided: unstable, 1 of 5 seeds"
    assert "1 of 3 seeds, noise 12 " in row.runs


def test_each_seed_alone_has_a_verdict_for_the_check_of_single_seeds(store, toy, steady):
    above_60 = Claim("1", "above 60", ("table/mean",), min, above(60), "{:.1f}", of_level=True)
    fill(store, toy, {"mean": (75.2,)})
    assert judged(store, toy, above_60).alone == ()
    fill(store, toy, {"mean": (None, 62.0, 30.0)})
    assert judged(store, toy, above_60).alone == ("holds", "undecided", "does not hold")


def test_the_page_counts_what_single_seeds_would_have_said(monkeypatch):
    rows = [
        replace(row("holds"), alone=("holds", "holds", "undecided")),
        replace(row("undecided"), alone=("holds", "does not hold")),
        replace(row("tie"), alone=("does not hold", "tie")),
        replace(row("does not hold"), alone=("holds", "does not hold")),
        replace(row("contradicted in print"), alone=("holds", "holds")),
    ]
    table = SimpleNamespace(judged=rows)
    monkeypatch.setattr(one_seed, "paper_slugs", lambda: ["toy"])
    monkeypatch.setattr(one_seed, "judged_claims", lambda slug: table)
    said = one_seed.one_seed_check(None)
    assert "7 single seeds would give the verdict *holds* or *does not hold* if they were" in said
    assert "For 3 of them (43 %) all seeds together give the same verdict" in said
    assert "For 2 all seeds together decide nothing, for 1 they tie, and for 1 they give" in said
    assert "43 % of the verdicts *holds* and *does" in one_seed.one_seed_share(None)
    table.judged = []
    assert one_seed.one_seed_share(None).startswith("No verdict of a single seed")
    assert one_seed.one_seed_check(None).startswith("No row has several seeds yet")


def test_three_attacks_at_chance_are_a_tie_at_chance(store, toy, steady):
    fill(store, toy, {"mean": (10.09,), "median": (10.09,), "trimmed_mean": (10.09,)})
    claim = lead("mean", "median")
    row = judged(store, toy, claim)
    assert (row.verdict, row.decided) == ("undecided: a tie at chance", False)
    # A claim on the height of an accuracy is decided at chance too.
    fails = Claim("Table 1", "fails", ("table/mean",), max, below(20), "{:.1f} %", of_level=True)
    assert judged(store, toy, fails).kind == "holds"
    kept = Claim("Fig. 1", "keeps half", claim.cells, lambda v: 100 * v[1] / v[0], at_least(50),
                 "{:.0f} %")  # fmt: skip
    assert judged(store, toy, kept).verdict == "undecided: all at chance"


def test_a_model_that_is_far_worse_than_chance_is_compared(store, toy, steady, monkeypatch):
    """Where one class is much larger than the others, chance is high, and half of it is a loss."""
    monkeypatch.setattr("fedlib.evidence.noise.chance_level", lambda record: 93.8)
    fill(store, toy, {"mean": (49.7,), "median": (93.8,)})
    claim = replace(lead("mean", "median"), needed=above(-2))
    assert judged(store, toy, claim).verdict == "does not hold, provisional: one seed"
    fill(store, toy, {"trimmed_mean": (86.0,)})
    near = replace(lead("trimmed_mean", "median"), needed=above(-2))
    assert judged(store, toy, near).verdict == "undecided: all at chance"


def test_a_seed_at_chance_says_nothing_beside_seeds_that_learned(store, toy, steady):
    chance = (10.0,) * 4
    claim = replace(lead("mean", "median"), needed=above(4))
    fill(store, toy, {"mean": chance, "median": chance})
    assert judged(store, toy, claim).verdict == "undecided: all at chance"
    fill(store, toy, {"mean": (*[None] * 4, 85.0), "median": (*[None] * 4, 70.0)})
    row = judged(store, toy, claim)
    assert row.verdict == "holds, provisional: one seed"
    assert "1 of 5 seeds" in row.runs


def test_a_tie_at_chance_is_one_where_other_cells_that_do_not_count_learned(store, toy, steady):
    # The strongest of three attacks: two leave chance alike, and the third does not matter.
    cells = ("table/mean", "table/median", "table/trimmed_mean")
    claim = Claim("section 1", "strongest", cells, lambda v: min(v[1:]) - v[0], above(0), "{:+.1f}")
    fill(store, toy, {"mean": (10.09,), "median": (10.09,), "trimmed_mean": (90.0,)})
    assert judged(store, toy, claim).verdict == "undecided: a tie at chance"


def test_the_numbers_that_decide_a_statistic():
    assert deciding(min, [10.0, 50.0, 10.0]) == [0, 2]
    assert deciding(lambda v: max(v) - v[2], [10.0, 50.0, 20.0]) == [1, 2]
    assert deciding(lambda v: 7.0, [1.0, 2.0]) == [0, 1]


PARTLY = "holds in some readings or settings"
MOSTLY_NOT = "does not hold in most readings or settings"


def row(kind, reading="", is_part=False):
    claim = Claim("section 1", "A: b", (), min, above(0), "{}", reading=reading, is_part=is_part)
    return Judgement(claim, "", "", "", kind)


@pytest.mark.parametrize(
    ("kinds", "kind"),
    [
        (("holds", "holds"), "holds"),
        (("holds", "undecided"), "holds"),
        (("holds", "undecided", "undecided"), PARTLY),
        (("holds", "holds", "contradicted in print"), PARTLY),
        (("holds", "does not hold"), PARTLY),
        (("holds", "tie"), PARTLY),
        (("holds", "tie", "does not hold"), MOSTLY_NOT),
        (("holds", "undecided", "undecided", "does not hold"), PARTLY),
        # Two of seven rows that do not hold are not most of the settings.
        (("holds", "does not hold", "tie", *["undecided"] * 4), PARTLY),
        (("does not hold", "tie", "undecided"), "does not hold"),
        (("tie", "tie"), "tie"),
        (("tie", "undecided"), "tie"),
        (("tie", "undecided", "undecided"), "undecided"),
        (("does not hold", "undecided", "undecided"), "does not hold"),
        (("undecided", "contradicted in print"), "undecided"),
        (("contradicted in print",), "contradicted in print"),
    ],
)
def test_a_sentence_is_judged_by_all_of_its_rows(kinds, kind):
    rows = [row(kind) for kind in kinds]
    assert kind_of(rows) == kind
    assert kind_of(rows[::-1]) == kind


def test_a_sentence_of_several_parts_holds_only_where_all_of_them_do():
    def parts(*kinds, reading=""):
        return [row(kind, reading, is_part=True) for kind in kinds]

    assert kind_of(parts("holds", "holds")) == "holds"
    assert kind_of(parts("holds", "does not hold")) == "does not hold"
    assert kind_of(parts("holds", "undecided")) == "undecided"
    assert kind_of(parts("holds", "contradicted in print")) == "contradicted in print"
    # In one reading both parts hold, and by the text one of them fails.
    by_code = parts("holds", "holds", reading="all choices of the code")
    assert kind_of([*parts("holds", "does not hold"), *by_code]) == PARTLY
    assert len(whole_rows([*parts("holds", "does not hold"), *by_code, row("tie")])) == 3


def test_a_choice_that_the_text_does_not_name_does_not_make_a_sentence_hold_alone():
    variant = row("holds", "all choices of the authors' code")
    assert kind_of([row("undecided"), variant]) == PARTLY
    assert kind_of([row("holds"), variant]) == "holds"
    for kind in ("tie", "does not hold"):
        assert kind_of([row("undecided"), row(kind, "all choices of the code")]) == "undecided"
        assert kind_of([row(kind), row(kind, "all choices of the code")]) == kind
    # By the text it is a tie, so that it does not fail in what the text does not name.
    assert kind_of([row("tie"), row("does not hold", "all choices of the code")]) == "tie"
    assert kind_of([row("tie"), row("does not hold"), row("tie", "a reading")]) == "does not hold"
    # If all rows are readings of the text, none of them is the text's own.
    assert kind_of([row("does not hold", "one reading"), row("tie", "another")]) == "does not hold"
    assert kind_of([row("holds", "one reading"), row("undecided", "another")]) == "holds"


def test_a_sentence_counts_once_whatever_its_readings_and_settings(store, toy, steady):
    fill(store, toy, {"mean": (90.0,), "median": (70.0,), "trimmed_mean": (90.0,)})

    def beats(setting, first, second, **more):
        claim = lead(first, second)
        return replace(claim, text=f"{setting}: one rule beats the other", **more)

    rows = [
        beats("A", "mean", "median"),
        beats("B, more", "mean", "trimmed_mean"),
        beats("B, more", "median", "mean", reading="another reading"),
        beats("A", "mean", "median", sentence="another sentence"),
        beats("A", "median", "mean", place="section 2"),
        beats("A", "mean", "median", place="this book"),
    ]
    assert tally(claims_table(Archive(toy, store), rows)) == (
        "3 sentences: 1 holds, 1 does not hold in most readings or settings, 1 does not hold "
        "(5 rows: 2 hold, 2 do not hold, 1 tie)"
    )


def test_claims_are_tested_again_in_the_runs_of_a_variant(store, toy, steady):
    bases = ("table/mean", "table/median")

    def slower(run):
        return run.with_(learning_rate=0.01)

    variant = Variant("other", "a choice", "one way", "the other way", slower, bases)

    def cells(*arguments):
        own = toy.cells(*arguments)
        return [*own, *varied([variant], {cell.key: cell.config for cell in own})]

    grid = replace(toy, cells=cells)
    better, worse, partly = lead("mean", "median"), lead("median", "mean"), lead("mean", "krum")
    reading = replace(better, reading="a reading", former=Former("older words"))
    numbers = {"table/mean": PrintedNumber(80, 1), "table/median": PrintedNumber(70, 1)}

    again = retested((better, worse, partly, reading), variant, "the other way")
    assert [claim.reading for claim in again] == [
        "the other way", "the other way", "a reading; the other way",
    ]  # fmt: skip
    assert again[0].cells == ("variants/other/table/mean", "variants/other/table/median")
    assert again[2].at_first.text == "mean beats median"
    # A choice about one attack leaves the runs of others as they are.
    (mixed,) = retested((partly, lead("krum", "trimmed_mean")), variant, "mixed", partly=True)
    assert mixed.cells == ("variants/other/table/mean", "table/krum")

    def lookup(cell, quantity):
        return numbers.get(cell)

    # The paper's numbers are those of the grid's own cells. They contradict one claim, which is
    # listed once.
    rows = claims_table(Archive(grid, store), (better, worse, *again[:2]), lookup).judged
    assert [(row.text, row.in_print, row.kind) for row in rows] == [
        ("mean beats median", "+10.0", "undecided"),
        ("median beats mean", "-10.0: not as claimed", "contradicted in print"),
        ("mean beats median [the other way]", "+10.0", "undecided"),
    ]


def test_a_small_lead_on_one_seed_is_a_tie_and_a_large_one_is_not(store, toy, steady):
    fill(store, toy, {"mean": (80.3,), "median": (80.0,), "trimmed_mean": (70.0,)})
    row = judged(store, toy, lead("mean", "median"))
    assert (row.verdict, row.decided, row.holds) == ("tie, one seed", True, False)
    assert judged(store, toy, lead("mean", "trimmed_mean")).holds
    table = claims_table(Archive(toy, store), [lead("mean", "median")])
    assert table.classes == {(0, 3): "tie"}
    assert tally(table) == "1 sentence: 1 tie (1 row: 1 tie)"
    # A notebook is compared with its text, which has no addresses of functions.
    assert "<function" not in repr(table)
    assert "tie, one seed" in repr(table)


def test_the_error_of_a_finite_test_set_counts_as_noise(store, toy, monkeypatch):
    monkeypatch.setattr(NoiseBook, "of", lambda self, result: Noise(0.01, 1000))
    fill(store, toy, {"mean": (90,), "median": (80,)})
    # 20 test images: errors of 6.7 and 8.9 points.
    row = judged(store, toy, lead("mean", "median"))
    assert row.verdict == "undecided: one seed, too near the limit"
    assert "noise 11 " in row.runs


def test_the_printed_spread_counts_if_the_noise_is_of_another_protocol(store, toy, monkeypatch):
    noise = Noise(1.0, 1000)
    monkeypatch.setattr(NoiseBook, "of", lambda self, result: noise)
    monkeypatch.setattr("fedlib.evidence.noise.test_size", lambda record: 10_000_000)
    numbers = {"table/mean": PrintedNumber(90, 12), "table/median": PrintedNumber(80, 5)}
    fill(store, toy, {"mean": (90,), "median": (80,)})
    row = judged(store, toy, lead("mean", "median"), lambda cell, quantity: numbers[cell])
    assert (row.kind, row.runs[-19:]) == ("holds", "noise 1.4 (1000 df)")
    noise = replace(noise, origin="of other protocols")
    row = judged(store, toy, lead("mean", "median"), lambda cell, quantity: numbers[cell])
    assert row.verdict == "undecided: one seed, too near the limit"
    # 12 and 5 points: their squares sum to that of 13.
    assert row.runs.endswith("noise 13 (1000 df of other protocols), with the printed spread")
    # A printed spread that is smaller changes nothing.
    numbers = {cell: number._replace(spread=0.5) for cell, number in numbers.items()}
    row = judged(store, toy, lead("mean", "median"), lambda cell, quantity: numbers[cell])
    assert row.runs.endswith("noise 1.4 (1000 df of other protocols)")


def test_what_the_papers_own_table_contradicts_gets_no_verdict_from_runs(store, toy, steady):
    numbers = {"table/mean": PrintedNumber(70, 1), "table/median": PrintedNumber(80, 1)}
    fill(store, toy, {"mean": (70,), "median": (80,)})
    row = judged(store, toy, lead("mean", "median"), lambda cell, quantity: numbers[cell])
    assert (row.kind, row.in_print) == ("contradicted in print", "-10.0: not as claimed")
    assert not row.decided
    close = {**numbers, "table/mean": PrintedNumber(79, 1)}
    row = judged(store, toy, lead("mean", "median"), lambda cell, quantity: close[cell])
    assert row.in_print == "-1.0: not as claimed, within the printed spread"
    assert row.kind == "contradicted in print"
    wide = {**numbers, "table/mean": PrintedNumber(79, 17)}
    row = judged(store, toy, lead("mean", "median"), lambda cell, quantity: wide[cell])
    assert row.in_print == "-1.0: the printed spread is too wide to tell"
    assert row.kind == "does not hold"  # so the runs decide
    equal = {**numbers, "table/mean": PrintedNumber(80, 1)}
    row = judged(store, toy, lead("mean", "median"), lambda cell, quantity: equal[cell])
    assert (row.in_print, row.kind) == ("+0.0: equal in print", "does not hold")
    # The sentence names no limit, so that print cannot be beyond its limit.
    unnamed = replace(lead("mean", "median"), own_limit=True)
    row = judged(store, toy, unnamed, lambda cell, quantity: numbers[cell])
    assert (row.kind, row.remark) == (
        "undecided", "print is beyond a limit that this book has set; no run can decide this row",
    )  # fmt: skip
    # A question of this book is no sentence of the paper.
    own = Claim("this book", "?", ("table/mean", "table/median"), drop, above(0), "{:+.1f}")
    row = judged(store, toy, own, lambda cell, quantity: numbers[cell])
    assert row.kind == "does not hold"


def test_seeds_that_only_one_cell_has_do_not_count(store, toy, steady):
    fill(store, toy, {"mean": (80, 10), "median": (70,)})
    row = judged(store, toy, lead("mean", "median"))
    assert (row.here, row.kind) == ("+10.0", "holds")
    fill(store, toy, {"trimmed_mean": (None, 70)})
    assert judged(store, toy, lead("median", "trimmed_mean")).verdict == (
        "undecided: no seed in common"
    )


def test_a_stated_number_is_met_within_two_points_or_twice_the_spread_of_its_cell():
    assert str(stated(20)) == str(stated(20, 1.0)) == "18 to 22"
    assert str(stated(20, 1.5, most=25)) == "17 to 28"
    assert (stated(20, 5.0).tells, stated(20, 5.1).tells) == (True, False)
    assert str(stated(20, 43.0)) == "10 to 30"  # never more than ten points


def test_what_is_printed_with_too_wide_a_spread_cannot_be_met(store, toy, steady):
    fill(store, toy, {"mean": (95, 95), "median": (75, 75)})
    cells = ("table/mean", "table/median")
    wide = Claim("Fig. 1", "costs 20", cells, drop, stated(20, 5.1), "{:.1f}")
    assert judged(store, toy, wide).verdict == "undecided: the printed spread is too wide to tell"
    assert Judge(Archive(toy, store), [wide]).next_runs(wide) == []
    narrow = Claim("Fig. 1", "costs 20", cells, drop, stated(20, 2.0), "{:.1f}")
    assert judged(store, toy, narrow).kind == "holds"
    assert Judge(Archive(toy, store), [narrow]).next_runs(narrow)


@pytest.mark.parametrize(
    ("statistic", "needed", "said"),
    [
        # Without attack 78 to 92.6 percent, and 75 under it: from 3 to 17.6 points are lost.
        (drop, stated(20, 0.4), "17.6 at best: not as claimed"),
        (drop, stated(19, 0.4), "–"),
        (drop, above(17.5), "–"),
        (drop, above(17.9), "–"),  # by less than the printed spread
        (drop, above(18.1), "17.6 at best: not as claimed"),
        (drop, below(2), "3.0 at best: not as claimed"),
        (lambda v: percent_left(*v), below(50), "81.0 at best: not as claimed"),
        (lambda v: percent_left(*v), at_least(90), "–"),
    ],
)
def test_a_number_of_which_only_bounds_are_printed_can_contradict(
    store, toy, steady, statistic, needed, said
):
    numbers = {
        "table/mean": PrintedNumber(92.6, 0, least=78),
        "table/median": PrintedNumber(75, 0.4),
    }
    fill(store, toy, {"mean": (91,), "median": (75,)})
    claim = Claim("Fig. 1", "cost", ("table/mean", "table/median"), statistic, needed, "{:.1f}")
    row = judged(store, toy, claim, lambda cell, quantity: numbers[cell])
    assert row.in_print == said
    assert (row.kind == "contradicted in print") == (said != "–")


# --- the stored archives ------------------------------------------------------------------

DECIDED_AT_CHANCE = {
    "Reviews: reweighting is comparable to the best rule at every number of attackers": "A model "
    "that calls all reviews positive has 94 %, and one with 50 % has learned something false.",
    "MNIST, full-Krum, 30 %: malicious clients' maps are clearly less like that of the last "
    "aggregate than honest clients' maps are, as the rule itself judges": "The claim is about the "
    "scores of all rounds. They are the reason for which the model ends at chance.",
    "Synthetic, no defence: the estimate of the data converges within 3 epochs": "The claim is "
    "about what the attacker learns before it attacks. The model ends at chance by the attack.",
    "Synthetic, no defence: under the two-stage attack the boundary is missing": "The claim is "
    "about the boundary. The model ends at chance because it has lost it.",
    "Synthetic, no defence: learning the policy takes about as long as 1 of the federation's "
    "epochs, or less (with this book's number of rounds to learn from)": "The claim is about time.",
    **{
        f"Synthetic, no defence: {said}": (
            "The claim is about the certificate. The model ends at chance by the attack."
        )
        for said in (
            "under random the model no longer maintains the certified level: less than half is "
            "left",
            "under IPM the model no longer maintains the certified level: less than half is left",
            "under two-stage the model no longer maintains the certified level: less than half is "
            "left",
            "the two-stage attack lowers the certified level",
            "two-stage lowers the certified level more than random",
            "IPM lowers the certified level more than random",
        )
    },
    **{
        f"Synthetic, no defence: under {attack} the boundary is no longer axisymmetric": (
            "The claim is about the boundary. The model ends at chance because it has lost it."
        )
        for attack in ("random", "IPM", "two-stage")
    },
}
"""The claims that runs at chance decide although they are not about an accuracy, and why.

They are without their readings, which choose other runs for the same claim.
"""
READINGS_AT_CHANCE = {
    "",
    "default reading",
    "estimates one epoch apart, learning rate 0.05 of the matching",
    "random attack of scale 10 in place of 1",
    "learned once, as in the text",
    "batches of 10 in place of 50",
    "parameters in a ball of radius 10",
    "without FoolsGold, whose model calls all reviews positive",
}
"""The readings in which these claims were looked at."""


@pytest.mark.parametrize("slug", paper_slugs())
def test_no_claim_is_decided_by_runs_at_chance(slug, monkeypatch):
    """A claim about the height of an accuracy itself is decided at chance too."""
    monkeypatch.setenv("FEDLIB_RESULTS", str(ROOT / "results"))
    archive = Archive(load_grid(slug))
    table = importlib.import_module(f"fedlib.papers.{slug}.tables").claims_table(archive)
    assert any(row.decided for row in table.judged)
    found = [
        row.claim
        for row in table.judged
        if row.kind in ("holds", "does not hold") and not row.claim.of_level
        if _rests_on_chance(archive, row.claim)
    ]
    assert {claim.text for claim in found} <= DECIDED_AT_CHANCE.keys()
    assert {claim.reading for claim in found} <= READINGS_AT_CHANCE


def _rests_on_chance(archive, claim):
    known = archive.common(claim.cells)
    for seed in set.intersection(*(set(result.seeds) for result in known)):
        of_seed = [result.of_seed(seed) for result in known]
        for place in deciding(claim.value, claim.numbers(of_seed)):
            if not is_chance(of_seed[place], of_seed[place].accuracy.mean):
                return False
    return True


# --- published numbers --------------------------------------------------------------------


def test_a_printed_value_that_takes_in_chance_and_clean_tells_nothing():
    assert not informative(52.74, 43.0, 12, 98)
    assert informative(52.74, 0.5, 12, 98)
    assert not informative(12, 2.5, 11.4, 15)  # takes in both
    assert informative(12, 2.5, 11.4, 60)
    assert informative(12, 2.5, 11.4, None)
    assert not informative(60, 5.1, 12, 98)  # a margin of more than ten points
    assert (attack_shows(50, 0.5, 98), attack_shows(97, 0.8, 98)) == (True, False)


def test_agreement_with_a_wide_spread_is_not_shown_as_agreement(store, toy):
    fill(store, toy, {"mean": (97.2,), "median": (10.1, 98.3)})
    archive = Archive(toy, store)
    mean = archive.best("table/mean")
    assert verdict(mean, 52.74, 43.0, 98.0) == "tells nothing"
    assert verdict(mean, 30.0, 30.0, 98.0) == "differs"
    assert verdict(mean, 96.0, 0.3, 98.0) == "agrees"
    assert verdict(archive.best("table/median"), 96.5, 0.6, unstable=True) == "unstable"
    assert archive.best("table/median").shown(unstable=True) == "10.10, 98.30"


def test_seeds_far_apart_are_unstable_even_where_the_noise_is_not_known(store, toy):
    fill(store, toy, {"mean": (10.1, 98.3), "median": (80.0, 82.0)})
    archive = Archive(toy, store)
    assert archive.noise.of(archive.best("table/mean")) is None
    assert archive.noise.unstable(archive.best("table/mean"))
    assert not archive.noise.unstable(archive.best("table/median"))


NOT_BY_THE_MARGIN = {
    "slightly better than Avg (by up to 10 points)": "The text states no number. The range is what "
    "this book takes for its word.",
    "are comparable": "The text states no number. Two rules count as comparable if they are no "
    "farther apart than twice the margin.",
    "success starts to increase only after around 25 rounds": "The number is one of rounds, "
    "and not of points of accuracy.",
}
"""The claims whose range has two ends but is not that of a stated number of points, and why."""


@pytest.mark.parametrize("slug", paper_slugs())
def test_numbers_that_a_text_states_have_the_one_margin(slug):
    claims = importlib.import_module(f"fedlib.papers.{slug}.tables").CLAIMS
    for claim in claims:
        low, high, margin = claim.needed.low, claim.needed.high, claim.needed.margin
        if not (math.isfinite(low) and math.isfinite(high)):
            assert margin == 0, claim.text
        elif not any(words in claim.text for words in NOT_BY_THE_MARGIN):
            assert margin >= MARGIN, claim.text
            within = min(margin, WIDEST_MARGIN)
            # What is left without the margin are the numbers in the text.
            for number in (low + within, high - within):
                assert re.search(rf"\b{number:g}\b", claim.text), claim.text


def test_every_exception_from_the_margin_is_one():
    texts = [
        claim.text
        for slug in paper_slugs()
        for claim in importlib.import_module(f"fedlib.papers.{slug}.tables").CLAIMS
        if math.isfinite(claim.needed.low) and math.isfinite(claim.needed.high)
    ]
    assert all(any(words in text for text in texts) for words in NOT_BY_THE_MARGIN)


def test_a_statistic_in_words_tells_its_direction_without_a_sign() -> None:
    """The words change with the sign. A negative value also stands behind them, for comparison."""
    shown = "it leaves {:.1f} points [more|less]"
    claim = Claim("section 1", "more", ("a", "b"), drop, above(0), shown)
    assert claim.in_words(3.25) == "it leaves 3.2 points more"
    assert claim.in_words(-3.25) == "it leaves 3.2 points less (-3.2)"
    assert claim.in_words(-0.01) == claim.in_words(0.01) == "it leaves 0.0 points more or less"
    assert claim.in_words(-3, [-7, 1]) == "it leaves 3.0 points less (-3.0; seeds: -7.0, 1.0)"
    assert claim.in_words(3, [7, -0.04]) == "it leaves 3.0 points more (seeds: 7.0, 0.0)"


@pytest.mark.parametrize(
    ("shown", "value", "seeds", "said"),
    [
        ("it has {:.1f} points [more|less]", 3.21, (), "it has 3.2 points more"),
        ("it has {:.1f} points [more|less]", -3.21, (), "it has 3.2 points less (-3.2)"),
        ("it has {:.1f} points [more|less]", -0.01, (), "it has 0.0 points more or less"),
        ("it [costs|adds] {:.0f} points", 0.2, (), "it costs or adds 0 points"),
        ("it [costs up to|adds] {:.0f} points", 0.2, (), "it costs up to 0 points"),
        ("[at most|at least] {:.1f} [above|below]", 0, (), "at most 0.0 above"),
        (
            "it has {:.1f} points [more|less]",
            -3.21,
            (-4, -2.42),
            "it has 3.2 points less (-3.2; seeds: -4.0, -2.4)",
        ),
        ("the cosine is {:.2f}", -0.5, (), "the cosine is -0.50"),
        ("the reward is {:+.1f}", 2, (1.5, 2.5), "the reward is +2.0 (seeds: 1.5, 2.5)"),
        ("{} of 4", 2.0, (), "2.0 of 4"),
        ("accuracy", 50.0, (), "accuracy"),
    ],
)
def test_a_statistic_is_said_in_words(shown, value, seeds, said):
    claim = Claim("Table 1", "A beats B", ("a",), lambda v: v[0], above(0), shown)
    assert claim.in_words(value, seeds) == said
