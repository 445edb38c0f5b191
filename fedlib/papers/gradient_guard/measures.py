"""What this chapter measures of a run: its accuracy, what is left of it, and how scores separate.

Tables and claims measure in the same way.
"""

from __future__ import annotations

import math

import numpy as np

from fedlib.evidence.claims import percent_left
from fedlib.evidence.report import CellResult
from fedlib.evidence.statistics import Estimate, estimate
from fedlib.papers.gradient_guard.settings import N_CLIENTS

LAST = 5
"""How many evaluations a run's accuracy is the mean of.

Under attack the accuracy goes up and down to the end.
"""
BREAKS = 50.0
"""A rule breaks where less than this much, in percent, of its clean accuracy is left."""
TELLS = 0.75
"""The area under the ROC curve that counts as telling malicious clients from honest ones.

It lies midway between telling nothing and telling all.
"""
HALF_TOLD = 50.0
"""The part of the possible difference in penalties, in percent, that counts as telling them."""
HONEST = "last honest mean"
"""What clients are scored against where the server takes it."""
ISOLATED = 100 / N_CLIENTS
"""The weight in percent that one of all clients has in the plain mean."""


def late_accuracy(result: CellResult) -> Estimate:
    """Accuracy in percent, the mean of a run's last five evaluations."""
    _, curves = result.curve()
    return estimate([100 * math.fsum(curve[-LAST:]) / len(curve[-LAST:]) for curve in curves])


def separation(result: CellResult) -> Estimate:
    """The area under the ROC curve of low scores, as its mean over the rounds."""
    return result.mean_of("separation")


def percent_kept(values: list[float]) -> float:
    """How many percent of the first accuracy the least of the others is."""
    return percent_left(values[0], min(values[1:]))


def penalties_told(result: CellResult) -> float:
    """How much more often malicious clients are penalised than honest ones, in one seed's run.

    It is a part in percent of the largest difference that a rule can have which penalises as many
    clients at each end of the scores as there are malicious ones. So it is 100 if all of these are
    always among the penalised clients, and 0 if they are penalised as often as the others. A
    reputation is the sum of a client's rewards and penalties, each with a weight that decays, so
    that it says how often the client was penalised.
    """
    record = result.records[0]
    config = record["config"]
    n, malicious = config["n_clients"], config["n_byzantine"]
    decay = config["aggregator"]["decay"]
    rounds = np.asarray(record["metrics"]["rounds"], dtype=float)
    reputations = np.asarray(record["metrics"]["reputation"], dtype=float)
    weights = rounds if decay == 1 else (1 - decay**rounds) / (1 - decay)
    penalised = 2 * malicious / n - (reputations[weights > 0].T / weights[weights > 0]).T
    difference = penalised[:, -malicious:].mean() - penalised[:, :-malicious].mean()
    # If all malicious clients are penalised, as many honest ones are.
    largest = 1 - malicious / (n - malicious)
    return float(100 * difference / largest) if largest > 0 else math.nan


def malicious_weight(result: CellResult) -> float:
    """How many percent of the weight the malicious clients have together, in one seed's run.

    A client's weight is the softmax of its reputation. The mean of the last five evaluations is
    taken. The malicious clients are the last.
    """
    record = result.records[0]
    malicious = record["config"]["n_byzantine"]
    late = np.asarray(record["metrics"]["reputation"][-LAST:], dtype=float)
    weights = np.exp(late - late.max(axis=1, keepdims=True))
    shares = weights[:, -malicious:].sum(axis=1) / weights.sum(axis=1)
    # Most are 0 or 100 but for what no table shows.
    return round(100 * float(shares.mean()), 2)
