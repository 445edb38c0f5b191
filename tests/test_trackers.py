"""What is recorded of a run."""

import json
from dataclasses import replace

import pytest
import torch
from small import config

from fedlib import engine, models
from fedlib.attacks import ATTACKS
from fedlib.clients import RobustSGD
from fedlib.data import DataConfig, load_dataset
from fedlib.metrics import evaluate
from fedlib.trackers import TRACKERS
from fedlib.trackers.reputation import separation
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
