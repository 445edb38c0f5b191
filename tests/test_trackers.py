"""What is recorded of a run."""

import json
import math
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from small import config

from fedlib import engine, models
from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.clients import RobustSGD
from fedlib.data import DataConfig, load_dataset
from fedlib.gradients import gradients
from fedlib.metrics import evaluate
from fedlib.trackers import TRACKERS, Tracker, average_iterate
from fedlib.trackers.decision import decisions
from fedlib.trackers.reputation import separation
from fedlib.trackers.robustness import certificate, perturbation_curve
from fedlib.validation import ConfigError


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


def test_evaluation_counts_every_sample_once(dataset):
    model = models.make_model("softmax_regression", dataset.shape, 10, 1)
    accuracy, loss = evaluate(model, dataset.x_test, dataset.y_test)
    logits = model(dataset.x_test).detach()
    assert accuracy == pytest.approx(float((logits.argmax(1) == dataset.y_test).float().mean()))
    expected = torch.nn.functional.cross_entropy(logits, dataset.y_test)
    assert loss == pytest.approx(float(expected), rel=1e-5)


def test_a_metric_that_is_not_finite_is_none(dataset):
    metrics = engine.run(config(learning_rate=3e38, rounds=3, eval_every=1), dataset)
    assert metrics["test_loss"][-1] is None


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


def test_a_model_that_has_diverged_does_not_do_what_the_attacker_wants(dataset):
    attack = ATTACKS["pixel_backdoor"](n_byzantine=2, target=0)
    setting = config(rounds=1, eval_every=1).with_(n_byzantine=2, attack=attack)
    federation, state = engine.prepare(setting, dataset)
    state.parameters.fill_(math.nan)
    # Of a row of NaN the first entry counts as the largest, and it belongs to the target.
    accuracy, _ = evaluate(state.model, dataset.x_test, dataset.y_test)
    assert accuracy == pytest.approx(float((dataset.y_test == 0).float().mean()))
    tracker = TRACKERS["attack_success"](federation, state)
    assert tracker.report(state) == {"attack_success": 0}


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


def test_the_average_iterate_is_the_mean_of_the_models_broadcast(dataset):
    setting = config(rounds=4, track=("average_iterate",))
    federation, state = engine.prepare(setting, dataset)
    broadcast = []
    for _ in range(4):
        broadcast.append(state.parameters.clone())
        engine.play_round(federation, state)
    state.parameters.copy_(torch.stack(broadcast).mean(0))
    expected, _ = evaluate(state.model, *federation.test)
    metrics = engine.run(setting, dataset)
    assert metrics["test_accuracy_average"] == [None, pytest.approx(expected, abs=1e-5)]
    assert metrics["test_accuracy"] == engine.run(config(rounds=4), dataset)["test_accuracy"]


def test_the_average_iterate_itself_is_the_mean_and_leaves_the_model_as_it_was(
    dataset, monkeypatch
):
    federation, state = engine.prepare(config(rounds=3), dataset)
    tracker = TRACKERS["average_iterate"](federation, state)
    evaluated, broadcast = [], []

    def evaluate_parameters(model, x, y):
        evaluated.append(state.parameters.clone())
        return 0.5, 1.0

    monkeypatch.setattr(average_iterate, "evaluate", evaluate_parameters)
    for _ in range(3):
        broadcast.append(state.parameters.clone())
        engine.play_round(federation, state, [tracker])
    last = state.parameters.clone()
    assert tracker.report(state) == {"test_accuracy_average": 0.5}
    torch.testing.assert_close(evaluated[0], torch.stack(broadcast).mean(0))
    assert torch.equal(state.parameters, last)


def test_reputations_and_their_separation_arerecorded_calls(dataset):
    setting = config("sign_flip", 3, "flair", track=("reputation",), rounds=6, eval_every=3)
    metrics = engine.run(setting, dataset)
    assert [len(values) for values in metrics["reputation"]] == [8, 8]
    assert all(0 <= value <= 1 for value in metrics["separation"])
    scores = torch.tensor([1.0, 2.0, 3.0, 2.0, 0.0])
    # Of six pairs of an honest and a Byzantine client: 1 > 0, 2 > 0, 3 > 2, 3 > 0 and a tie.
    assert float(separation(scores, 3)) == pytest.approx(4.5 / 6)
    with pytest.raises(ConfigError, match="track='reputation' is for rules that keep"):
        config(rule="median", track=("reputation",))


def test_the_training_loss_is_that_of_the_honest_clients_since_the_last_evaluation(dataset):
    setting = config("label_flip", 2, rounds=5, eval_every=2)
    metrics = engine.run(setting, dataset)
    federation, state = engine.prepare(setting, dataset)
    _, other = engine.prepare(setting, dataset)
    losses = []
    for _ in range(5):
        other.parameters.copy_(state.parameters)
        index = torch.from_numpy(other.streams("batches").draw(range(8), 5, "shuffle"))[:6]
        _, of_clients = gradients(other.model, dataset.x_train[index], dataset.y_train[index])
        losses.append(float(of_clients.mean()))
        engine.play_round(federation, state)
    means = [(losses[0] + losses[1]) / 2, (losses[2] + losses[3]) / 2, losses[4]]
    assert metrics["rounds"] == [2, 4, 5]  # the last round is always evaluated
    assert metrics["train_loss"] == pytest.approx(means, rel=1e-4)


def test_cosines_are_means_over_the_rounds_since_the_last_evaluation(dataset):
    setting = config("ipm", 3, rounds=5, eval_every=2, track=("cosines",))
    setting = setting.with_(attack=ATTACKS["alie"](n_byzantine=3, z=1.0, alternating=True))
    metrics = engine.run(setting, dataset)
    federation, state = engine.prepare(setting, dataset)
    seen = {"benign_to_last_aggregate": [], "byzantine_to_last_aggregate": []}
    consecutive, last_move = [], None
    for _ in range(5):
        last = state.last_aggregate
        engine.play_round(federation, state)
        sent = state.updates.double()
        if last is not None:
            unit = last.double() / last.double().norm()
            cosines = [float(row @ unit / row.norm()) for row in sent]
            seen["benign_to_last_aggregate"].append(sum(cosines[:5]) / 5)
            seen["byzantine_to_last_aggregate"].append(sum(cosines[5:]) / 3)
        move = sent[-1] - sent[:5].mean(0)
        if last_move is not None:
            consecutive.append(float(move @ last_move / move.norm() / last_move.norm()))
        last_move = move
    assert max(consecutive) < 0  # the sign of the perturbation alternates
    for name, values in {**seen, "consecutive_perturbations": consecutive}.items():
        expected = [values[0], (values[1] + values[2]) / 2, values[3]]
        assert metrics[f"cosine_{name}"] == pytest.approx(expected, abs=1e-4), name


def test_the_separation_is_the_mean_over_the_rounds_since_the_last_evaluation(dataset):
    setting = config("sign_flip", 3, "flair", track=("reputation",), rounds=4, eval_every=2)
    metrics = engine.run(setting, dataset)
    federation, state = engine.prepare(setting, dataset)
    found = []
    for _ in range(4):
        engine.play_round(federation, state)
        scores = state.aggregator.scores.tolist()
        pairs = [(honest, other) for honest in scores[:5] for other in scores[5:]]
        found.append(sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs))
    assert len(set(found)) > 1
    expected = [(found[0] + found[1]) / 2, (found[2] + found[3]) / 2]
    assert metrics["separation"] == pytest.approx(expected, abs=1e-5)
    assert metrics["reputation"][1] == pytest.approx(state.aggregator.reputation.tolist(), rel=1e-5)


def test_decisions_lie_from_left_to_right_and_from_the_lowest_ordinate_up():
    """Points are (-4 + 8 i / 60, -4 + 8 j / 60): class 1 right of x = 1, class 2 above y = 2."""

    def model(points):
        x, y = points[:, 0, 0, 0], points[:, 0, 0, 1]
        scores = torch.stack([0 * x, (x > 1.01).float(), 2 * (y > 2.01).float()], dim=1)
        return scores

    found = decisions(model, torch.device("cpu"))
    # -4 + 8 i / 60 > 1.01 from i = 38 on, and > 2.01 from i = 46 on.
    assert found == ["0" * 38 + "1" * 23] * 46 + ["2" * 61] * 15


def test_robustness_is_certified_on_training_data_and_curved_on_test_data():
    setting = config(
        data=DataConfig("circle", "embedded", "glyphs-1", 60, 20), model="elu_4_2",
        client=RobustSGD(5, gamma=0.7, ascent_steps=3, ascent_rate=0.2),
        rounds=2, eval_every=2, track=("robustness",),
    )  # fmt: skip
    dataset = load_dataset(setting.data)
    metrics = engine.run(setting, dataset)
    federation, state = engine.prepare(setting, dataset)
    for _ in range(2):
        engine.play_round(federation, state)
    found = certificate(state.model, dataset.x_train, dataset.y_train, 0.7, 3, 0.2)
    assert metrics["robustness_level"] == [pytest.approx(found.level, rel=1e-5)]
    assert metrics["worst_loss"] == [pytest.approx(found.worst_loss, rel=1e-5)]
    assert found.surrogate == pytest.approx(found.worst_loss - 0.7 * found.level)
    prices = [0.7 * 2.0**power for power in (5, 4, 3, 2, 1, 0, -1, -2)]
    curve = perturbation_curve(state.model, dataset.x_test, dataset.y_test, prices, 3, 0.2)
    assert metrics["perturbation_level"] == pytest.approx([a for a, _ in curve], rel=1e-5)
    assert metrics["perturbation_error"] == pytest.approx([b for _, b in curve], rel=1e-5)


# --- every tracker -------------------------------------------------------------------------

FITTING = (
    {},
    {"rule": "flair"},
    {"client": RobustSGD(5, ascent_steps=2)},
    {"data": DataConfig("circle", "embedded", "glyphs-1", 60, 20), "model": "elu_4_2"},
)
"""Changes of a small run; every tracker has something to record in one of them."""


def run_with(tracker):
    """A run that the tracker has something to record of, with it and without it."""
    for changes in FITTING:
        data = load_dataset(changes.get("data", config().data))
        try:
            setting = config("sign_flip", 2, track=(tracker,), **changes)
            return setting, data, engine.run(setting, data)
        except ConfigError:
            continue
    raise AssertionError(f"{tracker} fits none of the small runs.")


@pytest.mark.parametrize("name", [name for name in TRACKERS if not TRACKERS[name].always])
def test_every_tracker_records_something_and_changes_nothing_else(name):
    setting, data, metrics = run_with(name)
    bare = engine.run(setting.with_(track=()), data)
    assert metrics.keys() > bare.keys()
    assert {quantity: metrics[quantity] for quantity in bare} == bare
    for quantity in metrics.keys() - bare.keys():
        assert len(metrics[quantity]) > 0
    json.dumps(metrics, allow_nan=False)


def test_what_every_run_records_is_not_to_be_named():
    with pytest.raises(ConfigError, match="track='accuracy' is unknown"):
        config(track=("accuracy",))


def test_a_series_that_begins_late_has_none_before(dataset):
    metrics = engine.run(config("rop", 2, rounds=2, eval_every=1, track=("cosines",)), dataset)
    first, second = metrics["cosine_consecutive_perturbations"]
    assert first is None and -1 <= second <= 1


def test_how_often_the_server_takes_a_byzantine_update(dataset):
    """Krum takes an update as it is, and every honest client may win; the mean takes none."""
    setting = config(
        "ipm", 2, aggregator=AGGREGATORS["krum"](n_byzantine=2), rounds=6, eval_every=3,
        track=("taken",),
    )  # fmt: skip
    won = []

    def watch(federation, state):
        if state.last_aggregate is not None:
            won.append(bool((state.updates[-2:] == state.last_aggregate).all(1).any()))

    # A weak manipulation lies near the mean and wins; a strong one never does.
    shares = {}
    for epsilon in (-0.0, 10.0):
        attacked = setting.with_(attack=ATTACKS["ipm"](n_byzantine=2, epsilon=abs(epsilon)))
        shares[abs(epsilon)] = engine.run(attacked, dataset, before_round=watch)["byzantine_taken"]
    assert shares[10.0] == [0.0, 0.0]
    assert won[:2].count(True) / 3 <= shares[0.0][0] <= (won[:2].count(True) + 1) / 3
    mean = setting.with_(aggregator=AGGREGATORS["mean"](n_byzantine=2))
    assert engine.run(mean, dataset)["byzantine_taken"] == [0.0, 0.0]


@pytest.mark.parametrize("name", ["rounds", "test_accuracy"])
def test_a_tracker_cannot_take_the_name_of_another_quantity(dataset, monkeypatch, name):
    class Clashes(Tracker):
        name, always = "clashes", True
        said: ClassVar[str]

        def report(self, state):
            return {self.said: 0.5}

    Clashes.said = name
    monkeypatch.setitem(TRACKERS._classes, "clashes", Clashes)
    with pytest.raises(ConfigError, match=f"tracker='clashes' reports '{name}', which is recorded"):
        engine.run(config(), dataset)


def test_a_tracker_may_report_tensors_and_nothing_that_no_record_can_keep(dataset, monkeypatch):
    class Reports(Tracker):
        name, always = "reports", True
        value: ClassVar[object] = torch.tensor(0.123456789)

        def report(self, state):
            return {"mine": self.value}

        def final(self, state):
            return {"last": np.arange(3)}

    monkeypatch.setitem(TRACKERS._classes, "reports", Reports)
    metrics = engine.run(config(), dataset)
    assert (metrics["mine"], metrics["last"]) == ([0.123457] * 2, [0, 1, 2])
    # A number that is not finite becomes None wherever it stands.
    Reports.value = {"a": math.nan, "b": (1.0, math.inf)}
    assert engine.run(config(), dataset)["mine"] == [{"a": None, "b": [1.0, None]}] * 2
    Reports.value = object()
    with pytest.raises(ConfigError, match="reports 'mine' of type object: must be a number"):
        engine.run(config(), dataset)
