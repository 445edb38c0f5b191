"""What clients compute, and what Byzantine clients compute it on."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from small import config, facts_of, recorded_calls

from fedlib import engine
from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.clients import CLIENTS, FedProx, LocalSGD, MomentumSGD, RobustSGD, make_client
from fedlib.clients import local as local_clients
from fedlib.data import Partition
from fedlib.federation import Samples
from fedlib.gradients import gradients
from fedlib.parts import revisions_of
from fedlib.runs import RunConfig
from fedlib.validation import ConfigError


def test_only_byzantine_samples_are_poisoned_and_only_in_the_run(dataset):
    before = dataset.y_train.clone()
    federation, _ = engine.prepare(config("label_flip", 2), dataset)
    held = np.concatenate(federation.shares[6:8])
    honest = np.concatenate(federation.shares[:6])
    poisoned = federation.poisoned[1]
    assert torch.equal(poisoned[held], 9 - before[held])
    assert torch.equal(poisoned[honest], before[honest])
    assert torch.equal(federation.train[1], before)
    assert torch.equal(dataset.y_train, before)


def test_local_epochs_with_one_full_batch_are_a_gradient_step(dataset):
    local = config(client=LocalSGD(batch_size=25, learning_rate=0.2), learning_rate=1.0)
    whole = config(client=MomentumSGD(batch_size=25, momentum=0.0), learning_rate=0.2)
    parameters = []
    for setting in (local, whole):  # 200 samples over 8 clients: 25 each
        federation, state = engine.prepare(setting, dataset)
        engine.play_round(federation, state)
        parameters.append(state.parameters)
    torch.testing.assert_close(parameters[0], parameters[1], rtol=1e-4, atol=1e-6)


def test_an_attacker_that_sends_gradients_gains_nothing_by_its_rate(dataset):
    """Its first step is at the broadcast model, so that the gradient is that of a slow client."""
    sent = []
    for factor in (1.0, 10.0):
        client = LocalSGD(batch_size=25, learning_rate=0.2, gradient_rate=0.2)
        setting = config("label_flip", 2, client=client, learning_rate=1.0)
        attack = replace(setting.attack, rate_factor=factor)
        federation, state = engine.prepare(setting.with_(attack=attack), dataset)
        engine.play_round(federation, state)
        sent.append(state.updates.clone())
    torch.testing.assert_close(sent[0], sent[1])
    with pytest.raises(ConfigError, match=r"client\.gradient_rate=0"):
        LocalSGD(gradient_rate=0)


@pytest.mark.parametrize("buffer", ["own", "shared"])
def test_without_momentum_a_client_recovers_from_a_gradient_that_was_not_finite(dataset, buffer):
    setting = config("sign_flip", 2, "fltrust", client=MomentumSGD(5, momentum=0.0, buffer=buffer))
    federation, state = engine.prepare(setting, dataset)
    server = state.keep("server_update", lambda: torch.zeros_like(state.parameters))
    for rows in (state.updates, state.own, server, state.client.shared):
        rows.fill_(math.nan)
        rows.view(-1)[::2] = math.inf
    engine.play_round(federation, state)
    assert state.updates.isfinite().all() and state.own.isfinite().all()
    assert server.isfinite().all()
    # The gradients themselves, to the last digit.
    _, other = engine.prepare(setting, dataset)
    x, y = Samples(federation, other.streams("batches"), range(8)).batch(5)
    grads, _ = gradients(other.model, x, y)
    assert torch.equal(state.updates[:6], grads[:6])
    assert torch.equal(state.own, grads[6:])


@pytest.mark.parametrize("client", [MomentumSGD(5, 0.0), LocalSGD(5, 0.1)])
def test_honest_clients_see_clean_what_they_share_with_byzantine_ones(dataset, client):
    class Everyone(Partition):
        """All clients hold all samples."""

        name = "everyone"

        def _split(self, labels, n_clients, generator):
            return [np.arange(len(labels))] * n_clients

    sent = {}
    for name in ("none", "label_flip"):
        setting = config(client=client, partition=Everyone()).with_(
            n_byzantine=2, attack=ATTACKS[name](n_byzantine=2)
        )
        federation, state = engine.prepare(setting, dataset)
        engine.play_round(federation, state)
        sent[name] = state.updates.clone()
    assert torch.equal(sent["none"][:6], sent["label_flip"][:6])
    assert not torch.allclose(sent["none"][6:], sent["label_flip"][6:])


def test_byzantine_clients_may_train_longer_and_faster(dataset):
    sent = {}
    for extra, factor in ((0, 1.0), (2, 1.0), (0, 5.0)):
        attack = ATTACKS["label_flip"](n_byzantine=2, extra_epochs=extra, rate_factor=factor)
        setting = config(client=LocalSGD(5, 0.1)).with_(n_byzantine=2, attack=attack)
        federation, state = engine.prepare(setting, dataset)
        engine.play_round(federation, state)
        sent[extra, factor] = state.updates.clone()
    usual = sent[0, 1.0]
    for other in (sent[2, 1.0], sent[0, 5.0]):
        torch.testing.assert_close(other[:6], usual[:6])
        assert (other[6:].norm(dim=1) > 1.05 * usual[6:].norm(dim=1)).all()


def test_model_replacement_trains_on_clean_data_in_the_other_rounds(dataset):
    honest, replaced = [], []
    for attack, into in (("none", honest), ("model_replacement", replaced)):
        parameters = {} if attack == "none" else {"rounds": (2,), "scale": 1.0}
        setting = config(client=MomentumSGD(5, 0.0), rule="median").with_(
            n_byzantine=2, attack=ATTACKS[attack](n_byzantine=2, **parameters)
        )
        federation, state = engine.prepare(setting, dataset)
        for _ in range(2):
            engine.play_round(federation, state)
            into.append(state.updates[6:].clone())
    torch.testing.assert_close(honest[0], replaced[0])
    assert not torch.allclose(honest[1], replaced[1])


def test_the_first_samples_of_each_of_the_attackers_batches_are_poisoned(dataset, monkeypatch):
    attack = ATTACKS["pixel_backdoor"](n_byzantine=2, per_batch=7)
    setting = config(rule="median", client=LocalSGD(10, 0.1, epochs=2)).with_(
        n_byzantine=2, attack=attack
    )
    federation, state = engine.prepare(setting, dataset)
    calls = recorded_calls(monkeypatch, local_clients, "local_updates")
    engine.play_round(federation, state)
    (_, _, clean, honest), (_, _, data, schedule) = (call[:4] for call in calls)
    assert honest.max() < len(dataset.y_train)
    assert schedule.shape == (2, 6, 10)  # 25 samples each: batches of 10, 10 and 5, twice
    poisoned = []
    for client, batches in enumerate(schedule):
        for number, batch in enumerate(batches):
            size = 5 if number % 3 == 2 else 10
            index = batch[:size]
            assert (batch[size:] == -1).all() and (index >= 0).all()
            first = min(7, size)
            assert (index[first:] < len(dataset.y_train)).all()
            x, y = data[0][index], data[1][index]
            assert (y[:first] == 2).all()
            assert torch.equal(x[:first], attack.add_trigger(x[:first]))
            place = [int((federation.twins == i).nonzero()) for i in index[:first]]
            assert set(place) <= set(federation.shares[6 + client].tolist())
            assert torch.equal(x[:first], attack.add_trigger(dataset.x_train[place]))
            poisoned.append(set(place))
    epochs = set.union(*poisoned[:3]), set.union(*poisoned[3:6])
    assert [len(epoch) for epoch in epochs] == [19, 19]
    assert epochs[0] != epochs[1]
    assert torch.equal(clean[1][: len(dataset.y_train)], dataset.y_train)


@pytest.mark.parametrize("strategy", ["merged", "vmap"])
def test_a_part_of_each_batch_is_poisoned_alike_by_every_strategy(dataset, strategy):
    attack = ATTACKS["pixel_backdoor"](n_byzantine=2, per_batch=3)
    setting = config(rule="median", client=LocalSGD(10, 0.1)).with_(n_byzantine=2, attack=attack)
    found = {}
    for chosen in ("loop", strategy):
        federation, state = engine.prepare(setting, dataset, strategy=chosen)
        engine.play_round(federation, state)
        found[chosen] = state.updates.clone()
    torch.testing.assert_close(found[strategy], found["loop"], rtol=1e-4, atol=1e-6)


def test_one_gradient_a_round_is_on_a_batch_of_which_the_first_are_poisoned(dataset):
    attack = ATTACKS["pixel_backdoor"](n_byzantine=2, per_batch=2)
    setting = config(rule="median", client=MomentumSGD(5, 0.0)).with_(n_byzantine=2, attack=attack)
    federation, state = engine.prepare(setting, dataset)
    _, other = engine.prepare(setting, dataset)
    index = torch.from_numpy(other.streams("batches").draw(range(8), 5, "shuffle"))
    x, y = dataset.x_train[index], dataset.y_train[index]
    x[6:, :2] = attack.add_trigger(x[6:, :2].flatten(0, 1)).view(2, 2, 1, 28, 28)
    y[6:, :2] = 2
    expected, _ = gradients(other.model, x, y)
    engine.play_round(federation, state)
    torch.testing.assert_close(state.updates, expected, rtol=1e-4, atol=1e-6)


def test_a_shared_momentum_passes_from_client_to_client_and_on(dataset):
    client = MomentumSGD(5, momentum=0.5, buffer="shared")
    federation, state = engine.prepare(config("sign_flip", 2, client=client), dataset)
    _, plain = engine.prepare(config("sign_flip", 2, client=MomentumSGD(5)), dataset)
    buffer = torch.zeros_like(state.parameters)
    for _ in range(2):
        plain.parameters.copy_(state.parameters)
        x, y = Samples(federation, plain.streams("batches"), range(8)).batch(5)
        grads, _ = gradients(plain.model, x, y)
        engine.play_round(federation, state)
        for i, grad in enumerate(grads):
            buffer = 0.5 * buffer + 0.5 * grad
            sent = state.updates[i] if i < 6 else state.own[i - 6]
            torch.testing.assert_close(sent, buffer, rtol=1e-4, atol=1e-6)


# --- every client algorithm ----------------------------------------------------------------


@pytest.mark.parametrize("name", CLIENTS)
def test_every_client_algorithm_runs_repeats_and_is_read_back(dataset, name):
    client = CLIENTS[name](batch_size=5)
    assert make_client(client.to_dict()) == client
    setting = config("label_flip", 2, "median", client=client, rounds=2, eval_every=2)
    assert RunConfig.from_dict(setting.to_dict()).id == setting.id
    first = engine.run(setting, dataset)
    assert first == engine.run(setting, dataset)
    assert first["train_loss"][-1] > 0
    assert first["test_loss"] != engine.run(setting.with_(rounds=1), dataset)["test_loss"]


@pytest.mark.parametrize("name", CLIENTS)
def test_every_client_algorithm_serves_the_servers_own_update(dataset, name):
    setting = config(rule="fltrust", client=CLIENTS[name](batch_size=10))
    federation, state = engine.prepare(setting, dataset)
    found = facts_of(federation, state).server_update
    assert found.isfinite().all() and found.norm() > 0
    # The clients' own updates are not touched, and the model is not either.
    assert not state.updates.any()
    _, fresh = engine.prepare(setting, dataset)
    assert torch.equal(fresh.parameters, state.parameters)


@pytest.mark.parametrize("name", CLIENTS)
def test_every_client_algorithm_is_the_same_by_every_strategy(dataset, name):
    setting = config(client=CLIENTS[name](batch_size=5), model="cnn_4_8")
    sent = []
    for strategy in ("loop", "merged", "vmap"):
        federation, state = engine.prepare(setting, dataset, strategy=strategy)
        engine.play_round(federation, state)
        sent.append(state.updates.clone())
    for other in sent[1:]:
        # A sign may differ where a gradient is zero but for rounding.
        far = (other - sent[0]).abs() > 1e-5 + 1e-3 * sent[0].abs()
        assert far.float().mean() < 0.01


def test_fedprox_with_mu_0_is_local_sgd_and_a_large_mu_stays_near(dataset):
    sent = {}
    for client in (LocalSGD(5, 0.05, epochs=3), FedProx(5, 0.05, epochs=3, mu=0.0),
                   FedProx(5, 0.05, epochs=3, mu=10.0)):  # fmt: skip
        federation, state = engine.prepare(config(client=client), dataset)
        engine.play_round(federation, state)
        sent[client] = state.updates.clone()
    local, free, held = sent.values()
    assert torch.equal(local, free)
    assert held.norm() < 0.5 * local.norm()


def test_fedprox_follows_its_definition(dataset):
    client = FedProx(batch_size=25, learning_rate=0.1, epochs=2, mu=0.5)
    federation, state = engine.prepare(config(client=client), dataset)
    start, model = state.parameters.clone(), state.model
    engine.play_round(federation, state)
    sent = state.updates[0].clone()
    share = torch.from_numpy(np.sort(federation.shares[0]))  # one batch of all samples
    x, y = dataset.x_train[share][None], dataset.y_train[share][None]
    local = start.clone()
    for _ in range(2):
        state.parameters.copy_(local)
        (grad,), _ = gradients(model, x, y, strategy="loop")
        local = local - 0.1 * (grad + 0.5 * (local - start))
    torch.testing.assert_close(sent, start - local, rtol=1e-4, atol=1e-6)


def test_the_servers_samples_are_moved_like_the_clients_and_the_identity_says_so():
    rule = AGGREGATORS["fltrust"](n_byzantine=1)
    plain = config(client=MomentumSGD(5), aggregator=rule)
    robust = config(client=RobustSGD(5), aggregator=rule)
    assert revisions_of(plain.client, plain) == {}
    assert revisions_of(robust.client, robust) == {"server_samples_altered": 2}
    assert revisions_of(robust.client, config(client=RobustSGD(5))) == {}


def test_robust_clients_with_batch_norm_look_at_their_own_batches_alone(dataset):
    client = RobustSGD(batch_size=4, momentum=0, ascent_steps=2)
    setting = config(client=client, model="resnet9", rounds=1)

    def sent(data):
        federation, state = engine.prepare(setting, data)
        engine.play_round(federation, state)
        return state.updates.clone(), federation

    before, federation = sent(dataset)
    x = dataset.x_train.clone()
    x[torch.from_numpy(np.array(federation.shares[1]))] = math.nan
    after, _ = sent(replace(dataset, x_train=x))
    assert not after[1].isfinite().all()
    others = [i for i in range(len(before)) if i != 1]
    torch.testing.assert_close(after[others], before[others])
