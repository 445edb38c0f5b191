"""What can be said from a few seeds: mean, spread, interval, and agreement with a paper."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

# Points of accuracy within which a reproduced value agrees with the published one, unless the
# paper's own spread is wider. Stated before any run was made.
MARGIN = 2.0


@dataclass(frozen=True)
class Estimate:
    """Mean over seeds of one quantity.

    ``spread`` is the sample standard deviation (n - 1) and ``interval`` the 95 % t interval of the
    mean; both None for a single seed.
    """

    mean: float
    n: int
    spread: float | None = None
    interval: tuple[float, float] | None = None


def estimate(values: Sequence[float]) -> Estimate:
    """Summarise one value per seed.

    Raises
    ------
    ValueError
        If there is none.
    """
    n = len(values)
    if n == 0:
        raise ValueError("an estimate needs at least one value.")
    mean = math.fsum(values) / n
    if n == 1:
        return Estimate(mean, 1)
    spread = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
    half = float(stats.t.ppf(0.975, n - 1)) * spread / math.sqrt(n)
    return Estimate(mean, n, spread, (mean - half, mean + half))


def margin(published_spread: float | None) -> float:
    """2 points of accuracy, or twice the published spread if that is more."""
    return max(MARGIN, 2 * (published_spread or 0.0))


def agrees(ours: float, published: float, published_spread: float | None) -> bool:
    """Whether a value in percent is within :func:`margin` of the published one."""
    return abs(ours - published) <= margin(published_spread)


def difference(
    ours: Estimate,
    published: float,
    published_spread: float | None = None,
    published_runs: int | None = None,
) -> tuple[float, float | None]:
    """Our mean minus the published one, and the combined standard error of the two.

    Parameters
    ----------
    ours
        Over seeds.
    published, published_spread
        Mean and standard deviation as printed.
    published_runs
        How many runs the printed mean is of. None, where the paper does not say, counts the
        whole spread as the error of the mean, as if of one run.

    Returns
    -------
    difference, error
        The error is None for a single seed of ours, which has no spread.
    """
    gap = ours.mean - published
    if ours.spread is None:
        return gap, None
    theirs = (published_spread or 0.0) ** 2 / (published_runs or 1)
    return gap, math.sqrt(ours.spread**2 / ours.n + theirs)
