"""What the chapter measures of a result besides its mean accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np

from fedlib.evidence.report import CellResult

EXTENT = 4.0
"""Decisions are known on a square from minus this to this, along both axes."""
POINTS = 61
"""Points of the square's side."""
RADIUS = 2.0
"""The circle that separates the two classes."""


def decision(record: dict[str, Any]) -> np.ndarray:
    """The classes that a run's model gives the points of the square.

    Returns
    -------
    ndarray
        Shape ``(61, 61)``: a row an ordinate, the lowest first.
    """
    return np.array([[int(digit) for digit in row] for row in record["metrics"]["decision"]])


def level(result: CellResult) -> float:
    """The last certified level; NaN if a model has diverged, and certifies nothing."""
    last = [record["metrics"]["robustness_level"][-1] for record in result.records]
    return float("nan") if None in last else float(np.mean(last))


def diverged(result: CellResult) -> bool:
    """Whether a seed's run ended without a finite loss."""
    return result.records[0]["metrics"]["test_loss"][-1] is None


def accuracy(result: CellResult) -> float:
    """Accuracy of one seed's run; 0 if the model has diverged, and predicts nothing."""
    return 0.0 if diverged(result) else result.accuracy.mean


def radius_error(result: CellResult) -> float:
    """Mean distance of the decision boundary to the circle of radius 2, over 72 directions.

    Where a direction meets no boundary up to 4, it counts as 2.
    """
    radii = np.linspace(0, EXTENT, 121)
    errors = []
    for record in result.records:
        grid = decision(record)
        for angle in np.arange(72) * 2 * np.pi / 72:
            column, row = (_index(radii * turn(angle)) for turn in (np.cos, np.sin))
            outside = grid[row, column] == 1
            found = outside.any()
            errors.append(abs(radii[outside.argmax()] - RADIUS) if found else RADIUS)
    return float(np.mean(errors))


def _index(coordinates: np.ndarray) -> np.ndarray:
    """The points of the square's side that are nearest to these coordinates."""
    indices: np.ndarray = np.rint((coordinates + EXTENT) / (2 * EXTENT) * (POINTS - 1)).astype(int)
    return indices


def last_distance(result: CellResult) -> float:
    """The distance of the last two estimates of the data, in one seed's run."""
    return float(result.records[0]["metrics"]["stage_one_distance"][-1])


def policy_epochs(result: CellResult) -> float:
    """Time of learning the policy, in epochs of the federation on the same machine."""
    seconds = result.records[0]["provenance"].get("seconds", {})
    # Runs of before times were kept, and those whose first stage has not ended, have none.
    return seconds["policy"] / seconds["epoch"] if seconds.get("policy") else float("nan")
