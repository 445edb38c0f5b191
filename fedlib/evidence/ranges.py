"""Ranges of numbers: what a claim's statistic has to be."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fedlib.evidence.statistics import MARGIN


@dataclass(frozen=True)
class Range:
    """The numbers from ``low`` to ``high``.

    Attributes
    ----------
    low, high
        The ends.
    open
        Whether the ends themselves are left out.
    """

    low: float = -math.inf
    high: float = math.inf
    open: bool = False

    def __contains__(self, value: float) -> bool:
        if self.open:
            return self.low < value < self.high
        return self.low <= value <= self.high

    def depth(self, value: float) -> float:
        """Return how far inside this range a value is, or minus how far outside."""
        return min(value - self.low, self.high - value)

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"{'>' if self.open else '≥'} {self.low:g}"
        if self.low == -math.inf:
            return f"{'<' if self.open else '≤'} {self.high:g}"
        return f"{self.low:g} to {self.high:g}"


def above(limit: float) -> Range:
    """Return the range of the numbers above ``limit``."""
    return Range(low=limit, open=True)


def at_least(limit: float) -> Range:
    """Return the range of ``limit`` and the numbers above it."""
    return Range(low=limit)


def below(limit: float) -> Range:
    """Return the range of the numbers below ``limit``."""
    return Range(high=limit, open=True)


def at_most(limit: float) -> Range:
    """Return the range of ``limit`` and the numbers below it."""
    return Range(high=limit)


def near(stated: float, margin: float = MARGIN) -> Range:
    """Return the range of the numbers within a margin of a stated number."""
    return Range(stated - margin, stated + margin)
