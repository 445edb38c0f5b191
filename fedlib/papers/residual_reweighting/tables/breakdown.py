"""How many far outliers carry the lines of the two estimators away."""

from __future__ import annotations

import torch

from fedlib.aggregators.repeated_median import fit_lines
from fedlib.evidence.report import Note

_FAR = 1e9
"""A value that no honest one is near. All honest values lie between 1 and the number of points."""


def breakdown_note(n_points: int = 100) -> Note:
    """Say how many far outliers carry away the line of each estimator, by trying all numbers.

    Parameters
    ----------
    n_points
        The number of points, as of participants.
    """
    names = {"repeated_median": "the repeated median", "theil_sen": "Theil-Sen"}
    found = [f"{_least_outliers(key, n_points)} for {name}" for key, name in names.items()]
    return Note(
        f"Take {n_points} points on a line, and replace more and more of them by values of a "
        "billion and more. The smallest number that carries the fitted line away is "
        f"{' and '.join(found)}. The paper says 50 % and 29.3 % (sections 3.1 and 4.5)."
    )


def _least_outliers(estimator: str, n_points: int) -> int:
    """Return the smallest number of far outliers with which the line is far from all points."""
    for count in range(1, n_points + 1):
        values = torch.arange(1, n_points + 1, dtype=torch.float64)
        values[n_points - count :] = _FAR * torch.arange(1, count + 1, dtype=torch.float64)
        slope, intercept = fit_lines(values[None], estimator)
        ends = torch.stack([intercept + slope, intercept + slope * n_points])
        if bool((ends.abs() > 10 * n_points).any()):
            return count
    return n_points
