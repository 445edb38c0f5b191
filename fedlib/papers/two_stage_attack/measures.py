"""What the chapter measures of a result besides its mean accuracy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fedlib.evidence.report import CellResult

EXTENT = 4.0
"""Decisions are known on a square from minus this to this, along both axes."""
POINTS = 61
"""Points of the square's side."""
RADIUS = 2.0
"""The circle that separates the two classes."""
FEW_POINTS = 0.01
"""A class that has at most this share of the square has no boundary with the other one."""
COMPARED = np.geomspace(1e-4, 0.3, 30)
"""The perturbation levels over which errors are averaged, as far as most models have been tried."""
_LEAST_LEVEL = 1e-12
"""Smaller levels count as this one, which leaves a sample as it is."""
VOID = 1e3
"""A certified level above this certifies nothing. It is a mean squared distance, and the data lie
within a few units of the middle. The ascent moves samples that far only where a model's parameters
have grown very large, and then the bound that it certifies is far below the loss. If a server
projects the parameters, they may stay at the edge of their set, and the level is then steady."""
LATE = 5
"""The number of evaluations at the end of a run whose mean a verdict must agree with."""
FIRST_STAGE = 3
"""Epochs in which the attacker may still be honest on the synthetic data."""


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
    return math.nan if any(map(_is_void, last)) else float(np.mean(last))


def late_level(result: CellResult) -> float:
    """The mean of the last five certified levels of each run; NaN if one is void."""
    last = [one for r in result.records for one in r["metrics"]["robustness_level"][-LATE:]]
    return math.nan if any(map(_is_void, last)) else float(np.mean(last))


def _is_void(found: float | None) -> bool:
    """Whether a certified level certifies nothing, because it is not finite or far too large."""
    return found is None or found > VOID


def diverged(result: CellResult) -> bool:
    """Whether a seed's run ended without a finite loss, or with a certified level that is void.

    The loss of a ruined model may still be finite where its level is not, and the other way round.
    """
    metrics = result.records[0]["metrics"]
    return metrics["test_loss"][-1] is None or any(
        map(_is_void, metrics.get("robustness_level", [])[-1:])
    )


def curve_error(result: CellResult) -> float:
    """The test error in percent, averaged over the perturbation levels of ``COMPARED``.

    Between the levels at which a model was tried, the error is interpolated in the logarithm of the
    level; beyond them it is that of the nearest one. NaN if the model has diverged.
    """
    curve = _error_curve(result)
    return math.nan if curve is None else float(100 * np.interp(np.log(COMPARED), *curve).mean())


def errors_where_least_apart(results: list[CellResult]) -> list[float]:
    """The test errors without attack and of two attacks, where the stronger one leads least.

    It leads by what it has more than the larger of the other two errors. The levels go up to the
    certified level of the model without an attack, which is the vertical line of the paper's
    figure.

    Parameters
    ----------
    results
        One seed's runs: without an attack, under the weaker attack and under the stronger one.

    Returns
    -------
    list of float
        The three errors in percent. All are NaN if a model has diverged.
    """
    curves = [_error_curve(result) for result in results]
    most = level(results[0])
    if math.isnan(most) or any(curve is None for curve in curves):
        return [math.nan] * len(results)
    levels = np.log(np.geomspace(COMPARED[0], max(most, COMPARED[0]), len(COMPARED)))
    errors = [100 * np.interp(levels, *curve) for curve in curves if curve is not None]
    place = int((errors[2] - np.maximum(errors[0], errors[1])).argmin())
    return [float(error[place]) for error in errors]


def _error_curve(result: CellResult) -> tuple[np.ndarray, np.ndarray] | None:
    """The logarithms of the levels at which a model was tried, and the shares of errors there."""
    if diverged(result):
        return None
    metrics = result.records[0]["metrics"]
    tried = [
        (max(level, _LEAST_LEVEL), error)
        for level, error in zip(
            metrics.get("perturbation_level", ()),
            metrics.get("perturbation_error", ()),
            strict=True,
        )
        if level is not None and error is not None
    ]
    if not tried:
        return None
    levels, errors = np.array(sorted(tried)).T
    return np.log(levels), errors


def error_span(result: CellResult) -> float:
    """How far the test errors at all perturbation levels are apart, in points.

    NaN if the model has diverged, because it then answers nothing at any level.
    """
    if diverged(result):
        return math.nan
    errors = result.records[0]["metrics"]["perturbation_error"]
    known = [100 * error for error in errors if error is not None]
    return max(known) - min(known) if known else math.nan


def radius_error(result: CellResult) -> float:
    """Mean distance of the decision boundary to the circle of radius 2, over 72 directions.

    Where a direction meets no boundary up to 4, it counts as 2. So a model without a boundary has
    an error of 2.
    """
    errors = [
        RADIUS if math.isnan(radius) else abs(radius - RADIUS)
        for record in result.records
        for radius in _boundary(record)
    ]
    return float(np.mean(errors))


def boundary_error(result: CellResult) -> float:
    """What :func:`radius_error` says of one seed's run; NaN if the model has diverged."""
    return math.nan if diverged(result) else radius_error(result)


def no_boundary(result: CellResult) -> bool:
    """Whether the model of one seed's run gives nearly all of the square the same class."""
    return _is_one_class(decision(result.records[0]))


def _is_one_class(grid: np.ndarray) -> bool:
    """Whether at most a hundredth of the square's points has another class than all others.

    The true circle has a fifth of them inside. A few points that differ are no boundary.
    """
    return bool(min(grid.mean(), 1 - grid.mean()) <= FEW_POINTS)


def missing_boundary(result: CellResult) -> float:
    """1 if one seed's run has no boundary, and 0 if it has one; NaN if the model has diverged."""
    return math.nan if diverged(result) else float(no_boundary(result))


def taken(result: CellResult) -> float:
    """The share of rounds in which the server took the attacker's update, in one seed's run.

    The first stage of the two-stage attack is left out, in which the attacker is honest. NaN if the
    run did not record it.
    """
    metrics, config = result.records[0]["metrics"], result.records[0]["config"]
    if "byzantine_taken" not in metrics:
        return math.nan
    first = FIRST_STAGE * config["eval_every"]
    shares = [
        share
        for number, share in zip(metrics["rounds"], metrics["byzantine_taken"], strict=True)
        if number > first and share is not None
    ]
    return float(np.mean(shares)) if shares else math.nan


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


def unevenness(result: CellResult) -> float:
    """What :func:`asymmetry` says of one seed's run; NaN if the model has diverged."""
    return math.nan if diverged(result) else asymmetry(result)


def _boundary(record: dict[str, Any]) -> np.ndarray:
    """The distance from the middle at which each direction first meets the outer class.

    Returns
    -------
    ndarray
        Shape ``(72,)``. A direction that does not meet it up to 4 has NaN, and so have all of them
        if nearly all of the square has the same class.
    """
    radii = np.linspace(0, EXTENT, 121)
    grid = decision(record)
    found = np.full(72, np.nan)
    if _is_one_class(grid):
        return found
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
