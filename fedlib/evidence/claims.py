"""What a paper claims, judged by the stored runs and by the numbers that the paper prints."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from fedlib.evidence.choices import Choice, choices_table, variants_table
from fedlib.evidence.ranges import Range, above, at_least, at_most, below, near
from fedlib.evidence.report import Archive
from fedlib.evidence.results import CellResult
from fedlib.evidence.statistics import estimate
from fedlib.evidence.table import Table, plural

# A paper's claims and choices import all that they are made of from here.
__all__ = [
    "OWN",
    "Choice",
    "Claim",
    "ClaimsTable",
    "Judgement",
    "Printed",
    "Range",
    "above",
    "at_least",
    "at_most",
    "below",
    "choices_table",
    "claims_table",
    "contradicted",
    "drop",
    "near",
    "percent_left",
    "tally",
    "variants_table",
]


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
        The text that shows the statistic, such as ``drop {:.1f} points``.
    quantities
        Takes a quantity of each cell in place of the accuracy: its mean over the run.
    measure
        This function takes the run of one seed of a cell and returns the number that stands in
        place of the accuracy.
    quantity
        The quantity that the paper prints in place of ``measure``. It is empty if there is none.
    """

    place: str
    text: str
    cells: tuple[str, ...]
    statistic: Callable[[list[float]], float]
    needed: Range
    shown: str
    quantities: tuple[str, ...] = ()
    measure: Callable[[CellResult], float] | None = None
    quantity: str = ""

    def value(self, results: list[CellResult]) -> float:
        """Return the statistic of the results of the claim's cells, in their order."""
        if self.quantities:
            pairs = zip(results, self.quantities, strict=True)
            return self.statistic([result.mean_of(name).mean for result, name in pairs])
        if self.measure is not None:
            measured = [self.measure(result) for result in results]
            unknown = any(map(math.isnan, measured))
            return math.nan if unknown else self.statistic(measured)
        return self.statistic([result.accuracy.mean for result in results])

    def printed(self, lookup: Printed) -> float | None:
        """Return the statistic of the paper's own numbers, or None if it does not print them all.

        Parameters
        ----------
        lookup
            The numbers that the paper prints.
        """
        usual = self.quantity if self.measure is not None else "test_accuracy"
        names = self.quantities or (usual,) * len(self.cells)
        values = [lookup(cell, name) for cell, name in zip(self.cells, names, strict=True)]
        known = [value for value in values if value is not None]
        return self.statistic(known) if known and len(known) == len(values) else None


Printed = Callable[[str, str], float | None]
"""A function that takes a cell's key and a quantity, and returns the number that the paper prints.

The number is in the unit of the statistic. It is None if the paper does not print it.
"""


def percent_left(clean: float, left: float) -> float:
    """Return ``left`` as a share of the ``clean`` accuracy, in percent.

    It is NaN if the clean accuracy is zero.
    """
    return 100 * left / clean if clean else math.nan


def drop(values: list[float]) -> float:
    """Return how far the second value is below the first, as the statistic of a claim."""
    return values[0] - values[1]


class Judgement(NamedTuple):
    """A claim with what decides it, in words.

    Attributes
    ----------
    place, text
        The claim and where the paper makes it.
    here, needed
        What the stored runs give, and what is needed.
    in_print
        What the paper's own numbers give.
    runs
        The scale, data and seeds of the runs.
    verdict
        ``holds``, ``does not hold`` or ``undecided``, with remarks.
    """

    place: str
    text: str
    here: str
    needed: str
    in_print: str
    runs: str
    verdict: str

    @property
    def decided(self) -> bool:
        """Whether the verdict is one of the two that decide the claim."""
        return not self.verdict.startswith("undecided")

    @property
    def own(self) -> bool:
        """Whether the paper does not claim this, but this book asks it."""
        return self.place == OWN

    @property
    def holds(self) -> bool:
        """Whether the claim holds."""
        return self.verdict.startswith("holds")


@dataclass(frozen=True)
class ClaimsTable(Table):
    """The table of a paper's claims.

    Attributes
    ----------
    judged
        The rows in parts, in the order of the claims.
    """

    css: ClassVar[str] = "fedlib-table fedlib-claims"

    judged: tuple[Judgement, ...] = ()


def claims_table(
    archive: Archive, claims: Sequence[Claim], printed: Printed | None = None
) -> ClaimsTable:
    """Return a table of claims, each with its statistic, what is needed, and the verdict.

    Over several seeds the statistic has its 95 % interval. The verdict is ``holds`` if all cells
    follow the paper's protocol on real data and the whole interval is as needed. It is ``does not
    hold`` if no part of the interval is as needed, and otherwise ``undecided``. Data other than
    the paper's own are named beside the verdict. Cells are never compared across scales.

    Parameters
    ----------
    archive
        The stored runs.
    claims
        The claims.
    printed
        The numbers that the paper prints. They add a column with the same statistic of these
        numbers, for each claim of which the paper prints them all. None leaves the column out.
    """
    judged = tuple(_judged(archive, claim, printed) for claim in claims)
    rows: list[tuple[str, ...]] = []
    classes = {}
    for number, row in enumerate(sorted(judged, key=lambda row: row.own)):
        in_print = () if printed is None else (row.in_print,)
        verdict = row.verdict if row.runs == "–" else f"{row.verdict}\n{row.runs}"
        rows.append((f"{row.text} ({row.place})", row.needed, row.here, *in_print, verdict))
        if row.decided:
            classes[number, len(rows[-1]) - 1] = "agrees" if row.holds else "differs"
    heads = ("claim", "needed", "here", *(("in print",) if printed else ()), "verdict, of runs")
    questions = ", then questions of this book" if any(row.own for row in judged) else ""
    caption = f"Claims of the paper{questions}, computed from the stored runs"
    return ClaimsTable(heads, tuple(rows), caption, classes, judged=judged)


_AGAINST = ": not as claimed"
"""The end of a paper's own number that does not support the claim."""
OWN = "this book"
"""The place of a question that no paper claims, but this book asks."""


def _judged(archive: Archive, claim: Claim, printed: Printed | None) -> Judgement:
    """Judge a claim by the stored runs, and by the paper's own numbers if they are given."""
    here, runs, verdict = _judged_by_runs(archive, claim)
    in_print = "–" if printed is None else _in_print(claim, printed)
    return Judgement(claim.place, claim.text, here, str(claim.needed), in_print, runs, verdict)


def _in_print(claim: Claim, lookup: Printed) -> str:
    """Say what the paper's own numbers give for a claim."""
    value = claim.printed(lookup)
    if value is None or math.isnan(value):
        return "–"
    return claim.shown.format(value) + ("" if value in claim.needed else _AGAINST)


def _judged_by_runs(archive: Archive, claim: Claim) -> tuple[str, str, str]:
    """Return the statistic in words, the runs it is from, and the verdict."""
    known = archive.common(claim.cells)
    if known is None:
        return "–", "–", "undecided: not computed"
    seeds = sorted(set.intersection(*(set(result.seeds) for result in known)))
    found = {seed: claim.value([result.of_seed(seed) for result in known]) for seed in seeds}
    values = [value for value in found.values() if not math.isnan(value)]
    data = ", ".join(sorted({result.data for result in known}))
    # The reader is told if the runs of some seeds have nothing to judge.
    part = "" if len(values) == len(seeds) else f"{len(values)} of "
    basis = f"{known[0].scale}, {data}, {part}{plural(len(seeds), 'seed')}"
    if not values:
        return "–", basis, f"undecided: {'nothing to measure' if seeds else 'no seed in common'}"
    average = estimate(values)
    low, high = average.interval or (average.mean, average.mean)
    shown = claim.shown.format(average.mean)
    if average.interval:
        # The interval has as many places after the point as the mean.
        shown += f" ({low:{_places(claim.shown)}} to {high:{_places(claim.shown)}})"
    if not all(result.real for result in known):
        return shown, basis, "undecided: embedded data"
    if known[0].scale != "paper":
        return shown, basis, "undecided: reduced scale"
    if low in claim.needed and high in claim.needed:
        verdict = "holds"
    elif claim.needed.apart(low, high):
        verdict = "does not hold"
    else:
        return shown, basis, "undecided: too few runs"
    notes = ["one seed"] if len(values) == 1 else []
    if not all(result.canonical for result in known):
        notes.append("other data than the paper's")
    return shown, basis, verdict + (f" ({', '.join(notes)})" if notes else "")


def _places(shown: str) -> str:
    """Return the format of the number in a text: ``.2f`` of ``cosine {:+.2f}``."""
    found = re.search(r"\.\d+f", shown)
    return found[0] if found else ".1f"


def contradicted(table: ClaimsTable) -> list[Judgement]:
    """Return the paper's claims that its own numbers do not support."""
    return [row for row in table.judged if row.in_print.endswith(_AGAINST) and not row.own]


def tally(table: ClaimsTable) -> str:
    """Say how many of the paper's claims hold, do not hold, and are undecided."""
    rows = [row for row in table.judged if not row.own]
    decided = sum(row.decided for row in rows)
    held = sum(row.holds for row in rows)
    fallen = decided - held
    parts = {
        "holds" if held == 1 else "hold": held,
        "does not hold" if fallen == 1 else "do not hold": fallen,
        "undecided": len(rows) - decided,
    }
    return ", ".join(f"{count} {what}" for what, count in parts.items() if count)
