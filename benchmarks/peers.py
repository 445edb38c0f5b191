"""Rules of other libraries than byzfl, as functions of an update matrix.

Each library is imported when it is asked for. Where one is not installed, or has no such rule, the
benchmark is skipped with a line that says so: ``pip install flwr`` and ``pip install krum`` (Python
3.12 or newer) add them.
"""

import importlib

import pytest


def flower(rule, f, updates):
    """Flower's function of a rule, which takes the models of the clients as lists of arrays."""
    module = pytest.importorskip("flwr.server.strategy.aggregate", reason="flwr is not installed")
    n = len(updates)

    def clients():
        return [([row], 1) for row in updates.numpy()]

    calls = {
        "mean": lambda: module.aggregate(clients()),
        "median": lambda: module.aggregate_median(clients()),
        "trimmed_mean": lambda: module.aggregate_trimmed_avg(clients(), f / n),
        "krum": lambda: module.aggregate_krum(clients(), f, 0),
        "multi_krum": lambda: module.aggregate_krum(clients(), f, n - f),
        "bulyan": lambda: module.aggregate_bulyan(clients(), f, module.aggregate_krum, to_keep=0),
    }
    if rule not in calls:
        pytest.skip(f"Flower has no function for {rule}")
    return lambda: calls[rule]()[0]


def krum(rule, f, updates):
    """The rules of the package krum that are the same as ours with the same settings.

    Its Bulyan averages selected means, its geometric median stops by another test, and its AKSEL
    keeps another number of clients.
    """
    pytest.importorskip("krum.primitives", reason="krum is not installed")
    from krum.primitives import aggregators as rules

    n = len(updates)
    calls = {
        "mean": lambda: rules.average.Average.aggregate(updates),
        "median": lambda: rules.median.Median.aggregate(updates),
        "trimmed_mean": lambda: rules.trimmed_mean.TrimmedMean.aggregate(updates, f=f),
        "krum": lambda: rules.krum.Krum.aggregate(updates, n=n, f=f),
        "multi_krum": lambda: rules.multikrum.MultiKrum.aggregate(updates, n=n, f=f, m=n - f),
    }
    if rule not in calls:
        pytest.skip(f"krum has no rule that is our {rule}")
    for module in ("average", "median", "trimmed_mean", "krum", "multikrum"):
        importlib.import_module(f"krum.primitives.aggregators.{module}")
    return calls[rule]


PEERS = {"flower": flower, "krum": krum}
