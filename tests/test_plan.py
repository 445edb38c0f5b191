"""The queue over all papers: its order, its times, and its budget."""

import json
import random
import time
from dataclasses import replace

import pytest
from records import put

from fedlib import __main__
from fedlib.commands.plan import seconds_of
from fedlib.data import DataConfig
from fedlib.evidence.next_runs import next_runs
from fedlib.evidence.noise import LEAST_FREEDOM, Noise, NoiseBook
from fedlib.evidence.plan import (
    COMPARING,
    EXPLAINING,
    Plan,
    Wanted,
    _Bundle,
    _causes,
    _comparisons,
    _in_order,
    _Missing,
    _missing,
    _runs_for_noise,
    make_plan,
)
from fedlib.evidence.report import Archive
from fedlib.grids import Planned, load_grid, run_planned
from fedlib.grids.times import StoredTimes
from fedlib.papers.centered_clipping.published import printed
from fedlib.papers.two_stage_attack.tables import claims_table
from fedlib.runs.store import Store
from fedlib.validation import ConfigError

GRID = load_grid("two_stage_attack")  # its synthetic data need no file


MEASURED = {
    "robustness_level": [0.1],
    "test_loss": [2.0, 1.0],
    "decision": ["1" * 61] * 61,
    "perturbation_level": [0.0, 10.0],
    "perturbation_error": [0.1, 0.2],
}


def real(name):
    return DataConfig(name, "real", "canonical")


def run(key, seed=1):
    return "paper", key, seed


def missing_of(cells):
    return _Missing(cells, {run: run for run in cells})


def bundle(text, *keys, value=1.0):
    return _Bundle(text, value, frozenset(run(key) for key in keys))


def test_what_decides_the_most_claims_per_minute_comes_first():
    cost = {run(key): minutes for key, minutes in {"a": 10, "b": 10, "c": 15, "d": 30}.items()}
    bundles = [
        bundle("slow", "d"),  # 1 claim in 30 minutes
        bundle("one", "a", "b"),  # with the next: 2 claims in 20 minutes
        bundle("two", "b"),
        bundle("three", "c"),  # 1 claim in 15 minutes
        bundle("confirmed", "a", value=0.25),
    ]
    order = _in_order(bundles, cost)
    assert [key for (_, key, _), _ in order] == ["a", "b", "c", "d"]
    assert [decides for _, decides in order] == [
        (), ("one", "two", "confirmed"), ("three",), ("slow",),
    ]  # fmt: skip


def test_the_order_is_that_of_the_rates_computed_anew_after_each_choice():
    draw = random.Random(1)
    cost = {run(key): draw.choice([1.0, 2.5, 7.0]) for key in "abcdefghij"}
    bundles = [
        bundle(str(number), *draw.sample("abcdefghij", draw.randint(1, 4)),
               value=draw.choice([0.25, 1.0]))
        for number in range(60)
    ]  # fmt: skip
    left, done, expected = list(bundles), set(), []
    while left:

        def rate(one, left=left, done=done):
            value = sum(other.value for other in left if other.runs <= done | one.runs)
            return value / sum(cost[each] for each in one.runs - done)

        best = max(left, key=rate)
        new = sorted(best.runs - done)
        done = done | best.runs
        complete = tuple(one.text for one in left if one.runs <= done)
        left = [one for one in left if not one.runs <= done]
        expected += [(each, ()) for each in new[:-1]] + [(new[-1], complete)]
    assert _in_order(bundles, cost) == expected


def test_a_choice_that_may_explain_a_large_difference_counts_until_one_explains_it(tmp_path):
    slug, key = "centered_clipping", "table_iv/mnist_noniid/rop/cc_tau0.1/0"
    grid = load_grid(slug)
    cells = {cell.key: cell for cell in grid.cells("paper", 1, real) if cell.key.endswith(key)}
    base, code = cells.pop(key), cells[f"variants/code/{key}"]
    missing = {(name, 1): cell for name, cell in cells.items()}
    near = printed(key, "test_accuracy").value / 100

    def wanted(**accuracies):
        store = Store(slug, tmp_path / str(accuracies))
        for cell, accuracy in zip((base, code), accuracies.values(), strict=False):
            put(store, cell, "paper", accuracy)
        return _causes(slug, Archive(grid, store), missing_of(missing))

    causes = wanted(base=near - 0.5)
    assert {name for cause in causes for _, name, _ in cause.runs} == set(cells)
    assert {cause.value for cause in causes} == {EXPLAINING}
    assert all(cause.text.startswith(f"whether this explains {key}: ") for cause in causes)
    assert wanted(base=near) == []
    assert wanted(base=near - 0.5, code=near) == []
    still_open = wanted(base=near - 0.5, code=near - 0.5)
    assert {name for cause in still_open for _, name, _ in cause.runs} == set(cells) - {code.key}


def test_a_printed_number_waits_for_the_first_run_of_its_cell(tmp_path):
    grid = load_grid("residual_reweighting")
    store = Store(grid.slug, tmp_path)
    cells = {cell.key: cell for cell in grid.cells("paper", 1, real)}
    wanted, other = "table_3/mnist/naive/ours", "table_3/mnist/naive/median"
    reviews = replace(cells["table_2/4/ours"].config.data, variant="another-copy")

    def waiting():
        missing = {(key, 1): cells[key] for key in (wanted, other, "figure_3/10/ours")}
        config = cells["table_2/4/ours"].config.with_(data=reviews)
        missing["table_2/4/ours", 1] = replace(cells["table_2/4/ours"], config=config)
        found = _comparisons(grid.slug, Archive(grid, store), missing_of(missing))
        return sorted((bundle.text, bundle.value) for bundle in found)

    texts = [
        f"whether the {name} of {key} agrees with the printed one"
        for name in ("attack success", "test accuracy")
        for key in (other, wanted)
    ]
    # The paper prints no number of Figure 3, and the reviews at hand are not its own.
    assert waiting() == [(text, COMPARING) for text in texts]
    put(store, cells[other], "paper", 0.9, attack_success=[0.0, 0.1])
    assert [text for text, _ in waiting()] == [text for text in texts if wanted in text]


@pytest.fixture
def noise_known(monkeypatch):
    monkeypatch.setattr(NoiseBook, "freedom", lambda self, data_set: 1000)


@pytest.fixture
def stored(tmp_path):
    store = Store(GRID.slug, tmp_path)
    for cell in GRID.cells("paper", 1, real):
        if cell.key in ("circle/none/mean", "circle/random/mean"):
            made = {"wall_time_s": 120.0, "device": "cpu", "started": "2026-01-01"}
            put(store, cell, "paper", 0.9, made, **MEASURED)
    return store


def plan_of(store):
    return make_plan(slugs=[GRID.slug], archives=lambda slug: Archive(load_grid(slug), store))


def test_the_plan_has_what_claims_wait_for_and_nothing_that_is_stored(stored, noise_known):
    plan = plan_of(stored)
    runs = [(run.cell.key, run.cell.config.seed) for run in plan.runs]
    assert len(runs) == len(set(runs))
    assert ("circle/none/mean", 1) not in runs
    # With the first run alone more claims are complete than with any other one.
    once = "variants/once/circle/learned/mean"
    assert runs[:3] == [("circle/learned/mean", 1), ("circle/ipm/mean", 1), (once, 1)]
    first, second, third, *_ = plan.runs
    assert any(
        "the two-stage attack lowers the certified level" in claim for claim in first.decides
    )
    # The next two decide claims that wait for both attacks.
    decided = " ".join([*second.decides, *third.decides])
    assert "IPM lowers the certified level more than random" in decided
    assert "two-stage lowers the certified level more than IPM" in decided
    assert (first.minutes, first.measured) == (2.0, True)
    # Of what no claim waits for, first seeds come before second ones.
    rest = [run.cell.config.seed for run in plan.runs if not run.needed_by]
    assert rest == sorted(rest)


def test_a_firm_verdict_waits_for_nothing_and_a_provisional_one_for_a_second_seed(
    stored, noise_known, monkeypatch
):
    claim = "no defence: without attack the boundary is close to the circle"

    def waits_for():
        plan = plan_of(stored)
        return [
            run.cell.config.seed for run in plan.runs if any(c.endswith(claim) for c in run.decides)
        ]

    monkeypatch.setattr(NoiseBook, "of", lambda self, result: Noise(0.001, 1000))
    assert waits_for() == [2]
    for cell in GRID.cells("paper", 2, real):
        if cell.key == "circle/none/mean":
            put(stored, cell, "paper", 0.9, **MEASURED)
    assert waits_for() == []


def test_a_first_seed_decides_nothing_before_the_noise_is_known(stored):
    claim = "no defence: without attack the boundary is close to the circle"
    order = [
        (run.cell.key, run.cell.config.seed, any(c.endswith(claim) for c in run.decides))
        for run in plan_of(stored).runs
    ]
    # One seed is stored. Four second seeds tell the noise, and the claim's own is one of them.
    until = order[: [decides for _, _, decides in order].index(True) + 1]
    assert sum(seed == 2 for _, seed, _ in until) >= LEAST_FREEDOM
    # A cell with a second seed has the first one too.
    first = {key for key, seed, _ in until if seed == 1} | {
        "circle/none/mean",
        "circle/random/mean",
    }
    assert {key for key, seed, _ in until if seed == 2} <= first


class JudgeOfNoise:
    """A judge of a claim on one data set, whose noise has some degrees of freedom."""

    def __init__(self, freedom, cells):
        self.freedom, self.cells, self.archive = freedom, cells, self

    def noise_known_on(self, claim):
        return {"data": self.freedom}

    def noise_cells(self, claim):
        return self.cells

    def shared(self, cell):
        return "data"


def test_the_noise_takes_the_cheapest_second_seeds_and_further_ones_if_they_are_too_few():
    def wanted(freedom, places):
        cost = {run(key, seed): {"a": 1, "b": 2, "c": 9}[key] for key, seed in places}
        missing = missing_of({place: None for place in places})
        judge = JudgeOfNoise(freedom, {"a", "b", "c"})
        return _runs_for_noise("paper", judge, None, missing, cost)

    every = [(key, seed) for key in "abc" for seed in range(1, 6)]
    assert wanted(4, every) == frozenset()
    assert wanted(2, every) == {run(key, seed) for key in "ab" for seed in (1, 2)}
    # Three second seeds are too few, and the cheapest third one comes too.
    assert wanted(0, every) == {run(key, seed) for key in "abc" for seed in (1, 2)} | {run("a", 3)}
    # First seeds that are stored are not asked for.
    second = [place for place in every if place[1] > 1]
    assert wanted(3, second) == {run("a", 2)}
    assert wanted(0, [("a", 2), ("b", 2)]) is None


def test_cells_that_have_the_same_run_wait_for_it_together(tmp_path):
    grid = load_grid("centered_clipping")
    archive = Archive(grid, Store(grid.slug, tmp_path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fedlib.evidence.plan.resolve_source", lambda name, source: real(name))
        missing = _missing(archive, "paper", "real", {})
    same = {}
    for place, first in missing.stands_for.items():
        same.setdefault(first, []).append(place)
    assert set(missing.cells) == set(same)
    shared = [places for places in same.values() if len(places) > 1]
    cells = {(cell.key, 1): cell.config.id for cell in grid.cells("paper", 1, real)}
    assert any("cosines/" in key for places in shared for key, _ in places)
    for places in shared[:20]:
        assert len({cells[key, 1] for key, _ in places}) == 1


def test_a_seed_with_a_run_that_has_no_number_is_left_out(stored):
    made = {**MEASURED, "robustness_level": [None], "test_loss": [2.0, None]}
    cells = {cell.key: cell for cell in GRID.cells("paper", 2, real)}
    lowers = next(
        row.claim
        for row in claims_table(Archive(GRID, stored)).judged
        if row.claim.cells == ("circle/none/mean", "circle/random/mean", "circle/learned/mean")
    )
    put(stored, cells["circle/none/mean"], "paper", 0.9, **MEASURED)
    assert next_runs(Archive(GRID, stored), lowers) == [("circle/learned/mean", 1)]
    first = next(c for c in GRID.cells("paper", 1, real) if c.key == "circle/learned/mean")
    put(stored, first, "paper", 0.9, **MEASURED)
    wanted = [("circle/random/mean", 2), ("circle/learned/mean", 2)]
    assert next_runs(Archive(GRID, stored), lowers) == wanted
    put(stored, cells["circle/random/mean"], "paper", 0.9, **made)
    assert {seed for _, seed in next_runs(Archive(GRID, stored), lowers)} == {3}


def test_a_time_is_that_of_the_most_alike_runs_on_the_device(stored):
    times = StoredTimes("cpu")
    config = next(c for c in GRID.cells("paper", 1, real) if c.key == "circle/none/mean").config
    assert times.minutes(config) is None
    record = next(iter(stored.read("paper").values()))
    untimed = {name: v for name, v in record["provenance"].items() if name != "wall_time_s"}
    times.add([{**record, "provenance": untimed}])
    assert times.minutes(config) is None
    times.add(stored.read("paper").values())
    assert times.minutes(config) == 2.0
    other = next(c for c in GRID.cells("paper", 1, real) if c.key == "circle/none/krum").config
    assert times.minutes(other) == 2.0  # of another rule, as there is none of Krum
    fast = {**record["provenance"], "device": "cuda", "wall_time_s": 6.0}
    on_gpu = StoredTimes("cuda:0")
    on_gpu.add([*stored.read("paper").values(), {**record, "provenance": fast}])
    assert on_gpu.minutes(config) == 0.1


def test_a_time_knows_that_an_attack_may_take_longer_than_a_rule(stored):
    record = next(iter(stored.read("paper").values()))
    cells = {c.key: c.config for c in GRID.cells("paper", 1, real)}
    wanted = cells["circle/learned/krum"]

    def taken(key, seconds):
        made = {**record["provenance"], "wall_time_s": seconds}
        return {"provenance": made, "config": cells[key].to_dict()}

    times = StoredTimes("cpu")
    times.add([taken("circle/none/krum", 6)])
    assert times.minutes(wanted) == 0.1
    times.add([taken("circle/learned/median", 300)])
    assert times.minutes(wanted) == 5.0
    times.add([taken("circle/learned/krum", 120)])
    assert times.minutes(wanted) == 2.0
    # An attack of the same name that does not learn takes less, and says nothing of this one.
    times.add([taken("circle/signs/krum", 30)] * 5)
    assert times.minutes(wanted) == 2.0
    assert times.minutes(cells["circle/signs/krum"]) == 0.5
    # What is nearest to an attack with another number is the one with the same words.
    again = replace(wanted.attack, replan=wanted.attack.replan + 1)
    assert times.minutes(wanted.with_(attack=again)) == 2.0


def test_a_time_finds_attacks_whose_fields_hold_several_values(stored):
    grid = load_grid("residual_reweighting")
    cells = {cell.key: cell.config for cell in grid.cells("paper", 1, real)}
    record = next(iter(stored.read("paper").values()))
    times = StoredTimes("cpu")
    for key, seconds in (("loan/naive/ours", 60), ("variants/trigger/loan/naive/ours", 600)):
        made = {**record["provenance"], "wall_time_s": seconds}
        # A record went through JSON, which has lists in place of tuples.
        config = json.loads(json.dumps(cells.get(key, cells["loan/naive/ours"]).to_dict()))
        times.add([{"provenance": made, "config": config}])
    assert times.minutes(cells["loan/naive/ours"]) == 1.0


def test_a_time_is_that_of_the_newest_way_to_compute_gradients(stored):
    record = next(iter(stored.read("paper").values()))

    def taken(seconds, day, strategy, **changed):
        made = {"wall_time_s": seconds, "started": f"2026-11-{day}", "strategy": strategy}
        config = {**record["config"], **changed}
        return {"provenance": {**record["provenance"], **made}, "config": config}

    config = next(c for c in GRID.cells("paper", 1, real) if c.key == "circle/none/mean").config
    times = StoredTimes("cpu")
    times.add([taken(600, 20, "merged"), taken(660, 21, "merged")])
    assert times.minutes(config) == 10.5
    # A newer run of the same network with other data and twice the rounds took less.
    data = {**record["config"]["data"], "name": "mnist"}
    times.add([taken(120, 28, "tiled", data=data, rounds=2 * config.rounds)])
    assert times.minutes(config) == 1.0
    # One of another network says nothing.
    times.add([taken(9, 29, "loop", model="mlp_100")])
    assert times.minutes(config) == 1.0


def test_a_run_that_shared_its_core_is_expected_to_take_the_time_of_the_processor(stored):
    record = next(iter(stored.read("paper").values()))
    config = next(c for c in GRID.cells("paper", 1, real) if c.key == "circle/none/mean").config
    made = {**record["provenance"], "wall_time_s": 900.0, "cpu_time_s": 120.0}
    times = StoredTimes("cpu")
    times.add([{**record, "provenance": made}])
    assert times.minutes(config) == 2.0
    # A processor that waits for a GPU works less than the run takes.
    times = StoredTimes("cuda")
    times.add([{**record, "provenance": {**made, "device": "cuda"}}])
    assert times.minutes(config) == 15.0


def test_a_time_that_is_not_known_is_guessed_from_what_the_same_network_learned(stored):
    record = next(iter(stored.read("paper").values()))
    config = next(c for c in GRID.cells("paper", 1, real) if c.key == "circle/none/mean").config
    times = StoredTimes("cpu")
    assert times.guess(config) is None
    times.add([{**record, "provenance": {**record["provenance"], "wall_time_s": 60}}])
    assert record["config"]["client"]["batch_size"] == 50 and config.n_clients == 10
    few, many = (replace(config.client, batch_size=size) for size in (10, 100))
    assert times.minutes(config.with_(client=few)) is None
    # Twice the samples in a round, and three times the rounds.
    assert times.guess(config.with_(client=many, rounds=3 * config.rounds)) == pytest.approx(6.0)
    # A round of small batches is not taken to be shorter.
    assert times.guess(config.with_(client=few)) == pytest.approx(1.0)
    assert times.guess(config.with_(model="mlp_100")) is None
    # Votes on more samples take longer, and runs with other votes are not alike.
    votes = config.with_(vote_samples=300)
    assert times.minutes(config) == 1.0 and times.minutes(votes) is None
    assert times.guess(votes) == pytest.approx(5.0)  # 50 + 2 / 3 * 300 samples in place of 50


def test_runs_of_absent_data_are_left_out_and_said(tmp_path, monkeypatch):
    monkeypatch.setenv("FEDLIB_DATA", str(tmp_path))
    store = Store("gradient_guard", tmp_path)
    plan = make_plan(
        slugs=["gradient_guard"], archives=lambda slug: Archive(load_grid(slug), store)
    )
    assert plan.runs == ()
    assert set(plan.absent) == {"mnist", "fashion_mnist", "cifar10"}
    # The command plan takes no generated data, so it does not offer them.
    assert not any("embedded" in reason for reason in plan.absent.values())


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_run_is_started_that_would_not_end_within_the_budget(toy, tmp_path, jobs, capsys):
    cells = toy.cells("smoke", 1, lambda name: DataConfig(name, "embedded", "glyphs-1"))
    stores = [Store(f"paper_{number}", tmp_path) for number in range(3)]
    seconds = (1000.0, 0.001, 1000.0)
    runs = [Planned(*item) for item in zip(cells, stores, seconds, strict=True)]
    outcome = run_planned(runs, "smoke", budget=300.0, jobs=jobs, progress=False)
    assert outcome.computed == [cells[1].key]
    assert outcome.not_started == [cells[0].key, cells[2].key]
    assert [len(store.read("smoke")) for store in stores] == [0, 1, 0]
    # Without a budget the rest is computed, and what is stored is not computed again.
    outcome = run_planned(runs, "smoke", jobs=jobs)
    lines = capsys.readouterr().out.splitlines()[1:]
    names = {f"{stores[number].slug} {cells[number].key} seed 1" for number in (0, 2)}
    assert {line.partition("] ")[2].partition(":")[0] for line in lines} == names
    assert sorted(outcome.computed) == sorted([cells[0].key, cells[2].key])
    assert outcome.stored_before == [cells[1].key]


def test_a_budget_holds_on_a_machine_that_is_slower_than_expected(toy, tmp_path):
    cells = toy.cells("smoke", 1, lambda name: DataConfig(name, "embedded", "glyphs-1"))
    stores = [Store(f"paper_{number}", tmp_path) for number in range(3)]
    seconds = (0.0001, 280.0, 280.0)  # the first run takes far longer than that
    runs = [Planned(*item) for item in zip(cells, stores, seconds, strict=True)]
    outcome = run_planned(runs, "smoke", budget=300.0, jobs=1, progress=False)
    assert outcome.computed == [cells[0].key]
    assert outcome.not_started == [cells[1].key, cells[2].key]
    # Another grid begins afresh.
    outcome = run_planned(runs[1:2], "smoke", budget=300.0, jobs=1, progress=False)
    assert outcome.computed == [cells[1].key]


def test_a_budget_is_a_time_with_its_unit():
    assert (seconds_of("90s"), seconds_of("25m"), seconds_of("1.5h")) == (90, 1500, 5400)
    for wrong in ("25", "m", "0m", "-3m", "25 m", "25d"):
        with pytest.raises(ConfigError, match="must be a time such as 90s, 25m or 2h"):
            seconds_of(wrong)


def test_the_command_line_prints_the_plan_and_plays_it(tmp_path, monkeypatch, capsys, noise_known):
    monkeypatch.setenv("FEDLIB_RESULTS", str(tmp_path))
    monkeypatch.setenv("FEDLIB_DATA", str(tmp_path))
    monkeypatch.setattr("fedlib.evidence.plan.grid_slugs", lambda: [GRID.slug])
    assert __main__.main(["plan", "--limit", "3", "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "two_stage_attack circle/" in printed
    assert "decides: Synthetic, " in printed
    assert "Runs on mnist are left out: " in printed
    command = ["run", "all", "--scale", "smoke", "--budget", "1s", "--jobs", "1"]
    assert __main__.main(command) == 0  # no run is stored, so each is taken to need an hour
    assert "all papers at scale smoke: 0 runs computed" in capsys.readouterr().out
    assert __main__.main([*command, "--only", "circle/*"]) == 2
    assert "can only be given for one paper" in capsys.readouterr().err
    assert __main__.main(["run", GRID.slug, "--scale", "smoke", "--budget", "1s"]) == 2
    assert "can only be given together with 'run all'" in capsys.readouterr().err


def test_a_budget_includes_the_time_that_the_plan_takes(toy, tmp_path, monkeypatch, capsys):
    """The plan takes longer than the budget, so that no run is started."""
    cell = toy.cells("smoke", 1, lambda name: DataConfig(name, "embedded", "glyphs-1"))[0]
    monkeypatch.setenv("FEDLIB_RESULTS", str(tmp_path))

    def slow(options):
        time.sleep(0.2)
        return Plan((Wanted("toy", cell, 1e-6, True, (), 0),), {})

    monkeypatch.setattr("fedlib.commands.plan._plan", slow)
    command = ["run", "all", "--scale", "smoke", "--jobs", "1", "--budget"]
    assert __main__.main([*command, "0.1s"]) == 0
    assert "0 runs computed, 1 left because the budget ends" in capsys.readouterr().out
    assert __main__.main([*command, "60s"]) == 0
    assert "1 run computed, 0 left because the budget ends" in capsys.readouterr().out


def test_a_run_reserves_a_quarter_more_than_its_expected_time(toy, tmp_path, monkeypatch, capsys):
    cell = toy.cells("smoke", 1, lambda name: DataConfig(name, "embedded", "glyphs-1"))[0]
    monkeypatch.setenv("FEDLIB_RESULTS", str(tmp_path))
    plan = Plan((Wanted("toy", cell, 2.0, True, (), 0),), {})
    monkeypatch.setattr("fedlib.commands.plan._plan", lambda _: plan)
    command = ["run", "all", "--scale", "smoke", "--jobs", "1", "--budget"]
    # It is expected to take 120 seconds, so that 150 must be left.
    assert __main__.main([*command, "145s"]) == 0
    assert "0 runs computed, 1 left because the budget ends" in capsys.readouterr().out
    assert __main__.main([*command, "170s"]) == 0
    assert "1 run computed, 0 left" in capsys.readouterr().out
