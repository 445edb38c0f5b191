"""Rules of the catalogue that no chapter has, against their definitions, and what was proved."""

import numpy as np
import pytest
import torch
from slow_rules import slow_caf

from fedlib.aggregators import AGGREGATORS
from fedlib.aggregators.autogm import best_weights
from fedlib.aggregators.signguard import largest_cluster
from fedlib.federation import Facts
from fedlib.seeds import stream
from fedlib.validation import ConfigError


def matrix(n=11, d=6, seed=0, dtype=torch.float64):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d))).to(dtype)


def aggregate(name, updates, n_byzantine=0, facts=None, **parameters):
    rule = AGGREGATORS[name](n_byzantine=n_byzantine, **parameters)
    return rule.apply(updates, rule.init(*updates.shape), facts)[0]


def column(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


# --- Meamed and Phocas -------------------------------------------------------------------


def test_meamed_and_phocas_by_hand():
    # The median is 2: 0, 1, 2 and 3 are nearest. The mean without both ends is 2, too.
    updates = column(0, 1, 2, 3, 90)
    assert aggregate("meamed", updates, 1).item() == pytest.approx(1.5)
    assert aggregate("phocas", updates, 1).item() == pytest.approx(1.5)
    # The median is 1 and leaves out 8. The mean of 0, 1 and 7 is 8 / 3, and leaves out 8, too.
    assert aggregate("meamed", column(0, 0, 1, 7, 8), 1).item() == pytest.approx(2)
    # The median is 1 and leaves out 6 and 5. The mean 5 / 2 of 1 and 4 leaves out 6 and -9.
    updates = column(-9, 1, 1, 4, 5, 6)
    assert aggregate("meamed", updates, 2).item() == pytest.approx((1 + 1 + 4 + 5) / 4)
    assert aggregate("phocas", updates, 2).item() == pytest.approx((1 + 1 + 4 + 5) / 4)
    assert aggregate("phocas", column(0, 1, 1, 7, 8), 1).item() == pytest.approx(
        (0 + 1 + 1 + 7) / 4
    )


def slow_nearest(values, centre, kept):
    return np.mean(sorted(values, key=lambda value: (abs(value - centre), value))[:kept])


@pytest.mark.parametrize(("n", "f"), [(11, 2), (10, 3), (25, 12), (1, 0), (4, 1)])
@pytest.mark.parametrize("rounded", [False, True])
def test_meamed_and_phocas_are_their_definitions(n, f, rounded):
    for seed in range(4):
        updates = 3 * matrix(n, 9, seed)
        updates = updates.round() if rounded else updates
        for name in ("meamed", "phocas"):
            expected = []
            for values in updates.t().numpy():
                trimmed = np.mean(np.sort(values)[f : n - f])
                centre = np.median(values) if name == "meamed" else trimmed
                expected.append(slow_nearest(values, centre, n - f))
            found = aggregate(name, updates, f)
            torch.testing.assert_close(found, torch.tensor(expected))


@pytest.mark.parametrize("name", ["meamed", "phocas"])
def test_a_kept_value_is_no_farther_than_honest_ones(name):
    # Xie et al. prove it: at most n - f values, all of honest clients, are nearer than any kept.
    for seed in range(20):
        honest, f = matrix(8, 5, seed), 3
        byzantine = 10.0 ** (seed % 5) * matrix(f, 5, seed + 50)
        found = aggregate(name, torch.cat([honest, byzantine]), f)
        widest = honest.amax(0) - honest.amin(0)
        assert (found >= honest.amin(0) - widest).all() and (found <= honest.amax(0) + widest).all()


# --- CAF ---------------------------------------------------------------------------------


def test_caf_by_hand():
    # On a line the covariance has one direction. Of the mean 3, 9 is farthest, and 1, 2 and 0 keep
    # 1 - 4 / 36, 1 - 1 / 36 and 1 - 9 / 36. Their sum 2.61 is more than 2, so that a second step
    # follows, whose covariance is less. It leaves the weights 0, 0.88 and 0.28, which are too few.
    updates = column(0, 1, 2, 9)
    weights = 1 - np.array([9, 4, 1, 36]) / 36
    mean = weights @ [0, 1, 2, 9] / weights.sum()
    assert aggregate("caf", updates, 1).item() == pytest.approx(mean)
    assert aggregate("caf", updates, 0).item() == pytest.approx(3)


@pytest.mark.parametrize(
    ("n", "d", "f"), [(11, 1, 2), (11, 6, 2), (9, 30, 4), (25, 3, 7), (5, 2, 0)]
)
def test_caf_is_its_definition(n, d, f):
    for seed in range(5):
        updates = matrix(n, d, seed)
        updates[:f] = 10 ** (seed % 3) * updates[:f] + 2
        torch.testing.assert_close(aggregate("caf", updates, f), slow_caf(updates, f))


def test_caf_errs_by_a_factor_of_the_honest_covariance_wherever_the_others_are():
    # This is what is proved: the squared error is at most kappa times the largest eigenvalue of the
    # honest covariance, and kappa, of the order f / n, does not depend on the others. Here 3 / 4
    # would do if it were f / (n - 2 f) times 3.
    honest, f = matrix(10, 6, 3), 2
    spread = float(torch.linalg.eigvalsh(torch.cov(honest.t(), correction=0))[-1])
    for scale in (1.0, 1e2, 1e4, 1e8):
        for seed in range(5):
            everyone = torch.cat([honest, scale * matrix(f, 6, 20 + seed)])
            error = float((aggregate("caf", everyone, f) - honest.mean(0)).square().sum())
            assert error <= 3 * f / (12 - 2 * f) * spread


def test_caf_keeps_on_where_an_update_without_weight_is_far():
    updates = torch.cat([matrix(9, 6, 1), 1e10 * matrix(2, 6, 2)])
    assert aggregate("caf", updates, 2).norm() < 2


# --- ARC ---------------------------------------------------------------------------------


def test_arc_shortens_the_longest_to_the_next():
    # k = 2 * 1 * 4 / 5 = 1.6, so that one is shortened, to the length 3.
    updates = torch.tensor([[1.0, 0], [0, 2], [3, 0], [0, -1], [6, 8]], dtype=torch.float64)
    mean = aggregate("arc", updates, 1, rule={"name": "mean"})
    shorter = updates.clone()
    shorter[4] = torch.tensor([1.8, 2.4])
    torch.testing.assert_close(mean, shorter.mean(0))
    unchanged = aggregate("arc", updates, 0, rule={"name": "mean"})
    torch.testing.assert_close(unchanged, updates.mean(0))


@pytest.mark.parametrize(("n", "f"), [(11, 2), (11, 5), (25, 10), (3, 1)])
def test_arc_never_lengthens_and_bounds_what_the_rule_gets_by_an_honest_length(n, f):
    # More than f updates are shortened, so that the limit is at most the longest honest length.
    honest, far = matrix(n - f, 7, 1), 1e3 * matrix(f, 7, 2)
    everyone = torch.cat([honest, far])
    rule = AGGREGATORS["arc"](n_byzantine=f, rule={"name": "mean"})
    mixing = rule._mixing(everyone, 0)
    assert torch.equal(mixing, mixing.diag().diag()) and (mixing.diag() <= 1).all()
    clipped = mixing @ everyone
    assert clipped.norm(dim=1).max() <= honest.norm(dim=1).max() * (1 + 1e-9)
    shortened = int((mixing.diag() < 1).sum())
    assert shortened == 2 * f * (n - f) // n
    inner = AGGREGATORS["median"](n_byzantine=f)
    arc = AGGREGATORS["arc"](n_byzantine=f, rule=inner)
    torch.testing.assert_close(arc.apply(everyone)[0], inner.apply(clipped)[0])


def test_arc_may_come_before_a_rule_that_knows_clients():
    rule = AGGREGATORS["arc"](n_byzantine=2, rule={"name": "foolsgold"})
    assert rule.apply(matrix(), rule.init(11, 6))[1][0] == 1


# --- MoNNA -------------------------------------------------------------------------------


def test_monna_by_hand():
    updates = column(0, 1, 2, 9, 4)
    facts = Facts(server_update=torch.tensor([3.0]))
    # Of the server's 3 the nearest are 2, 4 and then 1; of client 0 they are 0, 1 and 2.
    assert aggregate("monna", updates, 2, facts).item() == pytest.approx((2 + 4 + 1) / 3)
    assert aggregate("monna", updates, 2, trusted="client").item() == pytest.approx(1)
    found = aggregate("monna", updates, 2, trusted="client", client=3)
    assert found.item() == pytest.approx((9 + 4 + 2) / 3)


def test_monna_stays_as_near_to_the_trusted_one_as_the_honest_are():
    # Farhadkhani et al.: n - f honest updates are there, so none that is kept is farther than all.
    honest = matrix(8, 6, 1)
    for scale in (0.1, 1.0, 1e6):
        everyone = torch.cat([honest, scale * matrix(3, 6, 2)])
        found = aggregate("monna", everyone, 3, trusted="client", client=2)
        assert (found - honest[2]).norm() <= (honest - honest[2]).norm(dim=1).max()


def test_monna_names_a_client_that_is_not_there_and_buckets_are_no_clients():
    with pytest.raises(ConfigError, match=r"aggregator.client=11 .* from 0 to 10"):
        AGGREGATORS["monna"](trusted="client", client=11).check(11)
    AGGREGATORS["monna"](client=11).check(11)
    with pytest.raises(ConfigError, match=r"needs the fact 'server_update'"):
        aggregate("monna", matrix())
    with pytest.raises(ConfigError, match="a bucket is not a client"):
        AGGREGATORS["bucketing"](rule={"name": "monna", "trusted": "client"})
    AGGREGATORS["bucketing"](rule={"name": "monna"})


# --- CGE and Aksel -----------------------------------------------------------------------


def test_cge_by_hand():
    updates = torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, -2.0], [-9.0, 9.0]])
    torch.testing.assert_close(aggregate("cge", updates, 1), updates[:3].mean(0))
    torch.testing.assert_close(aggregate("cge", updates, 1, combine="sum"), updates[:3].sum(0))
    with pytest.raises(ConfigError, match=r"aggregator.combine='max'"):
        AGGREGATORS["cge"](combine="max")


def test_cge_keeps_nothing_longer_than_the_honest():
    for seed in range(10):
        honest = matrix(8, 5, seed)
        everyone = torch.cat([honest, 10.0 ** (seed % 4 - 1) * matrix(3, 5, seed + 50)])
        kept = sorted(everyone.norm(dim=1).tolist())[:8]
        assert kept[-1] <= honest.norm(dim=1).max()
        order = everyone.norm(dim=1).argsort()[:8]
        torch.testing.assert_close(aggregate("cge", everyone, 3), everyone[order].mean(0))


def test_aksel_by_hand():
    # The median is 2, and 2, 1 and 4 are nearest. With n - f of them 9 alone is left out.
    updates = column(9, 1, 2, 4, -1)
    assert aggregate("aksel", updates, 1).item() == pytest.approx(7 / 3)
    assert aggregate("aksel", updates, 1, kept="all_but_f").item() == pytest.approx(1.5)
    assert AGGREGATORS["aksel"](kept="all_but_f").uses_n_byzantine
    assert not AGGREGATORS["aksel"]().uses_n_byzantine
    # Of four, two are nearest to the median 3 / 2, and 0 comes before 9.
    assert aggregate("aksel", column(1, 0, 2, 9), 1).item() == pytest.approx(1.5)


def test_aksel_is_its_definition_and_keeps_what_is_as_near_as_the_honest_are():
    for seed in range(10):
        honest = matrix(8, 5, seed)
        everyone = torch.cat([honest, 10.0 ** (seed % 4 - 1) * matrix(3, 5, seed + 50)])
        median = everyone.quantile(0.5, dim=0)
        apart = (everyone - median).norm(dim=1)
        order = apart.argsort()
        for kept, count in (("half", 6), ("all_but_f", 8)):
            found = aggregate("aksel", everyone, 3, kept=kept)
            torch.testing.assert_close(found, everyone[order[:count]].mean(0))
            assert (found - median).norm() <= (honest - median).norm(dim=1).max()


# --- DnC ---------------------------------------------------------------------------------


def slow_dnc(updates, f, draws, filtered=1.0):
    """Algorithm 2 of Shejwalkar and Houmansadr (2021) with a singular value decomposition."""
    n, good = len(updates), set(range(len(updates)))
    for chosen in draws:
        part = updates[:, chosen]
        centred = part - part.mean(0)
        first = torch.linalg.svd(centred, full_matrices=False).Vh[0]
        scores = (centred @ first).square()
        good &= set(scores.argsort()[: n - int(filtered * f)].tolist())
    return updates[sorted(good)].mean(0)


@pytest.mark.parametrize("iterations", [1, 3])
@pytest.mark.parametrize("drawn", [4, 100])
def test_dnc_is_its_definition_in_each_round(iterations, drawn):
    updates = matrix(11, 20, 5)
    updates[8:] += 2
    rule = AGGREGATORS["dnc"](n_byzantine=3, n_iterations=iterations, n_coordinates=drawn, seed=4)
    state = rule.init(11, 20)
    for rounds in range(3):
        generator = stream(4, "dnc", rounds)
        every = np.arange(20)
        draws = [
            generator.choice(20, 4, replace=False) if drawn < 20 else every
            for _ in range(iterations)
        ]
        found, state = rule.apply(updates, state)
        torch.testing.assert_close(found, slow_dnc(updates, 3, draws))
    assert state.past == 3


def test_dnc_leaves_out_colluders_and_what_stands_out():
    # The text: colluders shift the mean along one direction, and their scores are the largest then.
    honest = matrix(16, 300, 3)
    shift = 2 * matrix(1, 300, 4)
    everyone = torch.cat([honest, (honest.mean(0) + shift).expand(4, -1)])
    torch.testing.assert_close(aggregate("dnc", everyone, 4), honest.mean(0))
    # Twice as many are left out, 1.5 times 4 of them and not 4.
    found = aggregate("dnc", everyone, 4, filtered=1.5)
    torch.testing.assert_close(found, slow_dnc(everyone, 4, [np.arange(300)], 1.5))


def test_dnc_averages_what_was_left_out_least_often_if_none_is_left():
    updates = torch.eye(5, dtype=torch.float64)
    rule = AGGREGATORS["dnc"](n_byzantine=2, n_iterations=40, n_coordinates=1)
    found, _ = rule.apply(updates, None)
    assert found.isfinite().all() and float(found.sum()) == pytest.approx(1)
    with pytest.raises(ConfigError, match=r"aggregator.filtered=3.0 leaves out 6 updates"):
        AGGREGATORS["dnc"](n_byzantine=2, filtered=3.0).check(5)


# --- rules that cluster directions -------------------------------------------------------


def plane(*degrees, lengths=None):
    """Vectors of the plane with these angles."""
    angles = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    vectors = torch.stack([angles.cos(), angles.sin()], dim=1)
    return vectors if lengths is None else vectors * torch.tensor(lengths)[:, None]


def slow_majority(distances):
    """The first group of more than half if clients are joined in the order of their distances."""
    n = len(distances)
    for limit in np.unique(distances):
        for start in range(n):
            group, new = set(), {start}
            while new:
                group |= new
                new = {j for i in new for j in range(n) if distances[i, j] <= limit} - group
            if len(group) > n // 2:
                return sorted(group)
    raise AssertionError("Nobody has more than half.")


def test_flame_by_hand():
    # From 0 to 30 degrees they are 10 apart, which is four of seven. The next is 20 away.
    updates = plane(0, 10, 20, 30, 50, 120, 200, lengths=[1.0, 2, 4, 8, 16, 32, 64])
    short = plane(0, 10, 20, 30, lengths=[1.0, 2, 4, 8])
    torch.testing.assert_close(aggregate("flame", updates, 3), short.mean(0))
    longer = plane(0, 10, 20, 30, 50, 120, 200, lengths=[1.0, 2, 1, 8, 1, 1, 1])
    torch.testing.assert_close(aggregate("flame", longer, 3), plane(0, 10, 20, 30).mean(0))


@pytest.mark.parametrize("n", [2, 5, 8, 25])
def test_flame_is_its_definition_and_no_longer_than_the_median(n):
    for seed in range(6):
        updates = matrix(n, 4, seed) + (seed % 3) * torch.ones(4)
        lengths = updates.norm(dim=1)
        directions = updates / lengths[:, None]
        distances = (1 - directions @ directions.t()).numpy()
        np.fill_diagonal(distances, 0)
        distances = (distances + distances.T) / 2
        median = float(np.median(lengths.numpy()))
        clipped = directions * lengths.clamp(max=median)[:, None]
        expected = clipped[slow_majority(distances)].mean(0)
        found = aggregate("flame", updates)
        torch.testing.assert_close(found, expected)
        assert found.norm() <= median * (1 + 1e-9)


def test_clipped_clustering_by_hand_over_two_rounds():
    # Two clusters: 0, 10 and 25 degrees, and 100 and 150. The median of the lengths is 2.
    updates = plane(0, 10, 25, 100, 150, lengths=[1.0, 2, 3, 4, 1])
    rule = AGGREGATORS["clipped_clustering"](n_byzantine=2)
    first, state = rule.apply(updates, rule.init(5, 2))
    torch.testing.assert_close(first, plane(0, 10, 25, lengths=[1.0, 2, 2]).mean(0))
    # With the lengths of the first round the median is 3.5, that of 1, 1, 2, 3, 4, 5, 6, 7, 8, 3.
    second, state = rule.apply(plane(0, 10, 25, 100, 150, lengths=[5.0, 6, 3, 8, 7]), state)
    torch.testing.assert_close(second, plane(0, 10, 25, lengths=[3.5, 3.5, 3]).mean(0))
    assert state.tolist() == pytest.approx([1, 2, 3, 4, 1, 5, 6, 3, 8, 7])
    # No longer than the largest length.
    least, _ = AGGREGATORS["clipped_clustering"](largest=0.5).apply(updates)
    torch.testing.assert_close(least, plane(0, 10, 25, lengths=[0.5] * 3).mean(0))
    # A client that sends nothing in a round stops no one: the median over 14 lengths is 4.5.
    fewer = plane(0, 10, 25, 100, lengths=[5.0, 6, 3, 8])
    third, longer = AGGREGATORS["clipped_clustering"](n_byzantine=1).apply(fewer, state)
    torch.testing.assert_close(third, plane(0, 10, 25, lengths=[4.5, 4.5, 3]).mean(0))
    assert len(longer) == 14
    with pytest.raises(ConfigError, match=r"state"):
        rule.apply(updates, torch.ones(5, 1).double())


def slow_two_clusters(distances, mean):
    """Join the two closest clusters until there are two, and return the larger one."""
    clusters = [[i] for i in range(len(distances))]
    while len(clusters) > 2:
        apart = {
            (a, b): mean([distances[i, j] for i in clusters[a] for j in clusters[b]])
            for a in range(len(clusters))
            for b in range(a)
        }
        a, b = min(apart, key=apart.get)
        clusters[b] += clusters.pop(a)
    return max(clusters, key=len)


@pytest.mark.parametrize(("join", "mean"), [("average", np.mean), ("single", np.min)])
@pytest.mark.parametrize("n", [3, 7, 25])
def test_clipped_clustering_is_its_definition(n, join, mean):
    for seed in range(6):
        updates = matrix(n, 4, seed)
        lengths = updates.norm(dim=1)
        directions = updates / lengths[:, None]
        cluster = slow_two_clusters((1 - directions @ directions.t()).numpy(), mean)
        clipped = directions * lengths.clamp(max=float(lengths.median()))[:, None]
        found = aggregate("clipped_clustering", updates, join=join)
        torch.testing.assert_close(found, clipped[cluster].mean(0))


@pytest.mark.parametrize("name", ["flame", "clipped_clustering", "signguard"])
def test_a_minority_that_turns_round_is_left_out_and_one_that_is_long_is_shortened(name):
    # The texts aim at these: a minority of negated updates is another group, and is not averaged.
    common = matrix(1, 200, 1).abs() + 0.5
    honest = common + 0.3 * matrix(9, 200, 2)
    turned = torch.cat([honest, -honest[:4]])
    median = float(turned.norm(dim=1).median())
    clipped = honest * (median / honest.norm(dim=1)).clamp(max=1)[:, None]
    if name == "flame":  # It takes the first group of more than half, and not all of the nine.
        directions = turned / turned.norm(dim=1, keepdim=True)
        members = slow_majority((1 - directions @ directions.t()).clamp(min=0).numpy())
        assert len(members) < 9 and max(members) < 9
        clipped = clipped[members]
    torch.testing.assert_close(aggregate(name, turned, 4), clipped.mean(0))
    long = torch.cat([honest, 1e6 * (common + 0.3 * matrix(2, 200, 4))])
    found = aggregate(name, long, 2)
    assert found.norm() <= float(long.norm(dim=1).median()) * (1 + 1e-9)


# --- SignGuard ---------------------------------------------------------------------------


def test_signguard_by_hand():
    # All ten coordinates count. Four updates have 8 or 7 positive values, and two have 2.
    signs = [[1] * 8 + [-1] * 2] * 3 + [[1] * 7 + [-1] * 3] + [[-1] * 8 + [1] * 2] * 2
    updates = torch.tensor(signs, dtype=torch.float64)
    whole = aggregate("signguard", updates, 2, share=1.0)
    torch.testing.assert_close(whole, updates[:4].mean(0))
    # Of the usual signs, what is more than three times the median or less than a tenth goes.
    lengths = torch.tensor([1.0, 3.1, 0.09, 2.9, 1, 1]).double()
    scaled = updates * lengths[:, None]
    kept = torch.stack([updates[0], updates[3]]).mean(0)
    torch.testing.assert_close(aggregate("signguard", scaled, 2, share=1.0), kept)
    # Where none has both, the largest cluster is averaged, and shortened.
    lengths = torch.tensor([9.0, 9, 0.01, 0.01, 1, 1]).double()
    scaled = updates * lengths[:, None]
    expected = torch.cat([updates[:2], 0.01 * updates[2:4]]).mean(0)
    torch.testing.assert_close(aggregate("signguard", scaled, 2, share=1.0), expected)


def test_signguard_looks_at_coordinates_drawn_anew_in_every_round():
    # The updates differ in the sign of the first coordinate alone, which a tenth may not show.
    updates = torch.ones(7, 20, dtype=torch.float64)
    updates[4:, 0] = -1
    rule, seen = AGGREGATORS["signguard"](n_byzantine=3, seed=2), []
    state = rule.init(7, 20)
    for rounds in range(12):
        drawn = stream(2, "signguard", rounds).choice(20, 2, replace=False)
        found, state = rule.apply(updates, state)
        expected = 1.0 if 0 in drawn else 1 / 7
        assert float(found[0]) == pytest.approx(expected)
        seen.append(0 in drawn)
    assert state.past == 12 and len(set(seen)) == 2


def slow_mean_shift(points, width):
    """Each point's resting place if it moves to the mean of what is within the width of it."""
    places = []
    for start in points:
        place = start
        for _ in range(40):
            near = [p for p in points if np.linalg.norm(p - place) <= width]
            place = np.mean(near, axis=0)
        places.append(place)
    return np.array(places)


def test_mean_shift_joins_the_points_that_come_to_rest_at_one_place():
    generator = np.random.default_rng(3)
    for seed in range(5):
        middles = np.repeat([[0.0, 0, 0], [1, 0, 0], [0, 1, 0.5]], [12, 7, 5], axis=0)
        points = middles + 0.05 * generator.normal(size=middles.shape)
        order = generator.permutation(24)
        found = largest_cluster(points[order], 0.4)
        assert (found == (order < 12)).all(), seed
        places = slow_mean_shift(points, 0.4)
        assert np.ptp(places[:12], axis=0).max() < 1e-9
    # Equal points are clusters where the width is zero.
    equal = np.array([[0.0, 1], [1, 0], [0, 1], [0, 1], [1, 0]])
    assert largest_cluster(equal, 0.0).tolist() == [True, False, True, True, False]


# --- AutoGM ------------------------------------------------------------------------------


def objective(updates, place, weights, lam):
    return float(weights @ (updates - place).norm(dim=1) + lam / 2 * weights.square().sum())


@pytest.mark.parametrize("lam", [0.1, 2.0, 1000.0])
def test_the_weights_of_autogm_are_the_best_for_their_distances(lam):
    generator = torch.Generator().manual_seed(2)
    for size in (1, 4, 11):
        distances = 5 * torch.rand(size, generator=generator).double()
        weights = best_weights(distances, lam)
        assert weights.min() >= 0 and float(weights.sum()) == pytest.approx(1)

        def cost(alpha, distances=distances):
            return float(alpha @ distances + lam / 2 * alpha.square().sum())

        for _ in range(200):
            other = torch.rand(size, generator=generator).double() ** 4
            for share in (1.0, 0.01):
                tried = (1 - share) * weights + share * other / other.sum()
                assert cost(weights) <= cost(tried) + 1e-12
    # By hand: the weights of 0, 1 and 9 are eta, eta - 1 and none for lambda 2 and eta 3 / 2.
    found = best_weights(torch.tensor([0.0, 1.0, 9.0]).double(), 2.0)
    assert found.tolist() == pytest.approx([0.75, 0.25, 0])


def slow_autogm(updates, lam, turns=60):
    """AutoGM with the updates themselves, and a solver for the median."""
    weights = torch.full((len(updates),), 1 / len(updates)).double()
    for _ in range(turns):
        place = weights @ updates
        for _ in range(1500):
            pulls = weights / (updates - place).norm(dim=1).clamp(min=1e-9)
            place = (pulls @ updates) / pulls.sum()
        weights = best_weights((updates - place).norm(dim=1), lam)
    return place, weights


@pytest.mark.parametrize("lam", [2.0, 30.0])
def test_autogm_is_its_definition_and_a_minimum(lam):
    for seed in range(2):
        updates = matrix(9, 4, seed)
        updates[7:] += 6
        found = aggregate("autogm", updates, 2, lam=lam)
        place, weights = slow_autogm(updates, lam, turns=12)
        torch.testing.assert_close(found, place, rtol=1e-3, atol=1e-3)
        for move in 0.05 * matrix(20, 4, 9):
            assert objective(updates, place, weights, lam) <= objective(
                updates, place + move, weights, lam
            )


def test_autogm_gives_no_weight_to_what_is_far_and_is_the_geometric_median_with_a_large_lambda():
    updates = matrix(9, 4, 3)
    alone = aggregate("autogm", updates[:7], lam=30.0)
    for scale in (1e2, 1e6, 1e12):
        far = updates.clone()
        far[7:] = scale * (far[7:].sign() + 0.1)
        torch.testing.assert_close(
            aggregate("autogm", far, 2, lam=30.0), alone, rtol=1e-4, atol=1e-4
        )
    median = aggregate("geometric_median", updates, n_iterations=2000, nu=1e-9, start="mean")
    found = aggregate("autogm", updates, lam=1e6)
    torch.testing.assert_close(found, median, rtol=1e-4, atol=1e-4)
