"""What a few seeds say: their mean and its interval, and whether it agrees with a paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

ROUNDING = 1e-9
"""A number may be this far beyond a limit, because sums of decimals are rounded."""
MARGIN = 2.0
"""A value agrees with the published one if they are this many points of accuracy apart or fewer.

A wider spread of the paper's own widens the margin. For single printed values this was fixed before
any run was made. For numbers that a text states, the spread was added when some runs were known.
"""
WIDEST_MARGIN = 10.0
"""The widest margin, in points, with which a printed accuracy or a stated number can be met.

A printed spread of more than half of this is of runs some of which diverged and some did not. The
mean of such runs is a value that few of them have.
"""
ALIKE = WIDEST_MARGIN
"""At most so many points are accuracies at chance apart if they are alike. Models that always give
the same answer differ by the sizes of the classes."""


FAR_APART = 20.0
"""Seeds that end more than so many points apart are told one by one: none has their mean."""


@dataclass(frozen=True)
class Estimate:
    """The mean of one quantity over seeds.

    Attributes
    ----------
    mean
        The mean.
    n
        The number of seeds.
    spread
        The sample standard deviation, with n - 1. It is None for a single seed.
    """

    mean: float
    n: int
    spread: float | None = None


def estimate(values: Sequence[float]) -> Estimate:
    """Summarise the values of several seeds.

    Parameters
    ----------
    values
        One value for each seed.

    Raises
    ------
    ValueError
        If there is no value.
    """
    n = len(values)
    if n == 0:
        raise ValueError("an estimate needs at least one value.")
    mean = math.fsum(values) / n
    if n == 1:
        return Estimate(mean, 1)
    return Estimate(mean, n, math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1)))


def margin(published_spread: float | None) -> float:
    """Return 2 points of accuracy, or twice the published spread if that is more."""
    return max(MARGIN, 2 * (published_spread or 0.0))


def agrees(ours: float, published: float, published_spread: float | None) -> bool:
    """Return whether a value in percent is within :func:`margin` of the published one."""
    return abs(ours - published) <= margin(published_spread) + ROUNDING


def difference(
    ours: Estimate,
    published: float,
    published_spread: float | None = None,
) -> tuple[float, float | None]:
    """Compare a mean with the published one.

    Parameters
    ----------
    ours
        The mean over our seeds.
    published, published_spread
        The mean and the standard deviation that the paper prints. The papers do not say how many
        runs are behind a mean, so the whole spread counts as its error, as if there were one run.

    Returns
    -------
    difference
        Our mean minus the published one.
    error
        The combined standard error of the two. It is None for a single seed of ours, which has no
        spread.
    """
    gap = ours.mean - published
    if ours.spread is None:
        return gap, None
    return gap, math.sqrt(ours.spread**2 / ours.n + (published_spread or 0.0) ** 2)


def lead(values: Sequence[float]) -> float:
    """Return how far the first value is above the largest of the others.

    Parameters
    ----------
    values
        At least two values.
    """
    return values[0] - max(values[1:])
