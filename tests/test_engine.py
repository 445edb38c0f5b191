"""The round loop: equations by hand, determinism, knowledge of attacks, both client regimes."""

import math

import numpy as np
import pytest
import torch

from fedlib import engine, models
from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.attacks.base import Attack
from fedlib.clients import gradients
from fedlib.data import DataConfig, load_dataset
from fedlib.runs import LocalSGD, MomentumSGD, RunConfig
from fedlib.validation import ConfigError

DATA = DataConfig("mnist", "embedded", "glyphs-1", train_samples=200, test_samples=100)


@pytest.fixture(scope="module")
def dataset():
    return load_dataset(DATA)


def config(attack="none", f=0, rule="mean", **changes):
    values = {
        "data": DATA,
        "model": "softmax_regression",
        "n_clients": 8,
        "n_byzantine": f,
        "client": MomentumSGD(batch_size=5, momentum=0.9),
        "aggregator": AGGREGATORS[rule](n_byzantine=f),
        "attack": ATTACKS[attack](n_byzantine=f),
        "rounds": 6,
        "eval_every": 3,
    }
    return RunConfig(**{**values, **changes})


def test_training_learns(dataset):
    metrics = engine.run(config(rounds=150, eval_every=50), dataset)
    assert metrics["rounds"] == [50, 100, 150]
    assert metrics["train_loss"][-1] < metrics["train_loss"][0]
    assert metrics["test_accuracy"][-1] > 0.3


def test_a_round_follows_the_equations(dataset):
    """m = (1 - beta) g + beta m, then theta = theta - eta mean(m), twice, from the definition."""
    setting = config(learning_rate=0.5)
    federation, state = engine.prepare(setting, dataset)
    _, other = engine.prepare(setting, dataset)
    momenta = torch.zeros_like(other.updates)
    theta = other.parameters
    for _ in range(2):
        index = torch.from_numpy(other.batches.draw(8, 5, "shuffle"))
        grads, _ = gradients(other.model, federation.x[index], federation.y[index], strategy="loop")
        momenta = 0.1 * grads + 0.9 * momenta
        theta -= 0.5 * momenta.mean(0)
        engine.play_round(federation, state)
    torch.testing.assert_close(state.parameters, theta, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(state.updates, momenta, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("attack", ["rop", "label_flip", "bit_flip", "alie", "ipm"])
def test_the_same_run_gives_the_same_numbers(dataset, attack):
    setting = config(attack, 2, "centered_clipping")
    first = engine.run(setting, dataset)
    torch.rand(3)  # the global random state plays no part
    np.random.rand(3)
    assert engine.run(setting, dataset) == first
    assert engine.run(setting.with_(seed=2), dataset) != first


def test_honest_clients_draw_the_same_batches_whatever_the_attack(dataset):
    drawn = []
    for attack in ("rop", "bit_flip"):
        federation, state = engine.prepare(config(attack, 2), dataset)
        drawn.append([state.batches.draw(federation.active, 5, "shuffle")[:6] for _ in range(12)])
    assert all(np.array_equal(a, b) for a, b in zip(*drawn, strict=True))


def test_a_shuffled_client_sees_each_sample_once_before_any_twice():
    share = np.array([3, 5, 7, 11])
    batches = engine.Batches([share], seed=1)
    drawn = np.concatenate([batches.draw(1, 3, "shuffle")[0] for _ in range(4)])
    for start in (0, 4, 8):
        assert sorted(drawn[start : start + 4]) == [3, 5, 7, 11]


def test_epochs_pad_the_smaller_clients():
    batches = engine.Batches([np.arange(5), np.array([9])], seed=1)
    schedule = batches.draw_epochs(2, 2, 3)
    assert schedule.shape == (2, 9, 2)
    assert sorted(schedule[0, :3][schedule[0, :3] >= 0]) == [0, 1, 2, 3, 4]
    assert (schedule[1] == 9).sum() == 3
    assert (schedule[1] == -1).sum() == 15


def test_milestones_multiply_the_rate(dataset):
    federation, state = engine.prepare(config(milestones=(2, 4), decay=0.1), dataset)
    rates = [engine.play_round(federation, state).learning_rate for _ in range(5)]
    assert rates == pytest.approx([0.1, 0.01, 0.01, 0.001, 0.001])


def test_an_attack_is_told_what_it_declares_and_no_more(dataset, monkeypatch):
    told = {}

    def spy(self, updates, state, context):
        told[self.name] = (
            len(updates),
            context.own_updates is not None,
            context.last_aggregate is not None,
        )
        return torch.zeros(self.n_byzantine, updates.shape[1]), state

    for name in ("rop", "alie", "bit_flip"):
        monkeypatch.setattr(ATTACKS[name], "_attack", spy)
        federation, state = engine.prepare(config(name, 2), dataset)
        for _ in range(2):
            engine.play_round(federation, state)
    assert told == {
        "rop": (6, False, True),
        "alie": (6, False, False),
        "bit_flip": (0, True, False),
    }


def test_only_byzantine_samples_are_poisoned_and_only_in_the_run(dataset):
    before = dataset.y_train.clone()
    federation, _ = engine.prepare(config("label_flip", 2), dataset)
    held = np.concatenate(federation.shares[6:])
    honest = np.concatenate(federation.shares[:6])
    assert torch.equal(federation.y[held], 9 - before[held])
    assert torch.equal(federation.y[honest], before[honest])
    assert torch.equal(dataset.y_train, before)


class _Hostile(Attack):
    """Sends what no float should be."""

    name = "hostile"
    value = math.nan

    def _attack(self, updates, state, context):
        return torch.full((self.n_byzantine, updates.shape[1]), self.value), state


@pytest.mark.parametrize("rule", AGGREGATORS)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_non_finite_updates_never_reach_the_model(dataset, monkeypatch, rule, value):
    monkeypatch.setattr(_Hostile, "value", value)
    setting = config("none", 1, rule)
    object.__setattr__(setting, "attack", _Hostile(n_byzantine=1))
    federation, state = engine.prepare(setting, dataset)
    for _ in range(3):
        engine.play_round(federation, state)
    assert torch.isfinite(state.parameters).all()


def test_cosines_are_those_of_the_definitions(dataset):
    metrics = engine.run(config("rop", 2, rounds=4, eval_every=2, track=("cosines",)), dataset)
    for name in (
        "benign_to_last_aggregate",
        "byzantine_to_last_aggregate",
        "consecutive_perturbations",
    ):
        series = metrics[f"cosine_{name}"]
        assert len(series) == 2
        assert all(-1 <= value <= 1 for value in series)
    # ROP sits at the last aggregate plus a vector of length 1 that is nearly orthogonal to it.
    federation, state = engine.prepare(config("rop", 2), dataset)
    engine.play_round(federation, state)
    last = state.last_aggregate
    engine.play_round(federation, state)
    expected = torch.cosine_similarity(state.updates[-1], last, dim=0)
    two_rounds = engine.run(config("rop", 2, rounds=2, eval_every=2, track=("cosines",)), dataset)
    assert two_rounds["cosine_byzantine_to_last_aggregate"][0] == pytest.approx(
        float(expected), abs=1e-4
    )


def test_local_epochs_with_one_full_batch_are_a_gradient_step(dataset):
    local = config(client=LocalSGD(batch_size=25, learning_rate=0.2), learning_rate=1.0)
    whole = config(client=MomentumSGD(batch_size=25, momentum=0.0), learning_rate=0.2)
    parameters = []
    for setting in (local, whole):  # 200 samples over 8 clients: 25 each
        federation, state = engine.prepare(setting, dataset)
        engine.play_round(federation, state)
        parameters.append(state.parameters)
    torch.testing.assert_close(parameters[0], parameters[1], rtol=1e-4, atol=1e-6)


def test_strategies_give_the_same_run(dataset):
    setting = config("alie", 2, "trimmed_mean", model="cnn_4_8")
    parameters = []
    for strategy in ("loop", "merged", "vmap"):
        federation, state = engine.prepare(setting, dataset, strategy=strategy)
        for _ in range(2):
            engine.play_round(federation, state)
        parameters.append(state.parameters)
    for other in parameters[1:]:
        torch.testing.assert_close(other, parameters[0], rtol=1e-3, atol=1e-5)


def test_evaluation_counts_every_sample_once(dataset):
    model = models.make_model("softmax_regression", dataset.shape, 10, 1)
    accuracy, loss = engine.evaluate(model, dataset.x_test, dataset.y_test)
    logits = model(dataset.x_test).detach()
    assert accuracy == pytest.approx(float((logits.argmax(1) == dataset.y_test).float().mean()))
    expected = torch.nn.functional.cross_entropy(logits, dataset.y_test)
    assert loss == pytest.approx(float(expected), rel=1e-5)


def test_a_metric_that_is_not_finite_is_none(dataset):
    metrics = engine.run(config(learning_rate=3e38, rounds=3, eval_every=1), dataset)
    assert metrics["test_loss"][-1] is None


def test_running_batch_norm_statistics_are_refused(dataset, monkeypatch):
    def with_norm(shape, n_classes):
        return torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.BatchNorm1d(784), torch.nn.Linear(784, n_classes)
        )

    monkeypatch.setitem(models.MODELS, "with_norm", with_norm)
    with pytest.raises(ConfigError, match="track_running_stats=False"):
        engine.prepare(config(model="with_norm"), dataset)


def test_other_data_than_configured_are_refused(dataset):
    with pytest.raises(ConfigError, match="configured for"):
        engine.prepare(config(data=DataConfig()), dataset)
