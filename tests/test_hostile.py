"""Rules and attacks on numbers that nobody sends in good faith: NaN, Inf and the extremes."""

import math

import numpy as np
import pytest
import torch
from facts import facts_for_attack, facts_for_rule

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.attacks.lengths import length, unit
from fedlib.blocks import row_std
from fedlib.federation import Facts
from fedlib.validation import ConfigError

DTYPES = [torch.float32, torch.float64]
# Every reading of an attack that computes something else.
READINGS = [
    (name, parameters)
    for name in ATTACKS
    for parameters in {
        "alie": [{}, {"z": 1.0}, {"z": 1.0, "alternating": True}],
        "camouflage": [{}, {"direction": "sign"}, {"aim": "least"}],
        "full_krum": [{}, {"knowledge": "partial"}],
        "full_trim": [{}, {"knowledge": "partial"}],
        "gaussian_noise": [{}, {"each": "client"}],
        "omniscient": [{}, {"version": "code"}],
        "pga": [
            {"perturbation": "unit", "tolerance": 0.1},
            {"perturbation": "std", "search": "scan"},
            {"aim": "least", "tolerance": 0.1},
        ],
        "rop": [{}, {"first": "zero"}, {"sparse": True, "angle": 45.0}],
    }.get(name, [{}])
]


def normal(n, d=12, seed=0, dtype=torch.float64):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d))).to(dtype)


def hostile(n, dtype):
    """Updates ``(n, 12)`` that are hostile in one way each, by name."""
    limits = torch.finfo(dtype)
    values = {
        "nan": math.nan, "inf": math.inf, "largest": limits.max, "least": limits.tiny,
        "subnormal": limits.tiny / 4, "1e300": 1e300 if dtype == torch.float64 else 1e38,
        "overflowing squares": limits.max**0.5 * 10,
    }  # fmt: skip
    found = {"zeros": torch.zeros(n, 12, dtype=dtype), "alike": normal(1).to(dtype).repeat(n, 1)}
    for name, value in values.items():
        everywhere = torch.full((n, 12), value, dtype=dtype)
        in_a_row, alone = normal(n, dtype=dtype), normal(n, dtype=dtype)
        in_a_row[0], in_a_row[-1] = -value, value
        alone[n // 2, 5] = value
        found |= {name: everywhere, f"a row of {name}": in_a_row, f"one value {name}": alone}
    return found


def told(attack, updates, last):
    """The attack's facts, with its own updates, the last aggregate and the model hostile too."""
    f = attack.n_byzantine
    own = updates[torch.arange(f) % len(updates)]
    values = {"own_updates": own, "last_aggregate": last, "model": last}
    facts = facts_for_attack(attack, updates)
    return facts.with_(**{k: v.clone() for k, v in values.items() if k in attack.knows})


def alike(first, second):
    return torch.equal(first.nan_to_num(0.5), second.nan_to_num(0.5))


@pytest.mark.parametrize(("name", "parameters"), READINGS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_attacks_end_and_keep_their_contract_on_hostile_updates(name, parameters, dtype):
    served = 0
    if name == "full_krum" and dtype == torch.float64:  # A thousand halvings need not be tested.
        parameters = {**parameters, "least": 1e280}
    for f in range(5):
        n_benign = 5 - f
        attack = ATTACKS[name](n_byzantine=f, **parameters)
        try:
            attack.init(5, 12)
        except ConfigError:  # ALIE's own z is defined for a minority alone.
            assert 2 * f >= 5
            continue
        served += 1
        for what, updates in hostile(n_benign, dtype).items():
            before = updates.clone()
            facts = told(attack, updates, updates[-1])
            given = {k: v.clone() for k, v in vars(facts).items() if isinstance(v, torch.Tensor)}
            state = attack.init(5, 12)
            sent, _ = attack.apply(updates, state, facts)
            again, _ = attack.apply(updates, state, facts)
            assert sent.shape == (f, 12) and sent.dtype == dtype, what
            assert alike(sent, again), what
            assert alike(updates, before), what
            assert all(alike(getattr(facts, key), value) for key, value in given.items()), what
            # Only a mean of the largest floats may be rounded over the edge.
            if updates.isfinite().all() and "largest" not in what:
                assert not sent.isnan().any(), what
    assert served >= 3


def test_full_krum_ends_on_an_update_without_an_end():
    updates = torch.tensor([[math.inf, 1], [1, 2], [2, 1], [0, 1]], dtype=torch.float64)
    zeroed = updates.clone()
    zeroed[0] = 0
    for knowledge in ("full", "partial"):
        attack = ATTACKS["full_krum"](n_byzantine=4, knowledge=knowledge)
        sent, expected = (
            attack.apply(rows, None, Facts(own_updates=rows))[0] for rows in (updates, zeroed)
        )
        assert torch.equal(sent, expected)
        assert sent.any()
        for dtype, far in ((torch.float64, 1e300), (torch.float32, 1e38)):
            rows = torch.where(updates.isinf(), far, updates).to(dtype)
            assert attack.apply(rows, None, Facts(own_updates=rows))[0].isfinite().all()


def scaled(name, parameters, factor, dtype):
    """What is sent if all vectors that the attack sees are multiplied by ``factor``."""
    attack = ATTACKS[name](n_byzantine=3, **parameters)
    updates = factor * (normal(6, dtype=dtype) + 0.3)
    facts = told(attack, updates, factor * normal(1, seed=3, dtype=dtype)[0])
    if "own_updates" in attack.knows:
        facts = facts.with_(own_updates=factor * normal(3, seed=4, dtype=dtype))
    return attack.apply(updates, attack.init(9, 12), facts)[0]


SCALING = [
    (name, parameters)
    for name, parameters in READINGS
    if torch.allclose(
        scaled(name, parameters, 16.0, torch.float64) / 16,
        scaled(name, parameters, 1.0, torch.float64),
    )
]


def test_most_attacks_scale_with_the_updates():
    assert {name for name, _ in SCALING} >= {"alie", "camouflage", "full_krum", "full_trim", "ipm"}


@pytest.mark.parametrize(("name", "parameters"), SCALING)
@pytest.mark.parametrize(("dtype", "power"), [(torch.float32, 90), (torch.float64, 700)])
def test_an_attack_that_scales_with_the_updates_scales_where_squares_overflow(
    name, parameters, dtype, power
):
    usual = scaled(name, parameters, 1.0, dtype)
    extreme = scaled(name, parameters, 2.0**power, dtype) / 2.0**power
    torch.testing.assert_close(extreme, usual, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("dtype", "factor"), [(torch.float32, 1e25), (torch.float64, 1e200)])
@pytest.mark.parametrize("small", [False, True])
def test_a_direction_does_not_depend_on_how_long_it_is(dtype, factor, small):
    factor = 1 / factor if small else factor
    vector = torch.tensor([3.0, 0.0, -4.0], dtype=dtype)
    torch.testing.assert_close(unit(factor * vector), vector / 5)
    lengths = length(factor * torch.stack([vector, 2 * vector]))
    torch.testing.assert_close(lengths / factor, torch.tensor([5.0, 10.0], dtype=dtype))
    assert not unit(0 * vector).any() and length(0 * vector) == 0
    # ROP's perturbation is that of the reference's direction: ones minus their projection on it.
    attack = ATTACKS["rop"](n_byzantine=1, first="zero")
    sent = attack.apply((factor * vector[[0, 2]].abs()).repeat(4, 1), None)[0][0]
    torch.testing.assert_close(sent, torch.tensor([0.8, -0.6], dtype=dtype))


@pytest.mark.parametrize(("dtype", "factor"), [(torch.float32, 1e25), (torch.float64, 1e200)])
def test_the_deviation_of_long_columns_is_theirs(dtype, factor):
    updates = normal(7, dtype=dtype)
    usual = updates.std(0)
    updates[:, :4] *= factor
    found = row_std(updates, updates.mean(0))
    torch.testing.assert_close(found[4:], usual[4:])
    torch.testing.assert_close(found[:4] / factor, usual[:4])


def test_pga_tries_as_many_steps_as_it_must_between_any_two_floats():
    updates = normal(5)
    facts = Facts(rule=lambda rows: rows.mean(0))
    for start, tolerance in ((1e300, 1e-300), (1e-300, 1e300)):
        attack = ATTACKS["pga"](n_byzantine=2, start=start, tolerance=tolerance)
        assert attack.apply(updates, None, facts)[0].shape == (2, 12)
    assert ATTACKS["pga"](start=1e300, tolerance=1e-300)._n_trials() == math.ceil(
        600 * math.log2(10)
    )


# --- rules -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", AGGREGATORS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_rules_keep_aggregate_and_state_finite_on_hostile_updates(name, dtype):
    served = 0
    for n, f in ((1, 0), *((7, f) for f in (0, 1, 3, 7))):
        rule = AGGREGATORS[name](n_byzantine=f)
        try:
            rule.check(n)
        except ConfigError:
            continue
        served += 1
        for what, updates in hostile(n, dtype).items():
            before = updates.clone()
            facts, state = facts_for_rule(rule, updates), rule.init(n, 12)
            for _ in range(2):
                found, after = rule.apply(updates, state, facts)
                again, _ = rule.apply(updates, state, facts)
                assert found.shape == (12,) and found.dtype == dtype, what
                assert alike(found, again) and alike(updates, before), what
                # A mean of the largest floats may be rounded over the edge.
                assert found.isfinite().all() or (what == "largest" and not found.isnan().any())
                for part in after if isinstance(after, tuple) else (after,):
                    finite = not isinstance(part, torch.Tensor) or part.isfinite().all()
                    assert finite or what == "largest", what
                state = after
    assert served > 1


def test_flair_ranks_by_the_usual_scores_beside_a_row_whose_square_overflows():
    rule = AGGREGATORS["flair"](n_byzantine=1)
    updates = torch.tensor([[1.0], [2.0], [-3.0], [1e200]], dtype=torch.float64)
    found, state = rule.apply(updates, rule.init(4, 1))
    assert state.scores[:3].tolist() == [0.5, 2, 4.5]
    assert state.scores[3].isfinite() and state.scores[3] > 1e300
    torch.testing.assert_close(state.reputation, torch.tensor([-0.5, 0.5, 0.5, -0.5]).double())
    # The far row points along the aggregate, so that it has not flipped: its score is zero.
    assert found.item() > 0
    _, state = rule.apply(updates, state)
    assert state.scores.tolist() == [0, 0, 9, 0]
    # Turned round, it has flipped.
    _, state = rule.apply(-updates, state)
    assert state.scores[:3].tolist() == [1, 4, 0] and state.scores[3] > 1e300
