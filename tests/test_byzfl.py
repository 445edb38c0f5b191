"""The rules that byzfl 0.0.11 has, too, give the same aggregate; every difference is explained.

* Its Krum and Multi-Krum sum over ``n - f - 1`` neighbours where Blanchard et al. (2017) have
  ``n - f - 2``: they are ours for ``f - 1``.
* Its SMEA takes one power iteration from a random vector for the largest eigenvalue, and so finds
  the subset only where that one is clear.
* Its CAF takes one power iteration, too, so its eigenvalues are right for one parameter alone. The
  farthest update may be one there that has lost all weight.
* Its ALIE adds deviations where centered_clipping subtracts them.
* Its sign flipping negates the mean of the honest updates, where ours negates one's own.
* A row with a NaN makes most of its rules NaN; ours take the row for zero.
"""

import math

import pytest
import torch
from slow_rules import slow_caf

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.compat import import_torchvision
from fedlib.federation import Facts

# byzfl imports torchvision at once, which over a CPU build of torch needs a hand.
import_torchvision()
byzfl = pytest.importorskip("byzfl")

F = 2
PAIRS = {
    "mean": ({}, lambda: byzfl.Average()),
    "median": ({}, lambda: byzfl.Median()),
    "trimmed_mean": ({}, lambda: byzfl.TrMean(f=F)),
    "geometric_median": ({}, lambda: byzfl.GeometricMedian(nu=0.1, T=3)),
    "centered_clipping": ({"tau": 1.0}, lambda: byzfl.CenteredClipping(L=1, tau=1.0)),
    "mda": ({}, lambda: byzfl.MDA(f=F)),
    "krum": ({"n_byzantine": F - 1}, lambda: byzfl.Krum(f=F)),
    "multi_krum": ({"n_byzantine": F - 1, "n_selected": 11 - F}, lambda: byzfl.MultiKrum(f=F)),
    "meamed": ({}, lambda: byzfl.Meamed(f=F)),
    "monna": ({"trusted": "client", "client": 3}, lambda: byzfl.MoNNA(f=F, idx=3)),
}


def updates(kind, n=11, d=50):
    made = torch.randn(n, d, generator=torch.Generator().manual_seed(3))
    if kind == "far":
        made[-F:] = 100 * made[:F]
    elif kind == "alie":
        attack = ATTACKS["alie"](n_byzantine=F, z=1.5)
        made[-F:] = attack.apply(made[:-F])[0]
    elif kind == "close":
        made = 1000 + 0.01 * made
    elif kind == "duplicated":
        made[1] = made[0]
    return made


KINDS = ("random", "far", "alie", "close", "duplicated")


def ours(name, points, **parameters):
    return AGGREGATORS[name](**{"n_byzantine": F, **parameters}).apply(points)[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PAIRS)
def test_rules_agree(name, kind):
    parameters, other = PAIRS[name]
    theirs = other()(updates(kind))
    torch.testing.assert_close(
        ours(name, updates(kind), **parameters), theirs, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("kind", ["random", "far", "alie"])
@pytest.mark.parametrize("name", ["mean", "median", "trimmed_mean", "geometric_median"])
def test_neighbour_mixing_agrees(name, kind):
    parameters, other = PAIRS[name]
    mixed = ours("nearest_neighbour_mixing", updates(kind), rule={"name": name, **parameters})
    theirs = other()(byzfl.NNM(f=F)(updates(kind)))
    torch.testing.assert_close(mixed, theirs, rtol=1e-4, atol=1e-5)


def test_bucketing_agrees_where_chance_has_no_part():
    for size in (1, 11):  # every update alone, or all in one bucket
        found = ours(
            "bucketing", updates("random"), n_byzantine=0, bucket_size=size, rule={"name": "median"}
        )
        theirs = byzfl.Median()(byzfl.Bucketing(s=size)(updates("random")))
        torch.testing.assert_close(found, theirs, rtol=1e-4, atol=1e-5)


def test_norm_clipping_is_clipping_before_the_average():
    found = ours("norm_clipping", updates("far"), threshold=3.0)
    theirs = byzfl.Average()(byzfl.Clipping(c=3.0)(updates("far")))
    torch.testing.assert_close(found, theirs, rtol=1e-4, atol=1e-5)


def test_smea_agrees_where_one_power_iteration_finds_the_subset():
    torch.manual_seed(0)  # of its first vector
    theirs = byzfl.SMEA(f=F)(updates("far"))
    torch.testing.assert_close(ours("smea", updates("far")), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("n", "d", "f"), [(11, 50, 2), (7, 1, 3), (25, 300, 5), (4, 9, 1)])
def test_new_rules_agree_on_several_shapes(n, d, f):
    points = updates("random", n, d)
    points[-f:] *= 30
    pairs = [
        ("meamed", {}, byzfl.Meamed(f=f)),
        ("monna", {"trusted": "client", "client": n // 2}, byzfl.MoNNA(f=f, idx=n // 2)),
    ]
    for name, parameters, other in pairs:
        found = ours(name, points, n_byzantine=f, **parameters)
        torch.testing.assert_close(found, other(points.clone()), rtol=1e-4, atol=1e-4)
    for name, other in (("mean", byzfl.Average()), ("median", byzfl.Median())):
        clipped = byzfl.ARC(f=f)(points.clone())
        assert not torch.equal(clipped, points)
        found = ours("arc", points, n_byzantine=f, rule={"name": name})
        torch.testing.assert_close(found, other(clipped), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_arc_agrees(kind):
    for name in ("mean", "median", "trimmed_mean", "geometric_median"):
        parameters, other = PAIRS[name]
        found = ours("arc", updates(kind), rule={"name": name, **parameters})
        theirs = other()(byzfl.ARC(f=F)(updates(kind)))
        torch.testing.assert_close(found, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("n", "f"), [(11, 1), (11, 2), (25, 3), (25, 11), (9, 4)])
def test_caf_agrees_but_for_updates_that_have_lost_all_weight(n, f):
    points = updates("random", n, 1)
    theirs = byzfl.CAF(f=f)(points.clone())
    torch.testing.assert_close(slow_caf(points, f, of_all=True), theirs, rtol=1e-4, atol=1e-4)
    found = ours("caf", points, n_byzantine=f)
    torch.testing.assert_close(found, slow_caf(points, f), rtol=1e-4, atol=1e-4)


def test_attacks_agree():
    benign = updates("random")
    found = ATTACKS["ipm"](n_byzantine=F, epsilon=0.7).apply(benign)[0]
    torch.testing.assert_close(found[0], byzfl.InnerProductManipulation(tau=0.7)(benign))
    found = ATTACKS["alie"](n_byzantine=F, z=-0.7).apply(benign)[0]
    torch.testing.assert_close(found[0], byzfl.ALittleIsEnough(tau=0.7)(benign))
    found = ATTACKS["ipm"](n_byzantine=F, epsilon=1.0).apply(benign)[0]
    torch.testing.assert_close(found[0], byzfl.SignFlipping()(benign))


@pytest.mark.parametrize(("n", "d", "f"), [(9, 50, 2), (5, 1, 1), (20, 300, 5)])
def test_attacks_that_copy_or_search_agree_on_several_shapes(n, d, f):
    benign = updates("random", n, d) + 0.3
    for victim in (0, n - 1):
        found = ATTACKS["mimic"](n_byzantine=f, victim=victim).apply(benign)[0]
        torch.testing.assert_close(found[0], byzfl.Mimic(epsilon=victim)(benign.clone()))
    rules = {
        "median": byzfl.Median(), "trimmed_mean": byzfl.TrMean(f=f), "mean": byzfl.Average(),
        "meamed": byzfl.Meamed(f=f),
    }  # fmt: skip
    # Its ALIE adds deviations, and the search goes to the other side.
    searches = [("optimised_alie", -1, byzfl.Optimal_ALittleIsEnough)]
    searches += [("optimised_ipm", 1, byzfl.Optimal_InnerProductManipulation)]
    for name, sign, other in searches:
        for rule, theirs in rules.items():
            aggregate = AGGREGATORS[rule](n_byzantine=f).apply
            facts = Facts(rule=lambda rows, aggregate=aggregate: aggregate(rows)[0])
            for start, step, trials in ((0.0, 10.0, 20), (0.5, 1.0, 7)):
                search = other(theirs, [], f=f, evals=trials, start=start, delta=step)
                ours = ATTACKS[name](
                    n_byzantine=f, start=sign * start, step=sign * step, n_trials=trials
                )
                found = ours.apply(benign, None, facts)[0][0]
                torch.testing.assert_close(found, search(benign.clone()), rtol=1e-4, atol=1e-4)


PRE_AGGREGATIONS = {"arc": byzfl.ARC, "nearest_neighbour_mixing": byzfl.NNM}


@pytest.mark.parametrize("name", PRE_AGGREGATIONS)
@pytest.mark.parametrize(("n", "d", "f"), [(9, 50, 2), (20, 30, 5)])
def test_a_search_harms_as_much_where_something_comes_before_the_rule(name, n, d, f):
    # Whatever is longer than ARC's limit harms alike, so rounding decides which factor is taken.
    benign, mixing = updates("random", n, d) + 0.3, PRE_AGGREGATIONS[name]
    rules = {"median": byzfl.Median(), "meamed": byzfl.Meamed(f=f), "mean": byzfl.Average()}
    searches = [("optimised_alie", -1, byzfl.Optimal_ALittleIsEnough)]
    searches += [("optimised_ipm", 1, byzfl.Optimal_InnerProductManipulation)]
    for inner, theirs in rules.items():
        rule = AGGREGATORS[name](n_byzantine=f, rule={"name": inner})
        facts = Facts(rule=lambda rows, rule=rule: rule.apply(rows)[0])
        for attack, sign, other in searches:
            search = other(theirs, [mixing(f=f)], f=f, evals=9, start=0.5, delta=1.0)
            ours = ATTACKS[attack](n_byzantine=f, start=sign * 0.5, step=sign * 1.0, n_trials=9)
            harms = []
            for sent in (ours.apply(benign, None, facts)[0], search(benign.clone()).expand(f, -1)):
                everyone = mixing(f=f)(torch.cat([benign, sent]))
                harms.append((theirs(everyone) - benign.mean(0)).norm())
            torch.testing.assert_close(*harms, rtol=1e-4, atol=1e-4)


def test_one_nan_row_is_what_sets_them_apart():
    broken = updates("random")
    broken[4, 7] = math.nan
    for name, (parameters, other) in PAIRS.items():
        assert torch.isfinite(ours(name, broken, **parameters)).all()
        if name in {"mean", "median", "geometric_median", "centered_clipping"}:
            assert not torch.isfinite(other()(broken.clone())).all()
