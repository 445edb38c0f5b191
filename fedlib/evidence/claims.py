"""What a paper claims and what its text leaves open, judged by the stored runs.

Every chapter has the same two tables: claims with their verdicts, and choices with what they
change.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from fedlib.evidence.report import Archive
from fedlib.evidence.results import CellResult
from fedlib.evidence.statistics import MARGIN, estimate
from fedlib.evidence.table import Table, plural
from fedlib.grids import Variant


@dataclass(frozen=True)
class Range:
    """The numbers from ``low`` to ``high``; ``open`` leaves both ends out."""

    low: float = -math.inf
    high: float = math.inf
    open: bool = False

    def __contains__(self, value: float) -> bool:
        if self.open:
            return self.low < value < self.high
        return self.low <= value <= self.high

    def apart(self, low: float, high: float) -> bool:
        """Whether no number from ``low`` to ``high`` is in this range."""
        if self.open:
            return high <= self.low or low >= self.high
        return high < self.low or low > self.high

    def __str__(self) -> str:
        if self.high == math.inf:
            return f"{'>' if self.open else '≥'} {self.low:g}"
        if self.low == -math.inf:
            return f"{'<' if self.open else '≤'} {self.high:g}"
        return f"{self.low:g} to {self.high:g}"


def above(limit: float) -> Range:
    """More than ``limit``."""
    return Range(low=limit, open=True)


def at_least(limit: float) -> Range:
    """``limit`` or more."""
    return Range(low=limit)


def below(limit: float) -> Range:
    """Less than ``limit``."""
    return Range(high=limit, open=True)


def at_most(limit: float) -> Range:
    """``limit`` or less."""
    return Range(high=limit)


def near(stated: float, margin: float = MARGIN) -> Range:
    """Within a margin of a stated number."""
    return Range(stated - margin, stated + margin)


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, and what decides it.

    ``statistic`` maps a number from each of ``cells`` (in their order), by default its accuracy, to
    one that has to be in ``needed``, or to NaN where the runs of a seed have nothing to judge;
    ``shown`` puts it into words.
    """

    place: str
    text: str
    cells: tuple[str, ...]
    statistic: Callable[[list[float]], float]
    needed: Range
    shown: str
    quantities: tuple[str, ...] = ()
    """What to take of the cells instead of the accuracy: means over the run."""
    measure: Callable[[CellResult], float] | None = None
    """What to take of every cell instead of the accuracy; of one seed's run."""
    quantity: str = ""
    """What the paper prints in place of ``measure``, if it does."""

    def value(self, results: list[CellResult]) -> float:
        """The statistic of these results."""
        if self.quantities:
            pairs = zip(results, self.quantities, strict=True)
            return self.statistic([result.mean_of(name).mean for result, name in pairs])
        if self.measure is not None:
            measured = [self.measure(result) for result in results]
            unknown = any(map(math.isnan, measured))
            return math.nan if unknown else self.statistic(measured)
        return self.statistic([result.accuracy.mean for result in results])

    def printed(self, lookup: Printed) -> float | None:
        """The statistic of the numbers that the paper prints; None unless it prints them all."""
        usual = self.quantity if self.measure is not None else "test_accuracy"
        names = self.quantities or (usual,) * len(self.cells)
        values = [lookup(cell, name) for cell, name in zip(self.cells, names, strict=True)]
        known = [value for value in values if value is not None]
        return self.statistic(known) if known and len(known) == len(values) else None


Printed = Callable[[str, str], float | None]
"""The number that a paper prints for a cell and a quantity, in the statistic's unit."""


def percent_left(clean: float, left: float) -> float:
    """What is ``left`` of the ``clean`` accuracy, in percent; NaN of nothing, there is none."""
    return 100 * left / clean if clean else math.nan


def drop(values: list[float]) -> float:
    """How far the second value is below the first: a claim's statistic."""
    return values[0] - values[1]


class Judgement(NamedTuple):
    """A claim's row: what is found and needed, what the paper's numbers give, the verdict."""

    place: str
    text: str
    here: str
    needed: str
    in_print: str
    runs: str
    verdict: str

    @property
    def decided(self) -> bool:
        """Whether there is a verdict."""
        return not self.verdict.startswith("undecided")

    @property
    def own(self) -> bool:
        """Whether it is no claim of the paper, but a question that this book asks."""
        return self.place == OWN

    @property
    def holds(self) -> bool:
        """Whether the verdict is that the claim holds."""
        return self.verdict.startswith("holds")


@dataclass(frozen=True)
class ClaimsTable(Table):
    """The table of a paper's claims, and its rows in parts."""

    css: ClassVar[str] = "fedlib-table fedlib-claims"

    judged: tuple[Judgement, ...] = ()


def claims_table(
    archive: Archive, claims: Sequence[Claim], printed: Printed | None = None
) -> ClaimsTable:
    """Each claim with its statistic, what that has to be, and the verdict.

    Over several seeds the statistic has its 95 % interval. ``holds`` where all cells are of the
    paper's protocol on real data and the whole interval is as needed, ``does not hold`` where none
    of it is; ``undecided`` else. Data other than the paper's own are named beside the verdict.
    Cells are never compared across scales.

    With ``printed`` a further column has the same statistic of the paper's own numbers, where it
    prints them all.
    """
    judged = tuple(_judged(archive, claim, printed) for claim in claims)
    rows: list[tuple[str, ...]] = []
    classes = {}
    for number, row in enumerate(sorted(judged, key=lambda row: row.own)):
        theirs = () if printed is None else (row.in_print,)
        said = row.verdict if row.runs == "–" else f"{row.verdict}\n{row.runs}"
        rows.append((f"{row.text} ({row.place})", row.needed, row.here, *theirs, said))
        if row.decided:
            classes[number, len(rows[-1]) - 1] = "agrees" if row.holds else "differs"
    heads = ("claim", "needed", "here", *(("in print",) if printed else ()), "verdict, of runs")
    asked = ", then questions of this book" if any(row.own for row in judged) else ""
    caption = f"Claims of the paper{asked}, computed from the stored runs"
    return ClaimsTable(heads, tuple(rows), caption, classes, judged=judged)


_AGAINST = ": not as claimed"
OWN = "this book"
"""The place of what no paper claims, but this book asks."""


def _judged(archive: Archive, claim: Claim, printed: Printed | None) -> Judgement:
    here, runs, verdict = _found(archive, claim)
    theirs = "–" if printed is None else _in_print(claim, printed)
    return Judgement(claim.place, claim.text, here, str(claim.needed), theirs, runs, verdict)


def _in_print(claim: Claim, lookup: Printed) -> str:
    value = claim.printed(lookup)
    if value is None or math.isnan(value):
        return "–"
    return claim.shown.format(value) + ("" if value in claim.needed else _AGAINST)


def _found(archive: Archive, claim: Claim) -> tuple[str, str, str]:
    """What is found, of which runs, and what that says."""
    known = archive.common(claim.cells)
    if known is None:
        return "–", "–", "undecided: not computed"
    seeds = sorted(set.intersection(*(set(result.seeds) for result in known)))
    found = {seed: claim.value([result.of_seed(seed) for result in known]) for seed in seeds}
    values = [value for value in found.values() if not math.isnan(value)]
    data = ", ".join(sorted({result.data for result in known}))
    # Seeds whose runs have nothing to judge are named, not passed over.
    part = "" if len(values) == len(seeds) else f"{len(values)} of "
    basis = f"{known[0].scale}, {data}, {part}{plural(len(seeds), 'seed')}"
    if not values:
        return "–", basis, f"undecided: {'nothing to measure' if seeds else 'no seed in common'}"
    average = estimate(values)
    low, high = average.interval or (average.mean, average.mean)
    shown = claim.shown.format(average.mean)
    if average.interval:
        # As many places as the number itself is shown with.
        shown += f" ({low:{_places(claim.shown)}} to {high:{_places(claim.shown)}})"
    if not all(result.real for result in known):
        return shown, basis, "undecided: embedded data"
    if known[0].scale != "paper":
        return shown, basis, "undecided: reduced scale"
    if low in claim.needed and high in claim.needed:
        said = "holds"
    elif claim.needed.apart(low, high):
        said = "does not hold"
    else:
        return shown, basis, "undecided: too few runs"
    notes = ["one seed"] if len(values) == 1 else []
    if not all(result.canonical for result in known):
        notes.append("other data than the paper's")
    return shown, basis, said + (f" ({', '.join(notes)})" if notes else "")


def _places(shown: str) -> str:
    """The places after the point of a text's number: ``.2f`` of ``cosine {:+.2f}``."""
    found = re.search(r"\.\d+f", shown)
    return found[0] if found else ".1f"


def contradicted(table: ClaimsTable) -> list[Judgement]:
    """The paper's claims that its own numbers do not bear out."""
    return [row for row in table.judged if row.in_print.endswith(_AGAINST) and not row.own]


def tally(table: ClaimsTable) -> str:
    """How many of the paper's claims hold, do not, and are undecided, in words."""
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


@dataclass(frozen=True)
class Choice:
    """Something that text and code make differently or leave open, and two cells to compare.

    ``where`` says in words what both cells have in common; ``used`` and ``other`` are the two ways,
    ``cell`` and ``other_cell`` the runs made so.
    """

    question: str
    where: str
    used: str
    other: str
    cell: str
    other_cell: str


def _accuracy(result: CellResult) -> float:
    return result.accuracy.mean


def variants_table(
    archive: Archive,
    variants: Sequence[Variant],
    where: Callable[[str], str],
    caption: str,
    measure: Callable[[CellResult], float] = _accuracy,
) -> Table:
    """:func:`choices_table` of a grid's variants; ``where`` puts a cell's key into words."""
    choices = [
        Choice(v.question, where(base), v.used, v.other, base, v.cell(base))
        for v in variants
        for base in v.cells
    ]
    return choices_table(archive, choices, caption, measure)


def choices_table(
    archive: Archive,
    choices: Sequence[Choice],
    caption: str,
    measure: Callable[[CellResult], float] = _accuracy,
) -> Table:
    """Accuracy as used and taken the other way, at the best scale and data that both have.

    Means over the seeds that both have; ``measure`` takes one seed's accuracy. What is not computed
    comes last, a row for each choice.
    """
    rows: list[tuple[str, ...]] = []
    missing: dict[tuple[str, str, str], list[str]] = {}
    for choice in choices:
        pair = archive.common([choice.cell, choice.other_cell])
        seeds = sorted(set(pair[0].seeds) & set(pair[1].seeds)) if pair is not None else []
        if pair is None or not seeds:
            ways = choice.question, choice.used, choice.other
            missing.setdefault(ways, []).append(choice.where)
            continue
        used, other = (
            estimate([measure(result.of_seed(seed)) for seed in seeds]).mean for result in pair
        )
        basis = f"{pair[0].scale}, {pair[0].data}, {plural(len(seeds), 'seed')}"
        change = f"{used:.2f} → {other:.2f} ({other - used:+.2f})"
        rows.append((choice.question, choice.where, choice.used, choice.other, change, basis))
    for (question, way, another), places in missing.items():
        rows.append((question, "\n".join(places), way, another, "not computed", "–"))
    return Table(
        ("choice", "where", "used here", "other way", "accuracy, %", "runs"), tuple(rows), caption
    )
