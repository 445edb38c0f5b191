"""Every aggregator against byzfl's, other peers' and one read of the matrix from memory.

A fifth of the clients is Byzantine, fewer where all subsets are searched.
"""

import functools
import time

import byzfl
import pytest
import torch

from benchmarks.peers import PEERS
from fedlib import hardware, kernels
from fedlib.aggregators import AGGREGATORS
from fedlib.federation import Facts

SIZES = [(25, 100_000), (25, 1_000_000), (100, 100_000)]
# For the growth with n and d.
MORE_SIZES = [(25, 10_000), (10, 100_000), (50, 100_000)]
# So many values are 8 MB of float32, more than a core's own caches hold.
LARGE = 2_000_000
# The same rule with the same hyperparameters in both, and where byzfl loops over clients or
# coordinates in Python.
RULES = {
    "mean": ({}, lambda f: byzfl.Average()),
    "median": ({}, lambda f: byzfl.Median()),
    "trimmed_mean": ({}, lambda f: byzfl.TrMean(f=f)),
    "geometric_median": ({}, lambda f: byzfl.GeometricMedian(nu=0.1, T=3)),
    "krum": ({}, lambda f: byzfl.Krum(f=f)),
    "multi_krum": ({}, lambda f: byzfl.MultiKrum(f=f)),
    "centered_clipping": ({"tau": 1.0}, lambda f: byzfl.CenteredClipping(L=1, tau=1.0)),
    "norm_clipping": ({}, lambda f: Chain(byzfl.Clipping(c=1.0), byzfl.Average())),
    "nearest_neighbour_mixing": ({}, lambda f: Chain(byzfl.NNM(f=f), byzfl.TrMean(f=f))),
    "bucketing": (
        {"rule": {"name": "median"}},
        lambda f: Chain(byzfl.Bucketing(s=2), byzfl.Median()),
    ),
    "arc": ({}, lambda f: Chain(byzfl.ARC(f=f), byzfl.TrMean(f=f))),
    "caf": ({}, lambda f: byzfl.CAF(f=f)),
    "meamed": ({}, lambda f: byzfl.Meamed(f=f)),
    "monna": ({"trusted": "client", "client": 0}, lambda f: byzfl.MoNNA(f=f, idx=0)),
}
# Searches over all subsets, for few Byzantine clients: 2300 subsets of 25, 100 of 100.
SEARCHES = {"mda": byzfl.MDA, "smea": byzfl.SMEA}
# Rules that byzfl does not have.
OWN = (
    "aksel",
    "autogm",
    "bulyan",
    "cge",
    "clipped_clustering",
    "dnc",
    "faba",
    "flame",
    "foolsgold",
    "flair",
    "fltrust",
    "phocas",
    "signguard",
    "center_with_outliers",
    "mean_with_outliers",
    "repeated_median",
    "residual_reweighting",
)


# How many reads of the matrix a rule is to take on one thread, with the options that it has then.
GOALS = {
    "mean": (1.3, {}),
    "norm_clipping": (2.2, {}),
    "centered_clipping": (3, {"tau": 1.0}),
    "krum": (4, {}),
    "multi_krum": (4, {}),
    "center_with_outliers": (4, {}),
    "mean_with_outliers": (4, {}),
    "median": (6, {}),
    "trimmed_mean": (6, {}),
    "geometric_median": (7, {}),
    "foolsgold": (8, {}),
    "bucketing": (8, {"rule": {"name": "median"}}),
    "nearest_neighbour_mixing": (8, {"rule": {"name": "mean"}}),
    "bulyan": (20, {}),
    "repeated_median": (100, {}),
    "residual_reweighting": (100, {}),
}


class Chain:
    """byzfl's pre-aggregation before one of its rules; its clipping changes what it is given."""

    def __init__(self, first, rule):
        self.first, self.rule = first, rule

    def __call__(self, updates):
        return self.rule(self.first(updates))


def timed(benchmark, function, rule, library, size, least=7, kind="aggregator"):
    """Time ``function``, ``least`` times or more.

    Before each call other memory is read, so that no cache holds the matrix, as after a round whose
    updates were just written. Small matrices are left in the cache, where a round leaves them.
    """
    benchmark.group = f"{rule} {size}"
    benchmark.extra_info.update(kind=kind, name=rule, library=library, size=list(size))
    function()
    start = time.perf_counter()
    function()
    # The shorter, the noisier: about a second in all, if that is enough.
    rounds = min(max(round(1 / (time.perf_counter() - start)), least), 101)

    large = size[0] * size[1] >= LARGE

    def empty_the_caches():
        if large:
            other_memory().sum()

    return benchmark.pedantic(function, setup=empty_the_caches, rounds=rounds, iterations=1)


@functools.cache
def other_memory():
    """256 MB that no rule reads: more than the caches hold."""
    return torch.zeros(64_000_000)


# The last varies slowest: a pair is measured one right after the other.
@pytest.mark.parametrize("library", ["fedlib", "byzfl"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("size", SIZES + MORE_SIZES, ids=str)
def test_aggregator(benchmark, matrix, waited, rule, library, size):
    updates, f = matrix(*size), size[0] // 5
    parameters, build = RULES[rule]
    ours, theirs = AGGREGATORS[rule](n_byzantine=f, **parameters), build(f)
    if rule == "norm_clipping":
        updates = updates.clone()  # byzfl clips in place
    call = {"fedlib": lambda: ours.apply(updates)[0], "byzfl": lambda: theirs(updates)}[library]
    result = timed(benchmark, waited(call), rule, library, size)
    assert result.shape == (size[1],)


# Only those rules of ours that a peer has are worth the time of a second matrix.
@pytest.mark.parametrize("library", PEERS)
@pytest.mark.parametrize("rule", [*RULES, "bulyan"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_peer(benchmark, matrix, rule, library, size, request):
    if request.config.getoption("--device") != "cpu":
        pytest.skip("the peers beside byzfl are measured on the processor")
    n, d = size
    f = min(n // 5, (n - 3) // 4) if rule == "bulyan" else n // 5
    updates = matrix(n, d)
    call = PEERS[library](rule, f, updates)
    if rule == "bulyan" and n * n * n * d > 2e10:
        pytest.skip("takes minutes")
    timed(benchmark, call, rule, library, size, least=1)


@pytest.mark.parametrize("library", ["fedlib", "byzfl"])
@pytest.mark.parametrize(
    ("size", "rule"),
    # SMEA once: byzfl's takes more than a minute with 25 x 1,000,000.
    [*((size, "mda") for size in SIZES), ((25, 100_000), "smea")],
    ids=str,
)
def test_search_over_subsets(benchmark, matrix, waited, rule, library, size):
    updates, f = matrix(*size), 3 if size[0] == 25 else 1
    ours, theirs = AGGREGATORS[rule](n_byzantine=f), SEARCHES[rule](f=f)
    call = {"fedlib": lambda: ours.apply(updates)[0], "byzfl": lambda: theirs(updates)}[library]
    timed(benchmark, waited(call), rule, library, size, least=1)


@pytest.mark.parametrize("size", SIZES + MORE_SIZES, ids=str)
@pytest.mark.parametrize("rule", OWN)
def test_rule_of_our_own(benchmark, matrix, device, waited, rule, size):
    n, d = size
    # Bulyan needs n >= 4 f + 3.
    ours = AGGREGATORS[rule](n_byzantine=min(n // 5, (n - 3) // 4))
    updates, context = matrix(n, d), Facts(server_update=torch.ones(d, device=device))
    timed(benchmark, waited(lambda: ours.apply(updates, None, context)), rule, "fedlib", size)


@pytest.mark.parametrize("rule", [*RULES, *OWN])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_definition_in_torch(benchmark, matrix, rule, size, request, monkeypatch):
    """What the compiled kernels gain: the same rule by its lines of torch."""
    if request.config.getoption("--device") != "cpu":
        pytest.skip("kernels serve the processor alone")
    monkeypatch.setenv(kernels.SWITCH, "off")
    n, d = size
    parameters = RULES[rule][0] if rule in RULES else {}
    f = min(n // 5, (n - 3) // 4) if rule == "bulyan" else n // 5
    ours = AGGREGATORS[rule](n_byzantine=f, **parameters)
    updates, context = matrix(n, d), Facts(server_update=torch.ones(d))
    call = lambda: ours.apply(updates, None, context)  # noqa: E731
    timed(benchmark, call, rule, "torch", size, least=3)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_one_read_of_the_matrix(benchmark, matrix, waited, size):
    updates = matrix(*size)
    timed(benchmark, waited(updates.sum), "one read", "memory", size)


@pytest.mark.parametrize("rule", [*GOALS, "one read"])
@pytest.mark.parametrize("size", [(25, 1_000_000), (100, 100_000)], ids=str)
def test_goal_on_one_thread(benchmark, matrix, rule, size, request):
    """How near to one read of the matrix each rule comes on one core."""
    if request.config.getoption("--device") != "cpu":
        pytest.skip("the goals are those of one core")
    updates = matrix(*size)
    with hardware.one_thread():
        if rule == "one read":
            timed(benchmark, updates.sum, rule, "memory", size, kind="goal")
            return
        goal, parameters = GOALS[rule]
        f = min(size[0] // 5, (size[0] - 3) // 4) if rule == "bulyan" else size[0] // 5
        ours = AGGREGATORS[rule](n_byzantine=f, **parameters)
        call = lambda: ours.apply(updates)  # noqa: E731
        timed(benchmark, call, rule, "fedlib", size, least=3, kind="goal")
        benchmark.extra_info["goal"] = goal
