"""What a paper claims and what its text leaves open, judged by the stored runs.

Every chapter has the same two tables: claims with their verdicts, and choices with what they
change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fedlib.grid import Variant
from fedlib.report import Archive, CellResult, Table, plural
from fedlib.statistics import estimate


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, and what decides it.

    ``statistic`` maps a number from each of ``cells`` (in their order), by default its accuracy, to
    one that ``holds`` judges, or to NaN where the runs of a seed have nothing to judge; ``shown``
    puts it into words.
    """

    place: str
    text: str
    cells: tuple[str, ...]
    statistic: Callable[[list[float]], float]
    holds: Callable[[float], bool]
    shown: str
    quantities: tuple[str, ...] = ()
    """What to take of the cells instead of the accuracy: means over the run."""
    measure: Callable[[CellResult], float] | None = None
    """What to take of every cell instead of the accuracy; of one seed's run."""

    def value(self, results: list[CellResult]) -> float:
        """The statistic of these results."""
        if self.quantities:
            pairs = zip(results, self.quantities, strict=True)
            return self.statistic([result.mean_of(name).mean for result, name in pairs])
        if self.measure is not None:
            return self.statistic([self.measure(result) for result in results])
        return self.statistic([result.accuracy.mean for result in results])


def drop(values: list[float]) -> float:
    """How far the second value is below the first: a claim's statistic."""
    return values[0] - values[1]


def claims_table(archive: Archive, claims: Sequence[Claim]) -> Table:
    """Each claim with its statistic, scale and verdict.

    Over several seeds the statistic has its 95 % interval. ``holds`` or ``does not hold`` where all
    cells are of the paper's protocol on real data, and no end of the interval says otherwise;
    ``undecided`` else. Data other than the paper's own are named beside the verdict. Cells are
    never compared across scales.
    """
    rows = []
    classes = {}
    for claim in claims:
        known = archive.common(claim.cells)
        if known is None:
            rows.append((claim.place, claim.text, "–", "–", "undecided: not computed"))
            continue
        seeds = sorted(set.intersection(*(set(result.seeds) for result in known)))
        found = {seed: claim.value([result.of_seed(seed) for result in known]) for seed in seeds}
        values = [value for value in found.values() if not math.isnan(value)]
        data = ", ".join(sorted({result.data for result in known}))
        # Seeds whose runs have nothing to judge are named, not passed over.
        part = "" if len(values) == len(seeds) else f"{len(values)} of "
        basis = f"{known[0].scale}, {data}, {part}{plural(len(seeds), 'seed')}"
        if not values:
            why = "no seed in common" if not seeds else "nothing to measure"
            rows.append((claim.place, claim.text, "–", basis, f"undecided: {why}"))
            continue
        average = estimate(values)
        shown = claim.shown.format(average.mean)
        ends = average.interval or (average.mean,)
        if average.interval:
            shown += f" ({average.interval[0]:.1f} to {average.interval[1]:.1f})"
        opinions = {claim.holds(end) for end in (average.mean, *ends)}
        if not all(result.real for result in known):
            said = "undecided: embedded data"
        elif known[0].scale != "paper":
            said = "undecided: reduced scale"
        elif len(opinions) > 1:
            said = "undecided: too few runs"
        else:
            said = "holds" if opinions.pop() else "does not hold"
            notes = ["one seed"] if len(values) == 1 else []
            if not all(result.canonical for result in known):
                notes.append("other data than the paper's")
            said += f" ({', '.join(notes)})" if notes else ""
            classes[len(rows), 4] = "agrees" if said.startswith("holds") else "differs"
        rows.append((claim.place, claim.text, shown, basis, said))
    return Table(
        ("where", "claim", "here", "runs", "verdict"),
        tuple(rows),
        "Claims of the paper, computed from the stored runs",
        classes,
    )


def decided(table: Table) -> list[tuple[str, ...]]:
    """The rows of a table of claims that have a verdict."""
    return [row for row in table.rows if not row[-1].startswith("undecided")]


def tally(table: Table) -> str:
    """How many claims of a table hold, do not, and are undecided, in words."""
    held = [row[-1].startswith("holds") for row in decided(table)]
    parts = {
        "hold": sum(held),
        "do not hold": len(held) - sum(held),
        "undecided": len(table.rows) - len(held),
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

    Means over the seeds that both have; ``measure`` takes one seed's accuracy.
    """
    rows = []
    for choice in choices:
        row = (choice.question, choice.where, choice.used, choice.other)
        pair = archive.common([choice.cell, choice.other_cell])
        seeds = sorted(set(pair[0].seeds) & set(pair[1].seeds)) if pair is not None else []
        if pair is None or not seeds:
            rows.append((*row, "not computed", "–"))
            continue
        used, other = (
            estimate([measure(result.of_seed(seed)) for seed in seeds]).mean for result in pair
        )
        basis = f"{pair[0].scale}, {pair[0].data}, {plural(len(seeds), 'seed')}"
        rows.append((*row, f"{used:.2f} → {other:.2f} ({other - used:+.2f})", basis))
    return Table(
        ("choice", "where", "used here", "other way", "accuracy, %", "runs"), tuple(rows), caption
    )
