"""The simulated federation that an attacker learns in."""

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

from fedlib.agents.environment import DIVERGED, FederationEnvironment
from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.clients import MomentumSGD, RobustSGD
from fedlib.data import Dataset, resolve_source
from fedlib.gradients import gradients
from fedlib.runs import RunConfig
from fedlib.validation import ConfigError


def federation(**changes):
    values = {
        "data": resolve_source("circle"),
        "model": "elu_4_2",
        "n_clients": 4,
        "n_byzantine": 1,
        "client": RobustSGD(batch_size=10, ascent_steps=3),
        "aggregator": AGGREGATORS["mean"](n_byzantine=1),
        "attack": ATTACKS["none"](n_byzantine=1),
    }
    return RunConfig(**{**values, **changes})


def learned(n=80):
    x = torch.randn(n, 1, 1, 2, generator=torch.Generator().manual_seed(1))
    y = (x.flatten(1).norm(dim=1) > 1).long()
    return Dataset(resolve_source("circle"), x, y, x[:10], y[:10], 2, "learned")


@pytest.mark.parametrize(("action", "state"), [("gradient", "model"), ("scale", "last_layer")])
def test_it_is_an_environment(action, state):
    environment = FederationEnvironment(
        federation(), learned(), episode=3, action=action, state=state
    )
    check_env(environment, skip_render_check=True)
    assert environment.observation_space.shape == ((28,) if state == "model" else (6,))
    assert environment.action_space.shape == ((28,) if action == "gradient" else (1,))


def test_rewards_sum_to_what_the_level_has_lost():
    environment = FederationEnvironment(federation(), learned(), episode=4)
    _, info = environment.reset(seed=3)
    first = info["level"]
    rewards, ended = [], False
    while not ended:
        _, reward, _, ended, info = environment.step(environment.action_space.sample())
        rewards.append(reward)
    assert len(rewards) == 4
    assert sum(rewards) == pytest.approx(first - info["level"])


def test_the_agents_update_is_what_the_byzantine_client_sends():
    environment = FederationEnvironment(federation(), learned(), episode=4)
    environment.reset(seed=3)
    sent = {}
    for value in (-1.0, 1.0):
        environment.reset(seed=3)
        environment.step(np.full(28, value, dtype=np.float32))
        rows = environment._state.updates
        assert len(rows[3].unique()) == 1
        sent[value] = float(rows[3, 0])
    each = sent[1.0] - sent[-1.0]
    assert each > 0  # the range of single gradients
    again = FederationEnvironment(federation(), learned(), episode=4)
    assert np.array_equal(again.reset(seed=3)[0], environment.reset(seed=3)[0])


def test_a_factor_multiplies_the_attackers_own_gradient():
    environment = FederationEnvironment(federation(), learned(), episode=4, action="scale")
    environment.reset(seed=3)
    model = environment._state.model
    each, _ = gradients(model, learned().x_train[:, None], learned().y_train[:, None])
    low, high = float(each.min()), float(each.max())
    environment.step(np.array([0.5], dtype=np.float32))
    factor = 0.5 * (high - low) / 2 + (high + low) / 2
    torch.testing.assert_close(environment._state.updates[3], factor * environment._state.own[0])


@pytest.mark.parametrize("value", [torch.nan, 1e6])
def test_a_model_that_diverges_ends_the_episode_at_a_bounded_loss(value):
    environment = FederationEnvironment(federation(), learned(), episode=4)
    _, info = environment.reset(seed=3)
    environment._state.parameters.fill_(value)
    seen, reward, terminated, _, after = environment.step(np.zeros(28, dtype=np.float32))
    assert terminated
    assert reward == pytest.approx(info["level"] - DIVERGED * info["level"])
    assert after["level"] == DIVERGED * info["level"]
    assert np.abs(seen).max() <= 100


def test_the_attacker_knows_the_price_of_distance():
    client = RobustSGD(batch_size=10, ascent_steps=3, gamma_unit="norm")
    imagined = FederationEnvironment(federation(client=client), learned())
    told = FederationEnvironment(federation(client=client), learned(), gamma=7.0)
    levels = [environment.reset(seed=1)[1]["level"] for environment in (imagined, told)]
    assert told._state.client.gamma == 7.0 != imagined._state.client.gamma
    assert levels[0] > levels[1]  # what is dearer is moved less


def test_an_episode_starts_at_the_given_model():
    start = torch.linspace(-1, 1, 28)
    environment = FederationEnvironment(federation(), learned(), start=start)
    observation, _ = environment.reset(seed=1)
    np.testing.assert_allclose(observation, start.numpy())


def test_federations_that_cannot_be_attacked_are_refused():
    with pytest.raises(ConfigError, match="must be 'robust_sgd'"):
        FederationEnvironment(federation(client=MomentumSGD()), learned())
    with pytest.raises(ConfigError, match="n_byzantine=0"):
        FederationEnvironment(federation(n_byzantine=0, attack=ATTACKS["none"]()), learned())
