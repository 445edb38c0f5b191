"""The agent that learns the data, then a policy, then attacks."""

import dataclasses
import io
import os
import pathlib
import random

import numpy as np
import pytest
import torch

from fedlib import engine
from fedlib.agents import policy as policy_module
from fedlib.agents import two_stage
from fedlib.agents.environment import FederationEnvironment, observation_of, update_of
from fedlib.agents.inversion import load_samples
from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.attacks.dictated import TwoStage
from fedlib.clients import RobustSGD
from fedlib.data import load_dataset, resolve_source
from fedlib.grids import Cell, run_grid
from fedlib.runs import RunConfig
from fedlib.runs.store import Store
from fedlib.validation import ConfigError


def federation(attack=None, **changes):
    quick = TwoStage(
        n_byzantine=1, n_samples=20, n_iterations=5, pooled=3, epoch=4, most_epochs=2, episode=5,
        policy_steps=110,
    )  # fmt: skip
    values = {
        "data": resolve_source("circle"),
        "model": "elu_4_2",
        "n_clients": 4,
        "n_byzantine": 1,
        "client": RobustSGD(batch_size=10, ascent_steps=3),
        "aggregator": AGGREGATORS["median"](n_byzantine=1),
        "attack": attack or quick,
        "rounds": 12,
        "eval_every": 6,
        "track": ("robustness",),
    }
    return RunConfig(**{**values, **changes})


def played(setting):
    """The rows that the Byzantine client sent, and the agent after the run."""
    dataset = load_dataset(setting.data)
    agent = two_stage.Agent(setting, dataset)
    sent, models = [], []

    def watch(federation, state):
        if sent is not None and state.round:
            sent.append(state.updates[-1].clone())
        models.append(state.parameters.clone())
        agent(federation, state)

    engine.run(setting, dataset, before_round=watch)
    return agent, sent, models


def test_it_is_honest_first_and_then_follows_its_policy():
    setting = federation()
    agent, sent, models = played(setting)
    honest = setting.with_(attack=ATTACKS["dictated"](n_byzantine=1))
    seen = []
    engine.run(
        honest,
        load_dataset(setting.data),
        before_round=lambda _, state: seen.append(state.parameters.clone()),
    )
    # Two estimates, after four and after eight aggregates have been seen.
    assert len(agent.found["stage_one_distance"]) == 2
    assert all(torch.equal(a, b) for a, b in zip(models[:9], seen[:9], strict=True))
    assert not torch.equal(models[9], seen[9])
    with torch.no_grad():
        action = agent.policy(torch.from_numpy(observation_of(models[8], 28))[None])[0]
    model = engine.prepare(setting, load_dataset(setting.data))[1]
    model.parameters.copy_(models[8])
    torch.testing.assert_close(
        sent[8], update_of(action, model.model, agent.data.x_train, agent.data.y_train)
    )


def test_a_threshold_ends_the_first_stage():
    attack = TwoStage(
        n_byzantine=1, n_samples=20, n_iterations=0, epoch=3, most_epochs=3, episode=5,
        policy_steps=101,
    )  # fmt: skip
    agent, _, _ = played(federation(attack))
    assert agent.found["stage_one_distance"] == [0.0]  # without iterations nothing moves
    assert len(agent.found["policy_reward"]) == 20


def test_what_it_has_seen_are_the_aggregates():
    setting = federation()
    dataset = load_dataset(setting.data)
    agent = two_stage.Agent(setting, dataset)
    kept = []

    def watch(federation, state):
        if state.last_aggregate is not None:
            kept.append(state.last_aggregate.clone())
        agent(federation, state)

    # After the second round the rate falls: its step was still of the first rate.
    engine.run(setting.with_(rounds=4, milestones=(2,)), dataset, before_round=watch)
    assert len(agent.stage_one.seen) == len(kept) == 3
    for (_, gradient), aggregate in zip(agent.stage_one.seen, kept, strict=True):
        torch.testing.assert_close(gradient, aggregate, rtol=1e-3, atol=1e-5)


def test_a_black_box_assumes_the_average(monkeypatch):
    imagined = []
    true = two_stage.FederationEnvironment

    def remember(config, *args, **kwargs):
        imagined.append(config.aggregator.name)
        return true(config, *args, **kwargs)

    monkeypatch.setattr(two_stage, "FederationEnvironment", remember)
    for knowledge in ("white", "black"):
        attack = TwoStage(
            n_byzantine=1, knowledge=knowledge, n_samples=20, n_iterations=1, epoch=2,
            most_epochs=1, episode=5, policy_steps=101,
        )  # fmt: skip
        two_stage.run(federation(attack, rounds=4), load_dataset(resolve_source("circle")))
    assert imagined == ["median", "mean"]


class Evil:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_no_code_of_a_policy_is_run(tmp_path):
    content = io.BytesIO()
    torch.save({"weight": Evil(str(tmp_path / "made"))}, content)
    with pytest.raises(ConfigError, match="content holds no policy"):
        two_stage.load_policy(content.getvalue())
    assert not (tmp_path / "made").exists()


def global_generators():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state()


@pytest.mark.parametrize("fails", [False, True])
def test_learning_a_policy_leaves_the_global_generators_as_they_were(monkeypatch, fails):
    if fails:
        monkeypatch.setattr(policy_module.DDPG, "learn", lambda *_, **__: 1 / 0)
    environment = FederationEnvironment(federation(), load_dataset(resolve_source("circle")))
    random.seed(5)
    np.random.seed(6)
    torch.manual_seed(7)
    before = global_generators()
    if fails:
        with pytest.raises(ZeroDivisionError):
            two_stage.train_policy(environment, 5, 1)
    else:
        two_stage.train_policy(environment, 5, 1)
    after = global_generators()
    assert after[:2] == before[:2]
    assert torch.equal(after[2], before[2])


def test_a_grid_runs_it_and_repeats_it(tmp_path):
    setting = federation()
    stored, policies = [], []
    for folder in ("a", "b"):
        store = Store("any", tmp_path / folder)
        outcome = run_grid([Cell("cell", setting)], store, "smoke", jobs=1, progress=False)
        assert not outcome.failed
        (record,) = store.read("smoke").values()
        stored.append(record["metrics"])
        policies.append(two_stage.load_policy(store.file(record, "policy.pt")))
        seconds = record["provenance"]["seconds"]
        assert all(0 < seconds[part] < 600 for part in ("epoch", "data", "policy"))
    assert stored[0] == stored[1]
    learned = load_samples(store.file(record, "learned.npz"))
    assert learned["x"].shape == learned["start"].shape == (20, 1, 1, 2)
    assert not np.array_equal(learned["x"], learned["start"])
    observed = torch.randn(5, 28, generator=torch.Generator().manual_seed(1))
    assert torch.equal(policies[0](observed), policies[1](observed))
    assert len(stored[0]["policy_reward"]) == 22
    assert np.isfinite(stored[0]["policy_reward"]).all()


def test_a_stored_policy_is_the_one_that_attacked():
    agent, _, models = played(federation())
    policy = two_stage.load_policy(two_stage.save_policy(agent.policy))
    observed = torch.stack(models)[:, :28]
    assert torch.equal(policy(observed), agent.policy(observed))


@pytest.mark.parametrize("content", [b"", b"no weights", "object", {}, torch.zeros(2)])
def test_a_policy_is_weights_and_nothing_else(content):
    if not isinstance(content, bytes):
        buffer = io.BytesIO()
        torch.save(pathlib.PurePosixPath(content) if content == "object" else content, buffer)
        content = buffer.getvalue()
    with pytest.raises(ConfigError, match="holds no policy"):
        two_stage.load_policy(content)


@pytest.mark.parametrize("weight", [torch.nan, torch.inf, 1])
def test_a_policy_has_finite_floats(weight):
    agent = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Tanh())
    weights = {name: torch.full(value.shape, weight) for name, value in agent.state_dict().items()}
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    with pytest.raises(ConfigError, match=r"^a/b\.pt holds no policy; .* must be finite floats"):
        two_stage.load_policy(buffer.getvalue(), "a/b.pt")


def test_a_policy_with_damaged_bytes_is_refused_whatever_they_are():
    agent = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.Tanh())
    content = two_stage.save_policy(agent)
    names = bytearray(content)
    # Names of members that are no UTF-8, as a disk may leave them, raise an error of another kind.
    names[content.index(b"data.pkl") :] = content[content.index(b"data.pkl") :].replace(
        b"0.weight", b"0.\xffeight"
    )
    for damaged in (bytes(names), content[:-40], b"\x80\x02" + content, b"storages" + bytes(1000)):
        with pytest.raises(ConfigError, match="holds no policy"):
            two_stage.load_policy(damaged)


def test_a_policy_is_finite_where_the_simulation_diverges():
    wild = federation(learning_rate=50.0, aggregator=AGGREGATORS["mean"](n_byzantine=1))
    data = load_dataset(wild.data)
    few = dataclasses.replace(data, x_train=data.x_train[:60], y_train=data.y_train[:60])
    environment = FederationEnvironment(wild, few, episode=10)
    policy, rewards = two_stage.train_policy(environment, 150, 1)
    assert len(rewards) > 15  # cut short by divergence
    level = environment.reset(seed=1)[1]["level"]
    assert max(abs(reward) for reward in rewards) < 100 * level
    assert policy(torch.full((1, 28), 100.0)).isfinite().all()


def test_a_policy_that_diverges_is_an_outcome(monkeypatch):
    def broken(learner, *args, **kwargs):
        with torch.no_grad():
            next(learner.actor.mu.parameters()).fill_(torch.nan)

    monkeypatch.setattr(policy_module.DDPG, "learn", broken)
    agent, _, _ = played(federation())
    assert agent.found["policy_diverged"] == [0]
    assert all(weights.isfinite().all() for weights in agent.policy.parameters())


def test_bad_fields_are_refused():
    with pytest.raises(ConfigError, match="knowledge='grey'"):
        TwoStage(knowledge="grey")
    with pytest.raises(ConfigError, match="must be 'two_stage'"):
        two_stage.Agent(federation(ATTACKS["none"](n_byzantine=1)), None)
