"""What the chapter measures of a result besides its mean accuracy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fedlib.evidence.class_counts import majority
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


def accuracy_or_constant(result: CellResult) -> float:
    """The accuracy of one seed's run in percent, at least that of a constant answer.

    A model that is no better than one that always gives the most frequent class has lost all that
    it could lose. By how much it is worse says which class it gives, not what an attack did. So
    does a model that has diverged, which predicts nothing.
    """
    constant = majority(result.records[0])
    return accuracy(result) if math.isnan(constant) else max(accuracy(result), constant)


def certified(result: CellResult) -> float:
    """The last certified level of one seed's run; 0 if the model has diverged."""
    last = level(result)
    return 0.0 if math.isnan(last) else last


def error_span(result: CellResult) -> float:
    """How far the test errors at all perturbation levels are apart, in points."""
    errors = result.records[0]["metrics"]["perturbation_error"]
    known = [100 * error for error in errors if error is not None]
    return max(known) - min(known) if known else math.nan


def radius_error(result: CellResult) -> float:
    """Mean distance of the decision boundary to the circle of radius 2, over 72 directions.

    Where a direction meets no boundary up to 4, it counts as 2.
    """
    errors = [
        RADIUS if math.isnan(radius) else abs(radius - RADIUS)
        for record in result.records
        for radius in _boundary(record)
    ]
    return float(np.mean(errors))


def asymmetry(result: CellResult) -> float:
    """How far the boundary's distance from the middle is from its mean, over 72 directions.

    It is the mean over the directions, and 0 for every circle around the middle. A direction that
    meets no boundary up to 4 counts as 4. It is 2 if no boundary lies around the middle,
    because the middle is of the outer class or no direction meets it.
    """
    found = []
    for record in result.records:
        radii = _boundary(record)
        distances = np.where(np.isnan(radii), EXTENT, radii)
        none = bool(np.isnan(radii).all() or (radii == 0).all())
        found.append(RADIUS if none else np.abs(distances - distances.mean()).mean())
    return float(np.mean(found))


def _boundary(record: dict[str, Any]) -> np.ndarray:
    """The distance from the middle at which each direction first meets the outer class.

    Returns
    -------
    ndarray
        Shape ``(72,)``. A direction that does not meet it up to 4 has NaN.
    """
    radii = np.linspace(0, EXTENT, 121)
    grid = decision(record)
    found = np.full(72, np.nan)
    for number, angle in enumerate(np.arange(72) * 2 * np.pi / 72):
        column, row = (_index(radii * turn(angle)) for turn in (np.cos, np.sin))
        outside = grid[row, column] == 1
        if outside.any():
            found[number] = radii[outside.argmax()]
    return found


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
