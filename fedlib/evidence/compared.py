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
from fedlib.evidence.statistics import ALIKE, MARGIN, WIDEST_MARGIN, agrees, estimate
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

    def unstable(self, result: CellResult, number: PrintedNumber | None = None) -> bool:
        """Whether it is open how far some runs are from what is printed.

        The seeds disagree far beyond the noise, and are too few to be averaged, or the number jumps
        between the last evaluations. If ``number`` is given, jumps count only if they come near to
        it: otherwise the runs are far from it at each of these evaluations.
        """
        if self.disagree(result):
            return True
        ends = self.jumps(result)
        if ends is None or number is None:
            return ends is not None
        return ends[0] - MARGIN <= number.value <= ends[1] + MARGIN

    def disagree(self, result: CellResult) -> bool:
        """Whether the seeds disagree far beyond the noise, and are too few to be averaged."""
        return len(result.seeds) < ENOUGH_SEEDS and self.noise.unstable(result)

    def jumps(self, result: CellResult) -> tuple[float, float] | None:
        """Return between which numbers the last evaluations of a seed jump, or None if they do not.

        They jump if they are more than ``JUMP`` apart. It would then depend on the last round alone
        whether the number is near to the printed one.
        """
        known = result.last_values(self.quantity)
        ranges = [
            (100 * min(one), 100 * max(one)) for one in known if not any(map(math.isnan, one))
        ]
        least, most = max(ranges, key=lambda ends: ends[1] - ends[0], default=(0.0, 0.0))
        return (least, most) if most - least > JUMP else None

    def at_chance(self, result: CellResult, number: PrintedNumber) -> bool:
        """Whether the accuracy of some runs and the printed one are both at chance, and alike.

        Where one class is much larger than the others, a model at chance gives one answer to all
        samples, and both must be the accuracy of such an answer.
        """
        if self.quantity != ACCURACY:
            return False
        both = mean(self.values(result)), number.value
        alike = self.distance(result, number) <= ALIKE
        return alike and all(learned_nothing(result.records[0], one) for one in both)

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
