"""Rules of the catalogue that no chapter has, against their definitions, and what was proved."""

import numpy as np
import pytest
import torch
from slow_rules import slow_caf

from fedlib.aggregators import AGGREGATORS
from fedlib.federation import Facts
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
    with pytest.raises(ConfigError, match="a bucket is no client"):
        AGGREGATORS["bucketing"](rule={"name": "monna", "trusted": "client"})
    AGGREGATORS["bucketing"](rule={"name": "monna"})
