"""The round loop: equations by hand, determinism, knowledge of attacks, both client regimes."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from fedlib import engine, models
from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.attacks.base import Attack
from fedlib.data import PARTITIONS, DataConfig, Partition, load_dataset
from fedlib.gradients import gradients, saliency_maps
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
        "server_samples": 10,
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
        index = torch.from_numpy(other.batches.draw(range(8), 5, "shuffle"))
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
        drawn.append(
            [state.batches.draw(range(federation.active), 5, "shuffle")[:6] for _ in range(12)]
        )
    assert all(np.array_equal(a, b) for a, b in zip(*drawn, strict=True))


def test_milestones_multiply_the_rate(dataset):
    federation, state = engine.prepare(config(milestones=(2, 4), decay=0.1), dataset)
    rates = [engine.play_round(federation, state).learning_rate for _ in range(5)]
    assert rates == pytest.approx([0.1, 0.01, 0.01, 0.001, 0.001])


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_told_what_it_declares_and_no_more(dataset, monkeypatch, name):
    told = []

    def spy(self, updates, state, context):
        given = {field for field, value in vars(context).items() if value is not None}
        told.append(given | ({"benign_updates"} if len(updates) else set()))
        return torch.zeros(self.n_byzantine, updates.shape[1]), state

    monkeypatch.setattr(ATTACKS[name], "_attack", spy)
    setting = config(name, 2)
    federation, state = engine.prepare(setting, dataset)
    for _ in range(2):
        engine.play_round(federation, state)
    knows = set(setting.attack.knows)
    assert told == [knows - {"last_aggregate"}, knows]  # before the first round there is none


def test_only_byzantine_samples_are_poisoned_and_only_in_the_run(dataset):
    before = dataset.y_train.clone()
    federation, _ = engine.prepare(config("label_flip", 2), dataset)
    held = np.concatenate(federation.shares[6:8])
    honest = np.concatenate(federation.shares[:6])
    poisoned = federation.poisoned[1]
    assert torch.equal(poisoned[held], 9 - before[held])
    assert torch.equal(poisoned[honest], before[honest])
    assert torch.equal(federation.y, before)
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
    # To record them changes nothing else of a run.
    bare = engine.run(config("rop", 2, rounds=4, eval_every=2), dataset)
    assert bare == {name: series for name, series in metrics.items() if name in bare}
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
    for strategy in ("loop", "merged", "grouped", "vmap"):
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


# --- rules and attacks that need more than the updates -----------------------------------


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


def test_a_rule_is_given_what_it_needs_and_no_more(dataset):
    given = {}
    for name, parameters in (
        ("krum", {}),
        ("mean", {"weights": "samples"}),
        ("fltrust", {}),
        ("gradient_guard", {}),
        ("mean_with_outliers", {"side": "vote"}),
        ("foolsgold", {"features": "last_layer"}),
    ):
        rule = AGGREGATORS[name](n_byzantine=2, **parameters)
        federation, state = engine.prepare(config(aggregator=rule), dataset)
        context = engine._aggregator_context(federation, state)
        given[name] = context and {k for k, v in vars(context).items() if v is not None}
    assert given == {
        "krum": None,
        "mean": {"sample_counts"},
        "fltrust": {"server_update"},
        "gradient_guard": {"saliency"},
        "mean_with_outliers": {"vote"},
        "foolsgold": {"output_weights"},
    }
    place = context.output_weights.nonzero().flatten()
    assert place.tolist() == list(range(7840))  # of softmax regression all but the bias


def test_a_rule_for_which_the_server_lacks_samples_is_refused():
    with pytest.raises(ConfigError, match=r"server_samples=0 .* aggregator='fltrust'"):
        config(rule="fltrust", server_samples=0)


def test_the_servers_update_is_a_clients_on_its_own_clean_samples(dataset):
    setting = config("label_flip", 2, rule="fltrust", client=MomentumSGD(10, 0.5))
    federation, state = engine.prepare(setting, dataset)
    index = torch.from_numpy(np.sort(federation.shares[8]))
    assert len(index.unique()) == 10
    grads, _ = gradients(state.model, dataset.x_train[index][None], dataset.y_train[index][None])
    context = engine._aggregator_context(federation, state)  # a batch is all ten samples
    torch.testing.assert_close(context.server_update, 0.5 * grads[0], rtol=1e-4, atol=1e-6)


def test_clients_vote_by_loss_and_byzantine_ones_against_it(dataset):
    rule = AGGREGATORS["mean_with_outliers"](n_byzantine=2, side="vote")
    setting = config("sign_flip", 2, aggregator=rule, learning_rate=0.5)
    federation, state = engine.prepare(setting, dataset)
    before = state.parameters.clone()
    x, y = dataset.x_train[None], dataset.y_train[None]
    downhill = gradients(state.model, x, y)[0][0]
    votes = engine._aggregator_context(federation, state).vote(torch.stack([downhill, -downhill]))
    assert votes.tolist() == [0] * 6 + [1] * 2
    assert torch.equal(state.parameters, before)
    broken = torch.full_like(downhill, math.nan)
    votes = engine._aggregator_context(federation, state).vote(torch.stack([broken, downhill]))
    assert votes.tolist() == [1] * 6 + [0] * 2


def test_an_attack_may_try_the_rule_as_it_stands(dataset):
    told = []
    setting = config("pga", 2, "centered_clipping")
    federation, state = engine.prepare(setting, dataset)
    engine.play_round(federation, state)
    kept = state.aggregator.clone()

    def spy(self, updates, attack_state, context):
        told.append(context.rule(torch.zeros_like(state.updates)))
        return updates[:2], attack_state

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ATTACKS["pga"], "_attack", spy)
        engine.play_round(federation, state)
    # Zero updates are clipped to within tau = 1 of the centre, which is the last aggregate.
    rule = setting.aggregator
    expected, _ = rule.apply(torch.zeros(8, len(kept)), kept)
    torch.testing.assert_close(told[0], expected)


def _drawn(batches, calls):
    """Note what is drawn from these batches from now on."""
    draw = batches.draw

    def spy(who, *more):
        found = draw(who, *more)
        calls.append((list(who), found.tolist()))
        return found

    batches.draw = spy


def test_trial_elections_leave_the_servers_own_alone(dataset):
    rule = AGGREGATORS["mean_with_outliers"](n_byzantine=2, side="vote")
    own, trials, elections = {}, {}, {}
    for attack in ("ipm", "camouflage", "pga"):
        setting = config(attack, 2, aggregator=rule)
        federation, state = engine.prepare(setting, dataset)
        own[attack], trials[attack] = [], []
        _drawn(state.vote_batches, own[attack])
        _drawn(state.trial_votes, trials[attack])
        with pytest.MonkeyPatch.context() as patch:
            calls = _recorded(patch, "_votes")
            for _ in range(3):
                engine.play_round(federation, state)
        elections[attack] = calls
    assert own["ipm"] == own["camouflage"] == own["pga"]
    assert len(own["ipm"]) == 3
    assert trials["ipm"] == []
    # One draw a round for all the trials, and not what the server's election is on.
    assert trials["camouflage"] == trials["pga"]
    assert len(trials["pga"]) == 3
    assert not any(batch in own["pga"] for batch in trials["pga"])
    # Each round three trials of camouflage and the election; the trials are on the same samples.
    assert len(elections["camouflage"]) == 12
    for start in (0, 4, 8):
        (first, *others), true = (
            [call[3:] for call in elections["camouflage"][start : start + 3]],
            elections["camouflage"][start + 3][3:],
        )
        assert all(other[0] is first[0] and other[1] is first[1] for other in others)
        assert not torch.equal(first[0], true[0])


def test_trial_probes_leave_the_servers_own_alone(dataset):
    rule = AGGREGATORS["gradient_guard"](n_byzantine=2, inputs="clients")
    own, trials = {}, {}
    for attack in ("ipm", "camouflage"):
        setting = config(attack, 2, aggregator=rule, server_samples=0)
        federation, state = engine.prepare(setting, dataset)
        own[attack], trials[attack] = [], []
        _drawn(state.probe_batches, own[attack])
        _drawn(state.trial_probes, trials[attack])
        for _ in range(2):
            engine.play_round(federation, state)
    assert own["ipm"] == own["camouflage"]
    assert trials["ipm"] == []
    assert [who for who, _ in trials["camouflage"]] == [[i] for i in range(8)] * 2
    assert not any(batch in own["ipm"] for batch in trials["camouflage"])


@pytest.mark.parametrize("buffer", ["own", "shared"])
def test_without_momentum_a_client_recovers_from_a_gradient_that_was_not_finite(dataset, buffer):
    setting = config("sign_flip", 2, "fltrust", client=MomentumSGD(5, momentum=0.0, buffer=buffer))
    federation, state = engine.prepare(setting, dataset)
    for rows in (state.updates, state.own, state.server, state.shared):
        rows.fill_(math.nan)
        rows.view(-1)[::2] = math.inf
    engine.play_round(federation, state)
    assert state.updates.isfinite().all() and state.own.isfinite().all()
    assert state.server.isfinite().all()
    # The gradients themselves, to the last digit.
    _, other = engine.prepare(setting, dataset)
    x, y = engine._next_batch(federation, other.batches, range(8), (federation.x, federation.y))
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


def _recorded(patch, name):
    """What a function of the engine's is called with from now on."""
    calls, original = [], getattr(engine, name)

    def spy(*args, **more):
        calls.append(args)
        return original(*args, **more)

    patch.setattr(engine, name, spy)
    return calls


def test_the_first_samples_of_each_of_the_attackers_batches_are_poisoned(dataset, monkeypatch):
    attack = ATTACKS["pixel_backdoor"](n_byzantine=2, per_batch=7)
    setting = config(rule="median", client=LocalSGD(10, 0.1, epochs=2)).with_(
        n_byzantine=2, attack=attack
    )
    federation, state = engine.prepare(setting, dataset)
    calls = _recorded(monkeypatch, "local_updates")
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
    index = torch.from_numpy(other.batches.draw(range(8), 5, "shuffle"))
    x, y = dataset.x_train[index], dataset.y_train[index]
    x[6:, :2] = attack.add_trigger(x[6:, :2].flatten(0, 1)).view(2, 2, 1, 28, 28)
    y[6:, :2] = 2
    expected, _ = gradients(other.model, x, y)
    engine.play_round(federation, state)
    torch.testing.assert_close(state.updates, expected, rtol=1e-4, atol=1e-6)


def test_attack_success_is_the_share_of_triggered_samples_in_the_target_class(dataset):
    attack = ATTACKS["pixel_backdoor"](n_byzantine=2)
    setting = config(rounds=1, eval_every=1).with_(n_byzantine=2, attack=attack)
    metrics = engine.run(setting, dataset)
    federation, state = engine.prepare(setting, dataset)
    engine.play_round(federation, state)
    others = dataset.y_test != 2
    predicted = state.model(attack.add_trigger(dataset.x_test[others])).argmax(1)
    expected = float((predicted == 2).float().mean())
    assert metrics["attack_success"][-1] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("attack", "parameters"),
    [("label_flip", {"mapping": "pair", "source": 3}), ("pixel_backdoor", {"target": 3})],
)
def test_without_a_test_sample_to_succeed_on_there_is_no_attack_success(
    dataset, attack, parameters
):
    # Only threes in the test set: all of them the backdoor's target, none of them without it.
    threes = (dataset.y_test == 3) == (attack == "pixel_backdoor")
    few = replace(dataset, x_test=dataset.x_test[threes], y_test=dataset.y_test[threes])
    attack = ATTACKS[attack](n_byzantine=2, **parameters)
    setting = config(rounds=1, eval_every=1).with_(n_byzantine=2, attack=attack)
    assert "attack_success" in engine.run(setting, dataset)
    metrics = engine.run(setting, few)
    assert "attack_success" not in metrics
    assert metrics["test_accuracy"][-1] is not None


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


def test_batch_norm_looks_at_each_voters_batch_alone():
    data = DataConfig("cifar10", "embedded", "glyphs-1", train_samples=60, test_samples=20)
    rule = AGGREGATORS["mean_with_outliers"](n_byzantine=1, side="vote")
    setting = config(data=data, n_clients=4, model="resnet20_code", aggregator=rule)
    federation, state = engine.prepare(setting, load_dataset(data))
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        original = engine.forward
        patch.setattr(engine, "forward", lambda m, x: seen.append(len(x)) or original(m, x))
        engine.play_round(federation, state)
    assert seen == [5] * 8  # four clients with batches of five, two candidates


# --- what is judged, and on what ----------------------------------------------------------


def test_the_average_iterate_is_the_mean_of_the_models_broadcast(dataset):
    setting = config(rounds=4, track=("average_iterate",))
    federation, state = engine.prepare(setting, dataset)
    broadcast = []
    for _ in range(4):
        broadcast.append(state.parameters.clone())
        engine.play_round(federation, state)
    torch.testing.assert_close(state.average, torch.stack(broadcast).mean(0))
    state.parameters.copy_(state.average)
    expected, _ = engine.evaluate(state.model, federation.x_test, federation.y_test)
    metrics = engine.run(setting, dataset)
    assert metrics["test_accuracy_average"] == [None, pytest.approx(expected, abs=1e-5)]
    assert metrics["test_accuracy"] == engine.run(config(rounds=4), dataset)["test_accuracy"]


def test_clients_are_tested_on_their_own_classes(dataset):
    partition = PARTITIONS["dirichlet_per_client"](alpha=0.05)
    judged = {}
    for test_set in ("pooled", "clients", "benign_clients"):
        setting = config("none", 3, partition=partition, test_set=test_set)
        federation, _ = engine.prepare(setting, dataset)
        judged[test_set] = federation
    n = len(dataset.y_test)
    assert len(judged["pooled"].y_test) == n
    assert len(judged["clients"].y_test) == n // 8 * 8
    assert len(judged["benign_clients"].y_test) == n // 5 * 5
    shares = judged["clients"].shares
    for i, labels in enumerate(judged["clients"].y_test.view(8, -1)):
        assert set(labels.tolist()) <= set(dataset.y_train[shares[i]].tolist())
    with pytest.raises(ConfigError, match="test_set='mine'"):
        config(test_set="mine")


def test_clients_vote_on_as_many_samples_as_configured(dataset):
    rule = AGGREGATORS["mean_with_outliers"](n_byzantine=2, side="vote")
    federation, state = engine.prepare(config(aggregator=rule, vote_samples=7), dataset)
    drawn = []
    draw = state.vote_batches.draw
    state.vote_batches.draw = lambda c, size, how: drawn.append(size) or draw(c, size, how)
    engine.play_round(federation, state)
    assert drawn == [7]


def test_saliency_maps_do_not_see_the_output_bias(dataset):
    setting = config("saliency_matching", 2, "gradient_guard", model="mlp_100")
    federation, state = engine.prepare(setting, dataset)
    engine.play_round(federation, state)
    assert federation.output_bias.nonzero().flatten().tolist() == list(range(79_500, 79_510))
    look = engine._aggregator_context(federation, state).saliency
    sent, honest = state.updates[-2:], state.own
    assert not torch.equal(sent, honest)
    torch.testing.assert_close(look(sent), look(honest), rtol=1e-5, atol=1e-7)
    # A probability does: that reading of equation (1) is not blind to this attack.
    asked = {"score": "probability"}
    assert (look(sent, **asked) - look(honest, **asked)).abs().max() > 1e-4


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("model", ["cnn_4_8", "mlp_100", "resnet20_code"])
def test_saliency_maps_are_gradients_of_the_score(dataset, model, score):
    federation, state = engine.prepare(config(model=model), dataset)
    x, y = federation.x[:3].clone().requires_grad_(), federation.y[:3]
    out = state.model(x)
    out = out.softmax(1) if score == "probability" else out
    (expected,) = torch.autograd.grad(sum(out[i, y[i]] for i in range(3)), x)
    found = saliency_maps(state.model, state.parameters[None], x.detach(), y, score)
    torch.testing.assert_close(found[0], expected.abs().amax(1))


def test_reputations_and_their_separation_are_recorded(dataset):
    setting = config("sign_flip", 3, "flair", track=("reputation",), rounds=6, eval_every=3)
    metrics = engine.run(setting, dataset)
    assert [len(values) for values in metrics["reputation"]] == [8, 8]
    assert all(0 <= value <= 1 for value in metrics["separation"])
    scores = torch.tensor([1.0, 2.0, 3.0, 2.0, 0.0])
    # Of six pairs of an honest and a Byzantine client: 1 > 0, 2 > 0, 3 > 2, 3 > 0 and a tie.
    assert float(engine.separation(scores, 3)) == pytest.approx(4.5 / 6)
    with pytest.raises(ConfigError, match="track='reputation' is for rules that keep"):
        config(rule="median", track=("reputation",))


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
        assert float(engine.separation(rule.scores(state.updates, honest, None), 5)) == 0
        given[reference] = metrics["separation"]
    assert given["aggregate"] != given["server"]
    with pytest.raises(ConfigError, match=r"server_samples=0 .* aggregator='gradient_guard'"):
        config(aggregator=rule, server_samples=0)


def test_gradient_guard_may_look_at_each_clients_own_samples(dataset):
    rule = AGGREGATORS["gradient_guard"](n_byzantine=2, inputs="clients")
    setting = config("sign_flip", 2, aggregator=rule, server_samples=0, rounds=2, eval_every=2)
    federation, state = engine.prepare(setting, dataset)
    seen = []
    draw = state.probe_batches.draw
    state.probe_batches.draw = lambda who, *more: seen.append(list(who)) or draw(who, *more)
    engine.play_round(federation, state)
    assert seen == [[i] for i in range(8)]
    assert engine.run(setting, dataset) == engine.run(setting, dataset)


def test_a_shared_momentum_passes_from_client_to_client_and_on(dataset):
    client = MomentumSGD(5, momentum=0.5, buffer="shared")
    federation, state = engine.prepare(config("sign_flip", 2, client=client), dataset)
    _, plain = engine.prepare(config("sign_flip", 2, client=MomentumSGD(5)), dataset)
    buffer = torch.zeros_like(state.parameters)
    for _ in range(2):
        plain.parameters.copy_(state.parameters)
        x, y = engine._next_batch(federation, plain.batches, range(8), (federation.x, federation.y))
        grads, _ = gradients(plain.model, x, y)
        engine.play_round(federation, state)
        for i, grad in enumerate(grads):
            buffer = 0.5 * buffer + 0.5 * grad
            sent = state.updates[i] if i < 6 else state.own[i - 6]
            torch.testing.assert_close(sent, buffer, rtol=1e-4, atol=1e-6)
