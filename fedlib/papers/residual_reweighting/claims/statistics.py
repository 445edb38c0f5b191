"""Statistics of the claims: each maps a number from each of a claim's cells to one number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fedlib.evidence.claims import percent_left
from fedlib.evidence.statistics import lead
from fedlib.papers.residual_reweighting.keys import DELTAS


def least_lead(rules: int) -> Callable[[list[float]], float]:
    """The statistic that is the first rule's smallest lead over the best of the others.

    Parameters
    ----------
    rules
        How many rules each setting has; the values are those of one setting after another.
    """

    def statistic(values: list[float]) -> float:
        return min(lead(values[i : i + rules]) for i in range(0, len(values), rules))

    return statistic


def mean_lead(rules: int) -> Callable[[list[float]], float]:
    """The statistic that is the first rule's mean over settings minus the best other mean.

    Parameters
    ----------
    rules
        How many rules each setting has; the values are those of one setting after another.
    """

    def statistic(values: list[float]) -> float:
        return lead([float(np.mean(values[i::rules])) for i in range(rules)])

    return statistic


def farthest_from(middle: float) -> Callable[[list[float]], float]:
    """The statistic that is the value that is farthest from a number, on either side.

    Parameters
    ----------
    middle
        The number.
    """
    return lambda values: max(values, key=lambda value: abs(value - middle))


def span(values: list[float]) -> float:
    """How far the values are apart."""
    return max(values) - min(values)


def largest_drop(values: list[float]) -> float:
    """Of pairs one after the other, the largest drop from first to second."""
    return max(a - b for a, b in zip(values[::2], values[1::2], strict=True))


def mean_drop(values: list[float]) -> float:
    """Of pairs one after the other, the mean drop from first to second."""
    return float(np.mean(values[::2]) - np.mean(values[1::2]))


def drop_beyond_that_of_second_half(values: list[float]) -> float:
    """Of two halves of pairs, how far the mean drop of the first is above that of the second."""
    half = len(values) // 2
    return mean_drop(values[:half]) - mean_drop(values[half:])


def mean_lead_of_second_half(values: list[float]) -> float:
    """Of two halves, how far the mean of the second is above that of the first."""
    half = len(values) // 2
    return float(np.mean(values[half:]) - np.mean(values[:half]))


def least_loss_beyond_the_first(values: list[float]) -> float:
    """Of pairs one after the other, how much more than the first the others lose at least."""
    first, *others = (a - b for a, b in zip(values[::2], values[1::2], strict=True))
    return min(others) - first


def span_reduction(values: list[float]) -> float:
    """Of two halves in groups, one value for each delta, how much less the second's groups span."""
    spans = [span(values[i : i + len(DELTAS)]) for i in range(0, len(values), len(DELTAS))]
    half = len(spans) // 2
    return float(np.mean(spans[:half]) - np.mean(spans[half:]))


def least_share_left(values: list[float]) -> float:
    """Of pairs of a clean accuracy and another one, the least share that is left, in %."""
    return min(percent_left(*pair) for pair in zip(values[::2], values[1::2], strict=True))


def largest_share_left(values: list[float]) -> float:
    """Of pairs of a clean accuracy and another one, the largest share that is left, in %."""
    return max(percent_left(*pair) for pair in zip(values[::2], values[1::2], strict=True))


def typical_difference(values: list[float]) -> float:
    """Of two halves, the median of how far the values of both are apart."""
    half = len(values) // 2
    return float(np.median(np.abs(np.subtract(values[:half], values[half:]))))


def lead_in_steadiness(values: list[float]) -> float:
    """Of two halves, how much more the second's values span than those of the first."""
    half = len(values) // 2
    return span(values[half:]) - span(values[:half])


def typical_shortfall(group: int) -> Callable[[list[float]], float]:
    """The statistic that says how far the median group is below the best one, by their means.

    Parameters
    ----------
    group
        How many values a group has; the groups come one after another.
    """

    def statistic(values: list[float]) -> float:
        means = np.reshape(values, (-1, group)).mean(1)
        return float(means.max() - np.median(means))

    return statistic
