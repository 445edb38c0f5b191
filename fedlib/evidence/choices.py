"""Choices that a paper leaves open, and what it changes to make them the other way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fedlib.evidence.report import Archive
from fedlib.evidence.results import CellResult
from fedlib.evidence.statistics import estimate
from fedlib.evidence.table import Table, plural
from fedlib.grids import Variant

_HOW_TO_READ = (
    "Each row changes what it names and nothing else. Before the arrow stands the number with "
    "the way that is used here, and after it the number with the other way. The change in points "
    "stands in brackets"
)
"""What the caption says of the numbers."""


@dataclass(frozen=True)
class Choice:
    """A choice that a paper leaves open, or that its text and code make differently.

    Attributes
    ----------
    question
        What is chosen, in words.
    where
        What both cells have in common, in words.
    used, other
        The two ways to choose, in words.
    cell, other_cell
        The keys of the cells that were made in the one way and in the other.
    """

    question: str
    where: str
    used: str
    other: str
    cell: str
    other_cell: str


def _accuracy(result: CellResult) -> float:
    """Return the mean test accuracy after the last round, in percent."""
    return result.accuracy.mean


def variants_table(
    archive: Archive,
    variants: Sequence[Variant],
    where: Callable[[str], str],
    caption: str,
    measure: Callable[[CellResult], float] = _accuracy,
) -> Table:
    """Return the :func:`choices_table` of a grid's variants.

    Parameters
    ----------
    archive
        The stored runs.
    variants
        The variants of the grid.
    where
        This function takes the key of a cell and puts it into words.
    caption, measure
        These are passed on to :func:`choices_table`.
    """
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
    """Return a table that compares the accuracies of two ways to make each choice.

    Both cells of a choice are taken at the best scale and data that both have, as means over the
    seeds that both have. The choices that are not computed come last, in one row for each question.

    Parameters
    ----------
    archive
        The stored runs.
    choices
        The choices.
    caption
        The table's caption.
    measure
        This function takes the run of one seed and returns its accuracy in percent.
    """
    rows: list[tuple[str, ...]] = []
    missing: dict[tuple[str, str, str], list[Choice]] = {}
    for choice in choices:
        pair = archive.common([choice.cell, choice.other_cell])
        seeds = sorted(set(pair[0].seeds) & set(pair[1].seeds)) if pair is not None else []
        if pair is None or not seeds:
            missing.setdefault((choice.question, choice.used, choice.other), []).append(choice)
            continue
        used, other = (
            estimate([measure(result.of_seed(seed)) for seed in seeds]).mean for result in pair
        )
        basis = f"{pair[0].scale}, {pair[0].data}, {plural(len(seeds), 'seed')}"
        change = archive.linked(
            f"{used:.2f} → {other:.2f} ({other - used:+.2f})", choice.cell, choice.other_cell
        )
        ways = choice.used, choice.other
        rows.append((choice.question, choice.where, *ways, change, basis))
    for (question, way, another), untried in missing.items():
        places = "\n".join(choice.where for choice in untried)
        cells = [cell for choice in untried for cell in (choice.cell, choice.other_cell)]
        absent = archive.linked("not computed", *cells)
        rows.append((question, places, way, another, absent, "–"))
    heads = ("choice", "where", "used here", "other way", "accuracy, %", "runs")
    return Table(heads, tuple(rows), f"{caption}. {_HOW_TO_READ}")
