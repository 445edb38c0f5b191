"""Tables 6, 7 and 8: what the parameters of reweighting and of parameter mixing change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from fedlib.evidence.report import Archive, Table
from fedlib.papers.residual_reweighting.keys import (
    ALTERNATIVES,
    DELTAS,
    LAMBDAS,
    MIX_RATES,
    SPLITS,
    TABLE_6_ATTACKERS,
    TABLE_7_ATTACKERS,
    TABLE_7_LAMBDAS,
    Mixing,
    Search,
    every,
)
from fedlib.papers.residual_reweighting.tables.cells import TableCells


def table_6(archive: Archive) -> Table:
    """Lambda and delta."""
    return _search_table(archive, "6", "λ", LAMBDAS, SPLITS, TABLE_6_ATTACKERS)


def table_7(archive: Archive) -> Table:
    """Other estimators and weightings."""
    return _search_table(archive, "7", "λ or σ", TABLE_7_LAMBDAS, ALTERNATIVES, TABLE_7_ATTACKERS)


def _search_table(
    archive: Archive,
    number: str,
    symbol: str,
    lambdas: Sequence[str],
    groups: Mapping[str, str],
    counts: Sequence[str],
) -> Table:
    """A search for parameters: a row for lambda and delta, a column for group and count."""
    cells = TableCells(archive)
    rows: list[tuple[str, ...]] = []
    for lam, delta in product(lambdas, DELTAS):
        keys = every(Search, f"table_{number}", groups, lam, delta, counts)
        row = [cells.text(key, len(rows), i, short=True) for i, key in enumerate(keys, 2)]
        rows.append((lam, delta, *row))
    heads = [f"{title}\n{count}" for title, count in product(groups.values(), counts)]
    title = f"Table {number}: accuracy in % (a number in a column head counts the label flippers)"
    return cells.table((symbol, "δ", *heads), rows, title)


def table_8(archive: Archive) -> Table:
    """Mixing adversarial with honest parameters."""
    cells = TableCells(archive)
    keys = every(Mixing, (*MIX_RATES, "none"))
    row = tuple(cells.text(key, 0, column) for column, key in enumerate(keys))
    title = "Table 8: accuracy in % for each mix rate, with 4 attackers among 10 participants"
    return cells.table((*MIX_RATES, "no attack"), (row,), title)
