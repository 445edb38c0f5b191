"""The claims with their verdicts, what the choices change, and what explains the differences."""

from __future__ import annotations

from functools import cache
from statistics import fmean

from fedlib.evidence import apart_tables, claims
from fedlib.evidence.apart_tables import Compared
from fedlib.evidence.claims import ClaimsTable, PrintedNumber
from fedlib.evidence.links import Linked, joined
from fedlib.evidence.report import Archive, Note, Table
from fedlib.grids import Variant
from fedlib.papers.clustering_with_outliers.authors_code import CODE, SINGLE_CHOICES
from fedlib.papers.clustering_with_outliers.claims import CLAIMS
from fedlib.papers.clustering_with_outliers.keys import CellKey, Scenario
from fedlib.papers.clustering_with_outliers.methods import ATTACK_TITLES, RULE_TITLES
from fedlib.papers.clustering_with_outliers.published import published
from fedlib.papers.clustering_with_outliers.settings import CIFAR, UNIFORM, heading_of
from fedlib.papers.clustering_with_outliers.variants import VARIANTS
from fedlib.validation import check_name

_CHOICES = (*VARIANTS, *SINGLE_CHOICES, CODE)
COMPARED = ("Table 1", "Tables 2, 3 and 5", "Table 4")
"""The tables of the paper that are compared with our runs, in three groups.

The rows of Table 2 with rate 0.4 are those of Table 1.
"""
_COMPARED_IN = {Scenario(UNIFORM, "0.4"): COMPARED[0], Scenario(CIFAR, "0.2"): COMPARED[2]}


@cache
def _printed_numbers() -> dict[str, PrintedNumber]:
    """The accuracies that the paper prints, in percent, by the key of the cell."""
    return {
        cell: PrintedNumber(100 * value.value, 100 * (value.spread or 0.0))
        for cell, value in published().items()
    }


def printed(cell: str, quantity: str) -> PrintedNumber | None:
    """The number that the paper prints for a quantity of a cell, or None."""
    return _printed_numbers().get(cell) if quantity == "test_accuracy" else None


def claims_table(archive: Archive) -> ClaimsTable:
    """Each claim with its statistic, what it needs to be, and the verdict."""
    return claims.claims_table(archive, CLAIMS, printed)


def where(cell: str) -> str:
    """A cell in words: its scenario, and in the next line its rule and attack."""
    key = CellKey.parse(cell)
    return f"{heading_of(key.scenario)}\n{RULE_TITLES[key.rule]}, {ATTACK_TITLES[key.attack]}"


def variants_table(archive: Archive) -> Table:
    """What each choice changes: accuracy as used and taken the other way, at a shared scale."""
    shown = (*VARIANTS, *SINGLE_CHOICES)
    return claims.variants_table(archive, shown, where, "What the choices change")


def farthest_table(archive: Archive, title: str) -> Table | Note:
    """The cells that are farthest from the printed ones, and which choices explain it.

    Parameters
    ----------
    archive
        The stored runs.
    title
        Which tables of the paper have the cells: one of ``COMPARED``.
    """
    return apart_tables.farthest_table(_compared(archive, title), _CHOICES, where, title)


def compared(archive: Archive) -> list[tuple[Compared, tuple[Variant, ...]]]:
    """Return what is compared with the printed numbers, and the choices that may explain it."""
    return [(_compared(archive, title), _CHOICES) for title in COMPARED]


def recovery(archive: Archive, title: str, choice: Variant = CODE) -> Note:
    """How much of the printed tables a choice gives, or some choices together.

    Parameters
    ----------
    archive, title
        As for :func:`farthest_table`.
    choice
        What is done otherwise.
    """
    return apart_tables.recovery(_compared(archive, title), choice, title)


def left_open_by_code(archive: Archive, title: str, most: int = 7) -> Note:
    """Name the cells that stay farthest from print with all choices of the authors' code.

    Parameters
    ----------
    archive, title
        As for :func:`farthest_table`.
    most
        How many cells are named at most.
    """
    known = _compared(archive, title)
    found, count = [], 0
    for key in known.cells:
        number, result = known.number(key), known.result(CODE.cell(key))
        if key not in CODE.cells or number is None or result is None:
            continue
        count += 1
        if not known.within(result, number):
            found.append((known.distance(result, number), key, result, number))
    if not count:
        return Note(f"{title} has no runs with all choices of the authors' code yet.")
    found.sort(key=lambda one: -one[0])
    parts: list[Linked | str] = []
    for _, key, result, number in found[:most]:
        at = CellKey.parse(key)
        ours = archive.linked(f"{fmean(known.values(result)):.1f}", result.key)
        spread = f" ± {number.spread:.0f}" if number.spread else ""
        parts += [
            "; " if parts else "",
            f"{RULE_TITLES[at.rule]} under {ATTACK_TITLES[at.attack]} ",
        ]
        parts += [ours, f" in place of {number.value:.0f}{spread}"]
    return Note(
        joined(
            f"With all choices of the authors' code, {len(found)} of {count} accuracies of "
            f"{title} still differ from print by more than the margin. Farthest are, in percent: ",
            *parts,
            ". Their causes are open.",
        )
        if found
        else f"With all choices of the authors' code, all of {title} that is computed is within "
        "the margin."
    )


def _compared(archive: Archive, title: str) -> Compared:
    """The printed numbers of some tables, with the stored runs."""
    check_name("title", title, COMPARED)
    cells = (key for key, value in published().items() if value.attack)
    return Compared(archive, printed, tuple(key for key in cells if _title_of(key) == title))


def _title_of(cell: str) -> str:
    """The tables that a cell is compared with."""
    return _COMPARED_IN.get(CellKey.parse(cell).scenario, COMPARED[1])
