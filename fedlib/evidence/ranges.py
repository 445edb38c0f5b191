"""Ranges of numbers: what a claim's statistic has to be."""

from __future__ import annotations

import math
from dataclasses import dataclass

from fedlib.evidence.statistics import MARGIN, ROUNDING, WIDEST_MARGIN
from fedlib.evidence.statistics import margin as margin_of


@dataclass(frozen=True)
class Range:
    """The numbers from ``low`` to ``high``.

    Attributes
    ----------
    low, high
        The ends.
    open
        Whether the ends themselves are left out.
    margin
        How far a stated number may be missed, if the range is that of one. The ends take it in.
    """

    low: float = -math.inf
    high: float = math.inf
    open: bool = False
    margin: float = 0.0

    @property
    def tells(self) -> bool:
        """Whether it tells anything that a number is in this range.

        A stated number whose margin is wider than ``WIDEST_MARGIN`` is not known well enough.
        """
        return self.margin <= WIDEST_MARGIN

    def __contains__(self, value: float) -> bool:
        within = -ROUNDING if self.open else ROUNDING
        return self.low - within <= value <= self.high + within

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


def stated(least: float, spread: float | None = None, most: float | None = None) -> Range:
    """Return the range of the numbers that meet a number of points that a paper's text states.

    This is the one rule for all papers: the margin is 2 points, or twice the spread that the paper
    prints with the cell concerned if that is more. A margin of more than 10 points is cut there,
    and the range then does not tell anything, see :attr:`Range.tells`.

    Parameters
    ----------
    least
        The stated number, or the smallest one if the text states two.
    spread
        The standard deviation that the paper prints with the cell that the number is about. None
        if it prints none.
    most
        The largest of the stated numbers. None if there is one.
    """
    margin = margin_of(spread)
    within = min(margin, WIDEST_MARGIN)
    return Range(least - within, (least if most is None else most) + within, margin=margin)
