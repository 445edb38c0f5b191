"""A claim of a paper as data: the cells that decide it, and the statistic of their numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from fedlib.evidence.links import text_anchor
from fedlib.evidence.ranges import Range
from fedlib.evidence.results import CellResult

OWN = "this book"
"""The place of a question that no paper claims, but this book asks."""

ABSTRACT = "abstract"
"""The place of a claim that stands in the abstract of the paper."""

_NUMBER = re.compile(r"\{(?::([+]?)([^}]*))?\}")
_EITHER = re.compile(r"\[([^|\]]*)\|([^|\]]*)\]")


class Former(NamedTuple):
    """The words that a claim had when it got its anchors, if it has been reworded since.

    Attributes
    ----------
    text, sentence
        The former :attr:`Claim.text` and :attr:`Claim.sentence`.
    place, reading
        The former :attr:`Claim.place` and :attr:`Claim.reading`. What is None is still the same.
    """

    text: str
    sentence: str = ""
    place: str | None = None
    reading: str | None = None

    @property
    def says(self) -> str:
        """What the paper says in these words, without the setting that it is tested in."""
        return self.sentence or self.text.partition(": ")[2] or self.text


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, and what decides it.

    Attributes
    ----------
    place
        Where the paper makes the statement.
    text
        The statement.
    cells
        The keys of the cells that decide it.
    statistic
        This function takes a number of each of the cells, in their order, and returns the number
        that decides the claim. It returns NaN if the runs of a seed have nothing to judge. The
        cells' numbers are their accuracies in percent, unless ``quantities`` or ``measure`` says
        otherwise.
    needed
        The claim holds if the statistic is in this range.
    shown
        The text that shows the statistic, such as ``drop {:.1f} points``. If the sign of the
        statistic is a direction, it has words for both directions in place of the sign, such as
        ``it leaves {:.1f} points [more|less]``.
    quantities
        Takes a quantity of each cell in place of the accuracy: its mean over the run.
    measure
        This function takes the run of one seed of a cell and returns the number that stands in
        place of the accuracy.
    jointly
        This function takes the runs of one seed of all cells and returns their numbers, if a number
        can only be had together with the others, such as the rounds until a level that both of two
        runs reach. ``measure`` then only says what the noise of such a number is.
    late
        What takes the place of ``measure`` when a verdict is checked: the same quantity at earlier
        evaluations, such as a mean over the last ones, or the lowest of them. Where the quantity
        moves much from one evaluation to the next, the last one alone is no evidence, and a
        verdict stands only if this number is on its side too. None leaves the check out.
    quantity
        The quantity that the paper prints in place of ``measure``. It is empty if there is none.
    equal
        The value of the statistic at which the compared sides are equal, so that they tie. None
        takes 0 for a claim that needs more than 0, and no value for all other claims.
    nothing_means
        What is said if the runs of no seed have anything to judge, such as "nothing to measure: the
        attack costs at most 2 points". If it is empty, "nothing to measure" is all that is said.
    judged_as
        This function takes the statistic and returns what its evidence is computed from. It must
        leave the limits of ``needed`` and ``equal`` where they are. It is for a ratio, whose noise
        is large where its denominator is small. None takes the statistic itself.
    yes_or_no
        Whether ``measure`` is 1 or 0. The noise between seeds says nothing of such a number, so
        that the seeds are counted.
    tie_means
        What a tie means for the claim, if this has to be said.
    of_level
        Whether the claim is about the height of an accuracy itself, such as "above 60 %", so that
        an accuracy at chance decides it too. All other claims are undecided if every accuracy is
        at chance.
    of_accuracy
        Whether ``measure`` is an accuracy in percent of the test samples.
    in_time
        Whether ``measure`` is a time in percent of the run, which is known no better than the time
        from one evaluation to the next.
    own_limit
        Whether the limit of ``needed`` is a choice of this book, because the sentence names none,
        such as how little has to be left if a rule is to "diverge". Printed numbers beyond this
        limit do not contradict the sentence then, and it is undecided.
    of_abstract
        Whether this is a part of what the abstract of the paper says in fewer words. A claim whose
        place is the abstract does not need it.
    near_chance
        Accuracies that are at most this many points above chance decide no more than those at
        chance. It is for data on which a model that has hardly learned says nothing.
    reading
        The reading of the text that the cells take, if the text allows several.
    sentence
        What the paper says without the setting. Claims of one place that have it in common test one
        sentence of the paper in several settings or readings. If it is empty, it is what stands in
        ``text`` after the first colon and space.
    is_part
        Whether the claim is a part of its sentence, such as "Cent2P does not fail" of "Cent1P fails
        and Cent2P does not". In each reading the sentence holds only if all of its parts do, and it
        fails if one of them fails.
    printed_cells
        The keys of the cells under which the paper prints its numbers, if these are not ``cells``.
    former
        The words that the anchors of the claim are made of, if these are not the present ones.
        Whoever rewords a claim gives the old words here, so that links to the claim stay right.
    """

    place: str
    text: str
    cells: tuple[str, ...]
    statistic: Callable[[list[float]], float]
    needed: Range
    shown: str
    quantities: tuple[str, ...] = ()
    measure: Callable[[CellResult], float] | None = None
    jointly: Callable[[list[CellResult]], list[float]] | None = None
    late: Callable[[CellResult], float] | None = None
    quantity: str = ""
    equal: float | None = None
    judged_as: Callable[[float], float] | None = None
    yes_or_no: bool = False
    nothing_means: str = ""
    tie_means: str = ""
    of_level: bool = False
    of_accuracy: bool = False
    in_time: bool = False
    own_limit: bool = False
    of_abstract: bool = False
    near_chance: float = 0.0
    reading: str = ""
    sentence: str = ""
    is_part: bool = False
    printed_cells: tuple[str, ...] = ()
    former: Former | None = None

    @property
    def at_first(self) -> Former:
        """The words that the anchors of the claim are made of."""
        return self.former or Former(self.text, self.sentence)

    @property
    def says(self) -> str:
        """What the paper says, without the setting that it is tested in."""
        return Former(self.text, self.sentence).says

    @property
    def in_abstract(self) -> bool:
        """Whether the abstract of the paper makes the claim, in these words or in sum."""
        return self.of_abstract or self.place == ABSTRACT

    def anchor(self, slug: str) -> str:
        """Return the anchor that links to this claim lead to.

        It is made of the claim alone, and stays if other claims are added, removed or moved. It
        also stays if the claim is reworded and has its former words.

        Parameters
        ----------
        slug
            The short name of the paper that makes the claim.
        """
        first = self.at_first
        place = self.place if first.place is None else first.place
        reading = self.reading if first.reading is None else first.reading
        return text_anchor("claim", first.text, slug, place, reading)

    @property
    def equality(self) -> float | None:
        """The value of the statistic at which the compared sides are equal, if there is one."""
        if self.equal is None and self.needed.low == 0 and math.isinf(self.needed.high):
            return 0.0
        return self.equal

    @property
    def accuracies(self) -> bool:
        """Whether the cells' numbers are accuracies in percent of the test samples."""
        return self.of_accuracy or (self.measure is None and not self.quantities)

    @property
    def compares_accuracies(self) -> bool:
        """Whether the cells' accuracies are compared, so that those at chance say nothing."""
        return self.accuracies and not self.of_level

    @property
    def at_the_end(self) -> Claim | None:
        """The same claim on the mean of the last evaluations, if a verdict is to be checked so."""
        if self.late is None:
            return None
        return replace(self, measure=self.late, late=None, of_accuracy=self.accuracies)

    def numbers(self, results: list[CellResult]) -> list[float]:
        """Return the number of each cell, from the run of one seed of each."""
        if self.jointly is not None:
            return self.jointly(results)
        if self.quantities:
            pairs = zip(results, self.quantities, strict=True)
            return [result.mean_of(name).mean for result, name in pairs]
        if self.measure is not None:
            return [self.measure(result) for result in results]
        return [result.accuracy.mean for result in results]

    def value(self, numbers: list[float]) -> float:
        """Return the statistic of the cells' numbers.

        It is NaN if the numbers are not accuracies and one of them is not known.
        """
        measured = self.measure is not None or self.quantities
        if measured and any(map(math.isnan, numbers)):
            return math.nan
        return self.statistic(numbers)

    def judged(self, value: float) -> float:
        """Return what the evidence of a value of the statistic is computed from."""
        return value if self.judged_as is None else self.judged_as(value)

    def in_words(self, value: float, seeds: Sequence[float] = ()) -> str:
        """Say a value of the statistic in words.

        If the words tell that the value is negative, it also stands behind them with its sign, so
        that it can be compared with what is needed. A value that is zero as written has both
        directions: ``it leaves 0.0 points more or less``.

        Parameters
        ----------
        value
            The value.
        seeds
            The values of the single seeds, if they are to be listed.
        """
        place = _NUMBER.search(self.shown)  # a claim may do without the number
        sign, places = place.groups(default="") if place else ("", "")
        number = format(value, f"{sign}z{places}")  # z: a rounded zero has no minus sign
        directions = _EITHER.findall(self.shown)
        falls = number.startswith("-") and bool(directions)
        # A number that is zero as written has no direction.
        equal = len(directions) == 1 and not number.strip("+-0.")
        if equal and not any(" " in word for word in directions[0]):
            text = _EITHER.sub(r"\1 or \2", self.shown)
        else:
            text = _EITHER.sub(r"\2" if falls else r"\1", self.shown)
        text = _NUMBER.sub(number.removeprefix("-") if falls else number, text)
        notes = [number] if falls else []
        if seeds:
            notes.append(f"seeds: {', '.join(format(seed, f'z{places}') for seed in seeds)}")
        return f"{text} ({'; '.join(notes)})" if notes else text

    def printed(self, lookup: Printed) -> list[PrintedNumber] | None:
        """Return the paper's own number of each cell, or None if it does not print them all.

        Parameters
        ----------
        lookup
            The numbers that the paper prints.
        """
        usual = self.quantity if self.measure is not None else "test_accuracy"
        names = self.quantities or (usual,) * len(self.cells)
        cells = self.printed_cells or self.cells
        values = [lookup(cell, name) for cell, name in zip(cells, names, strict=True)]
        known = [value for value in values if value is not None]
        return known if known and len(known) == len(values) else None


class PrintedNumber(NamedTuple):
    """A number that a paper prints, in the unit of the statistic.

    Attributes
    ----------
    value
        The number.
    spread
        The standard deviation that is printed with it, or 0.
    least
        The smallest value that the number can have, if the paper does not print it but what it
        prints sets bounds. ``value`` is then the largest. None if the number is printed.
    """

    value: float
    spread: float = 0.0
    least: float | None = None


Printed = Callable[[str, str], PrintedNumber | None]
"""A function that takes a cell's key and a quantity, and returns the number that the paper prints.

It returns None if the paper does not print it.
"""


def percent_left(clean: float, left: float) -> float:
    """Return ``left`` as a share of the ``clean`` accuracy, in percent.

    It is NaN if the clean accuracy is zero.
    """
    return 100 * left / clean if clean else math.nan


def drop(values: list[float]) -> float:
    """Return how far the second value is below the first, as the statistic of a claim."""
    return values[0] - values[1]
