"""The rules and attacks in Flower. Flower is an extra, which ``make test`` does not install."""

import doctest
import importlib
import inspect
import logging
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("flwr", reason="needs the extra flower, which make test does not install")

import federated
from federated import NODES, Nodes, arrays_of, begin, error, floats_of, honest, reply, trained
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAvg

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.federation import Facts
from fedlib.integrations.flower import AttackMod, RuleStrategy, UnderAttack
from fedlib.models import make_model
from fedlib.validation import ConfigError

ROOT = Path(__file__).parents[1]
QUIET = {"fraction_evaluate": 0.0}
D = 10
F = 2
INNER = {"name": "flair", "n_byzantine": F}


@pytest.mark.parametrize("name", ["attacked", "facts", "layout", "mod", "replies", "strategy"])
def test_examples_give_what_they_show(name):
    result = doctest.testmod(importlib.import_module(f"fedlib.integrations.flower.{name}"))
    assert result.attempted and not result.failed


@pytest.mark.parametrize("strategy", [RuleStrategy, UnderAttack])
def test_the_reference_shows_the_parameters_that_a_strategy_has(strategy):
    # The page gives them itself, because it is made without Flower.
    page = (ROOT / "book" / "api" / "flower.md").read_text()
    shown = re.search(rf"flower\.{strategy.__name__}\((.*)\)$", page, re.MULTILINE)[1]
    names = re.findall(r"(\w+)(?:=[^,]+)?(?:, |$)", shown)
    assert names == list(inspect.signature(strategy).parameters)


def server_update(played):
    return torch.linspace(0.5, 1.5, D) * played.number


def saliency(played):
    return lambda updates, raw=False, score="logit": (
        updates.double().abs()[:, :9].reshape(len(updates), 1, 3, 3)
    )


FACTS = {
    "server_update": server_update,
    "saliency": saliency,
    "output_weights": lambda played: torch.arange(D) > 5,
    "vote": lambda played: lambda candidates: torch.zeros(len(NODES), dtype=torch.long),
}
OWN = ("gradient_guard", "bulyan", "bucketing")
"""Rules that must be set otherwise for so few clients and parameters."""
SPECIFICATIONS = [
    *({"name": name, "n_byzantine": F} for name in AGGREGATORS if name not in OWN),
    {"name": "gradient_guard", "n_byzantine": F, "window": 3},
    {"name": "bulyan", "n_byzantine": 1},
    {"name": "bucketing", "n_byzantine": 1},
    {"name": "mean", "weights": "samples"},
    {"name": "foolsgold", "features": "last_layer"},
    {"name": "monna", "trusted": "client", "client": 3, "n_byzantine": F},
    {"name": "mean_with_outliers", "side": "vote", "n_byzantine": F},
    {"name": "nearest_neighbour_mixing", "rule": INNER, "n_byzantine": F},
    {"name": "bucketing", "rule": {"name": "centered_clipping"}, "n_byzantine": 1},
]


def rows(number, model, nodes=None):
    """What the server gets in a round: the updates of the nodes in ascending order."""
    broadcast = arrays_of(
        weight=model[:6].reshape(2, 3), count=np.int64(number - 1), bias=model[6:]
    )
    nodes = sorted(NODES if nodes is None else nodes)
    sent = [floats_of(trained(broadcast, node, number)) for node in nodes]
    return torch.from_numpy(np.stack([model - each for each in sent]))


def started(strategy, rounds=3, grid=None):
    return strategy.start(grid or Nodes(), begin(), num_rounds=rounds)


@pytest.mark.parametrize("spec", SPECIFICATIONS, ids=lambda spec: "-".join(map(str, spec.values())))
def test_a_rule_gives_the_numbers_that_it_gives_without_flower(spec):
    strategy = RuleStrategy(spec, facts=FACTS, **QUIET)
    result = started(strategy)
    rule, state, model = strategy.rule, None, np.zeros(D, np.float32)
    for number in (1, 2, 3):
        updates = rows(number, model)
        known = {name: make(Played(number)) for name, make in FACTS.items() if name in rule.needs}
        if "sample_counts" in rule.needs:
            known["sample_counts"] = torch.full((len(NODES),), 10.0)
        aggregate, state = rule.apply(updates, state, Facts(**known))
        model = model - aggregate.numpy()
    np.testing.assert_allclose(floats_of(result.arrays), model, rtol=1e-5, atol=1e-5)
    assert result.arrays["count"].numpy() == 3
    assert result.train_metrics_clientapp[3]["fedlib-rows"] == len(NODES)
    assert result.train_metrics_clientapp[3]["loss"] == pytest.approx(1.0)


class Played:
    def __init__(self, number):
        self.number = number


def test_the_weighted_mean_is_fedavg():
    def unequal(message, number):
        node = message.metadata.dst_node_id
        arrays = trained(message.content["arrays"], node, number)
        return reply(message, arrays, **{"num-examples": node})

    grid = Nodes(dict.fromkeys(NODES, unequal))
    ours = started(RuleStrategy({"name": "mean", "weights": "samples"}, **QUIET), grid=grid)
    flowers = started(FedAvg(**QUIET), grid=grid)
    np.testing.assert_allclose(floats_of(ours.arrays), floats_of(flowers.arrays), rtol=1e-5)
    assert ours.train_metrics_clientapp[2]["loss"] == pytest.approx(1.0)


REMEMBERING = [
    {"name": "foolsgold"},
    {"name": "flair", "n_byzantine": 1},
    {"name": "nearest_neighbour_mixing", "n_byzantine": 1, "rule": {"name": "flair"}},
]


@pytest.mark.parametrize("spec", REMEMBERING, ids=lambda spec: spec["name"])
def test_a_rule_remembers_clients_that_take_part_now_and_then(spec, monkeypatch):
    turns = [(7, 3, 19), (31, 7, 41, 3), (19, 41, 13), (3, 7, 31)]
    monkeypatch.setattr(
        "flwr.serverapp.strategy.fedavg.sample_nodes",
        lambda grid, *_: (turns[len(seen)], grid.get_node_ids()),
    )
    seen = []
    strategy = RuleStrategy(spec, watch=lambda played, _: seen.append(played), **QUIET)
    started(strategy, rounds=len(turns))
    assert [played.clients for played in seen] == [sorted(turn) for turn in turns]
    # By hand: each client's parts of the state are kept apart, and laid side by side.
    rule, kept, state = strategy.rule, {}, None
    for played in seen:
        nodes = list(played.clients)
        if state is not None:
            parts = iter(range(9))
            state = rule.with_clients(
                state, lambda old, parts=parts, nodes=nodes: side_by_side(kept, next(parts), nodes)
            )
        _, state = rule.apply(played.updates, state)
        note(rule, state, nodes, kept)
    final = []
    rule.with_clients(strategy.memory.state, lambda part: final.append(part) or part)
    for part, values in enumerate(final):
        assert len(values) == len(NODES)
        for node, row in zip(sorted(NODES), values, strict=True):
            wanted = kept.get((part, node), torch.zeros_like(row))
            torch.testing.assert_close(row, wanted)
    if spec["name"] == "foolsgold":  # The history is the sum of the client's updates.
        mine = [p.updates[p.clients.index(7)] for p in seen if 7 in p.clients]
        torch.testing.assert_close(final[0][sorted(NODES).index(7)], sum(mine))


def side_by_side(kept, part, nodes):
    known = [value for (number, _), value in kept.items() if number == part]
    zero = torch.zeros_like(known[0])
    return torch.stack([kept.get((part, node), zero) for node in nodes])


def note(rule, state, nodes, kept):
    parts = []
    rule.with_clients(state, lambda part: parts.append(part) or part)
    for number, values in enumerate(parts):
        kept.update({(number, node): row for node, row in zip(nodes, values, strict=True)})


def test_a_node_that_joins_later_gets_the_next_number():
    strategy = RuleStrategy({"name": "foolsgold"}, **QUIET)
    grid = Nodes(nodes=(20, 10, 30))
    arrays = begin()
    for number in (1, 2):
        messages = strategy.configure_train(number, arrays, federated_config(), grid)
        strategy.aggregate_train(number, grid.send_and_receive(messages))
        grid.nodes = [5, *grid.nodes][:4]
    assert strategy.numbers.clients == [10, 20, 30, 5]
    assert strategy.memory.state.shape == (4, D)


def federated_config():
    from flwr.app import ConfigRecord

    return ConfigRecord()


def test_a_trusted_client_is_found_when_others_are_absent():
    trusted = {"name": "monna", "trusted": "client", "client": 3, "n_byzantine": 1}
    absent = {3: lambda *_: None, 7: lambda message, _: error(message)}
    seen = []
    strategy = RuleStrategy(trusted, watch=lambda *all_of: seen.append(all_of), **QUIET)
    started(strategy, 1, Nodes(absent))
    # Of all nodes in order, 13 has the number 3; without 3 and 7 it stands in row 1.
    (played, aggregate), *_ = seen
    assert played.clients.index(13) == 1
    expected, _ = replace(strategy.rule, client=1).apply(played.updates)
    torch.testing.assert_close(aggregate, expected)
    result = started(strategy, 1, Nodes({13: lambda *_: None}))
    assert result.train_metrics_clientapp[1]["fedlib-skipped"] == 1


def nan(message, number):
    answer = honest(message, number)
    answer.content["arrays"] = arrays_of(
        weight=np.full((2, 3), np.nan, "f4"), count=np.int64(99), bias=np.zeros(4, "f4")
    )
    return answer


def shape(message, number):
    return reply(message, arrays_of(weight=np.zeros((3, 3), "f4"), count=np.int64(1), bias=[0.0]))


def lacks(message, number):
    return reply(message, arrays_of(weight=np.zeros((2, 3), "f4")))


def empty(message, number):
    return reply(message)


def unreadable(message, number):
    answer = honest(message, number)
    answer.content["arrays"]["bias"].data = b"no array"
    return answer


def whole(message, number):
    return reply(
        message, arrays_of(weight=np.zeros((2, 3), int), count=np.int64(1), bias=np.zeros(4))
    )


def test_what_is_wrong_is_handled_counted_and_logged(caplog):
    wrong = {3: nan, 7: shape, 11: lambda message, _: error(message), 13: lambda *_: None}
    strategy = RuleStrategy({"name": "median", "n_byzantine": 2}, **QUIET)
    with caplog.at_level(logging.INFO, logger="flwr"):
        logging.getLogger("flwr").propagate = True
        result = started(strategy, 1, Nodes(wrong))
    metrics = result.train_metrics_clientapp[1]
    assert {name: metrics[f"fedlib-{name}"] for name in (
        "rows", "failed", "malformed", "non-finite", "skipped", "metrics-left-out"
    )} == {"rows": 6, "failed": 2, "malformed": 1, "non-finite": 1, "skipped": 0,
           "metrics-left-out": 0}  # fmt: skip
    updates = rows(1, np.zeros(D, np.float32), set(NODES) - {11, 13})
    updates[0] = updates[1] = 0  # nodes 3 and 7
    expected = -AGGREGATORS["median"](n_byzantine=2).apply(updates)[0]
    np.testing.assert_allclose(floats_of(result.arrays), expected, rtol=1e-6)
    assert result.arrays["count"].numpy() == 1  # the counter of most, not the 99
    assert "failed: node 11: out of memory" in caplog.text
    assert "malformed from 7: weight has shape (3, 3), not (2, 3)" in caplog.text


@pytest.mark.parametrize("act", [shape, lacks, empty, unreadable, whole], ids=lambda f: f.__name__)
def test_a_malformed_reply_is_the_zero_update(act):
    seen = []
    strategy = RuleStrategy({"name": "median"}, watch=lambda *all_of: seen.append(all_of), **QUIET)
    result = started(strategy, 1, Nodes({19: act}))
    assert result.train_metrics_clientapp[1]["fedlib-malformed"] == 1
    played = seen[0][0]
    assert not played.updates[played.clients.index(19)].any()
    assert played.updates.any(1).sum() == len(NODES) - 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 0])
def test_a_number_of_samples_that_is_none(value):
    def claims(message, number):
        arrays = trained(message.content["arrays"], 19, number)
        return reply(message, arrays, **{"num-examples": value})

    grid = Nodes({19: claims})
    counted = started(RuleStrategy({"name": "mean", "weights": "samples"}, **QUIET), 1, grid)
    assert counted.train_metrics_clientapp[1]["fedlib-malformed"] == 1
    without = rows(1, np.zeros(D, np.float32), set(NODES) - {19})
    np.testing.assert_allclose(floats_of(counted.arrays), -without.mean(0), rtol=1e-5)
    # A rule that does not need the number uses the update, and the metrics are left out.
    others = started(RuleStrategy({"name": "mean"}, **QUIET), 1, grid)
    assert others.train_metrics_clientapp[1]["fedlib-malformed"] == 0
    assert others.train_metrics_clientapp[1]["fedlib-metrics-left-out"] == 1
    assert others.train_metrics_clientapp[1]["loss"] == pytest.approx(1.0)


def test_metrics_that_do_not_go_together_are_left_out_of_an_evaluation():
    def odd(message, number):
        if message.metadata.message_type == "train":
            return honest(message, number)
        return reply(message, accuracy=1.0) if number == 1 else reply(message, loss=np.nan)

    result = started(RuleStrategy({"name": "mean"}), 2, Nodes({7: odd, 11: odd}))
    for number in (1, 2):
        metrics = result.evaluate_metrics_clientapp[number]
        assert metrics["loss"] == pytest.approx(1.0)
        assert metrics["fedlib-metrics-left-out"] == 2


def test_a_rule_that_cannot_serve_the_rows_leaves_the_model_as_it_is():
    silent = dict.fromkeys((3, 7, 11, 13), lambda *_: None)
    result = started(RuleStrategy({"name": "median", "n_byzantine": 3}, **QUIET), 1, Nodes(silent))
    assert not result.arrays  # nothing new
    assert result.train_metrics_clientapp[1]["fedlib-skipped"] == 1
    zero = RuleStrategy({"name": "median", "n_byzantine": 3}, absent="zero", **QUIET)
    result = started(zero, 1, Nodes(silent))
    updates = torch.cat([torch.zeros(4, D), rows(1, np.zeros(D, "f4"), set(NODES) - set(silent))])
    np.testing.assert_allclose(floats_of(result.arrays), -updates.quantile(0.5, 0), atol=2)
    assert result.train_metrics_clientapp[1]["fedlib-rows"] == len(NODES)
    expected = -AGGREGATORS["median"](n_byzantine=3).apply(updates)[0]
    np.testing.assert_allclose(floats_of(result.arrays), expected, rtol=1e-5)


def test_nobody_answers():
    result = started(
        RuleStrategy({"name": "median"}, **QUIET), 1, Nodes(dict.fromkeys(NODES, lambda *_: None))
    )
    assert result.train_metrics_clientapp[1]["fedlib-failed"] == len(NODES)
    assert result.train_metrics_clientapp[1]["fedlib-skipped"] == 1


def test_two_trainings_of_one_strategy_do_not_know_of_each_other():
    strategy = RuleStrategy({"name": "foolsgold"}, **QUIET)
    first, second = started(strategy), started(strategy)
    np.testing.assert_array_equal(floats_of(first.arrays), floats_of(second.arrays))


def test_input_that_cannot_be_used_is_refused():
    with pytest.raises(ConfigError, match=r"rule='fltrust' needs the fact 'server_update'"):
        RuleStrategy({"name": "fltrust"})
    with pytest.raises(ConfigError, match="absent='none'"):
        RuleStrategy({"name": "mean"}, absent="none")
    with pytest.raises(ConfigError, match="needs client_of=node_id"):
        RuleStrategy({"name": "mean"}, absent="zero", client_of=lambda message: 1)
    with pytest.raises(ConfigError, match="facts='nothing'"):
        RuleStrategy({"name": "mean"}, facts={"nothing": server_update})
    with pytest.raises(ConfigError, match=r"n_byzantine=5 is too many for median"):
        started(RuleStrategy({"name": "median", "n_byzantine": 5}, **QUIET))
    with pytest.raises(ConfigError, match="holds no floating-point numbers"):
        RuleStrategy({"name": "mean"}, **QUIET).start(Nodes(), arrays_of(count=np.int64(1)))


# --- attacks -----------------------------------------------------------------------------

OF_DATA = {name for name in ATTACKS if ATTACKS[name].poison is not ATTACKS["alie"].poison}
MODEL = make_model("softmax_regression", (1, 3, 3), 1, 0)  # 9 weights and a bias


def refused(make, name):
    try:
        make(name)
    except ConfigError as error:
        return str(error)
    return None


def test_which_attacks_there_are_for_whom():
    told = {name: refused(lambda n: AttackMod({"name": n}, model=MODEL), name) for name in ATTACKS}
    alone = {name for name, reason in told.items() if reason is None}
    assert {"sign_flip", "gaussian_noise", "bit_flip", "mpaf", "saliency_matching"} <= alone
    assert "wrap the strategy in UnderAttack" in told["alie"]
    assert "poison the samples" in told["label_flip"]
    assert "an agent" in told["two_stage"]
    ours = RuleStrategy({"name": "median", "n_byzantine": F})
    told = {
        name: refused(lambda n: UnderAttack(ours, {"name": n}, F, model=MODEL), name)
        for name in ATTACKS
    }
    left = {name for name, reason in told.items() if reason}
    assert left == {n for n in ATTACKS if "poison the samples" in (told[n] or "")} | {"two_stage"}
    assert left <= OF_DATA | {"two_stage"}
    assert "a RuleStrategy" in refused(lambda n: UnderAttack(FedAvg(), {"name": n}, F), "pga")
    assert "give model=" in refused(lambda n: AttackMod({"name": n}), "saliency_matching")


EVERYONE = [name for name in ATTACKS if name != "two_stage" and name not in OF_DATA]


@pytest.mark.parametrize("name", EVERYONE)
def test_an_omniscient_attack_sends_what_it_sends_without_flower(name):
    spec = {"name": "trimmed_mean", "n_byzantine": F}
    seen = []
    ours = RuleStrategy(spec, watch=lambda played, _: seen.append(played), **QUIET)
    strategy = UnderAttack(ours, {"name": name}, attackers=F, model=MODEL)
    started(strategy, 2)
    attack = ATTACKS[name](n_byzantine=F)
    state, last = attack.init(len(NODES), D), None
    rule = ours.rule
    for played in seen:
        model = played.model.numpy()
        updates = rows(played.number, model)  # in the order of the nodes: attackers are the last
        facts = {
            "own_updates": updates[-F:],
            "model": played.model,
            "last_aggregate": last,
            "rule": lambda all_of: rule.apply(all_of)[0],
            "candidates": lambda all_of: rule.apply(all_of)[0][None],
        }
        if name == "saliency_matching":
            facts["output_bias"] = torch.arange(D) == 9
        if "critical_parameters" in attack.knows:
            facts["critical_parameters"] = torch.ones(D, dtype=torch.bool)
        told = {fact: value for fact, value in facts.items() if fact in attack.knows}
        benign = updates[:-F] if "benign_updates" in attack.knows else updates[:0]
        sent, state = attack.apply(benign, state, Facts(**told))
        torch.testing.assert_close(played.updates[-F:], sent, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(played.updates[:-F], updates[:-F], rtol=1e-4, atol=1e-4)
        last = rule.apply(played.updates)[0]


def test_attackers_that_nobody_asks_and_honest_clients_that_fail():
    few = Nodes({31: lambda *_: None, 3: nan, 7: shape})
    seen = []
    ours = RuleStrategy({"name": "median"}, watch=lambda played, _: seen.append(played), **QUIET)
    started(UnderAttack(ours, {"name": "alie", "z": 1.5}, attackers={31, 41}), 1, few)
    (played,) = seen
    honest_rows = rows(1, np.zeros(D, "f4"), {11, 13, 19, 23})
    sent = played.updates[played.clients.index(41)]
    torch.testing.assert_close(sent, honest_rows.mean(0) - 1.5 * honest_rows.std(0))
    nobody = Nodes(dict.fromkeys((31, 41), lambda *_: None))
    result = started(UnderAttack(FedAvg(**QUIET), {"name": "alie", "z": 1.5}, {31, 41}), 1, nobody)
    left = rows(1, np.zeros(D, "f4"), set(NODES) - {31, 41})
    np.testing.assert_allclose(floats_of(result.arrays), -left.mean(0), rtol=1e-5)


def test_an_attack_that_tries_a_rule_that_has_no_answer_is_left_out():
    silent = dict.fromkeys((3, 7, 11, 13), lambda *_: None)
    ours = RuleStrategy({"name": "median", "n_byzantine": 3}, **QUIET)
    result = started(UnderAttack(ours, {"name": "pga"}, attackers=1), 1, Nodes(silent))
    assert result.train_metrics_clientapp[1]["fedlib-skipped"] == 1


def test_attackers_must_be_named_if_clients_are():
    ours = RuleStrategy({"name": "mean"}, client_of=lambda message: message.metadata.src_node_id)
    with pytest.raises(ConfigError, match="must be the names of the attackers"):
        UnderAttack(ours, {"name": "alie"}, attackers=2)
    with pytest.raises(ConfigError, match="strategy"):
        UnderAttack("FedAvg", {"name": "alie"}, attackers=2)


class Apps(Nodes):
    """Nodes that are an app each, with the context that Flower keeps for them."""

    def __init__(self, mods):
        app = ClientApp(mods=mods)

        @app.train()
        def train(message, context):
            number = int(message.content["config"]["server-round"])
            return honest(message, number)

        contexts = {
            node: Context(1, node, {"partition-id": number}, RecordDict(), {})
            for number, node in enumerate(NODES)
        }

        def act(message, number):
            return app(message, contexts[message.metadata.dst_node_id])

        super().__init__(dict.fromkeys(NODES, act))


def test_a_mod_attacks_by_what_the_client_knows():
    seen = []
    ours = RuleStrategy({"name": "mean"}, watch=lambda played, _: seen.append(played), **QUIET)
    started(ours, 2, Apps([AttackMod({"name": "sign_flip"}, attackers={0, 2})]))
    attack = ATTACKS["sign_flip"](n_byzantine=1)
    for played in seen:
        updates = rows(played.number, played.model.numpy())
        for partition in (0, 2):
            row = sorted(NODES).index(NODES[partition])
            own = updates[row][None]
            updates[row] = attack.apply(own[:0], None, Facts(own_updates=own))[0][0]
        torch.testing.assert_close(played.updates, updates, rtol=1e-4, atol=1e-4)


def test_a_mod_keeps_its_state_and_clients_draw_apart():
    seen = []
    ours = RuleStrategy({"name": "mean"}, watch=lambda played, _: seen.append(played), **QUIET)
    started(ours, 2, Apps([AttackMod({"name": "gaussian_noise"}, attackers={0, 2})]))
    sent = [played.updates[played.clients.index(NODES[p])] for played in seen for p in (0, 2)]
    for i, one in enumerate(sent):
        for other in sent[:i]:
            assert (one - other).abs().max() > 1e-3


def test_a_mod_lets_errors_and_other_messages_pass():
    mod = AttackMod({"name": "sign_flip"})
    message = Message(RecordDict({"arrays": begin()}), dst_node_id=3, message_type="train")
    context = Context(1, 3, {}, RecordDict(), {})
    answer = error(message)
    assert mod(message, context, lambda *_: answer) is answer
    other = Message(RecordDict(), dst_node_id=3, message_type="evaluate")
    assert mod(other, context, lambda *_: answer) is answer
    broken = shape(message, 1)
    assert mod(message, context, lambda *_: broken).content["arrays"]["bias"].shape == (1,)


def test_the_mean_is_what_an_unweighted_fedavg_gives_under_attack():
    """Flower's own FedAvg under ALIE has the numbers of the rule under ALIE."""
    attack = {"name": "alie"}
    flowers = started(UnderAttack(FedAvg(**QUIET), attack, F))
    ours = started(UnderAttack(RuleStrategy({"name": "mean"}, **QUIET), attack, F))
    np.testing.assert_allclose(
        floats_of(ours.arrays), floats_of(flowers.arrays), rtol=1e-4, atol=1e-4
    )
    assert federated.NODES == NODES


# --- Flower's own engine ------------------------------------------------------------------


def of_the_page():
    """The code of the page's part on Flower, as a reader would copy it."""
    text = (ROOT / "book" / "flower_and_ray.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


AFTERWARDS = """
assert reached["FedAvg"] + 0.05 < min(reached["trimmed mean"], reached["centred clipping"]), reached

from flwr.clientapp import ClientApp
import numpy as np

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS

# What each strategy got and gave, round by round.
seen = {}


def watched(name, rule):
    seen[name] = []
    return RuleStrategy(rule, watch=lambda *of: seen[name].append(of), **options)


class Noted(FedAvg):
    def configure_train(self, number, arrays, config, grid):
        self.broadcast = arrays.to_numpy_ndarrays()
        return super().configure_train(number, arrays, config, grid)

    def aggregate_train(self, number, replies):
        replies = sorted(replies, key=lambda reply: reply.metadata.src_node_id)
        sent = [reply.content["arrays"].to_numpy_ndarrays() for reply in replies]
        arrays, metrics = super().aggregate_train(number, replies)
        seen["FedAvg"].append((self.broadcast, sent, arrays.to_numpy_ndarrays()))
        return arrays, metrics


def flat(arrays):
    return np.concatenate([array.ravel() for array in arrays])


seen["FedAvg"] = []
spec = {"name": "trimmed_mean", "n_byzantine": BYZANTINE}
clipping = {"name": "centered_clipping", "tau": 0.3}
strategies = {
    "FedAvg": Noted(**options),
    "trimmed mean": watched("trimmed mean", spec),
    "centred clipping": watched("centred clipping", clipping),
}
ROUNDS = 2
run_simulation(server, client, num_supernodes=CLIENTS)

alie = ATTACKS["alie"](n_byzantine=BYZANTINE, z=20.0)
f = BYZANTINE
for name, rule in (
    ("trimmed mean", AGGREGATORS["trimmed_mean"](n_byzantine=f)),
    ("centred clipping", AGGREGATORS["centered_clipping"](tau=0.3)),
):
    state = None
    assert len(seen[name]) == ROUNDS
    for played, aggregate in seen[name]:
        expected, state = rule.apply(played.updates, state)
        assert torch.equal(aggregate, expected), name
        sent, _ = alie.apply(played.updates[:-f])
        torch.testing.assert_close(played.updates[-f:], sent, rtol=1e-4, atol=1e-5)
assert len(seen["FedAvg"]) == ROUNDS
for broadcast, sent, arrays in seen["FedAvg"]:
    updates = torch.from_numpy(np.stack([flat(broadcast) - flat(one) for one in sent]))
    forged, _ = alie.apply(updates[:-f])
    torch.testing.assert_close(updates[-f:], forged, rtol=1e-4, atol=1e-5)
    mean, _ = AGGREGATORS["mean"]().apply(updates)
    np.testing.assert_allclose(flat(arrays), flat(broadcast) - mean.numpy(), atol=1e-5)

# A mod attacks in the clients' own processes, and Flower keeps its state from round to round.
seen["noise"], CLIENTS = [], 4
attacking = ClientApp(mods=[AttackMod({"name": "gaussian_noise"}, attackers={0, 1, 2})])
attacking.train()(train)
strategies = {"noise": watched("noise", {"name": "mean"})}
UnderAttack = lambda strategy, attack, attackers: strategy
run_simulation(server, attacking, num_supernodes=CLIENTS)
lengths = [played.updates.norm(dim=1).sort().values for played, _ in seen["noise"]]
assert all(3 * one[0] < one[1] for one in lengths), lengths
drawn = torch.cat([played.updates[played.updates.norm(dim=1) > one[0]] for (played, _), one in
                   zip(seen["noise"], lengths)])
apart = torch.cdist(drawn, drawn) + 1e9 * torch.eye(len(drawn))
assert len(drawn) == 6 and apart.min() > lengths[0][1] / 2, apart
print("the numbers agree")
"""


def test_flowers_engine_trains_under_alie_and_its_numbers_are_ours(tmp_path):
    """The page's code runs as it stands there, and what the rules gave is checked after it."""
    pytest.importorskip("ray", reason="needs the extra flower, with the simulation")
    script = tmp_path / "federation.py"
    script.write_text("\n".join([*of_the_page(), AFTERWARDS]), encoding="utf-8")
    environment = {**os.environ, "FLWR_TELEMETRY_ENABLED": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "trimmed mean: " in done.stdout
    assert done.stdout.splitlines()[-1] == "the numbers agree"
