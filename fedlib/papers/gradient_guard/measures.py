"""What this chapter measures of a run: its accuracy, what is left of it, and how scores separate.

Tables and claims measure in the same way.
"""

from __future__ import annotations

import math

from fedlib.evidence.claims import percent_left
from fedlib.evidence.report import CellResult
from fedlib.evidence.statistics import Estimate, estimate

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
HONEST = "last honest mean"
"""What clients are scored against where the server takes it."""


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
