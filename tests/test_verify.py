"""Stored runs are played again and compared."""

import json

import pytest

from fedlib import hardware, kernels
from fedlib.__main__ import main
from fedlib.grids import Grid, choose_stored, expand, run_grid, verify_stored
from fedlib.runs import RunConfig
from fedlib.runs.compare import TOLERANCE, differences
from fedlib.runs.identity import identities_of
from fedlib.runs.store import Store, StoreError
from fedlib.validation import ConfigError


@pytest.fixture
def played(toy, store):
    """The toy paper's three smoke runs are stored."""
    run_grid(expand(toy, "smoke", data="embedded"), store, "smoke", jobs=1, progress=False)
    return store


def verified(toy, store, **options):
    return list(verify_stored(choose_stored(toy, store, **options), store))


def rewrite(store, change):
    """Apply ``change`` to the first record of the store's file."""
    path = store.path("smoke")
    first, *others = path.read_text().splitlines()
    record = json.loads(first)
    change(record)
    path.write_text("\n".join([json.dumps(record), *others]) + "\n")


def test_untouched_records_are_identical_and_the_store_stays_as_it_is(toy, played):
    before = {path: path.read_bytes() for path in played.folder.iterdir()}
    results = verified(toy, played)
    assert [result.verdict for result in results] == ["identical"] * 3
    assert results[0].lines() == ["table/mean seed 1 (smoke): identical"]
    assert {path: path.read_bytes() for path in played.folder.iterdir()} == before


def test_a_planted_difference_is_found_and_named(toy, played):
    (loss,) = played.read("smoke")[choose_stored(toy, played)[0].record["id"]]["metrics"][
        "test_loss"
    ]

    def plant(record):
        record["metrics"]["test_loss"] = [loss + 0.5]
        record["provenance"]["device_name"] = "another processor"

    rewrite(played, plant)
    first, *others = verified(toy, played)
    assert [result.verdict for result in others] == ["identical"] * 2
    assert first.verdict == "different"
    head, difference, stored, now = first.lines()
    assert head == "table/mean seed 1 (smoke): different"
    assert f"test_loss: {loss + 0.5} is stored after round 2, and it is {loss} now" in difference
    version = hardware.versions()["torch"]
    assert f"stored run: cpu (another processor), torch {version}" in stored
    assert f"played now: cpu ({hardware.cpu_name()}), torch {version}" in now


def test_a_run_of_compiled_kernels_is_not_compared_without_them(toy, played, monkeypatch):
    records = played.read("smoke").values()
    assert {record["provenance"]["strategy"] for record in records} == {"tiled"}
    monkeypatch.setenv(kernels.SWITCH, "off")
    for result in verified(toy, played):
        assert result.verdict == "not compared"
        assert "compiled kernels computed it" in result.lines()[0]


def test_a_difference_of_one_rounding_is_within_tolerance(toy, played):
    def plant(record):
        (loss,) = record["metrics"]["test_loss"]
        exponent = int(f"{loss:e}".split("e")[1])
        record["metrics"]["test_loss"] = [float(f"{loss + 10.0 ** (exponent - 5):.6g}")]

    rewrite(played, plant)
    first = verified(toy, played, limit=1)[0]
    assert first.verdict == "within float tolerance"
    assert [difference.metric for difference in first.found] == ["test_loss"]


def older_revision(record):
    record["config"]["partition"] = {"name": "dirichlet_per_client", "alpha": 0.5}
    _, *older = identities_of(RunConfig.from_dict(record["config"]))
    record["id"] = next(one for one in older if one != RunConfig.from_dict(record["config"]).id)


def not_allowed_today(record):
    record["config"]["aggregator"] = {"name": "krum", "n_byzantine": 99}
    record["id"] = RunConfig.from_dict(record["config"], check=False).id


def other_data(record):
    record["provenance"]["data_checksum"] = "f" * 64


def missing_file(record):
    file = {"path": "smoke/policy.pt", "sha256": "0" * 64}
    record["provenance"]["files"] = {"policy.pt": file}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (older_revision, "an older revision of a part made it"),
        (not_allowed_today, "cannot be made with this version of fedlib"),
        (other_data, "is not the one of the stored run"),
        (missing_file, "policy.pt is not there"),
    ],
)
def test_what_cannot_be_compared_says_why(toy, played, change, why):
    rewrite(played, change)
    first = verified(toy, played, limit=1)[0]
    assert first.verdict == "not compared"
    assert why in first.why


def test_a_run_that_fails_does_not_hide_the_others(toy, played, monkeypatch):
    rewrite(played, lambda record: record["provenance"].update(strategy="nonsense"))
    first, *others = verified(toy, played)
    assert first.verdict == "failed"
    assert "strategy='nonsense'" in first.why
    assert [result.verdict for result in others] == ["identical"] * 2


def test_runs_are_chosen_by_the_grids_names_too_and_by_seed_and_number(toy, store):
    run_grid(expand(toy, "smoke", 2, "embedded"), store, "smoke", jobs=1, progress=False)

    def renamed_cells(scale, seed, data):
        cells = toy.cells(scale, seed, data)
        return [type(cell)(f"renamed/{cell.key}", cell.config) for cell in cells]

    renamed = Grid("toy", "A toy paper", renamed_cells, toy.seeds)
    chosen = choose_stored(renamed, store, only=["renamed/*/median"])
    assert [run.record["cell"] for run in chosen] == ["table/median"] * 2
    assert len(choose_stored(toy, store, only=["*/mean", "*/median"], seeds=1)) == 2
    assert len(choose_stored(toy, store, limit=4)) == 4
    with pytest.raises(ConfigError, match="matches none of the 3 cells of the stored runs of toy"):
        choose_stored(toy, store, only=["nonsense"])
    with pytest.raises(StoreError, match="no run of toy is stored at scale paper"):
        choose_stored(toy, store, scales=["paper"])
    for name in ("seeds", "limit"):
        with pytest.raises(ConfigError, match=f"{name}=0"):
            choose_stored(toy, store, **{name: 0})


@pytest.mark.parametrize(
    ("stored", "found", "text"),
    [
        ([0.5, 0.6], [0.5, 0.7], "0.6 is stored after round 4, and it is 0.7 now"),
        ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, 5.0]], "after round 4, entry 1"),
        ([0.5, None], [0.5, 0.7], "nothing is stored after round 4"),
        ([0.5, 0.6], [0.5], "2 values are stored, and there are 1 now"),
        ([[1.0], [2.0, 3.0]], [[1.0, 2.0], [3.0]], "arranged in another way"),
        ([2, 4], [2, 5], "4 is stored after round 4, and it is 5 now"),
        (["0110", "1100"], ["0110", "1101"], "'1100' is stored after round 4"),
        ([1e-9, 2e-9], [1e-9, 3e-9], "relative difference 3.3e-01"),
    ],
)
def test_every_kind_of_difference_is_found(stored, found, text):
    (difference,) = differences(
        {"rounds": [2, 4], "quantity": stored}, {"rounds": [2, 4], "quantity": found}
    )
    assert difference.metric == "quantity"
    assert text in difference.text
    assert not difference.within_tolerance


def test_metrics_that_one_run_lacks_are_different():
    first, second = differences({"old": [1.0]}, {"new": [1.0]})
    assert (first.metric, first.text) == (
        "old",
        "is only in the stored run, because it is no longer recorded",
    )
    assert (second.metric, second.text) == ("new", "is not in the stored run")
    assert first.within_tolerance  # what is not recorded any more says nothing of the rest
    (lost,) = differences({"rounds": [1], "test_loss": [2.0]}, {"rounds": [1]})
    assert not lost.within_tolerance  # every run has a loss
    assert not second.within_tolerance


def test_a_run_whose_place_another_has_taken_is_not_chosen_by_its_old_name(toy, store):
    def longer(scale, seed, data):
        return [
            type(cell)(cell.key, cell.config.with_(rounds=cell.config.rounds + 1))
            for cell in toy.cells(scale, seed, data)
        ]

    old = Grid("toy", "A toy paper", longer, toy.seeds)
    run_grid(expand(old, "smoke", 1, "embedded"), store, "smoke", jobs=1, progress=False)
    (alone,) = choose_stored(toy, store, only="table/median")  # nothing else has this name yet
    run_grid(expand(toy, "smoke", 1, "embedded"), store, "smoke", jobs=1, progress=False)
    (chosen,) = choose_stored(toy, store, only="table/median")
    assert chosen.record["config"]["rounds"] + 1 == alone.record["config"]["rounds"]


def test_the_tolerance_is_one_unit_of_the_sixth_digit():
    for number in (1.0, 0.999998, 123.456, 2.5e-7):
        digit = 10.0 ** (int(f"{number:e}".split("e")[1]) - 5)
        (near,) = differences({"x": number}, {"x": float(f"{number + digit:.6g}")})
        assert near.within_tolerance
    (far,) = differences({"x": 1.0}, {"x": 1 + 2.1 * TOLERANCE})
    assert not far.within_tolerance


def test_the_command_ends_with_one_if_a_run_is_different(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("FEDLIB_RESULTS", str(tmp_path))
    one = ["centered_clipping", "--scale", "smoke", "--only", "*/mnist_noniid/ipm/tm/0.9"]
    assert main(["run", *one, "--data", "embedded", "--jobs", "1"]) == 0
    capsys.readouterr()
    assert main(["verify", *one, "--seeds", "1", "--limit", "1"]) == 0
    out = capsys.readouterr().out
    assert "[1/1] table_iv/mnist_noniid/ipm/tm/0.9 seed 1 (smoke): identical" in out
    assert "centered_clipping: of 1 stored runs 1 identical" in out
    rewrite(Store("centered_clipping"), lambda record: record["metrics"].pop("test_loss"))
    assert main(["verify", *one]) == 1
    out = capsys.readouterr().out
    assert "    test_loss: is not in the stored run" in out
    assert "of 1 stored runs 1 different" in out


def test_a_difference_names_the_first_values_and_the_last():
    stored = {"rounds": [1, 2, 3], "test_accuracy": [0.5, 0.6, 0.7]}
    found = {"rounds": [1, 2, 3], "test_accuracy": [0.501, 0.9, 0.71]}
    (difference,) = differences(stored, found)
    assert str(difference).endswith(
        "3 of 3 values differ, the first after round 1 (0.5 stored, 0.501 now), the last after "
        "round 3 (0.7 stored, 0.71 now)"
    )
