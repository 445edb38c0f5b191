"""The aggregation rules: worked cases, the contract that all keep, and bad input."""

import math

import numpy as np
import pytest
import torch
from facts import facts_for_rule
from hypothesis import given, settings
from hypothesis import strategies as st

from fedlib import blocks
from fedlib.aggregators import AGGREGATORS, make_aggregator, spectral
from fedlib.aggregators.ssim import structural_similarity
from fedlib.attacks import ATTACKS
from fedlib.federation import Facts
from fedlib.parts import revisions_of
from fedlib.runs import RunConfig
from fedlib.validation import ConfigError

# What a rule says of itself is tested, so that a new rule is tested without being named here.
MINORITY = [name for name in AGGREGATORS if not AGGREGATORS[name].accepts_half]
STEADY = [name for name in AGGREGATORS if AGGREGATORS[name].bounds_far_rows]
BY_DISTANCES = [name for name in AGGREGATORS if AGGREGATORS[name].by_distances]


def matrix(n=11, d=40, seed=0, dtype=torch.float32):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d))).to(dtype)


def aggregate(name, updates, n_byzantine=0, **parameters):
    rule = AGGREGATORS[name](n_byzantine=n_byzantine, **parameters)
    facts = facts_for_rule(rule, updates)
    return rule.apply(updates, rule.init(*updates.shape), facts)[0]


# --- the contract ------------------------------------------------------------------------


@pytest.mark.parametrize("name", AGGREGATORS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_input_shape_and_dtype_are_kept(name, dtype):
    updates = matrix(dtype=dtype)
    before = updates.clone()
    result = aggregate(name, updates, 2)
    assert result.shape == (40,)
    assert result.dtype == dtype
    assert torch.equal(updates, before)


@pytest.mark.parametrize("name", AGGREGATORS)
def test_a_rule_says_whether_it_uses_the_number_of_byzantine_clients(name):
    updates = matrix()
    updates[-2:] *= 20
    without, with_two = (aggregate(name, updates, f) for f in (0, 2))
    assert torch.equal(without, with_two) != AGGREGATORS[name].uses_n_byzantine


# FoolsGold takes likeness for conspiracy; FLTrust scales to the server's update.
@pytest.mark.parametrize("name", sorted(set(AGGREGATORS) - {"foolsgold", "fltrust"}))
def test_identical_rows_come_out_as_they_are(name):
    row = matrix(1, 30)[0] * 0.01  # inside the smallest clipping radius
    result = aggregate(name, row.repeat(11, 1), 2)
    torch.testing.assert_close(result, row, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", AGGREGATORS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_non_finite_row_counts_as_the_zero_update(name, bad):
    updates = matrix()
    updates[3, 7] = bad
    zeroed = updates.clone()
    zeroed[3] = 0
    result = aggregate(name, updates, 2)
    assert torch.isfinite(result).all()
    assert torch.equal(result, aggregate(name, zeroed, 2))
    assert not math.isfinite(updates[3, 7])  # the argument is not mended in place


@pytest.mark.parametrize("name", AGGREGATORS)
@pytest.mark.parametrize("places", [(0,), (10,), (0, 5), (9, 10)])
def test_non_finite_rows_anywhere_do_no_more_than_zeros(name, places):
    updates = matrix()
    zeroed = updates.clone()
    for bad, place in zip((math.nan, math.inf), places, strict=False):
        updates[place] = bad
        zeroed[place] = 0
    assert torch.equal(aggregate(name, updates, 2), aggregate(name, zeroed, 2))


@pytest.mark.parametrize("name", AGGREGATORS)
def test_zero_rows_one_client_and_the_limit_of_byzantine_ones(name):
    assert not aggregate(name, torch.zeros(11, 4), 2).any()
    for n in (1, 2, 11):
        for f in range(n + 1):
            rule = AGGREGATORS[name](n_byzantine=f)
            try:
                rule.check(n)
            except ConfigError as error:
                assert "n_clients" in str(error)
                continue
            assert torch.isfinite(aggregate(name, matrix(n), f)).all()


@pytest.mark.parametrize("name", AGGREGATORS)
def test_no_finite_row_at_all_gives_zero(name):
    result = aggregate(name, torch.full((7, 5), math.nan), 1)
    assert torch.equal(result, torch.zeros(5))


@pytest.mark.parametrize("name", AGGREGATORS)
def test_values_near_the_largest_float_stay_finite(name):
    updates = matrix()
    updates[0] = 3e38
    updates[1] = -3e38
    assert torch.isfinite(aggregate(name, updates, 2)).all()
    assert torch.isfinite(aggregate(name, torch.full((7, 5), 3e38), 1)).all()


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), name=st.sampled_from(sorted(set(AGGREGATORS) - {"bucketing"})))
def test_the_order_of_clients_does_not_matter(seed, name):
    updates = matrix(11, 6, seed, torch.float64)
    order = torch.from_numpy(np.random.default_rng(seed + 1).permutation(11))
    torch.testing.assert_close(aggregate(name, updates, 2), aggregate(name, updates[order], 2))


@pytest.mark.parametrize("name", BY_DISTANCES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("far", [1, 2])
def test_the_place_of_a_very_far_row_does_not_matter(name, dtype, far):
    updates = matrix(11, 30, 1, dtype)
    updates[11 - far :] *= 1e10
    usual = aggregate(name, updates, 2)
    assert usual.norm() < 2 * updates[:9].norm(dim=1).max()
    for first in range(11):
        order = torch.arange(11).roll(first)
        torch.testing.assert_close(aggregate(name, updates[order], 2), usual)


@pytest.mark.parametrize("scale", [1e6, 1e10])
def test_buckets_keep_a_very_far_row_out_wherever_they_put_it(scale):
    updates = matrix(14, 30, 1)
    updates[13] *= scale
    inner = AGGREGATORS["multi_krum"](n_byzantine=1, n_selected=3)
    rule = AGGREGATORS["bucketing"](n_byzantine=1, rule=inner)
    state = rule.init(14, 30)
    firsts = set()
    for rounds in range(40):
        mixing = rule._mixing(updates, rounds).float()
        found, state = rule.apply(updates, state)
        mixed = (mixing @ updates)[mixing[:, 13].argsort()]  # the far bucket last
        torch.testing.assert_close(found, inner.apply(mixed)[0])
        assert found.norm() < updates[:13].norm(dim=1).max()
        firsts.add(bool(mixing[0, 13]))
    assert firsts == {False, True}


# The saliency maps that tests make up are as large as the updates.
WITHOUT_MAPS = [name for name in AGGREGATORS if "saliency" not in AGGREGATORS[name]().needs]


@pytest.mark.parametrize("name", WITHOUT_MAPS)
@pytest.mark.parametrize("places", [(0, 1), (4, 10)])
@pytest.mark.parametrize("extreme", [torch.finfo(torch.float64).max, 1e200])
def test_the_largest_double_does_no_harm(name, places, extreme):
    updates = matrix(11, 30, 1, torch.float64)
    updates[places[0]], updates[places[1]] = extreme, -extreme
    assert torch.isfinite(aggregate(name, updates, 2)).all()
    # Of Bulyan's last picks two may tie, and then what the far rows' distances are matters.
    if name in BY_DISTANCES and name != "bulyan":
        found = aggregate(name, updates, 2)
        updates[list(places)] = updates[list(places)].sign() * 1e5
        torch.testing.assert_close(found, aggregate(name, updates, 2))


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), name=st.sampled_from(STEADY))
def test_far_byzantine_rows_do_not_move_a_robust_rule_far(seed, name):
    benign = matrix(9, 6, seed, torch.float64)
    byzantine = 1e6 * matrix(2, 6, seed + 1, torch.float64)
    result = aggregate(name, torch.cat([benign, byzantine]), 2)
    assert torch.linalg.vector_norm(result) < 10 * benign.norm(dim=1).max()


def tensors_of(state):
    """All tensors in a state, however deep they are."""
    if isinstance(state, torch.Tensor):
        return [state]
    parts = state if isinstance(state, tuple) else ()
    return [found for part in parts for found in tensors_of(part)]


# The rules, and the pre-aggregations before a rule that keeps something.
WITH_STATE = [
    ("centered_clipping", {}),
    ("flair", {}),
    ("foolsgold", {}),
    ("foolsgold", {"features": "last_layer"}),
    ("gradient_guard", {"map_of": "spectral"}),
    ("bucketing", {"rule": {"name": "centered_clipping"}, "bucket_size": 1}),
    ("nearest_neighbour_mixing", {"rule": {"name": "flair"}}),
]
SETTINGS = [(name, {}) for name in AGGREGATORS] + [pair for pair in WITH_STATE if pair[1]]


@pytest.mark.parametrize(("name", "parameters"), SETTINGS)
def test_updates_and_facts_that_require_grad_leave_no_graph_behind(name, parameters):
    updates = matrix(11, 40).requires_grad_()
    rule = AGGREGATORS[name](n_byzantine=2, **parameters)
    facts = facts_for_rule(rule, updates.detach())
    if "server_update" in facts:
        facts.server_update.requires_grad_()
    state = rule.init(*updates.shape)
    for _ in range(2):
        found, state = rule.apply(updates, state, facts)
        assert not found.requires_grad
        assert not any(part.requires_grad for part in tensors_of(state))


@pytest.mark.parametrize(("name", "parameters"), SETTINGS)
@pytest.mark.parametrize(("n", "f"), [(1, 0), (11, 0), (11, 2)])
def test_an_aggregate_shares_no_memory_with_updates_facts_or_states(name, parameters, n, f):
    rule = AGGREGATORS[name](n_byzantine=f, **parameters)
    if n == 1 and (rule._max_byzantine(1) < 0 or name == "bucketing"):
        return
    updates, state = matrix(n, 40), rule.init(n, 40)
    facts = facts_for_rule(rule, updates)
    given = [updates, *(v for v in vars(facts).values() if isinstance(v, torch.Tensor))]
    for _ in range(2):
        found, after = rule.apply(updates, state, facts)
        given += [*tensors_of(state), *tensors_of(after)]
        places = {tensor.untyped_storage().data_ptr() for tensor in given}
        assert found.untyped_storage().data_ptr() not in places
        for part in tensors_of(after):
            assert part.untyped_storage().data_ptr() != updates.untyped_storage().data_ptr()
        state = after


def state_after_a_round(rule, updates):
    return rule.apply(updates, rule.init(*updates.shape), facts_for_rule(rule, updates))[1]


@pytest.mark.parametrize(("name", "parameters"), WITH_STATE)
@pytest.mark.parametrize("of", ["other clients", "other parameters", "other dtype", "one number"])
def test_a_state_of_other_updates_is_named(name, parameters, of):
    rule, updates = AGGREGATORS[name](n_byzantine=2, **parameters), matrix(11, 40)
    others = {
        "other clients": matrix(12, 40), "other parameters": matrix(11, 1),
        "other dtype": matrix(11, 40, dtype=torch.float64), "one number": None,
    }[of]  # fmt: skip
    state = torch.zeros(1) if others is None else state_after_a_round(rule, others)
    inner = parameters.get("rule", {}).get("name", name)
    if of == "other clients" and inner == "centered_clipping":
        rule.apply(updates, state)  # It keeps one vector for all clients.
        return
    if of == "other parameters" and parameters.get("features"):
        state = state[:, :2]
    with pytest.raises(ConfigError, match=r"the state of aggregator='\w+' (has shape|is of type)"):
        rule.apply(updates, state, facts_for_rule(rule, updates))


@pytest.mark.parametrize("name", AGGREGATORS)
def test_a_state_of_another_kind_is_named(name):
    rule, updates = AGGREGATORS[name](n_byzantine=2), matrix(11, 40)
    for state in (3, torch.zeros(11, 11), (torch.zeros(11),) * 4, "state"):
        with pytest.raises(ConfigError, match=f"the state of aggregator='{name}' is of type|shape"):
            rule.apply(updates, state, facts_for_rule(rule, updates))
    # None stands for the state before the first round.
    facts = facts_for_rule(rule, updates)
    expected = rule.apply(updates, rule.init(11, 40), facts)[0]
    assert torch.equal(rule.apply(updates, None, facts)[0], expected)


def test_a_state_names_its_part_and_a_number_of_rounds_is_one():
    rule, updates = AGGREGATORS["flair"](n_byzantine=2), matrix(11, 40)
    state = state_after_a_round(rule, updates)
    with pytest.raises(
        ConfigError, match=r"part direction of the state .* must have shape \(40,\)"
    ):
        rule.apply(updates, state._replace(direction=torch.ones(1)))
    with pytest.raises(ConfigError, match="must be a State of 3 parts"):
        rule.apply(updates, tuple(state))
    on_meta = state._replace(scores=state.scores.to("meta"))
    with pytest.raises(ConfigError, match=r"part scores .* on meta: must have .* on cpu"):
        rule.apply(updates, on_meta)
    mixing = AGGREGATORS["nearest_neighbour_mixing"](rule=rule)
    for rounds in (-1, 0.5, None):
        for call in (mixing.apply, mixing.candidates):
            with pytest.raises(ConfigError, match="part 0 of the state"):
                call(updates, (rounds, None))


@pytest.mark.parametrize("name", AGGREGATORS)
def test_one_parameter_and_few_clients(name):
    assert aggregate(name, torch.arange(5.0)[:, None], 0).shape == (1,)


@pytest.mark.parametrize("name", AGGREGATORS)
def test_round_trip_through_its_dictionary(name):
    rule = AGGREGATORS[name](n_byzantine=3)
    assert make_aggregator(rule.to_dict()) == rule


# --- each rule ---------------------------------------------------------------------------


def test_mean():
    torch.testing.assert_close(aggregate("mean", matrix()), matrix().mean(0))


def test_median_of_odd_and_even_numbers_of_clients():
    assert aggregate("median", torch.tensor([[1.0], [5.0], [2.0]])).item() == 2
    assert aggregate("median", torch.tensor([[1.0], [5.0], [2.0], [4.0]])).item() == 3


def test_trimmed_mean_leaves_out_both_ends_of_each_coordinate():
    updates = torch.tensor([[0.0, 9.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [100.0, -5.0]])
    torch.testing.assert_close(aggregate("trimmed_mean", updates, 1), torch.tensor([2.0, 2.0]))


def test_krum_takes_the_row_in_the_densest_place():
    # n - f - 2 = 2 neighbours; by hand: 0.1 has 0.01 + 0.01, every other row more.
    updates = torch.tensor([[0.0], [0.1], [0.2], [5.0], [9.0]])
    assert aggregate("krum", updates, 1).item() == pytest.approx(0.1)


def test_krum_is_not_fooled_by_a_common_offset():
    updates = torch.tensor([[0.0], [0.1], [0.2], [5.0], [9.0]]) + 1000
    assert aggregate("krum", updates, 1).item() == pytest.approx(1000.1, abs=1e-3)


def test_geometric_median_of_three_points_on_a_line_is_the_middle_one():
    updates = torch.tensor([[0.0], [1.0], [10.0]], dtype=torch.float64)
    found = aggregate("geometric_median", updates, n_iterations=200, nu=1e-6)
    assert found.item() == pytest.approx(1, abs=1e-3)


def test_geometric_median_first_step_from_zero_by_hand():
    # Weights 1 / max(nu, distance to zero): 1 / 1, 1 / 2; with nu = 4 they are equal.
    updates = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    one_step = {"n_iterations": 1, "start": "zero"}
    assert aggregate("geometric_median", updates, nu=0.1, **one_step).item() == pytest.approx(4 / 3)
    assert aggregate("geometric_median", updates, nu=4.0, **one_step).item() == pytest.approx(1.5)


def test_geometric_median_first_step_from_the_mean_by_hand():
    # The mean is 3, and the distances to it are 2, 1 and 3.
    updates = torch.tensor([[1.0], [2.0], [6.0]], dtype=torch.float64)
    found = aggregate("geometric_median", updates, n_iterations=1, start="mean")
    assert found.item() == pytest.approx((1 / 2 + 2 / 1 + 6 / 3) / (1 / 2 + 1 / 1 + 1 / 3))
    # The second step begins where the first has ended.
    step = (1 / 2 + 2 / 1 + 6 / 3) / (1 / 2 + 1 / 1 + 1 / 3)
    weights = [1 / abs(x - step) for x in (1, 2, 6)]
    expected = sum(w * x for w, x in zip(weights, (1, 2, 6), strict=True)) / sum(weights)
    found = aggregate("geometric_median", updates, n_iterations=2, start="mean")
    assert found.item() == pytest.approx(expected)


def test_centered_clipping_by_hand_over_two_rounds():
    rule = AGGREGATORS["centered_clipping"](tau=1.0)
    updates = torch.tensor([[0.5, 0.0], [0.0, 4.0]], dtype=torch.float64)
    first, state = rule.apply(updates, rule.init(2, 2))
    # Centre 0: the first row is kept, the second cut to length 1.
    torch.testing.assert_close(first, torch.tensor([0.25, 0.5], dtype=torch.float64))
    assert torch.equal(first, state)
    second, _ = rule.apply(torch.stack([first, first + torch.tensor([2.0, 0.0])]), state)
    torch.testing.assert_close(second, first + torch.tensor([0.5, 0.0], dtype=torch.float64))


@pytest.mark.parametrize("name", AGGREGATORS)
def test_an_aggregate_that_is_changed_in_place_does_not_change_the_state(name):
    rule, updates = AGGREGATORS[name](n_byzantine=2), matrix(11, 40)
    facts, expected = facts_for_rule(rule, updates), []
    for change in (False, True):
        state = rule.init(*updates.shape)
        first, state = rule.apply(updates, state, facts)
        if change:
            first.fill_(torch.nan)
        expected.append(rule.apply(updates + 1, state, facts)[0])
    assert torch.equal(*expected)


def test_centered_clipping_never_moves_farther_than_tau():
    rule = AGGREGATORS["centered_clipping"](tau=0.1)
    result, _ = rule.apply(1e4 * matrix(), rule.init(11, 40))
    assert result.norm() <= 0.1 + 1e-6


# --- bad input ---------------------------------------------------------------------------


def test_unknown_name_points_to_the_nearest():
    with pytest.raises(ConfigError, match="'krum'"):
        AGGREGATORS["krumm"]


@pytest.mark.parametrize("name", MINORITY)
def test_half_the_clients_are_too_many(name):
    with pytest.raises(ConfigError, match=r"n_byzantine=5 .* n_clients=10: allowed are 0 to"):
        AGGREGATORS[name](n_byzantine=5).init(10, 3)


def test_krum_needs_two_f_plus_three_clients():
    AGGREGATORS["krum"](n_byzantine=2).init(7, 3)
    with pytest.raises(ConfigError, match="allowed are 0 to 1"):
        AGGREGATORS["krum"](n_byzantine=2).init(6, 3)
    with pytest.raises(ConfigError, match="too few"):
        AGGREGATORS["krum"]().init(2, 3)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mean", {"n_byzantine": -1}),
        ("centered_clipping", {"tau": 0.0}),
        ("centered_clipping", {"n_iterations": 0}),
        ("geometric_median", {"nu": 0.0}),
        ("geometric_median", {"start": "middle"}),
    ],
)
def test_hyperparameters_out_of_range(name, parameters):
    field, value = next(iter(parameters.items()))
    with pytest.raises(ConfigError, match=f"aggregator.{field}={value!r}"):
        AGGREGATORS[name](**parameters)


@pytest.mark.parametrize("updates", [torch.zeros(3), torch.zeros(3, 4, dtype=torch.int64)])
def test_updates_that_are_no_matrix_of_floats(updates):
    with pytest.raises(ConfigError, match="updates of shape"):
        AGGREGATORS["mean"]().apply(updates)


# --- rules that select updates -----------------------------------------------------------


def test_multi_krum_averages_the_rows_of_best_score():
    updates = torch.tensor([[0.0], [0.1], [0.2], [5.0], [9.0]])
    # n - f - 2 = 2 neighbours. Scores: 0.05, 0.02, 0.05, 47.05, 93.44 by hand.
    assert aggregate("multi_krum", updates, 1, n_selected=3).item() == pytest.approx(0.1)
    assert aggregate("multi_krum", updates, 1).item() == pytest.approx(5.3 / 4)
    krum = aggregate("krum", updates, 1)
    assert torch.equal(aggregate("multi_krum", updates, 1, n_selected=1), krum)
    with pytest.raises(ConfigError, match="n_selected=6 is out of range"):
        AGGREGATORS["multi_krum"](n_selected=6).init(5, 1)


def slow_bulyan(updates, f):
    """Bulyan from its definition, with plain loops."""
    rows = list(range(len(updates)))
    picks = []
    while len(picks) < len(updates) - 2 * f:
        k = min(max(len(rows) - f - 2, 1), len(rows) - 1)
        score = {}
        for i in rows:
            distances = sorted(
                float(((updates[i] - updates[j]) ** 2).sum()) for j in rows if j != i
            )
            score[i] = (sum(distances[:k]), sum(distances))
        pick = min(rows, key=lambda i: score[i])
        picks.append(pick)
        rows.remove(pick)
    chosen = updates[picks]
    median = chosen.quantile(0.5, dim=0)
    order = (chosen - median).abs().argsort(dim=0)[: len(updates) - 4 * f]
    return chosen.gather(0, order).mean(0)


@pytest.mark.parametrize(("n", "f"), [(11, 2), (7, 1), (15, 3), (5, 0), (3, 0)])
def test_bulyan_is_its_definition(n, f):
    for seed in range(5):
        updates = matrix(n, 9, seed, torch.float64)
        torch.testing.assert_close(aggregate("bulyan", updates, f), slow_bulyan(updates, f))


def test_bulyan_needs_four_f_plus_three_clients():
    with pytest.raises(ConfigError, match="allowed are 0 to 1"):
        AGGREGATORS["bulyan"](n_byzantine=2).init(10, 1)


def test_faba_removes_the_farthest_from_the_mean_one_by_one():
    # Mean 3.2: 10 goes; then mean 1.5: 6 goes; 0, 0 and 0 are left.
    updates = torch.tensor([[0.0], [0.0], [0.0], [6.0], [10.0]])
    assert aggregate("faba", updates, 2).item() == pytest.approx(0)
    assert aggregate("faba", updates, 1).item() == pytest.approx(1.5)
    assert aggregate("faba", updates, 0).item() == pytest.approx(3.2)


def slow_faba(updates, f):
    """FABA from Algorithm 1 of Xia et al. (2019), with plain loops."""
    left = list(range(len(updates)))
    for _ in range(f):
        mean = updates[left].mean(0)
        left.remove(max(left, key=lambda i: float((updates[i] - mean).norm())))
    return updates[left].mean(0)


def slow_clusters(updates, size, cost):
    """The members of the cheapest cluster of ``size`` updates around one of them."""
    found = []
    for centre in range(len(updates)):
        squares = (updates - updates[centre]).square().sum(1)
        members = squares.argsort(stable=True)[:size]
        found.append((float(cost(squares[members])), members.tolist()))
    return min(found)[1]


def test_faba_is_its_definition():
    for seed in range(16):  # In the 9th, 10th and 14th the mean distance would remove another one.
        updates = matrix(11, 2, seed, torch.float64)
        torch.testing.assert_close(aggregate("faba", updates, 5), slow_faba(updates, 5))


@pytest.mark.parametrize(
    ("name", "cost"),
    [("center_with_outliers", torch.max), ("mean_with_outliers", torch.sum)],
)
def test_clustering_is_its_definition(name, cost):
    others = 0
    for seed in range(20):
        updates = matrix(11, 2, seed, torch.float64) ** 3
        inside = slow_clusters(updates, 7, cost)
        inner = updates[inside].mean(0)
        torch.testing.assert_close(aggregate(name, updates, 4), inner)
        far = slow_clusters(updates, 4, cost)
        outer = updates[[i for i in range(11) if i not in far]].mean(0)
        torch.testing.assert_close(aggregate(name, updates, 4, side="outer"), outer)
        for cost_of_another in (torch.max, torch.sum, lambda squares: squares.sqrt().sum()):
            others += slow_clusters(updates, 7, cost_of_another) != inside
    assert others > 10  # the costs do not agree on everything


def test_centered_clipping_takes_its_steps_one_after_the_other():
    # From 0 towards a single update at 4, a step of length 1 at a time.
    updates = torch.tensor([[4.0]], dtype=torch.float64)
    for steps in (1, 2, 3):
        found = aggregate("centered_clipping", updates, tau=1.0, n_iterations=steps)
        assert found.item() == pytest.approx(steps)


def test_foolsgold_spreads_the_weights_between_none_and_all():
    # The first two have the cosine 0.6, and the third is orthogonal: 0.4, 0.4 and 1 before the
    # logit, whose ends are cut.
    updates = torch.tensor([[1.0, 0, 0], [0.6, 0.8, 0], [0, 0, 1]], dtype=torch.float64)
    weight = 0.7 * (math.log(0.4 / 0.6) + 0.5)
    expected = (weight * (updates[0] + updates[1]) + updates[2]) / (2 * weight + 1)
    torch.testing.assert_close(aggregate("foolsgold", updates, confidence=0.7), expected)


def test_fltrust_does_not_trust_an_update_too_short_for_its_direction():
    updates = torch.tensor([[1e-30, 0.0], [0.6, 0.8]])
    facts = Facts(server_update=torch.tensor([1.0, 0.0]))
    found, _ = AGGREGATORS["fltrust"]().apply(updates, None, facts)
    torch.testing.assert_close(found, torch.tensor([0.6, 0.8]))


def test_norm_clipping_by_hand():
    updates = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    torch.testing.assert_close(
        aggregate("norm_clipping", updates, threshold=1.0), torch.tensor([0.45, 0.6])
    )


@pytest.mark.parametrize(
    ("dtype", "length"),
    [
        (torch.float16, 6e4),
        (torch.float32, 1e19),
        (torch.float32, 3e38),
        (torch.float64, 1e200),
        (torch.float64, torch.finfo(torch.float64).max),
    ],
)
def test_a_row_too_long_for_its_dtype_is_clipped_too(dtype, length):
    updates = torch.tensor([[length, length], [0.3, 0.4], [0.0, -length]], dtype=dtype)
    expected = torch.tensor([0.5**0.5 + 0.3, 0.5**0.5 + 0.4 - 1], dtype=dtype) / 3
    found = aggregate("norm_clipping", updates, threshold=1.0)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_a_long_row_leaves_the_weights_of_the_others_as_they_are():
    updates = matrix(5, 30)
    usual = aggregate("norm_clipping", torch.cat([updates, torch.zeros(1, 30)]), threshold=2.0)
    row = torch.zeros(1, 30)
    row[0, 7] = 3e38
    found = aggregate("norm_clipping", torch.cat([updates, row]), threshold=2.0)
    usual[7] += 2 / 6
    torch.testing.assert_close(found, usual)


@pytest.mark.parametrize(("name", "measure"), [("mda", "diameter"), ("smea", "eigenvalue")])
def test_subset_rules_against_enumeration(name, measure):
    from itertools import combinations

    for seed in range(4):
        updates = matrix(8, 5, seed, torch.float64)
        best = None
        for rows in combinations(range(8), 6):
            part = updates[list(rows)]
            spread = float((part - part.mean(0)).square().sum())
            if measure == "diameter":
                value = (float(torch.pdist(part).max()), spread)
            else:
                value = (float(torch.linalg.eigvalsh(torch.cov(part.t())).max()), spread)
            if best is None or value < best[0]:
                best = (value, part.mean(0))
        torch.testing.assert_close(aggregate(name, updates, 2), best[1])


def test_of_subsets_with_one_diameter_mda_takes_that_of_least_variance():
    # The first two are 2 apart. The last two are 2.5 apart, so that one of them must go, and both
    # triangles have the diameter 2.
    updates = torch.tensor([[0.0, 0.0], [2.0, 0.0], [1.0, -1.6], [1.0, 0.9]])
    torch.testing.assert_close(aggregate("mda", updates, 1), updates[[0, 1, 3]].mean(0))


def test_a_search_over_too_many_subsets_is_refused():
    with pytest.raises(ConfigError, match="subsets to search: must be at most 200000"):
        AGGREGATORS["mda"](n_byzantine=10).init(30, 1)
    AGGREGATORS["smea"](n_byzantine=5).init(25, 1)


# --- pre-aggregation ---------------------------------------------------------------------


def test_mixing_replaces_each_row_by_the_mean_of_its_nearest():
    updates = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
    # n - f = 3 nearest each: (0, 1, 2) for the first three, (10, 2, 1) for the last.
    mixed = torch.tensor([[1.0], [1.0], [1.0], [13 / 3]])
    for name in ("mean", "median", "centered_clipping"):
        rule = AGGREGATORS[name](n_byzantine=1)
        mixing = AGGREGATORS["nearest_neighbour_mixing"](n_byzantine=1, rule=rule)
        found, _ = mixing.apply(updates, mixing.init(4, 1))
        torch.testing.assert_close(found, rule.apply(mixed, rule.init(4, 1))[0])


def test_buckets_are_means_of_disjoint_clients_drawn_anew_each_round():
    updates = torch.eye(7, dtype=torch.float64)
    rule = AGGREGATORS["bucketing"](bucket_size=3, rule={"name": "mean"})
    first, second = (rule._mixing(updates, rounds) for rounds in (0, 1))
    for weights in (first, second):
        assert weights.shape == (3, 7)
        torch.testing.assert_close(weights.sum(1), torch.ones(3, dtype=torch.float64))
        assert ((weights > 0).sum(0) == 1).all()
    assert not torch.equal(first, second)
    assert torch.equal(first, rule._mixing(updates, 0))
    _, state = rule.apply(updates, rule.init(7, 7))
    assert state[0] == 1


def test_buckets_follow_their_seed_and_a_smaller_bucket_is_a_mean_too():
    updates = torch.eye(7, dtype=torch.float64)
    rules = [AGGREGATORS["bucketing"](bucket_size=3, seed=seed) for seed in (0, 1)]
    first, second = (rule._mixing(updates, 0) for rule in rules)
    assert not torch.equal(first, second)
    assert sorted(first.flatten().unique().tolist()) == pytest.approx([0, 1 / 3, 1])


def test_a_repeated_median_withstands_a_minority_of_the_others():
    # Of five clients each has four others, and two of these are no minority.
    for name in ("repeated_median", "residual_reweighting"):
        assert [AGGREGATORS[name]()._max_byzantine(n) for n in (1, 2, 4, 5, 6)] == [0, 0, 1, 1, 2]
        with pytest.raises(ConfigError, match="allowed are 0 to 1"):
            AGGREGATORS[name](n_byzantine=2).check(5)


def test_pre_aggregation_keeps_the_state_of_its_rule():
    rule = AGGREGATORS["nearest_neighbour_mixing"](rule={"name": "centered_clipping", "tau": 0.5})
    updates = torch.ones(3, 4)
    state = rule.init(3, 4)
    for rounds in range(1, 3):
        found, state = rule.apply(updates, state)
        assert found.norm().item() == pytest.approx(0.5 * rounds)


def test_the_rule_must_withstand_what_is_left_after_bucketing():
    rule = AGGREGATORS["bucketing"](n_byzantine=5, bucket_size=4)
    with pytest.raises(ConfigError, match="too many for trimmed_mean with n_clients=7"):
        rule.init(25, 1)
    assert AGGREGATORS["bucketing"](n_byzantine=5, bucket_size=2).init(25, 1) == (0, None)


@pytest.mark.parametrize(
    "rule",
    [
        {"name": "mean", "weights": "samples"},
        {"name": "gradient_guard", "inputs": "clients"},
        {"name": "gradient_guard", "map_of": "spectral"},
        {"name": "flair"},
        {"name": "foolsgold"},
        {"name": "nearest_neighbour_mixing", "rule": {"name": "foolsgold"}},
        {"name": "nearest_neighbour_mixing", "rule": {"name": "mean", "weights": "samples"}},
    ],
)
def test_a_bucket_is_no_client(rule):
    with pytest.raises(ConfigError, match=rf"aggregator\.rule='{rule['name']}' .* must be a rule"):
        AGGREGATORS["bucketing"](rule=rule)
    # Of mixed updates each stands for a client.
    AGGREGATORS["nearest_neighbour_mixing"](rule=rule).init(11, 3)


def test_a_mixed_update_has_the_weight_of_the_client_in_whose_place_it_is():
    updates = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
    rule = {"name": "mean", "weights": "samples"}
    mixing = AGGREGATORS["nearest_neighbour_mixing"](n_byzantine=1, rule=rule)
    facts = Facts(sample_counts=torch.tensor([1, 1, 1, 3]))
    found, _ = mixing.apply(updates, None, facts)
    assert found.item() == pytest.approx((3 * 1 + 3 * 13 / 3) / 6)


def test_the_candidates_after_mixing_are_those_of_the_mixed_updates():
    updates = matrix(11, 6)
    updates[4, 2] = math.nan
    zeroed = updates.clone()
    zeroed[4] = 0
    inner = AGGREGATORS["mean_with_outliers"](n_byzantine=2, side="vote")
    for name, parameters in (
        ("nearest_neighbour_mixing", {}),
        ("bucketing", {"bucket_size": 2}),
    ):
        rule = AGGREGATORS[name](n_byzantine=2, rule=inner, **parameters)
        for rounds in (0, 3):
            found = rule.candidates(updates, (rounds, None))
            expected = inner.candidates(rule._mixing(zeroed, rounds).float() @ zeroed)
            assert found.shape == (2, 6)
            assert torch.equal(found, expected)


def test_a_majority_is_one_of_the_voters_and_not_of_the_buckets():
    updates = torch.tensor([[-3.0], [-2.0], [2.0], [3.0], [0.5], [0.51]])
    rule = AGGREGATORS["bucketing"](
        n_byzantine=1, bucket_size=2, rule={"name": "mean_with_outliers", "side": "vote"}
    )
    inner, outer = rule.candidates(updates)
    assert not torch.equal(inner, outer)
    for for_inner, expected in ((4, inner), (3, outer), (2, outer)):
        facts = Facts(vote=lambda _, for_inner=for_inner: (torch.arange(6) >= for_inner).long())
        assert torch.equal(rule.apply(updates, None, facts)[0], expected)


def test_the_inner_rule_is_a_part_of_a_runs_identity():
    from fedlib.runs import RunConfig

    rules = [{"name": "median"}, {"name": "krum"}, {"name": "centered_clipping", "tau": 0.5}]
    runs = [
        RunConfig(aggregator=AGGREGATORS["nearest_neighbour_mixing"](rule=rule)) for rule in rules
    ]
    assert len({run.id for run in runs}) == 3
    assert all(RunConfig.from_dict(run.to_dict()) == run for run in runs)


# --- rules that need more than the updates -----------------------------------------------


@pytest.mark.parametrize("name", ["fltrust", "gradient_guard"])
def test_what_a_rule_lacks_is_named(name):
    with pytest.raises(
        ConfigError, match=rf"aggregator='{name}' needs the fact 's\w+', which is not given"
    ):
        AGGREGATORS[name]().apply(matrix())


def test_mean_weighted_by_samples():
    updates = torch.tensor([[1.0], [2.0], [6.0]])
    facts = Facts(sample_counts=torch.tensor([1, 2, 1]))
    found, _ = AGGREGATORS["mean"](weights="samples").apply(updates, None, facts)
    assert found.item() == pytest.approx(11 / 4)
    with pytest.raises(ConfigError, match=r"needs the fact 'sample_counts'"):
        AGGREGATORS["mean"](weights="samples").apply(updates)
    for counts, said in (([0, 0, 0], "not all 0"), ([2, -1, 2], "at least 0")):
        facts = Facts(sample_counts=torch.tensor(counts))
        with pytest.raises(ConfigError, match=said):
            AGGREGATORS["mean"](weights="samples").apply(updates, None, facts)


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        (("mean", {"weights": "samples"}), {"sample_counts": torch.ones(4)}),
        (("fltrust", {}), {"server_update": torch.ones(3)}),
        (("fltrust", {}), {"server_update": torch.ones(1, 2)}),
        (
            ("foolsgold", {"features": "last_layer"}),
            {"output_weights": torch.ones(3, dtype=torch.bool)},
        ),
    ],
)
def test_a_fact_of_another_shape_is_named(rule, facts):
    name, parameters = rule
    with pytest.raises(
        ConfigError, match=rf"the fact '{next(iter(facts))}' of shape .* has the shape"
    ):
        AGGREGATORS[name](**parameters).apply(torch.ones(5, 2), None, Facts(**facts))


@pytest.mark.parametrize("rule", ["center_with_outliers", "mean_with_outliers"])
def test_clients_vote_between_inner_and_outer(rule):
    # Four honest ones, and two sneaking between them.
    updates = torch.tensor([[-3.0], [-2.0], [2.0], [3.0], [0.5], [0.51]])
    inner, outer = (aggregate(rule, updates, 2, side=side) for side in ("inner", "outer"))
    assert not torch.equal(inner, outer)
    elect = AGGREGATORS[rule](n_byzantine=2, side="vote")
    for for_inner, expected in ((4, inner), (3, outer), (2, outer)):
        seen = []

        def vote(candidates, for_inner=for_inner, seen=seen):
            seen.append(candidates)
            return (torch.arange(6) >= for_inner).long()

        found, _ = elect.apply(updates, None, Facts(vote=vote))
        assert torch.equal(found, expected)
        assert torch.equal(seen[0], torch.stack([inner, outer]))


def test_fltrust_by_hand():
    # Cosines to (1, 0): 1, 0.6, 0 and -1, which counts as 0; all scaled to length 1.
    updates = torch.tensor([[2.0, 0.0], [3.0, 4.0], [0.0, 9.0], [-1.0, 0.0]])
    facts = Facts(server_update=torch.tensor([1.0, 0.0]))
    found, _ = AGGREGATORS["fltrust"]().apply(updates, None, facts)
    torch.testing.assert_close(found, torch.tensor([1 + 0.36, 0.48]) / 1.6)


@pytest.mark.parametrize("own", [[0.0, 0.0], [math.nan, 1.0], [-1.0, 0.0]])
def test_fltrust_without_anybody_to_trust_stays_where_it_is(own):
    updates = torch.tensor([[2.0, 0.0], [0.0, 0.0], [1e-30, 0.0]])
    facts = Facts(server_update=torch.tensor(own))
    found, _ = AGGREGATORS["fltrust"]().apply(updates, None, facts)
    assert torch.equal(found, torch.zeros(2))


@pytest.mark.parametrize(
    ("dtype", "row", "own"),
    [
        (torch.float32, 2e-18, 1e22),
        (torch.float32, 3e38, 3e38),
        (torch.float64, torch.finfo(torch.float64).max, 1.0),
        (torch.float64, 1e-150, torch.finfo(torch.float64).max / 2),
        (torch.float64, 1e-150, 1e200),
    ],
)
def test_fltrust_at_extreme_lengths(dtype, row, own):
    # Both rows point half way between the axes, whatever their lengths; the third is at 90 degrees.
    updates = torch.tensor([[row, row], [1.0, 1.0], [1.0, -1.0]], dtype=dtype)
    server = torch.tensor([own, own], dtype=dtype)
    found, _ = AGGREGATORS["fltrust"]().apply(updates, None, Facts(server_update=server))
    torch.testing.assert_close(found / own, torch.ones(2, dtype=dtype), rtol=1e-4, atol=0)


def test_fltrust_cuts_what_is_longer_than_the_largest_float():
    largest = torch.finfo(torch.float32).max
    facts = Facts(server_update=torch.full((4,), largest))
    # The server's update is twice the largest float long, and so is the only row in one place.
    found, _ = AGGREGATORS["fltrust"]().apply(torch.tensor([[0.0, 5.0, 0.0, 0.0]]), None, facts)
    assert found.tolist() == [0, largest, 0, 0]


# --- rules with a history ----------------------------------------------------------------


def slow_foolsgold(history, confidence=1.0):
    """FoolsGold's weights from the paper's algorithm, with plain loops."""
    n = len(history)
    unit = [row / np.linalg.norm(row) for row in history]
    cosine = [[float(unit[i] @ unit[j]) for j in range(n)] for i in range(n)]
    likeness = [max(0.0, *(cosine[i][j] for j in range(n) if j != i)) for i in range(n)]
    weights = []
    for i in range(n):
        pardoned = [
            cosine[i][j] * (likeness[i] / likeness[j] if likeness[j] > likeness[i] else 1)
            for j in range(n) if j != i
        ]  # fmt: skip
        weights.append(min(max(1 - max(pardoned), 0), 1))
    weights = [w / max(weights) for w in weights]
    out = []
    for w in weights:
        logit = math.inf if w == 1 else -math.inf if w == 0 else math.log(w / (1 - w))
        out.append(min(max(confidence * (logit + 0.5), 0), 1))
    return np.array(out)


def test_foolsgold_is_its_definition_over_two_rounds():
    rule = AGGREGATORS["foolsgold"](confidence=0.7)
    first, second = (matrix(6, 4, seed, torch.float64) for seed in (1, 2))
    _, state = rule.apply(first, rule.init(6, 4))
    found, state = rule.apply(second, state)
    weights = slow_foolsgold((first + second).numpy(), 0.7)
    expected = (weights[:, None] * second.numpy()).sum(0) / weights.sum()
    torch.testing.assert_close(found, torch.from_numpy(expected))
    torch.testing.assert_close(state, first + second)


def test_foolsgold_silences_sybils_and_stands_still_if_all_are_alike():
    updates = torch.eye(5)
    updates[3:] = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0])
    torch.testing.assert_close(aggregate("foolsgold", updates), torch.tensor([1, 1, 1, 0, 0]) / 3)
    assert not aggregate("foolsgold", torch.ones(4, 3)).any()


def test_foolsgold_compares_the_last_layer_alone_if_told_so():
    rule = AGGREGATORS["foolsgold"](features="last_layer")
    facts = Facts(output_weights=torch.tensor([False, True, True, False]))
    first, second = (matrix(5, 4, seed, torch.float64) for seed in (3, 4))
    _, state = rule.apply(first, rule.init(5, 4), facts)
    found, state = rule.apply(second, state, facts)
    torch.testing.assert_close(state, (first + second)[:, 1:3])
    weights = slow_foolsgold((first + second)[:, 1:3].numpy())
    expected = (weights[:, None] * second.numpy()).sum(0) / weights.sum()
    torch.testing.assert_close(found, torch.from_numpy(expected))
    with pytest.raises(ConfigError, match=r"needs the fact 'output_weights'"):
        rule.apply(first)
    with pytest.raises(ConfigError, match=r"aggregator.features='last'"):
        AGGREGATORS["foolsgold"](features="last")


def test_foolsgold_may_divide_by_the_number_of_clients():
    updates = torch.eye(5)
    updates[3:] = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0])
    # Three honest clients of five have weight 1, the two sybils none.
    found = aggregate("foolsgold", updates, divide_by="clients")
    torch.testing.assert_close(found, torch.tensor([1, 1, 1, 0, 0]) / 5)


def test_flair_by_hand_over_two_rounds():
    rule = AGGREGATORS["flair"](n_byzantine=1, decay=0.5)
    # First scores, half of the squares: 0.5, 2, 4.5, 8. The first and the last are penalised.
    updates = torch.tensor([[1.0], [2.0], [-3.0], [4.0]], dtype=torch.float64)
    found, state = rule.apply(updates, rule.init(4, 1))
    reputation, direction, scores = state
    assert scores.tolist() == [0.5, 2, 4.5, 8]
    torch.testing.assert_close(reputation, torch.tensor([-0.5, 0.5, 0.5, -0.5]).double())
    weights = reputation.softmax(0)
    torch.testing.assert_close(found, (weights[:, None] * updates).sum(0))
    assert direction.item() == 1
    # Only what is negative has flipped now: scores 0, 0, 9, 1. The lowest two share a penalty.
    updates = torch.tensor([[1.0], [2.0], [-3.0], [-1.0]], dtype=torch.float64)
    _, (reputation, *_) = rule.apply(updates, state)
    torch.testing.assert_close(reputation, torch.tensor([-0.25, 0.25, -0.25, 0.25]).double())


def test_either_end_of_the_scores_may_be_penalised():
    # Scores 0.5, 2, 4.5 and 8. A penalty is -(1 - 2 / 4), and a reward 2 / 4.
    updates = torch.tensor([[1.0], [2.0], [-3.0], [4.0]], dtype=torch.float64)
    for penalised, expected in (
        ("lowest", [-0.5, 0.5, 0.5, 0.5]),
        ("highest", [0.5, 0.5, 0.5, -0.5]),
        ("both", [-0.5, 0.5, 0.5, -0.5]),
    ):
        rule = AGGREGATORS["flair"](n_byzantine=1, penalised=penalised)
        assert rule.apply(updates)[1].reputation.tolist() == expected


def test_a_watched_rule_takes_the_direction_of_the_aggregate_that_leads():
    rule, updates = AGGREGATORS["flair"](n_byzantine=2), matrix(11, 6)
    state = state_after_a_round(rule, updates)
    leading = torch.tensor([-2.0, 0.0, 3.0, 1.0, -1.0, 0.5])
    led = rule.led_by(state, leading)
    assert led.direction.tolist() == [-1, 0, 1, 1, -1, 1]
    assert led.reputation is state.reputation and led.scores is state.scores


def test_gradient_guard_penalises_the_least_similar_map():
    pattern = torch.rand(8, 8, generator=torch.Generator().manual_seed(1))
    maps = {0.0: pattern, 1.0: pattern, 2.0: pattern + 0.01, 3.0: pattern.flip(0)}
    asked = []

    def saliency(updates, raw, score):
        asked.append(updates)
        return torch.stack([maps[float(u)][None] for u in updates[:, 0]])

    updates = torch.tensor([[1.0], [2.0], [1.0], [3.0]])
    for window in (7, None):
        rule = AGGREGATORS["gradient_guard"](n_byzantine=1, window=window)
        facts = Facts(saliency=saliency)
        _, (reputation, *_) = rule.apply(updates, rule.init(4, 1), facts)
        torch.testing.assert_close(reputation, torch.tensor([0.5, 0.5, 0.5, -0.5]).double())
    # The two equal updates are looked at once.
    assert [len(rows) for rows in asked] == [1, 3, 1, 3]
    assert not asked[0].any()  # no direction before the first round


@pytest.mark.parametrize("map_of", ["model", "update", "spectral"])
def test_gradient_guard_looks_at_honest_updates_once_in_all_trials(map_of):
    asked = []

    def saliency(rows, raw, score):
        asked.append(len(rows))
        return rows.abs().view(-1, 1, 8, 8)

    needed = {} if map_of == "spectral" else {"saliency": saliency}
    rule = AGGREGATORS["gradient_guard"](n_byzantine=2, map_of=map_of)
    honest = torch.randn(5, 64, generator=torch.Generator().manual_seed(5))
    state = rule.apply(torch.cat([honest, honest[:2]]), None, Facts(**needed))[1]
    memory, counts = {}, []
    for factor in (0.5, 3.0, 300.0, 300.0):
        updates = torch.cat([honest, factor * honest[:1].expand(2, 64)])
        fresh = rule.apply(updates, state, Facts(**needed))[0]
        asked.clear()
        assert torch.equal(rule.apply(updates, state, Facts(memory=memory, **needed))[0], fresh)
        counts.append(sum(asked))
    if map_of != "spectral":
        # The step that is compared is as long as the median update, which may change.
        assert counts[0] == 7 and counts[1] <= 2 and counts[2] <= 2 and counts[3] == 0


def test_gradient_guard_takes_broken_maps_for_the_least_similar():
    def saliency(updates, raw, score):
        return torch.where(updates[:, :1] > 5, math.nan, torch.rand(1, 64)).view(-1, 1, 8, 8)

    updates = torch.tensor([[1.0], [2.0], [9.0], [3.0]])
    rule = AGGREGATORS["gradient_guard"](n_byzantine=1)
    _, (reputation, *_) = rule.apply(updates, None, Facts(saliency=saliency))
    assert reputation.argmin() == 2
    with pytest.raises(ConfigError, match=r"aggregator\.window=4 must be odd"):
        AGGREGATORS["gradient_guard"](window=4)


def test_gradient_guard_may_look_at_updates_themselves_and_at_clients_samples():
    asked = []

    def client_saliency(client, rows, raw, score):
        asked.append((client, len(rows), raw))
        pattern = torch.arange(64.0).view(1, 8, 8)
        # The maps of the first three are alike but for their size, which does not matter here.
        first = pattern * (client + 1) if client < 3 else pattern.flip(1)
        return torch.stack([first, pattern])

    updates = torch.tensor([[1.0], [2.0], [1.0], [3.0]])
    rule = AGGREGATORS["gradient_guard"](n_byzantine=1, map_of="update", inputs="clients")
    assert rule.needs == {"client_saliency"}
    facts = Facts(client_saliency=client_saliency)
    _, (reputation, _, scores) = rule.apply(updates, rule.init(4, 1), facts)
    assert asked == [(0, 2, True), (1, 2, True), (2, 2, True), (3, 2, True)]
    torch.testing.assert_close(scores[:3], torch.ones(3).double())
    assert reputation.argmin() == 3
    with pytest.raises(ConfigError, match=r"needs the fact 'client_saliency'"):
        rule.apply(updates, None, Facts(saliency=client_saliency))


def test_gradient_guard_may_reward_everybody_in_the_first_round():
    def saliency(rows, raw, score):
        return torch.stack([torch.full((1, 8, 8), float(row)) for row in rows[:, 0]])

    updates = torch.tensor([[1.0], [2.0], [1.0], [30.0]])
    for first, least in (("similarity", -0.5), ("reward", 0.25)):
        rule = AGGREGATORS["gradient_guard"](n_byzantine=1, first=first)
        facts = Facts(saliency=saliency)
        _, state = rule.apply(updates, rule.init(4, 1), facts)
        assert state.reputation.min() == least
        _, state = rule.apply(updates, state, facts)
        assert state.reputation.min() < 0.5


def test_gradient_guard_asks_for_a_step_as_long_as_the_median_update():
    asked = []

    def saliency(rows, raw, score):
        asked.append((rows, raw, score))
        return torch.rand(len(rows), 1, 8, 8, generator=torch.Generator().manual_seed(3))

    updates = torch.diag(torch.tensor([1.0, 2.0, 3.0, 50.0, 100.0]))
    direction = torch.tensor([1.0, -1.0, 0.0, 1.0, 1.0])
    for map_of, score, step in (
        ("model", "logit", direction * 3 / 2),  # the direction is 2 long
        ("model", "probability", direction * 3 / 2),
        ("update", "logit", direction),
    ):
        rule = AGGREGATORS["gradient_guard"](n_byzantine=1, map_of=map_of, score=score)
        rule.scores(updates, direction, Facts(saliency=saliency))
        (reference, raw, read), (rows, *others) = asked[-2:]
        torch.testing.assert_close(reference, step[None])
        assert torch.equal(rows, updates)
        assert (raw, read) == tuple(others) == (map_of == "update", score)


@pytest.mark.parametrize("window", [3, 7])
def test_gradient_guard_scores_by_the_mean_similarity_over_the_samples(window):
    from skimage.metrics import structural_similarity as reference

    maps = 2 + torch.rand(4, 3, 12, 12, generator=torch.Generator().manual_seed(5))
    maps[1] = maps[0] + 0.1 * maps[1]
    rule = AGGREGATORS["gradient_guard"](n_byzantine=1, window=window)
    facts = Facts(saliency=lambda rows, raw, score: maps[rows[:, 0].long()])
    scores = rule.scores(torch.tensor([[1.0], [2.0], [3.0]]), torch.zeros(1), facts)
    span = float(maps[0].max() - maps[0].min())
    for client in range(3):
        of_samples = [
            reference(
                maps[client + 1, i].double().numpy(), maps[0, i].double().numpy(),
                win_size=window, data_range=span,
            )
            for i in range(3)
        ]  # fmt: skip
        assert float(scores[client]) == pytest.approx(np.mean(of_samples), abs=1e-6)


def test_gradient_guard_judges_by_the_options_it_has():
    """``first`` and ``reference`` decide on which of two references the scores are taken."""
    maps = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(5))
    facts = Facts(
        saliency=lambda rows, raw, score: maps[rows[:, 0].long()], server_update=torch.ones(1)
    )
    updates = torch.tensor([[0.0], [1.0], [2.0]])
    alike = {}
    for reference, first in (
        ("aggregate", "similarity"),
        ("server", "reward"),
        ("aggregate", "reward"),
    ):
        rule = AGGREGATORS["gradient_guard"](n_byzantine=1, reference=reference, first=first)
        scores = rule.apply(updates, None, facts)[1].scores
        alike[reference, first] = scores.tolist()
    assert alike["aggregate", "similarity"][0] == pytest.approx(1)
    assert alike["server", "reward"][1] == pytest.approx(1)
    assert alike["aggregate", "reward"] == [0, 0, 0]
    maps[2, 0, 0, 0] = torch.nan
    assert rule.scores(updates, torch.ones(1), facts)[2] == -1


def test_gradient_guard_may_look_at_the_updates_own_spectrum():
    direction = matrix(1, 60, seed=3)[0].sign()
    updates = matrix(4, 60)
    updates[2] = -3 * direction  # a reversal has the same map
    rule = AGGREGATORS["gradient_guard"](n_byzantine=1, map_of="spectral")
    assert rule.needs == frozenset()
    scores = rule.scores(updates, direction, Facts())
    assert scores[2] == pytest.approx(1, abs=1e-6)
    assert scores[[0, 1, 3]].max() < 0.9
    # Without a direction there is no map: the first round tells nobody apart.
    _, state = rule.apply(updates, rule.init(4, 60))
    torch.testing.assert_close(state.reputation, torch.full((4,), 0.25).double())
    _, state = rule.apply(updates, state)
    assert len(state.reputation.unique()) == 2
    updates[1] = torch.nan
    result, state = rule.apply(updates, state)
    assert result.isfinite().all() and state.scores.isfinite().all()
    for name, value in (("inputs", "clients"), ("score", "probability")):
        with pytest.raises(ConfigError, match=rf"aggregator\.{name}='{value}' has no meaning"):
            AGGREGATORS["gradient_guard"](map_of="spectral", **{name: value})


def test_gradient_guard_may_trust_an_update_of_the_servers():
    pattern = torch.rand(8, 8, generator=torch.Generator().manual_seed(1))

    def saliency(rows, raw, score):
        return torch.stack(
            [(pattern if row > 1.5 else pattern.flip(0))[None] for row in rows[:, 0]]
        )

    updates = torch.tensor([[2.0], [1.0], [2.0], [2.0]])
    rule = AGGREGATORS["gradient_guard"](n_byzantine=1, reference="server", first="reward")
    assert rule.needs == {"saliency", "server_update"}
    facts = Facts(saliency=saliency, server_update=torch.tensor([2.0]))
    _, state = rule.apply(updates, rule.init(4, 1), facts)
    torch.testing.assert_close(state.scores[[0, 2, 3]], torch.ones(3).double())
    torch.testing.assert_close(state.reputation, torch.tensor([0.5, -0.5, 0.5, 0.5]).double())
    # Asked for another direction, of length 1, it judges by a step along that.
    by_direction = rule.scores(updates[[1, 1, 1, 0]], torch.tensor([1.0]), facts)
    assert by_direction.argmin() == 3
    rule = AGGREGATORS["gradient_guard"](1, map_of="spectral", reference="server")
    assert rule.needs == {"server_update"}
    updates = matrix(4, 60)
    for own, same in ((updates[1], [1]), (torch.full((60,), torch.nan), [])):
        _, state = rule.apply(updates, None, Facts(server_update=own))
        assert (state.scores > 0.99).nonzero().flatten().tolist() == same


@pytest.mark.parametrize(("size", "shape"), [(58, (8, 8)), (20, (4, 5)), (75, (9, 9))])
def test_spectral_residual_by_its_definition(size, shape):
    from scipy import ndimage

    vectors = torch.from_numpy(np.random.default_rng(0).normal(size=(3, size)))
    found = spectral.spectral_residual_maps(vectors)
    assert found.shape == (3, *shape)
    for vector, own in zip(vectors.numpy(), found.numpy(), strict=True):
        zeros = np.zeros(math.prod(shape) - size)
        spectrum = np.fft.fft2(np.append(vector, zeros).reshape(shape))
        log = np.log(np.abs(spectrum))
        residual = log - ndimage.uniform_filter(log, 3, mode="wrap")
        expected = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
        expected = ndimage.gaussian_filter(expected, 2.5, mode="wrap", truncate=8)
        np.testing.assert_allclose(own, expected, rtol=1e-9)


def test_spectral_residual_knows_neither_length_nor_sign(monkeypatch):
    vectors = matrix(5, 30, dtype=torch.float64)
    maps = spectral.spectral_residual_maps(vectors)
    assert torch.equal(spectral.spectral_residual_maps(-vectors), maps)
    torch.testing.assert_close(spectral.spectral_residual_maps(1e300 * vectors), maps)
    monkeypatch.setattr(spectral, "_BLOCK", 60)  # two vectors at once
    torch.testing.assert_close(spectral.spectral_residual_maps(vectors), maps)
    assert maps.shape == (5, 5, 6)
    assert not spectral.spectral_residual_maps(torch.zeros(2, 7)).any()
    assert spectral.spectral_residual_maps(torch.ones(1, 1)).flatten().tolist() == [1]


@pytest.mark.parametrize("window", [7, 5, 11, None])
def test_structural_similarity_is_scikit_images(window):
    from skimage.metrics import structural_similarity as reference

    generator = torch.Generator().manual_seed(4)
    x = torch.rand(3, 2, 20, 17, generator=generator, dtype=torch.float64)
    y = 0.5 * x + 0.5 * torch.rand(2, 20, 17, generator=generator, dtype=torch.float64)
    span = torch.tensor([1.0, 0.7, 2.0], dtype=torch.float64)[:, None]
    found = structural_similarity(x, y, span, window)
    assert found.shape == (3, 2)
    for i in range(3):
        for j in range(2):
            if window is None:
                a, b = x[i, j], y[i, j]
                cov = ((a - a.mean()) * (b - b.mean())).mean()
                c1, c2 = (0.01 * span[i]) ** 2, (0.03 * span[i]) ** 2
                expected = (2 * a.mean() * b.mean() + c1) / (a.mean() ** 2 + b.mean() ** 2 + c1)
                expected *= (2 * cov + c2) / (a.var(correction=0) + b.var(correction=0) + c2)
            else:
                expected = reference(
                    x[i, j].numpy(), y[i, j].numpy(), win_size=window, data_range=float(span[i])
                )
            assert abs(float(found[i, j]) - float(expected)) < 1e-10
    # Many are looked at part by part.
    with pytest.raises(ConfigError, match="window=6 must be odd"):
        structural_similarity(x, y, span, 6)
    many = structural_similarity(
        x.repeat(40, 1, 1, 1), y.repeat(40, 1, 1, 1), span.repeat(40, 1), window
    )
    assert torch.equal(many, found.repeat(40, 1))
    small = structural_similarity(x[..., :4, :6], y[..., :4, :6], 1.0, 7)
    assert (
        abs(
            float(small[0, 0])
            - reference(
                x[0, 0, :4, :6].numpy(), y[0, 0, :4, :6].numpy(), win_size=3, data_range=1.0
            )
        )
        < 1e-10
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("mean", [0.0, 1e4, 1e8])
def test_structural_similarity_of_a_slight_contrast_is_that_of_the_contrast(dtype, mean):
    if mean > torch.finfo(dtype).max / 2 or (mean == 1e8 and dtype == torch.float32):
        mean = 2048.0  # what the dtype can hold beside the noise
    generator = torch.Generator().manual_seed(2)
    noise = torch.randn(2, 24, 24, generator=generator, dtype=torch.float64)
    x, y = (mean + torch.stack([noise[0], noise[0] + 0.1 * noise[1]])).to(dtype)
    found = float(structural_similarity(x, y, 8.0))
    # Variance and covariance do not change with the mean, and the luminances are alike.
    exact = [image.double() - mean for image in (x, y)]
    contrast = slow_contrast(*exact, 8.0)
    luminance = 1.0 if mean else slow_luminance(*exact, 8.0)
    expected = float((contrast * luminance).mean())
    assert found == pytest.approx(expected, abs=2e-6)
    assert found <= 1


def windows(image):
    return image.unfold(0, 7, 1).unfold(1, 7, 1).flatten(2)


def slow_contrast(x, y, span):
    a, b = (windows(z) - windows(z).mean(2, keepdim=True) for z in (x, y))
    covariance, variances = (a * b).sum(2) / 48, (a * a + b * b).sum(2) / 48
    return (2 * covariance + (0.03 * span) ** 2) / (variances + (0.03 * span) ** 2)


def slow_luminance(x, y, span):
    a, b = windows(x).mean(2), windows(y).mean(2)
    return (2 * a * b + (0.01 * span) ** 2) / (a**2 + b**2 + (0.01 * span) ** 2)


def test_structural_similarity_of_bytes_does_not_overflow():
    from skimage.metrics import structural_similarity as reference

    images = np.random.default_rng(0).integers(0, 256, size=(2, 16, 16)).astype(np.uint8)
    images[1] = images[0] // 2 + images[1] // 2
    x, y = torch.from_numpy(images)
    found = structural_similarity(x, y, 255)
    assert found.dtype == torch.float64
    assert float(found) == pytest.approx(reference(*images, data_range=255), abs=1e-10)
    with pytest.raises(ConfigError, match=r"y of type torch.complex64 must have real numbers"):
        structural_similarity(x, y * 1j, 255)


# --- robust lines ------------------------------------------------------------------------


def slow_line(y, estimator="repeated_median", intercept="repeated_median"):
    """Slope and intercept of a robust line, from equations (1) and (2) with plain loops."""
    n = len(y)
    x = range(1, n + 1)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    slope = {(i, j): (y[j] - y[i]) / (x[j] - x[i]) for i, j in pairs}
    if estimator == "median":
        return 0.0, np.median(y)
    if estimator == "theil_sen":
        b1 = np.median([slope[i, j] for i, j in pairs if i < j])
        return b1, np.median(y) - b1 * (n + 1) / 2
    b1 = np.median([np.median([slope[i, j] for j in range(n) if j != i]) for i in range(n)])
    if intercept == "middle":
        return b1, np.median(y) - b1 * (n + 1) / 2
    start = {(i, j): (x[j] * y[i] - x[i] * y[j]) / (x[j] - x[i]) for i, j in pairs}
    return b1, np.median([np.median([start[i, j] for j in range(n) if j != i]) for i in range(n)])


def slow_reweighting(models, lam, delta, estimator, weighting, intercept, version="text"):
    """residual_reweighting, Algorithm 1, on models ``(K, N)``, as the text or the code has it."""
    code = version == "code"
    k, n = models.shape
    corrected, confidence = models.copy(), np.zeros((k, n))
    x = np.arange(1, k + 1)
    h = x**2 / (x**2).sum()
    if code:  # the diagonal of the hat matrix of (1, x)
        design = np.stack([np.ones(k), x], axis=1)
        h = np.diag(design @ np.linalg.inv(design.T @ design) @ design.T)
    for column in range(n):
        order = np.argsort(models[:, column])
        y = models[order, column]
        b1, b0 = slow_line(y, estimator, intercept)
        r = y - b0 - b1 * x
        if code:
            scale = 1.4826 * np.median(np.sort(np.abs(r))[1:]) * (1 + 5 / (k - 1)) + 1e-7
        else:
            scale = 1.48 * np.median(np.abs(r)) * (1 + 5 / (k - 1))
        e = r / scale
        if weighting == "gaussian":
            w = np.exp(-(e**2) / (2 * lam**2))
        else:
            z, s = lam * np.sqrt(2 / k), np.sqrt(1 - h)
            zero = np.abs(e) < 1e-12  # a residual of zero is in the trusted interval
            e = np.where(zero, 1e-12, e)
            w = np.where(zero, 1, s / e * np.clip(e / s, -z, z))
        low = w <= delta
        w = np.where(low & (not code), 0, w)
        corrected[order, column] = np.where(low, b0 + b1 * x, y)
        confidence[order, column] = w * w.std(ddof=1)
    weights = confidence.sum(1)
    if code:
        weights = (weights / weights.max()) ** 2
    return (weights / weights.sum()) @ corrected


@pytest.mark.parametrize("n", [4, 5, 9])
@pytest.mark.parametrize("intercept", ["repeated_median", "middle"])
def test_repeated_median_is_its_definition(n, intercept):
    updates = matrix(n, 7, 3, torch.float64)
    lines = [slow_line(np.sort(column), intercept=intercept) for column in updates.t().numpy()]
    expected = torch.tensor([b0 + b1 * (n + 1) / 2 for b1, b0 in lines], dtype=torch.float64)
    torch.testing.assert_close(aggregate("repeated_median", updates, intercept=intercept), expected)


@pytest.mark.parametrize("n", [5, 8])
@pytest.mark.parametrize("estimator", ["repeated_median", "theil_sen", "median"])
@pytest.mark.parametrize("weighting", ["irls", "gaussian"])
@pytest.mark.parametrize("version", ["text", "code"])
def test_residual_reweighting_is_its_definition(n, estimator, weighting, version):
    broadcast = matrix(1, 12, 5, torch.float64)[0]
    updates = matrix(n, 12, 4, torch.float64)
    updates[0, :3] = 30  # values to correct
    options = {"lam": 1.0, "delta": 0.1, "estimator": estimator, "weighting": weighting}
    options |= {
        "version": version,
        "intercept": "middle" if version == "code" else "repeated_median",
    }
    found = aggregate("residual_reweighting", updates, 1, **options)
    models = (broadcast - updates).numpy()
    expected = slow_reweighting(models, **options)
    torch.testing.assert_close(broadcast - found, torch.from_numpy(expected))


def test_a_value_whose_confidence_is_just_the_limit_is_replaced():
    # No confidence is above 1, so that all values become those of the lines, and none has weight.
    updates = matrix(7, 5, 11, torch.float64)
    lines = [slow_line(np.sort(-column)) for column in updates.t().numpy()]
    expected = [-(start + slope * 4) for slope, start in lines]
    found = aggregate("residual_reweighting", updates, delta=1.0)
    assert found.tolist() == pytest.approx(expected)


def test_reweighting_of_five_values_by_hand_as_the_text_and_as_the_code_has_it():
    # Models 0, 1, 2, 3, 14: the line y = x - 1, residuals 0, 0, 0, 0, 10. Of the text the median
    # residual is 0, and so the last confidence 0 and its value replaced by 4.
    models = torch.tensor([[0.0], [1.0], [2.0], [3.0], [14.0]], dtype=torch.float64)
    text = AGGREGATORS["residual_reweighting"](delta=0.1).apply(-models)[0]
    torch.testing.assert_close(-text, torch.tensor([1.5]).double())  # the mean of the first four
    # In the code the scale is 1e-7: the last value is replaced, but its confidence stays 1e-8 of
    # the others' at most, and its weight is the square of that.
    code = AGGREGATORS["residual_reweighting"](delta=0.1, version="code", intercept="middle")
    torch.testing.assert_close(-code.apply(-models)[0], torch.tensor([1.5]).double())
    # Models -1, 0, 2, 4, 5 and the line by the median, y = 2: residuals 3, 2, 0, 2, 3. The text's
    # scale is 1.48 * 2 * 2.25, the code's 1.4826 * 2.5 * 2.25 (the zero is left out); errors beyond
    # the bound 0.1 * sqrt(0.4) * sqrt(1 - h) with h = x^2 / 55, and 1/5 + (x - 3)^2 / 10.
    models = torch.tensor([[-1.0], [0.0], [2.0], [4.0], [5.0]], dtype=torch.float64)
    size = np.array([3.0, 2.0, 0.0, 2.0, 3.0])
    leverages = {"text": np.array([1, 4, 9, 16, 25]) / 55, "code": np.array([6, 3, 2, 3, 6]) / 10}
    scales = {"text": 1.48 * 2 * 2.25, "code": 1.4826 * 2.5 * 2.25 + 1e-7}
    for version, leverage in leverages.items():
        bound = 0.1 * np.sqrt(0.4) * np.sqrt(1 - leverage)
        confidence = np.where(size > 0, bound / np.maximum(size / scales[version], 1e-9), 1)
        weight = confidence if version == "text" else confidence**2
        expected = (weight * models[:, 0].numpy()).sum() / weight.sum()
        rule = AGGREGATORS["residual_reweighting"](
            delta=0, lam=0.1, estimator="median", version=version
        )
        assert -float(rule.apply(-models)[0]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_code_s_reweighting_serves_a_few_clients(n):
    updates = matrix(n, 20, 9)
    rule = AGGREGATORS["residual_reweighting"](version="code", intercept="middle")
    found = rule.apply(updates)[0]
    assert found.isfinite().all()
    alike = rule.apply(updates[:1].repeat(n, 1))[0]
    torch.testing.assert_close(alike, updates[0])


def test_residual_reweighting_corrects_a_few_extreme_parameters():
    updates = matrix(10, 50, 6)
    attacked = updates.clone()
    attacked[0, :5] = 1e4  # a tenth of one client's parameters
    honest = aggregate("residual_reweighting", updates)
    found = aggregate("residual_reweighting", attacked, 1)
    assert (found - honest).abs().max() < 1
    assert (aggregate("mean", attacked) - updates.mean(0)).abs().max() > 900


@pytest.mark.parametrize("columns", [1, 700, 3000])
def test_blocks_of_columns_do_not_change_residual_reweighting(columns, monkeypatch):
    updates = matrix(25, 3000, 8, torch.float64)
    whole = aggregate("residual_reweighting", updates)
    steps = [slice(i, min(i + columns, 3000)) for i in range(0, 3000, columns)]
    module = "fedlib.aggregators.residual_reweighting.column_blocks"
    monkeypatch.setattr(module, lambda _: steps)
    torch.testing.assert_close(aggregate("residual_reweighting", updates), whole)


def test_candidates_are_what_the_clients_vote_on():
    updates = torch.randn(9, 12, generator=torch.Generator().manual_seed(5))
    for name in ("center_with_outliers", "mean_with_outliers"):
        sides = [
            AGGREGATORS[name](n_byzantine=3, side=side).apply(updates)[0]
            for side in ("inner", "outer")
        ]
        both = AGGREGATORS[name](n_byzantine=3, side="vote").candidates(updates)
        assert torch.equal(both, torch.stack(sides))
    one = AGGREGATORS["median"](n_byzantine=3)
    assert torch.equal(one.candidates(updates), one.apply(updates)[0][None])
    updates[4, 2] = torch.nan
    assert AGGREGATORS[name](n_byzantine=3, side="vote").candidates(updates).isfinite().all()


def test_colluders_who_tie_share_the_penalties_and_their_order_does_not_matter():
    rule = AGGREGATORS["flair"](n_byzantine=3)
    # Scores 1 and four times 2, then 18, 32, 50: penalised are the 1 and two of the four, the last.
    updates = torch.tensor([[4.0], [2.0], [2.0], [2.0], [2.0], [6.0], [8.0], [10.0]])
    updates[0] = 2**0.5
    for order in (torch.arange(8), torch.arange(8).flip(0)):
        _, state = rule.apply(updates[order].double(), rule.init(8, 1))
        found = (0.75 - state.reputation)[order.argsort()]
        torch.testing.assert_close(found, torch.tensor([1, 0.5, 0.5, 0.5, 0.5, 1, 1, 1]).double())
    with pytest.raises(ConfigError, match="allowed are 0 to 3"):
        AGGREGATORS["flair"](n_byzantine=4).check(8)
    AGGREGATORS["flair"](n_byzantine=4, penalised="lowest").check(8)


@pytest.mark.parametrize("switch", ["on", "off"])
def test_bulyan_averages_no_more_copies_than_are_closest(switch, monkeypatch):
    monkeypatch.setenv("FEDLIB_KERNELS", switch)
    column = torch.tensor([[-2.0], [-2.0], [-2.0], [0.0], [0.0], [0.5], [1.0]], dtype=torch.float64)
    mean = blocks.mean_around_median(column, 5)
    # The median is 0. The closest five are 0, 0, 0.5, 1 and one of the copies of -2.
    assert mean.tolist() == [pytest.approx((0 + 0 + 0.5 + 1 - 2) / 5)]


def test_the_revision_of_bulyan_concerns_attackers_that_send_the_same():
    def revisions(attack, f=2):
        run = RunConfig(
            n_clients=20,
            n_byzantine=f,
            aggregator=AGGREGATORS["bulyan"](n_byzantine=f),
            attack=ATTACKS[attack](n_byzantine=f),
        )
        return revisions_of(run.aggregator, run)

    assert revisions("alie") == revisions("full_krum") == {"": 2}
    assert revisions("full_trim") == revisions("none") == revisions("alie", 1) == {}


def test_a_matrix_must_be_dense():
    sparse = torch.eye(3).to_sparse()
    with pytest.raises(ConfigError, match=r"layout torch\.sparse_coo cannot be used: it must be a"):
        AGGREGATORS["mean"](n_byzantine=0).apply(sparse)
