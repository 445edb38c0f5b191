"""The round loop: equations by hand, determinism, every rule and attack in both regimes."""

import math

import numpy as np
import pytest
import torch
from small import config, facts_of

from fedlib import engine, models
from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.attacks.base import Attack
from fedlib.clients import LocalSGD, MomentumSGD
from fedlib.data import PARTITIONS, DataConfig, load_dataset
from fedlib.engine import play
from fedlib.engine.play import recorded
from fedlib.federation import Facts
from fedlib.federation.steps import project
from fedlib.gradients import gradients, saliency_maps
from fedlib.trackers.reputation import separation
from fedlib.validation import ConfigError


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
        index = torch.from_numpy(other.streams("batches").draw(range(8), 5, "shuffle"))
        grads, _ = gradients(
            other.model, dataset.x_train[index], dataset.y_train[index], strategy="loop"
        )
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
        drawn.append(
            [
                state.streams("batches").draw(range(federation.active), 5, "shuffle")[:6]
                for _ in range(12)
            ]
        )
    assert all(np.array_equal(a, b) for a, b in zip(*drawn, strict=True))


def test_milestones_multiply_the_rate(dataset):
    federation, state = engine.prepare(config(milestones=(2, 4), decay=0.1), dataset)
    rates = [engine.play_round(federation, state).learning_rate for _ in range(5)]
    assert rates == pytest.approx([0.1, 0.01, 0.01, 0.001, 0.001])


def test_the_server_steps_at_the_rate_that_the_milestones_left(dataset):
    setting = config(learning_rate=0.5, milestones=(1,), decay=0.1)
    federation, state = engine.prepare(setting, dataset)
    for rate in (0.5, 0.05):
        before = state.parameters.clone()
        engine.play_round(federation, state)
        torch.testing.assert_close(state.parameters, before - rate * state.last_aggregate)
        torch.testing.assert_close(state.last_aggregate, state.updates.mean(0))


def test_the_server_keeps_the_model_in_a_ball(dataset):
    free, kept = (
        engine.prepare(config("dictated", 2, projection_radius=radius), dataset)
        for radius in (None, 5.0)
    )
    for federation, state in (free, kept):
        state.parameters.mul_(0.001)
        state.attack = torch.full_like(state.parameters, 100.0)
        engine.play_round(federation, state)
    (_, far), (federation, near) = free, kept
    assert far.parameters.norm() > 100
    torch.testing.assert_close(near.parameters, far.parameters * (5 / far.parameters.norm()))
    near.attack = None
    near.parameters.mul_(0.1)
    before = near.parameters.clone()
    engine.play_round(federation, near)  # a model inside the ball is left alone
    torch.testing.assert_close(near.parameters, before - 0.1 * near.last_aggregate)
    with pytest.raises(ConfigError, match=r"projection_radius=0\.0 is out"):
        config(projection_radius=0)
    assert config(projection_radius=None).id == config().id != config(projection_radius=5).id


def test_a_model_without_a_finite_norm_is_not_projected():
    for value in (math.nan, math.inf):
        parameters = torch.tensor([3.0, value])
        torch.testing.assert_close(project(parameters.clone(), 1.0), parameters, equal_nan=True)
    large = torch.full((4,), 1e30)  # its squares overflow in single precision
    torch.testing.assert_close(project(large, 2.0), torch.ones(4))


@pytest.mark.parametrize(("radius", "chosen"), [(None, 1), (1.0, 0)])
def test_clients_vote_on_the_models_that_the_server_would_keep(dataset, radius, chosen):
    rule = AGGREGATORS["center_with_outliers"](n_byzantine=0, side="vote")
    setting = config(aggregator=rule, learning_rate=0.5, projection_radius=radius)
    federation, state = engine.prepare(setting, dataset)
    begun = state.parameters.clone()
    state.parameters.zero_()
    # Powers of two are exact, so both models have the same projection, and the first one wins.
    candidates = torch.stack([-2048 * begun, -4 * begun])
    assert (facts_of(federation, state).vote(candidates) == chosen).all()


def test_a_run_says_how_far_it_is_and_lets_an_agent_act_before_each_round(dataset):
    done, begun = [], []

    def act(federation, state):
        begun.append(state.round)
        state.attack = torch.full_like(state.parameters, 7.0)

    setting = config("dictated", 2, rounds=3, eval_every=2)
    metrics = engine.run(setting, dataset, on_round=done.append, before_round=act)
    assert (done, begun) == ([1, 2, 3], [0, 1, 2])
    assert metrics["rounds"] == [2, 3]
    assert metrics["test_loss"] != engine.run(setting, dataset)["test_loss"]


def test_the_seed_decides_the_model_the_shares_and_the_servers_samples(dataset):
    (one, first), (other, second), (_, again) = (
        engine.prepare(config(seed=seed), dataset) for seed in (1, 2, 1)
    )
    assert torch.equal(first.parameters, again.parameters)
    assert not torch.equal(first.parameters, second.parameters)
    for client in range(9):  # the server's samples come last
        assert not np.array_equal(one.shares[client], other.shares[client])


def test_an_attacker_trains_harder_in_the_rounds_alone_in_which_it_poisons(dataset):
    own = {}
    for epochs in (0, 3):
        attack = ATTACKS["model_replacement"](n_byzantine=2, rounds=(2,), extra_epochs=epochs)
        setting = config(client=LocalSGD(5, 0.1)).with_(n_byzantine=2, attack=attack)
        federation, state = engine.prepare(setting, dataset)
        own[epochs] = []
        for number in (1, 2):
            assert state.round == number - 1
            engine.play_round(federation, state)
            own[epochs].append(state.own.clone())
            assert torch.equal(state.updates[6:], state.own * (100 if number == 2 else 1))
    assert torch.equal(own[0][0], own[3][0])
    assert not torch.allclose(own[0][1], own[3][1])


def test_records_have_six_digits_and_none_for_what_is_not_finite():
    given = [1.23456789, [math.nan, -math.inf, 3], "text", 12345678.0, None]
    assert recorded(given) == [1.23457, [None, None, 3], "text", 12345700.0, None]


def test_an_honest_client_that_diverges_counts_as_zero_in_the_honest_mean(dataset, monkeypatch):
    watched = {"track": ("reputation",), "server_step": "honest_mean"}
    federation, state = engine.prepare(config("sign_flip", 3, "flair", **watched), dataset)
    original = play.clients_step

    def one_diverges(*given):
        losses = original(*given)
        state.updates[1, 3] = math.inf
        return losses

    monkeypatch.setattr(play, "clients_step", one_diverges)
    engine.play_round(federation, state)
    expected = state.updates[[0, 2, 3, 4]].sum(0) / 5
    torch.testing.assert_close(state.last_aggregate, expected)


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


def test_strategies_give_the_same_run(dataset):
    setting = config("alie", 2, "trimmed_mean", model="cnn_4_8")
    parameters = []
    for strategy in ("loop", "merged", "grouped", "vmap"):
        federation, state = engine.prepare(setting, dataset, strategy=strategy)
        for _ in range(2):
            engine.play_round(federation, state)
        parameters.append(state.parameters)
    for other in parameters[1:]:
        torch.testing.assert_close(other, parameters[0], rtol=1e-3, atol=1e-5)


def test_running_batch_norm_statistics_are_refused(dataset, monkeypatch):
    def with_norm(shape, n_classes):
        return torch.nn.Sequential(
            torch.nn.Flatten(), torch.nn.BatchNorm1d(784), torch.nn.Linear(784, n_classes)
        )

    monkeypatch.setitem(models.MODELS, "with_norm", with_norm)
    with pytest.raises(ConfigError, match="track_running_stats=False"):
        engine.prepare(config(model="with_norm"), dataset)


def test_an_unknown_device_and_a_name_in_place_of_data_are_refused(dataset):
    with pytest.raises(ConfigError, match="device='tpu' is not available"):
        engine.run(config(), dataset, device="tpu")
    with pytest.raises(ConfigError, match="config='mnist' must be a DataConfig"):
        load_dataset("mnist")


def test_other_data_than_configured_are_refused(dataset):
    with pytest.raises(ConfigError, match="configured for"):
        engine.prepare(config(data=DataConfig()), dataset)


@pytest.mark.parametrize(
    "client", [MomentumSGD(5, 0.9), LocalSGD(5, 0.1)], ids=["momentum", "local"]
)
@pytest.mark.parametrize("rule", AGGREGATORS)
def test_every_rule_runs_and_repeats(dataset, rule, client):
    setting = config("label_flip", 1, rule, client=client, rounds=2, eval_every=2)
    first = engine.run(setting, dataset)
    assert first == engine.run(setting, dataset)
    assert first["test_loss"][-1] is not None


@pytest.mark.parametrize(
    "client", [MomentumSGD(5, 0.9), LocalSGD(5, 0.1)], ids=["momentum", "local"]
)
@pytest.mark.parametrize("attack", ATTACKS)
def test_every_attack_runs_and_repeats(dataset, attack, client):
    parameters = {"trigger": "pixels"} if attack == "model_replacement" else {}
    setting = config(rule="median", client=client, rounds=2, eval_every=2).with_(
        n_byzantine=2, attack=ATTACKS[attack](n_byzantine=2, **parameters)
    )
    first = engine.run(setting, dataset)
    assert first == engine.run(setting, dataset)
    assert ("attack_success" in first) == ("backdoor" in attack or attack == "model_replacement")


def test_pixels_standardised_each_on_its_own_are_not_moved():
    data = DataConfig("cifar10", "embedded", "glyphs-1", 60, 20, per_pixel=True)
    setting = config(data=data, client=MomentumSGD(5, 0.0, augment="crop_flip"))
    with pytest.raises(ConfigError, match=r"data\.per_pixel=True"):
        engine.prepare(setting, load_dataset(data))


def test_a_residual_network_takes_part_in_a_round():
    data = DataConfig("cifar10", "embedded", "glyphs-1", train_samples=60, test_samples=20)
    setting = config("rop", 1, "centered_clipping", data=data, n_clients=4, model="resnet20_code")
    setting = setting.with_(attack=ATTACKS["rop"](n_byzantine=1, sparse=True), rounds=2)
    metrics = engine.run(setting, load_dataset(data))
    assert metrics["test_loss"][-1] is not None


def test_clients_are_tested_on_their_own_classes(dataset):
    partition = PARTITIONS["dirichlet_per_client"](alpha=0.05)
    judged = {}
    for test_set in ("pooled", "clients", "benign_clients"):
        setting = config("none", 3, partition=partition, test_set=test_set)
        federation, _ = engine.prepare(setting, dataset)
        judged[test_set] = federation
    n = len(dataset.y_test)
    assert len(judged["pooled"].test[1]) == n
    assert len(judged["clients"].test[1]) == n // 8 * 8
    assert len(judged["benign_clients"].test[1]) == n // 5 * 5
    shares = judged["clients"].shares
    for i, labels in enumerate(judged["clients"].test[1].view(8, -1)):
        assert set(labels.tolist()) <= set(dataset.y_train[shares[i]].tolist())
    with pytest.raises(ConfigError, match="test_set='mine'"):
        config(test_set="mine")


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("model", ["cnn_4_8", "mlp_100", "resnet20_code"])
def test_saliency_maps_are_gradients_of_the_score(dataset, model, score):
    _, state = engine.prepare(config(model=model), dataset)
    x, y = dataset.x_train[:3].clone().requires_grad_(), dataset.y_train[:3]
    out = state.model(x)
    out = out.softmax(1) if score == "probability" else out
    (expected,) = torch.autograd.grad(sum(out[i, y[i]] for i in range(3)), x)
    found = saliency_maps(state.model, state.parameters[None], x.detach(), y, score)
    torch.testing.assert_close(found[0], expected.abs().amax(1))


def test_a_rule_may_be_watched_while_the_server_follows_the_honest(dataset):
    watched = {"track": ("reputation",), "rounds": 6, "eval_every": 3, "server_step": "honest_mean"}
    runs = [engine.run(config(a, 3, "flair", **watched), dataset) for a in ("sign_flip", "ipm")]
    # The model is the same under any attack.
    assert runs[0]["test_accuracy"] == runs[1]["test_accuracy"]
    assert runs[0]["reputation"] != runs[1]["reputation"]
    # Against the honest mean of the round before, what the sign flippers send turns most.
    assert runs[0]["separation"][1] == 0
    federation, state = engine.prepare(config("sign_flip", 3, "flair", **watched), dataset)
    before = state.parameters.clone()
    engine.play_round(federation, state)
    mean = state.updates[:5].mean(0)
    torch.testing.assert_close(state.parameters, before - federation.config.learning_rate * mean)
    assert torch.equal(state.aggregator.direction, state.last_aggregate.sign())
    with pytest.raises(ConfigError, match="server_step='honest_mean' is for rules that keep"):
        config(rule="median", server_step="honest_mean")
    with pytest.raises(ConfigError, match="server_step='none' is unknown"):
        config(rule="flair", server_step="none")


def test_gradient_guard_by_spectra_and_by_a_trusted_update(dataset):
    given = {}
    for reference in ("aggregate", "server"):
        rule = AGGREGATORS["gradient_guard"](3, map_of="spectral", reference=reference)
        samples = {"aggregate": 0, "server": 10}[reference]
        setting = config(
            "full_krum", 3, aggregator=rule, server_samples=samples, track=("reputation",)
        )
        metrics = engine.run(setting, dataset)
        # Copies of the honest direction's negative: no map is more like its own than theirs.
        federation, state = engine.prepare(setting, dataset)
        engine.play_round(federation, state)
        honest = state.updates[:5].mean(0).sign()
        assert float(separation(rule.scores(state.updates, honest, Facts()), 5)) == 0
        given[reference] = metrics["separation"]
    assert given["aggregate"] != given["server"]
    with pytest.raises(ConfigError, match=r"server_samples=0 .* aggregator='gradient_guard'"):
        config(aggregator=rule, server_samples=0)
