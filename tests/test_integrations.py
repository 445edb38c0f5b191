"""What holds for the integrations whether or not their extras are installed."""

import pickle
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest
import torch
from small import DATA

from fedlib.__main__ import main
from fedlib.aggregators import AGGREGATORS
from fedlib.data import load_dataset
from fedlib.grids import OnRay, expand
from fedlib.grids.compute import Task, keep, play
from fedlib.grids.on_node import put_together, taken_apart
from fedlib.validation import ConfigError

ROOT = Path(__file__).parents[1]
D = 12


def test_one_line_says_that_flower_is_missing():
    code = "import sys; sys.modules['flwr'] = None; import fedlib.integrations.flower"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last.endswith("MissingExtraError: flwr is not installed: pip install 'fedlib[flower]'")


@pytest.mark.parametrize(
    "rule",
    [
        AGGREGATORS["flair"](n_byzantine=1),
        AGGREGATORS["foolsgold"](),
        AGGREGATORS["nearest_neighbour_mixing"](n_byzantine=1, rule={"name": "flair"}),
    ],
    ids=lambda rule: rule.name,
)
def test_what_a_state_keeps_of_each_client_can_be_changed(rule):
    updates = torch.randn(6, D, generator=torch.Generator().manual_seed(1))
    _, state = rule.apply(updates, None)
    seen = []
    turned = rule.with_clients(state, lambda kept: seen.append(kept) or kept.flip(0))
    assert seen and all(len(kept) == 6 for kept in seen)
    # The clients in another order, with their own parts of the state, give the same aggregate.
    ahead, _ = rule.apply(updates, state)
    after, _ = rule.apply(updates.flip(0), turned)
    torch.testing.assert_close(ahead, after)


def test_a_rule_that_keeps_nothing_of_clients_has_the_same_state():
    rule = AGGREGATORS["centered_clipping"]()
    state = torch.ones(D)
    assert rule.with_clients(state, lambda kept: kept + 1) is state
    assert rule.among([0, 2]) is rule


def test_a_trusted_client_is_found_by_its_number():
    rule = AGGREGATORS["monna"](trusted="client", client=3, n_byzantine=1)
    assert rule.among([1, 3, 4]).client == 1
    with pytest.raises(ConfigError, match=r"client=3 has sent no update in this round.*\[0, 1\]"):
        rule.among([0, 1])
    mixed = AGGREGATORS["nearest_neighbour_mixing"](n_byzantine=1, rule=rule)
    assert mixed.among([1, 3, 4]).rule.client == 1
    assert AGGREGATORS["monna"]().among([1]).trusted == "server"


def test_rules_that_know_clients_say_what_they_keep():
    """A rule that keeps something of each client must define ``with_clients``."""
    base = AGGREGATORS["mean"].with_clients
    for name in AGGREGATORS:
        rule = AGGREGATORS[name]
        if rule.knows_clients:
            assert rule.with_clients is not base, name


# --- Ray ---------------------------------------------------------------------------------


@pytest.fixture
def with_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))


def test_one_line_says_that_ray_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["run", "centered_clipping", "--scale", "smoke", "--engine", "ray"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "fedlib: error: ray is not installed: pip install 'fedlib[ray]'"


@pytest.mark.parametrize(
    "options, message",
    [
        (["--engine", "cluster"], "engine='cluster'"),
        (["--address", "auto"], "address='auto' can only be given together with --engine ray."),
        (["--gpu-share", "0.5"], "gpu_share=0.5 can only be given together with --engine ray."),
        (["--engine", "ray", "--gpu-share", "2"], "gpu_share=2.0"),
        (["--engine", "ray", "--gpu-share", "0"], "gpu_share=0.0"),
        (["--engine", "ray", "--device", "cuda:1"], "device='cuda:1'"),
        (["--engine", "ray", "--gpu-share", "0.5", "--device", "cpu"], "has no meaning with"),
        (["--engine", "ray", "--jobs", "0"], "jobs=0"),
    ],
)
def test_options_that_do_not_go_together_are_refused(with_ray, capsys, options, message):
    assert main(["run", "two_stage_attack", "--scale", "smoke", *options]) == 2
    assert message in capsys.readouterr().err


def test_the_queue_of_all_papers_has_the_same_options(with_ray, capsys):
    assert main(["run", "all", "--scale", "smoke", "--address", "auto"]) == 2
    assert "address='auto' can only be given together with --engine ray." in capsys.readouterr().err


def test_the_device_of_a_run_on_ray(with_ray):
    assert OnRay().with_device("auto") == (OnRay(), "cpu")
    assert OnRay("auto").with_device("cuda") == (OnRay("auto", 1.0), "cuda")
    assert OnRay(gpu_share=0.25).with_device("auto") == (OnRay(gpu_share=0.25), "cuda")


def test_a_data_set_is_the_same_after_its_way_through_the_object_store():
    dataset = load_dataset(DATA)
    rest, arrays = taken_apart(dataset)
    assert len(pickle.dumps(rest)) < 10_000  # what is copied for each run
    assert {"x_train", "y_train", "x_test", "y_test"} == set(arrays)
    again = put_together(rest, arrays)
    for field in fields(dataset):
        value = getattr(dataset, field.name)
        same = torch.equal if isinstance(value, torch.Tensor) else lambda a, b: a is b
        assert same(getattr(again, field.name), value), field.name


def test_what_others_store_meanwhile_is_seen(toy, store):
    cells = expand(toy, "smoke", data="embedded")
    tasks = [Task(cell, store, "smoke", "cpu", "auto") for cell in cells]
    played = [play(task, load_dataset(task.cell.config.data)) for task in tasks]
    first, second, third, *_ = [cell.config.id for cell in cells]
    assert not store.holds("smoke", first)
    keep(tasks[0], played[0])
    assert store.holds("smoke", first) and not store.holds("smoke", second)
    keep(tasks[1], played[1])
    assert store.holds("smoke", second) and not store.holds("smoke", third)
    assert keep(tasks[1], played[1]) is None
