"""What rules and attacks are told, and what an attacker that tries the rule is told."""

import math

import numpy as np
import pytest
import torch
from small import config, facts_of, recorded_calls

from fedlib import engine, models
from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.clients import MomentumSGD
from fedlib.data import PARTITIONS, DataConfig, load_dataset
from fedlib.federation import Facts, Samples, Streams, steps
from fedlib.federation import facts as facts_module
from fedlib.federation.steps import losses_after
from fedlib.gradients import gradients, saliency_maps
from fedlib.validation import ConfigError


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_told_what_it_declares_and_no_more(dataset, monkeypatch, name):
    told = []

    def spy(self, updates, state, facts):
        given = {field for field, value in vars(facts).items() if value is not None}
        told.append(given | ({"benign_updates"} if len(updates) else set()))
        return torch.zeros(self.n_byzantine, updates.shape[1]), state

    monkeypatch.setattr(ATTACKS[name], "_attack", spy)
    setting = config(name, 2)
    federation, state = engine.prepare(setting, dataset)
    for _ in range(2):
        engine.play_round(federation, state)
    knows = set(setting.attack.knows)
    assert told == [knows - {"last_aggregate"}, knows]  # before the first round there is none


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
        facts = facts_of(federation, state)
        given[name] = set(facts)
    assert given == {
        "krum": set(),
        "mean": {"sample_counts"},
        "fltrust": {"server_update"},
        "gradient_guard": {"saliency"},
        "mean_with_outliers": {"vote"},
        "foolsgold": {"output_weights"},
    }
    place = facts.output_weights.nonzero().flatten()
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
    facts = facts_of(federation, state)  # a batch is all ten samples
    torch.testing.assert_close(facts.server_update, 0.5 * grads[0], rtol=1e-4, atol=1e-6)


def test_clients_vote_by_loss_and_byzantine_ones_against_it(dataset):
    rule = AGGREGATORS["mean_with_outliers"](n_byzantine=2, side="vote")
    setting = config("sign_flip", 2, aggregator=rule, learning_rate=0.5)
    federation, state = engine.prepare(setting, dataset)
    before = state.parameters.clone()
    x, y = dataset.x_train[None], dataset.y_train[None]
    downhill = gradients(state.model, x, y)[0][0]
    votes = facts_of(federation, state).vote(torch.stack([downhill, -downhill]))
    assert votes.tolist() == [0] * 6 + [1] * 2
    assert torch.equal(state.parameters, before)
    broken = torch.full_like(downhill, math.nan)
    votes = facts_of(federation, state).vote(torch.stack([broken, downhill]))
    assert votes.tolist() == [1] * 6 + [0] * 2


def test_votes_are_on_the_losses_after_a_step_at_the_servers_rate(dataset):
    federation, state = engine.prepare(config(learning_rate=0.25, model="mlp_100"), dataset)
    generator = torch.Generator().manual_seed(0)
    candidates = 0.1 * torch.randn(2, len(state.parameters), generator=generator)
    x, y = dataset.x_train[:15].view(3, 5, 1, 28, 28), dataset.y_train[:15].view(3, 5)
    found = losses_after(federation, state, candidates, x, y)
    before = state.parameters.clone()
    for number, candidate in enumerate(candidates):
        state.parameters.copy_(before - 0.25 * candidate)
        for client in range(3):
            logits = state.model(x[client]).detach()
            expected = torch.nn.functional.cross_entropy(logits, y[client])
            torch.testing.assert_close(found[client, number], expected, rtol=1e-4, atol=1e-5)


def test_saliency_is_of_the_model_after_an_update_or_of_its_negative_alone(dataset):
    setting = config(rule="gradient_guard", model="mlp_100", learning_rate=0.25)
    federation, state = engine.prepare(setting, dataset)
    generator = torch.Generator().manual_seed(0)
    update = 0.1 * torch.randn(1, len(state.parameters), generator=generator)
    own = torch.from_numpy(federation.shares[8])
    x, y = dataset.x_train[own], dataset.y_train[own]
    look = facts_of(federation, state).saliency
    for raw, parameters in ((False, state.parameters - 0.25 * update), (True, -update)):
        expected = saliency_maps(state.model, parameters, x, y, "logit")
        torch.testing.assert_close(look(update, raw=raw), expected)


def test_sample_counts_are_those_of_the_clients_and_not_of_the_server(dataset):
    partition = PARTITIONS["dirichlet"](alpha=0.5)
    federation, _ = engine.prepare(config(partition=partition), dataset)
    assert len(federation.shares) == 9
    counts = federation.sample_counts.tolist()
    assert counts == [len(share) for share in federation.shares[:8]]
    assert sum(counts) == len(dataset.y_train) and len(set(counts)) > 1


def test_an_empty_place_of_a_poisoned_pass_stays_empty(dataset):
    attack = ATTACKS["pixel_backdoor"](n_byzantine=3, per_batch=2)
    setting = config(rule="median", partition=PARTITIONS["dirichlet"](alpha=0.5)).with_(
        n_byzantine=3, attack=attack
    )
    federation, _ = engine.prepare(setting, dataset)
    schedules = []
    for poisoned in (False, True):
        batches = Streams(federation.shares, setting.seed)("batches")
        samples = Samples(federation, batches, range(8), poisoned)
        schedules.append([part.schedule for part in samples.passes(4, 1)])
    (honest, clean), (honest_again, poisoned) = schedules
    assert torch.equal(honest, honest_again)
    assert (clean < 0).any() and torch.equal(clean < 0, poisoned < 0)
    assert torch.equal(clean[..., 2:], poisoned[..., 2:])
    first = clean[..., :2][clean[..., :2] >= 0]
    twins = poisoned[..., :2][clean[..., :2] >= 0]
    n = len(dataset.y_train)
    assert (twins >= n).all()
    shown, labels = federation.poisoned
    assert torch.equal(shown[twins], attack.add_trigger(dataset.x_train[first]))
    assert (labels[twins] == 2).all()
    # In one batch a round too, the copies are those of the samples that were drawn.
    drawn = []
    for poison in (False, True):
        batches = Streams(federation.shares, setting.seed)("batches")
        drawn.append(Samples(federation, batches, range(8), poison).batch(5))
    (x, y), (x_poisoned, y_poisoned) = drawn
    assert torch.equal(x[:5], x_poisoned[:5]) and torch.equal(y[:5], y_poisoned[:5])
    assert torch.equal(x[5:, 2:], x_poisoned[5:, 2:])
    expected = attack.add_trigger(x[5:, :2].flatten(0, 1))
    assert torch.equal(x_poisoned[5:, :2].flatten(0, 1), expected)


def test_an_attack_may_try_the_rule_as_it_stands(dataset):
    told = []
    setting = config("pga", 2, "centered_clipping")
    federation, state = engine.prepare(setting, dataset)
    engine.play_round(federation, state)
    kept = state.aggregator.clone()

    def spy(self, updates, attack_state, facts):
        told.append(facts.rule(torch.zeros_like(state.updates)))
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
        _drawn(state.streams("votes"), own[attack])
        _drawn(state.streams("trial_votes"), trials[attack])
        with pytest.MonkeyPatch.context() as patch:
            calls = recorded_calls(patch, facts_module, "losses_after")
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
        _drawn(state.streams("probes"), own[attack])
        _drawn(state.streams("trial_probes"), trials[attack])
        for _ in range(2):
            engine.play_round(federation, state)
    assert own["ipm"] == own["camouflage"]
    assert trials["ipm"] == []
    assert [who for who, _ in trials["camouflage"]] == [[i] for i in range(8)] * 2
    assert not any(batch in own["ipm"] for batch in trials["camouflage"])


def test_trials_of_a_round_share_a_memory_and_the_server_has_none(dataset, monkeypatch):
    seen = []
    rule = AGGREGATORS["gradient_guard"](n_byzantine=2)
    apply = type(rule).apply

    def watched(self, updates, state, facts):
        seen.append(facts.memory)
        return apply(self, updates, state, facts)

    monkeypatch.setattr(type(rule), "apply", watched)
    federation, state = engine.prepare(config("camouflage", 2, aggregator=rule), dataset)
    rounds = []
    for _ in range(2):
        engine.play_round(federation, state)
        rounds.append(seen.copy())
        seen.clear()
    for *trials, of_server in rounds:
        assert of_server is None
        assert len(trials) > 1 and all(memory is trials[0] for memory in trials)
    assert rounds[0][0] is not rounds[1][0]


def test_batch_norm_looks_at_each_voters_batch_alone():
    data = DataConfig("cifar10", "embedded", "glyphs-1", train_samples=60, test_samples=20)
    rule = AGGREGATORS["mean_with_outliers"](n_byzantine=1, side="vote")
    setting = config(data=data, n_clients=4, model="resnet20_code", aggregator=rule)
    federation, state = engine.prepare(setting, load_dataset(data))
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        original = steps.forward
        patch.setattr(steps, "forward", lambda m, x: seen.append(len(x)) or original(m, x))
        engine.play_round(federation, state)
    assert seen == [5] * 8  # four clients with batches of five, two candidates


def test_clients_vote_on_as_many_samples_as_configured(dataset):
    rule = AGGREGATORS["mean_with_outliers"](n_byzantine=2, side="vote")
    federation, state = engine.prepare(config(aggregator=rule, vote_samples=7), dataset)
    drawn = []
    draw = state.streams("votes").draw
    state.streams("votes").draw = lambda c, size, how: drawn.append(size) or draw(c, size, how)
    engine.play_round(federation, state)
    assert drawn == [7]


def test_saliency_maps_do_not_see_the_output_bias(dataset):
    setting = config("saliency_matching", 2, "gradient_guard", model="mlp_100")
    federation, state = engine.prepare(setting, dataset)
    engine.play_round(federation, state)
    assert models.output_bias(state.model).nonzero().flatten().tolist() == list(
        range(79_500, 79_510)
    )
    look = facts_of(federation, state).saliency
    sent, honest = state.updates[-2:], state.own
    assert not torch.equal(sent, honest)
    torch.testing.assert_close(look(sent), look(honest), rtol=1e-5, atol=1e-7)
    # A probability does: that reading of equation (1) is not blind to this attack.
    asked = {"score": "probability"}
    assert (look(sent, **asked) - look(honest, **asked)).abs().max() > 1e-4


def test_gradient_guard_may_look_at_each_clients_own_samples(dataset):
    rule = AGGREGATORS["gradient_guard"](n_byzantine=2, inputs="clients")
    setting = config("sign_flip", 2, aggregator=rule, server_samples=0, rounds=2, eval_every=2)
    federation, state = engine.prepare(setting, dataset)
    seen = []
    draw = state.streams("probes").draw
    state.streams("probes").draw = lambda who, *more: seen.append(list(who)) or draw(who, *more)
    engine.play_round(federation, state)
    assert seen == [[i] for i in range(8)]
    assert engine.run(setting, dataset) == engine.run(setting, dataset)


def test_facts_get_the_precision_of_the_updates():
    updates = torch.randn(8, 5)
    own = np.ones((2, 5))  # of double precision, as NumPy makes it
    for attack in ("bit_flip", "rop"):
        made = ATTACKS[attack](n_byzantine=2)
        facts = {"own_updates": own, "last_aggregate": own[0], "benign_mean": own[0]}
        told = Facts(**{name: value for name, value in facts.items() if name in made.knows})
        assert made.knows - {"benign_updates"} <= set(told)
        sent, _ = made.apply(updates[:6], made.init(8, 5), told)
        assert sent.dtype == torch.float32
    counts = torch.arange(8)
    assert Facts(sample_counts=counts).matched_to(updates).sample_counts is counts


def test_facts_of_a_wrong_kind_are_named():
    updates, rule = torch.randn(8, 5), AGGREGATORS["fltrust"](n_byzantine=2)
    with pytest.raises(ConfigError, match=r"as an array of shape .* but it is of type list"):
        rule.apply(updates, None, Facts(server_update=[1.0] * 5))
    with pytest.raises(ConfigError, match="state is of type Facts: facts must be the third"):
        rule.apply(updates, Facts(server_update=updates[0]))
    with pytest.raises(ConfigError, match=r"facts=.* must be Facts"):
        rule.apply(updates, None, {"server_update": updates[0]})
    voting = AGGREGATORS["center_with_outliers"](n_byzantine=2, side="vote")
    with pytest.raises(ConfigError, match="'vote' as a function, but it is of type int"):
        voting.apply(updates, None, Facts(vote=5))
