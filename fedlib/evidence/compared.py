"""Stored runs beside what a paper prints: which can be compared, and how near they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial

from fedlib.evidence.claim import Printed, PrintedNumber
from fedlib.evidence.class_counts import learned_nothing
from fedlib.evidence.noise import NoiseBook
from fedlib.evidence.report import Archive
from fedlib.evidence.results import CellResult
from fedlib.evidence.statistics import ALIKE, WIDEST_MARGIN, agrees, estimate, margin
from fedlib.evidence.verdicts import ENOUGH_SEEDS

ACCURACY = "test_accuracy"
JUMP = 2 * WIDEST_MARGIN
"""The last evaluations jump if they are further apart than this, in points."""


@dataclass(frozen=True)
class Compared:
    """What is compared with what.

    Attributes
    ----------
    archive
        The stored runs. Those at the paper's scale and on real data count.
    printed
        The numbers that the paper prints. Cells of which it prints none do not count, nor do those
        of which only bounds are known.
    cells
        The keys of the cells. None of them is a variant.
    quantity
        The name of the recorded share that is compared, after the last round.
    unattacked
        This function takes the key of a cell and returns that of the cell without attackers that
        is judged on the same samples, or None if there is none. It is needed for the success of
        attacks: a choice with which models that nobody attacked have it too explains nothing.
    """

    archive: Archive
    printed: Printed
    cells: tuple[str, ...]
    quantity: str = ACCURACY
    unattacked: Callable[[str], str | None] = lambda key: None

    @cached_property
    def noise(self) -> NoiseBook:
        """How far the numbers of a cell's seeds are apart."""
        if self.quantity == ACCURACY:
            return self.archive.noise
        results = self.archive.results(self.cells)
        return NoiseBook(results, partial(_percent, self.quantity), at_chance=False)

    def number(self, key: str) -> PrintedNumber | None:
        """Return the number that the paper prints for a cell, in percent, or None."""
        number = self.printed(key, self.quantity)
        return number if number is not None and number.least is None else None

    def result(self, key: str) -> CellResult | None:
        """Return the runs of a cell at the paper's scale on real data, or None."""
        for result in self.archive.results([key]):
            by_protocol = result.scale == "paper" and not result.reduced
            if by_protocol and result.real and result.has(self.quantity):
                # The share of no samples is not a number, and there is nothing to compare.
                return None if any(map(math.isnan, self.values(result))) else result
        return None

    def values(self, result: CellResult) -> tuple[float, ...]:
        """Return the number that each seed of some runs gives, in percent."""
        return tuple(_percent(self.quantity, result.of_seed(seed)) for seed in result.seeds)

    def unstable(self, result: CellResult, number: PrintedNumber) -> bool:
        """Whether it is open how far some runs are from what is printed.

        The seeds disagree far beyond the noise, and are too few to be averaged, or the number jumps
        between the last evaluations and comes near to the printed one.
        """
        return self.disagree(result) or self.jumps(result, number) is not None

    def disagree(self, result: CellResult) -> bool:
        """Whether the seeds disagree far beyond the noise, and are too few to be averaged."""
        return len(result.seeds) < ENOUGH_SEEDS and self.noise.unstable(result)

    def jumps(
        self, result: CellResult, number: PrintedNumber | None = None
    ) -> tuple[float, float] | None:
        """Return between which numbers the last evaluations of a seed jump, or None if they do not.

        They jump if they are more than ``JUMP`` apart. If ``number`` is given, only jumps count
        that come within the margin of it: it then depends on the last round alone whether the runs
        are near to it. The seed that jumps most is taken.
        """
        found = [(0.0, 0.0)]
        for last in result.last_values(self.quantity):
            least, most = 100 * min(last), 100 * max(last)
            near = number is None or (
                least - margin(number.spread) <= number.value <= most + margin(number.spread)
            )
            if near and most - least > JUMP and not any(map(math.isnan, last)):
                found.append((least, most))
        widest = max(found, key=lambda ends: ends[1] - ends[0])
        return widest if widest[1] > widest[0] else None

    def at_chance(self, result: CellResult, number: PrintedNumber) -> bool:
        """Whether the accuracy of some runs and the printed one are both at chance, and alike.

        Where one class is much larger than the others, a model at chance gives one answer to all
        samples, and both must be the accuracy of such an answer.
        """
        if self.quantity != ACCURACY:
            return False
        both = mean(self.values(result)), number.value
        alike = self.distance(result, number) <= ALIKE
        return alike and learned_nothing(result.records[0], *both)

    def within(self, result: CellResult, number: PrintedNumber) -> bool:
        """Whether some runs are within the margin of a printed number, or both are at chance."""
        near = agrees(mean(self.values(result)), number.value, number.spread)
        return near or self.at_chance(result, number)

    def distance(self, result: CellResult, number: PrintedNumber) -> float:
        """Return how far the mean of some runs is from a printed number, in points."""
        return abs(mean(self.values(result)) - number.value)


def _percent(quantity: str, result: CellResult) -> float:
    """Return the mean of a recorded share over the seeds after the last round, in percent."""
    return result.final(quantity).mean


def mean(values: Iterable[float]) -> float:
    """Return the mean of the numbers that some seeds give."""
    return estimate(list(values)).mean
