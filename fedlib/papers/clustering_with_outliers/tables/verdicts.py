"""The claims with their verdicts, what the choices change, and what explains the differences."""

from __future__ import annotations

from functools import cache

from fedlib.evidence import apart_tables, claims
from fedlib.evidence.apart_tables import Compared
from fedlib.evidence.claims import ClaimsTable, PrintedNumber
from fedlib.evidence.report import Archive, Note, Table
from fedlib.grids import Variant
from fedlib.papers.clustering_with_outliers.authors_code import CODE, SINGLE_CHOICES
from fedlib.papers.clustering_with_outliers.claims import CLAIMS
from fedlib.papers.clustering_with_outliers.keys import CellKey, Scenario
from fedlib.papers.clustering_with_outliers.methods import (
    ATTACK_TITLES,
    PUBLISHED_ATTACKS,
    RULE_TITLES,
    RULES,
)
from fedlib.papers.clustering_with_outliers.published import published
from fedlib.papers.clustering_with_outliers.settings import UNIFORM, heading_of
from fedlib.papers.clustering_with_outliers.variants import VARIANTS

_CHOICES = (*VARIANTS, *SINGLE_CHOICES, CODE)
_TABLE_1 = Scenario(UNIFORM, "0.4").cells(RULES, PUBLISHED_ATTACKS)


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


def farthest_table(archive: Archive, table_1: bool) -> Table | Note:
    """The cells that are farthest from the printed ones, and which choices explain it.

    Parameters
    ----------
    archive
        The stored runs.
    table_1
        Whether the cells are those of Table 1, or all others.
    """
    title = "Table 1" if table_1 else "All other tables"
    return apart_tables.farthest_table(_compared(archive, table_1), _CHOICES, where, title)


def compared(archive: Archive) -> list[tuple[Compared, tuple[Variant, ...]]]:
    """Return what is compared with the printed numbers, and the choices that may explain it."""
    return [(_compared(archive, table_1), _CHOICES) for table_1 in (True, False)]


def recovery_by_code(archive: Archive, table_1: bool) -> Note:
    """How much of the printed tables the choices of the authors' code give together.

    Parameters
    ----------
    archive, table_1
        As for :func:`farthest_table`.
    """
    title = "Table 1" if table_1 else "All other tables"
    return apart_tables.recovery(_compared(archive, table_1), CODE, title)


def _compared(archive: Archive, table_1: bool) -> Compared:
    """The printed numbers of Table 1, or of all other tables, with the stored runs."""
    others = (key for key, value in published().items() if value.attack and key not in _TABLE_1)
    return Compared(archive, printed, _TABLE_1 if table_1 else tuple(others))
