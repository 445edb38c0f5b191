"""Attacks of the catalogue that no chapter has, against their definitions."""

import numpy as np
import pytest
import torch

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.federation import Facts
from fedlib.seeds import derived_seed
from fedlib.validation import ConfigError


def matrix(n=20, d=30, seed=0, dtype=torch.float64):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d))).to(dtype)


def send(name, updates, n_byzantine=5, facts=None, **parameters):
    attack = ATTACKS[name](n_byzantine=n_byzantine, **parameters)
    state = attack.init(len(updates) + n_byzantine, updates.shape[1])
    return attack.apply(updates, state, facts)[0]


def of_rule(name, f=5, **parameters):
    rule = AGGREGATORS[name](n_byzantine=f, **parameters)
    return Facts(rule=lambda rows: rule.apply(rows)[0])


# --- Min-Max and Min-Sum -----------------------------------------------------------------


def directions(updates):
    mean = updates.mean(0)
    return {"unit": -mean / mean.norm(), "sign": -mean.sign(), "std": -updates.std(0)}


def fits(name, updates, sent):
    """Whether an update keeps to the distances, with plain loops."""
    to_sent = [float((sent - x).square().sum()) for x in updates]
    among = [[float((x - y).square().sum()) for y in updates] for x in updates]
    if name == "min_max":
        return max(to_sent) <= max(map(max, among)) * (1 + 1e-9)
    return sum(to_sent) <= max(map(sum, among)) * (1 + 1e-9)


def halving_search(name, updates, direction, gamma=10.0, tolerance=1e-5):
    """Gamma as the authors search for it, with the bound of the text as others cite it.

    For Min-Sum their code takes the smallest sum of a benign update, and not the largest.
    """
    mean, step, best = updates.mean(0), gamma, 0.0
    while abs(best - gamma) > tolerance:
        step /= 2
        if fits(name, updates, mean + gamma * direction):
            best, gamma = gamma, gamma + step
        else:
            gamma -= step
    return best


@pytest.mark.parametrize("name", ["min_max", "min_sum"])
@pytest.mark.parametrize("perturbation", ["unit", "sign", "std"])
def test_min_max_and_min_sum_go_as_far_as_they_may_and_as_the_authors_search(name, perturbation):
    for seed, d in ((0, 30), (1, 3), (2, 1)):
        updates = matrix(8, d, seed) + 0.5
        direction = directions(updates)[perturbation]
        sent = send(name, updates, 3, perturbation=perturbation)
        assert sent.shape == (3, d) and torch.equal(sent[0], sent[2])
        move = sent[0] - updates.mean(0)
        gamma = float(move.norm() / direction.norm())
        torch.testing.assert_close(move, gamma * direction)
        assert fits(name, updates, sent[0])
        assert not fits(name, updates, sent[0] + 1e-3 * gamma * direction)
        assert halving_search(name, updates, direction) == pytest.approx(gamma, abs=1e-4)


def test_min_max_and_min_sum_by_hand():
    # The mean is 2, and updates are 3 apart at most: from 3 down to 0. Of 1, 1 and 4 the sums of
    # squares are 9, 9 and 18. Those of b are 6 + 3 (b - 2)^2, which is 18 for b = 0.
    updates = torch.tensor([[1.0], [1.0], [4.0]], dtype=torch.float64)
    assert send("min_max", updates, 1).item() == pytest.approx(1.0)
    assert send("min_sum", updates, 1).item() == pytest.approx(0.0)


@pytest.mark.parametrize("name", ["min_max", "min_sum"])
def test_min_max_and_min_sum_with_partial_knowledge_and_without_a_direction(name):
    updates, own = matrix(), matrix(5, 30, 7) + 0.2
    attack = ATTACKS[name](n_byzantine=5, knowledge="partial")
    assert attack.knows == {"own_updates"}
    sent, _ = attack.apply(updates[:0], None, Facts(own_updates=own))
    torch.testing.assert_close(sent, send(name, own))
    for alone in (torch.zeros(6, 4), torch.ones(1, 4)):
        assert torch.equal(send(name, alone, 2), alone[:1].expand(2, -1))
    broken = updates.clone()
    broken[3, 2] = torch.inf
    zeroed = updates.clone()
    zeroed[3] = 0
    torch.testing.assert_close(send(name, broken), send(name, zeroed))


# --- Mimic -------------------------------------------------------------------------------


def slow_mimic(rounds, start, warmup):
    """Whom the attacker copies in each round, as the authors' formulas say it."""
    mu, z, chosen = None, start, []
    for t, updates in enumerate(rounds):
        if t < warmup:
            mean = updates.mean(0)
            mu = mean if mu is None else t / (1 + t) * mu + mean / (1 + t)
            total = sum(((x - mu) @ z) * (x - mu) for x in updates)
            z = t / (1 + t) * z + total / total.norm() / (1 + t)
            z = z / z.norm()
            chosen.append(max(range(len(updates)), key=lambda i, z=z: float(updates[i] @ z)))
        else:
            chosen.append(chosen[-1])
    return chosen


def test_mimic_learns_whom_to_copy_and_keeps_to_it():
    # The updates have a common part, which says nothing about how they differ.
    generator = torch.Generator().manual_seed(derived_seed(3, "mimic"))
    start = torch.randn(6, generator=generator).double()
    attack = ATTACKS["mimic"](n_byzantine=2, warmup=7, seed=3)
    for first in (0, 20, 40, 60):
        rounds = [matrix(9, 6, first + t) + 3 * matrix(1, 6, 99) for t in range(12)]
        state, chosen = attack.init(11, 6), slow_mimic(rounds, start, 7)
        for updates, victim in zip(rounds, chosen, strict=True):
            sent, state = attack.apply(updates, state)
            assert torch.equal(sent, updates[victim].expand(2, -1))
        assert state.rounds == 12 and len(set(chosen)) > 2


def test_mimic_finds_the_direction_of_most_variance():
    # One coordinate varies ten times as much between clients as the others.
    base = matrix(9, 6, 1)
    base[:, 4] *= 10
    attack = ATTACKS["mimic"](n_byzantine=2, warmup=60)
    state = attack.init(11, 6)
    for seed in range(60):
        _, state = attack.apply(base + 0.1 * matrix(9, 6, seed), state)
    assert abs(float(state.direction[4])) > 0.99
    assert int(state.victim) in (int(base[:, 4].argmax()), int(base[:, 4].argmin()))


def test_mimic_may_be_told_its_victim():
    updates = matrix()
    assert torch.equal(send("mimic", updates, victim=7), updates[7].expand(5, -1))
    with pytest.raises(ConfigError, match=r"attack.victim=20 .* from 0 to 19"):
        send("mimic", updates, victim=20)
    with pytest.raises(ConfigError, match=r"attack.warmup=0"):
        ATTACKS["mimic"](warmup=0)


def test_updates_that_are_alike_do_not_end_what_mimic_learns():
    attack = ATTACKS["mimic"](n_byzantine=1, warmup=9)
    state = attack.init(5, 3)
    for updates in (torch.zeros(4, 3), torch.ones(4, 3), torch.eye(4, 3)):
        sent, state = attack.apply(updates, state)
        assert sent.isfinite().all() and float(state.direction.norm()) == pytest.approx(1, abs=1e-5)


# --- the factor that harms most ----------------------------------------------------------


@pytest.mark.parametrize("name", ["optimised_alie", "optimised_ipm"])
def test_against_the_mean_every_trial_is_better_and_the_step_is_doubled(name):
    updates = matrix() + 0.5
    mean = updates.mean(0)
    sent = send(name, updates, facts=of_rule("mean"), n_trials=4, step=2.0)[0]
    factor = 2 + 4 + 8
    expected = {"optimised_alie": mean - factor * updates.std(0), "optimised_ipm": -factor * mean}
    torch.testing.assert_close(sent, expected[name])


def slow_search(error, start, step, ratio, trials):
    """The search of byzfl in plain words, with numbers."""
    best, furthest, extends = start, error(start), True
    for _ in range(trials - 1):
        found = error(best + step)
        if found > furthest:
            best, furthest = best + step, found
        else:
            extends = False
        step = 2 * step if extends else ratio * step
    return best


@pytest.mark.parametrize("rule", ["krum", "median", "trimmed_mean", "nearest_neighbour_mixing"])
@pytest.mark.parametrize("step", [10.0, -0.3])
def test_the_search_is_its_definition_and_harms_more_than_the_usual_factor(rule, step):
    updates = matrix(12, 8, 4) + 0.2
    facts, mean, deviation = of_rule(rule, 3), updates.mean(0), updates.std(0)

    def error_of(update):
        return float((facts.rule(torch.cat([updates, update.expand(3, -1)])) - mean).norm())

    families = {
        "optimised_alie": lambda z: mean - z * deviation,
        "optimised_ipm": lambda epsilon: -epsilon * mean,
    }
    for name, family in families.items():
        options = {"start": 0.1, "step": step, "ratio": 0.7, "n_trials": 15}
        factor = slow_search(lambda z, f=family: error_of(f(z)), 0.1, step, 0.7, 15)
        sent = send(name, updates, 3, facts, **options)
        torch.testing.assert_close(sent, family(factor).expand(3, -1))
        assert error_of(sent[0]) >= error_of(family(0.1))


def test_a_search_without_a_step_is_refused():
    for name in ("optimised_alie", "optimised_ipm"):
        with pytest.raises(ConfigError, match=r"attack.step=0.0"):
            ATTACKS[name](step=0.0)
        with pytest.raises(ConfigError, match=r"attack.ratio=0.5"):
            ATTACKS[name](ratio=0.5)
        with pytest.raises(ConfigError, match=r"needs the fact 'rule'"):
            send(name, matrix())


# --- MPAF and the same value -------------------------------------------------------------


def test_mpaf_takes_the_average_to_its_base_model():
    # With scale 2 on half of the clients, the other half sending nothing, one step arrives there.
    model, none = matrix(1, 4000, 3)[0], torch.zeros(3, 4000, dtype=torch.float64)
    arrived = []
    for parameters in ({"base": "zero"}, {"std": 2.0}, {"std": 2.0, "seed": 1}):
        sent = send("mpaf", none, 3, Facts(model=model), scale=2.0, **parameters)
        arrived.append(model - torch.cat([none, sent]).mean(0))
    assert arrived[0].abs().max() < 1e-6
    assert float(arrived[1].std()) == pytest.approx(2, abs=0.1)
    assert abs(float(arrived[1].mean())) < 0.15
    assert not torch.equal(arrived[1], arrived[2])
    later = send("mpaf", none, 3, Facts(model=model + 1), scale=2.0, std=2.0)
    torch.testing.assert_close(model + 1 - later.mean(0) / 2, arrived[1])


def test_the_same_value_is_in_every_coordinate():
    sent = send("same_value", matrix(), 3, value=-4.0)
    assert torch.equal(sent, torch.full((3, 30), -4.0).double())
    assert ATTACKS["same_value"]().knows == frozenset()
