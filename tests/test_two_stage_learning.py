"""How the two-stage attacker learns, and the controls that learn nothing."""

import random
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import torch
from test_two_stage import federation, played

from fedlib import engine
from fedlib.agents import inversion, stage_one, two_stage
from fedlib.agents.controls import constant_signs, greedy_action, hidden_update, level_gradient
from fedlib.agents.environment import DIVERGED, FederationEnvironment, update_of
from fedlib.agents.inversion import gradient_gap, match_gradients
from fedlib.agents.policy import Learner, Learning
from fedlib.agents.unrolled import Ascent, moved
from fedlib.attacks import ATTACKS
from fedlib.attacks.dictated import TwoStage
from fedlib.clients import MomentumSGD
from fedlib.clients.robust import transport
from fedlib.data import load_dataset
from fedlib.federation.facts import Facts
from fedlib.models import ParameterLayout, make_model
from fedlib.trackers.robustness import certificate
from fedlib.validation import ConfigError


def small(**fields):
    values = {
        "n_samples": 20, "n_iterations": 2, "pooled": 2, "epoch": 4, "most_epochs": 1, "episode": 4,
        "policy_steps": 104,
    }  # fmt: skip
    return federation(TwoStage(n_byzantine=1, **{**values, **fields}))


def points(count=30):
    data = load_dataset(federation().data)
    return data.x_train[:count], data.y_train[:count]


def level_of(model, layout, flat, x, y):
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), layout.views(flat).values(), strict=True):
            parameter.copy_(value)
    return certificate(model, x, y, 2.0, 4, 0.5).level


def test_the_gradient_of_the_level_is_that_of_the_certificate():
    x, y = points()
    x = x.double()
    model = make_model("elu_4_2", (1, 1, 2), 2, 5).double()
    layout = ParameterLayout.of(model)
    flat = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    found = level_gradient(model, flat, x, y, 2.0, 4, 0.5)
    step = 1e-5
    for place in range(0, len(flat), 5):
        moved = [flat.clone(), flat.clone()]
        moved[0][place] += step
        moved[1][place] -= step
        up, down = (level_of(model, layout, one, x, y) for one in moved)
        assert float(found[place]) == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-9)


def test_a_step_along_what_is_greedy_lowers_the_level():
    data = load_dataset(federation().data)
    x, y = points()
    model = make_model("elu_4_2", (1, 1, 2), 2, 5)
    layout = ParameterLayout.of(model)
    flat = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    before = level_of(model, layout, flat, x, y)
    gradient = level_gradient(model, flat, x, y, 2.0, 4, 0.5)
    action = greedy_action(gradient, model, data.x_train, data.y_train, "gradient")
    assert set(action.unique().tolist()) <= {-1.0, 0.0, 1.0}
    assert level_of(model, layout, flat - 1e-3 * action, x, y) < before
    (factor,) = greedy_action(gradient, model, data.x_train, data.y_train, "scale").tolist()
    with torch.enable_grad():
        loss = torch.nn.functional.cross_entropy(model(data.x_train), data.y_train)
        own = torch.autograd.grad(loss, list(model.parameters()))
    own = torch.cat([part.flatten() for part in own])
    assert factor in (-1.0, 1.0)
    assert level_of(model, layout, flat - 1e-2 * factor * own, x, y) < before


def test_a_hidden_step_has_its_share_of_the_own_length():
    gradient, own = torch.tensor([0.0, 4.0]), torch.tensor([3.0, 0.0])
    state = hidden_update(gradient, own, 0.5)
    torch.testing.assert_close(state, torch.tensor([[1.0, 1.0], [0.0, 1.5]]))
    attack = ATTACKS["dictated"](n_byzantine=1)
    sent, _ = attack.apply(torch.zeros(0, 2), state, Facts(own_updates=torch.tensor([[7.0, 8.0]])))
    assert sent.tolist() == [[7.0, 9.5]]


def test_constant_signs_are_drawn_once():
    signs = constant_signs(200, 3)
    assert torch.equal(signs, constant_signs(200, 3))
    assert set(signs.tolist()) == {-1.0, 1.0}
    assert constant_signs(1, 3).tolist() == [-1.0]


@pytest.mark.parametrize("acts", ["untrained", "signs", "greedy", "hidden"])
def test_a_control_learns_nothing_and_attacks(acts):
    agent, sent, models = played(small(acts=acts))
    assert agent.found["policy_reward"] == []
    assert (agent.policy is None) == (acts != "untrained")
    setting = federation()
    model = engine.prepare(setting, load_dataset(setting.data))[1]
    model.parameters.copy_(models[6])
    if acts == "signs":
        expected = update_of(agent._signs, model.model, agent.data.x_train, agent.data.y_train)
    elif acts == "greedy":
        gradient = agent._level_gradient(model.model, models[6], 2.0)
        expected = update_of(gradient.sign(), model.model, agent.data.x_train, agent.data.y_train)
    else:
        return
    torch.testing.assert_close(sent[6], expected)


def test_a_share_is_of_the_level_of_the_start():
    data = load_dataset(federation().data)
    few = stage_data(data, 40)
    kinds = {
        reward: FederationEnvironment(federation(), few, episode=3, reward=reward)
        for reward in ("level", "share")
    }
    totals, levels = {}, {}
    for reward, environment in kinds.items():
        levels[reward] = environment.reset(seed=4)[1]["level"]
        steps = [environment.step(np.full(28, 0.5, np.float32)) for _ in range(3)]
        totals[reward] = sum(step[1] for step in steps)
    assert totals["share"] == pytest.approx(totals["level"] / levels["level"])
    later = FederationEnvironment(federation(), few, episode=3, reward="share", first=1.0)
    later.reset(seed=4)
    again = sum(later.step(np.full(28, 0.5, np.float32))[1] for _ in range(3))
    assert again == pytest.approx(totals["level"])


def stage_data(data, count):
    return replace(data, x_train=data.x_train[:count], y_train=data.y_train[:count])


@pytest.mark.parametrize(("draws", "size"), [("shares", 10), ("all", 40)])
def test_what_simulated_clients_draw_from(draws, size):
    few = stage_data(load_dataset(federation().data), 40)
    environment = FederationEnvironment(federation(), few, draws=draws)
    environment.reset(seed=1)
    assert [len(share) for share in environment._federation.shares] == [size] * 4
    drawn = environment._state.streams("batches").draw(range(4), size, "shuffle")
    assert all(len(set(row)) == size for row in drawn)


@pytest.mark.parametrize("ends", [False, True])
def test_the_last_round_ends_what_there_is_to_earn_without_a_discount(ends):
    few = stage_data(load_dataset(federation().data), 40)
    environment = FederationEnvironment(federation(), few, episode=2, ends=ends)
    environment.reset(seed=1)
    quiet = np.zeros(28, np.float32)
    assert environment.step(quiet)[2:4] == (False, False)
    assert environment.step(quiet)[2:4] == (ends, True)


def test_a_start_that_has_diverged_earns_no_reward_without_bound():
    few = stage_data(load_dataset(federation().data), 40)
    environment = FederationEnvironment(federation(), few, episode=3, reward="share")
    environment.reset(seed=4)
    environment.first = 1e-9  # so that the start has diverged
    _, reward, terminated, _, _ = environment.step(np.zeros(28, np.float32))
    environment.reset(seed=4)
    _, reward, terminated, _, _ = environment.step(np.zeros(28, np.float32))
    assert terminated and reward == 0


class Scripted(gymnasium.Env):
    """Episodes of five rounds whose rewards are given, whatever is done."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self, best):
        self.best, self.episode, self.number = best, 0, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode += 1
        self.number = 0
        return self.np_random.uniform(-1, 1, 2).astype(np.float32), {}

    def step(self, action):
        self.number += 1
        reward = {self.best: 1.0, 1: 2.0}.get(self.episode, 0.0) + float(action[0]) / 100
        seen = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        return seen, reward, False, self.number == 5, {}


def weights(policy):
    return torch.cat([value.flatten() for value in policy.state_dict().values()])


def test_the_policy_of_the_best_episode_is_kept():
    how = {"updates": "episode", "rate": 1e-3}
    learner = Learner(Scripted(25), 200, 3, Learning(kept="best", **how))
    policy, rewards = learner.learn(150)
    # The first episode earned most, but its actions were drawn at random.
    assert np.argmax(rewards) == 0 and learner.best == rewards[24] == max(rewards[1:])
    # The weights that the 25th episode was played with are those after 24 episodes.
    before, _ = Learner(Scripted(25), 200, 3, Learning(**how)).learn(24 * 5)
    last, _ = Learner(Scripted(25), 200, 3, Learning(**how)).learn(150)
    assert torch.equal(weights(policy), weights(before))
    assert not torch.equal(weights(policy), weights(last))


class Broken(Scripted):
    """From a given episode on its rewards are NaN."""

    def step(self, action):
        seen, reward, *rest = super().step(action)
        return seen, np.nan if self.episode >= self.best else reward, *rest


@pytest.mark.parametrize("kept", ["best", "last"])
def test_a_policy_that_diverges_is_that_of_before_and_learns_on(kept):
    how = {"updates": "episode", "kept": kept}
    learner = Learner(Broken(25), 200, 3, Learning(**how))
    policy, rewards = learner.learn(150)
    # The networks are NaN after the episode whose rewards are, and the next one ends the learning.
    assert learner.diverged and len(rewards) == 25
    assert weights(policy).isfinite().all()
    if kept == "last":
        before, _ = Learner(Scripted(25), 200, 3, Learning(**how)).learn(24 * 5)
        assert torch.equal(weights(policy), weights(before))
    learner._environment.best = 1000
    again, rewards = learner.learn(20, policy)
    assert not learner.diverged and len(rewards) == 4
    assert weights(again).isfinite().all()


def test_a_policy_may_learn_more_slowly_than_its_critic():
    sizes = {}
    for rate in (None, 1e-5):
        learner = Learner(Scripted(3), 200, 3, Learning(rate=1e-3, actor_rate=rate))
        before = weights(learner.untrained())
        policy, _ = learner.learn(101)
        sizes[rate] = float((weights(policy) - before).abs().max())
        ddpg = learner._learner
        assert ddpg.actor.optimizer.param_groups[0]["lr"] == (rate or 1e-3)
        assert ddpg.critic.optimizer.param_groups[0]["lr"] == 1e-3
    # The first step of Adam is as long as its rate.
    assert sizes[1e-5] == pytest.approx(1e-5, rel=0.1)
    assert sizes[None] == pytest.approx(1e-3, rel=0.1)


def test_learning_on_does_not_depend_on_the_runs_own_generators():
    found = []
    for seed in (1, 2):
        learner = Learner(Scripted(25), 200, 3, Learning(noise=0.3))
        policy, _ = learner.learn(110)
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        again, rewards = learner.learn(20, policy)
        assert len(rewards) == 4 and not torch.equal(weights(again), weights(policy))
        found.append(weights(again))
    assert torch.equal(*found)


def test_the_settings_reach_the_learner():
    how = Learning(discount=1.0, rate=1e-4, noise=0.3, batch=100, updates="episode")
    ddpg = Learner(Scripted(3), 200, 3, how)._begun()
    assert (ddpg.gamma, ddpg.learning_rate, ddpg.batch_size) == (1.0, 1e-4, 100)
    assert ddpg.train_freq.unit.value == "episode" and ddpg.gradient_steps == -1
    assert ddpg.action_noise._sigma.tolist() == [0.3]
    usual = Learner(Scripted(3), 200, 3)._begun()
    assert (usual.gamma, usual.learning_rate, usual.batch_size) == (0.99, 1e-3, 256)
    assert usual.train_freq.unit.value == "step" and usual.action_noise is None


def test_an_agent_plans_again_and_draws_reference_lines():
    setting = small(
        reward="share", discount=1.0, policy_kept="best", action_noise=0.3, draws="all", replan=2,
        replan_steps=4,
    )  # fmt: skip
    dataset = load_dataset(setting.data)
    found = [two_stage.run(setting, dataset) for _ in range(2)]
    for metrics in found:
        metrics.pop("seconds")
        metrics.pop("files")
    assert found[0] == found[1]
    # Of twelve rounds the attack has eight: it plans at the first, and after two, four and six.
    assert len(found[0]["plan_reward"]) == 4
    assert len(found[0]["plan_rests"]) == 4 and found[0]["plan_rests"][0] == 0
    honest, greedy, floor = found[0]["reference_reward"]
    assert floor == 1 - DIVERGED <= min(honest, greedy)
    assert max(honest, greedy) <= 1


def robust_gradients(model, layout, models, x, y, ascent):
    found = []
    for flat in models:
        views = layout.views(flat)

        def loss(z, views=views):
            logits = torch.func.functional_call(model, views, (z,))
            return torch.nn.functional.cross_entropy(logits, y, reduction="none")

        z = transport(loss, x, *ascent)
        flat = flat.clone().requires_grad_()
        logits = torch.func.functional_call(model, layout.views(flat), (z,))
        entropy = torch.nn.functional.cross_entropy(logits, y)
        found.append(torch.autograd.grad(entropy, flat)[0])
    return torch.stack(found)


def test_moved_points_fit_the_gradients_of_robust_clients():
    x, y = points(20)
    model = make_model("elu_4_2", (1, 1, 2), 2, 5)
    layout = ParameterLayout.of(model)
    flat = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    models = torch.stack([2 * flat, 3 * flat])
    ascent = Ascent(0.5, 10, 0.5)
    seen = robust_gradients(model, layout, models, x, y, ascent)
    for flat in models:
        views = layout.views(flat)

        def loss(z, views=views):
            logits = torch.func.functional_call(model, views, (z,))
            return torch.nn.functional.cross_entropy(logits, y, reduction="none")

        torch.testing.assert_close(moved(model, views, x, y, ascent), transport(loss, x, *ascent))
    assert gradient_gap(model, models, seen, x, y, ascent) == pytest.approx(0, abs=1e-9)
    assert gradient_gap(model, models, seen, x, y) > 1e-4
    # A difference in the last digit may change how far one matching comes, so six are added up.
    before = after = of_blind = 0.0
    for seed in range(6):
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
        other = x + 0.3 * noise
        learned = match_gradients(model, models, seen, other, y, 60, 0.002, ascent)
        blind = match_gradients(model, models, seen, other, y, 60, 0.002)
        before += gradient_gap(model, models, seen, other, y, ascent)
        after += gradient_gap(model, models, seen, learned, y, ascent)
        of_blind += gradient_gap(model, models, seen, blind, y, ascent)
    assert after < before / 2
    assert after < of_blind / 2


@pytest.mark.parametrize("better", [False, True])
def test_an_estimate_is_kept_if_it_fits_rounds_held_out(monkeypatch, better):
    matched = []

    def matching(model, models, gradients, x, y, *args):
        matched.append(models)
        return x + 0.001

    gaps = iter([0.5, 0.4, 0.3, 0.2] if better else [0.4, 0.5, 0.4, 0.6])
    held = []

    def gap(model, models, gradients, x, y, ascent):
        held.append(models)
        return next(gaps)

    monkeypatch.setattr(stage_one, "match_gradients", matching)
    monkeypatch.setattr(stage_one, "gradient_gap", gap)
    # The threshold would end the stage at once; only an estimate that is kept counts.
    agent, _, _ = played(small(keeps="fits", most_epochs=2, epoch=4, acts="signs", threshold=0.01))
    epochs = 1 if better else 2
    assert len(agent.found["stage_one_distance"]) == epochs
    assert agent.found["stage_one_gap_before"] == ([0.5] if better else [0.4, 0.4])
    assert agent.found["stage_one_gap_after"] == ([0.4] if better else [0.5, 0.6])
    kept = not torch.equal(agent.data.x_train, agent.stage_one.start)
    assert kept == better
    for used, out in zip(matched, held[::2], strict=True):
        assert not any(torch.equal(one, other) for one in used for other in out)


@pytest.mark.parametrize("samples", ["own", "true"])
def test_the_data_may_be_the_own_or_the_true_ones(samples):
    setting = small(samples=samples, most_epochs=2, acts="signs")
    dataset = load_dataset(setting.data)
    agent, _, _ = played(setting)
    assert agent.found["stage_one_distance"] == []
    assert len(agent.stage_one.seen) == 8
    found, _ = engine.prepare(setting, dataset)
    own = torch.from_numpy(found.shares[3][:20])
    assert torch.equal(agent.data.x_train, dataset.x_train[own]) == (samples == "own")
    owners = [
        number
        for x in agent.data.x_train
        for number, share in enumerate(found.shares)
        if (dataset.x_train[torch.from_numpy(share)] == x).flatten(1).all(1).any()
    ]
    assert (set(owners) == {3}) == (samples == "own")


def test_bad_settings_are_named():
    for fields, said in (
        ({"samples": "all"}, "attack.samples='all'"),
        ({"discount": 1.5}, "attack.discount=1.5"),
        ({"policy_rate": 0.0}, "attack.policy_rate=0.0"),
        ({"actor_rate": 0.0}, "attack.actor_rate=0.0"),
        ({"replan": -1}, "attack.replan=-1"),
        ({"acts": "wildly"}, "attack.acts='wildly'"),
    ):
        with pytest.raises(ConfigError, match=said):
            TwoStage(n_byzantine=1, **fields)
    setting = federation(client=MomentumSGD(5), track=())
    with pytest.raises(ConfigError, match="client='momentum_sgd' must be 'robust_sgd'"):
        two_stage.Agent(setting, None)


@pytest.mark.parametrize(
    ("kept", "honest", "other", "rests", "earned"),
    [(0.5, 0.1, 0.4, 0, 0.5), (0.1, 0.2, 0.6, 0, 0.6), (-9.0, 0.0, -9.0, 1, 0.0)],
)
def test_a_new_plan_does_what_earns_most(monkeypatch, kept, honest, other, rests, earned):
    def play(environment, attack):
        return honest if attack(np.zeros(28, np.float32)) is None else kept

    new = torch.nn.Sequential(torch.nn.Linear(28, 28))

    def learn(learner, n_steps, policy=None):
        learner.best = other
        return (new if policy is not None else Learner.untrained(learner)), []

    monkeypatch.setattr(FederationEnvironment, "play", play)
    monkeypatch.setattr(Learner, "learn", learn)
    states = []

    def keep(attack, updates, state, facts):
        states.append(state)
        return facts.own_updates, state

    monkeypatch.setattr(TwoStage, "_attack", keep)
    agent, _, _ = played(small(replan=4, replan_steps=4, most_epochs=1, epoch=4))
    assert agent.found["plan_reward"] == [other, earned]
    assert agent.found["plan_rests"] == [0, rests]
    assert (agent.policy is new) == (other > kept)
    assert (states[-1] is None) == bool(rests)  # without a state the attack is honest


@pytest.mark.parametrize("together", [1, 10_000])
def test_rounds_are_matched_together_as_they_are_one_by_one(monkeypatch, together):
    x, y = points(20)
    x = x.double()
    model = make_model("elu_4_2", (1, 1, 2), 2, 5).double()
    layout = ParameterLayout.of(model)
    flat = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    models, ascent = torch.stack([flat, 2 * flat, 3 * flat]), Ascent(0.5, 10, 0.5)
    seen = robust_gradients(model, layout, models, x, y, ascent)
    scale = seen.square().sum(1)
    samples = (x + 0.1).requires_grad_()
    monkeypatch.setattr(inversion, "_TOGETHER", together)
    inversion._add_moved_gradients(model, models, seen, scale, samples, y, ascent)
    grads = (inversion._gradient(model, layout, one, samples, y, ascent) for one in models)
    distances = [
        (grad - other).square().sum() / size
        for grad, other, size in zip(grads, seen, scale, strict=True)
    ]
    (expected,) = torch.autograd.grad(sum(distances), samples)
    torch.testing.assert_close(samples.grad, expected, rtol=1e-8, atol=1e-10)
