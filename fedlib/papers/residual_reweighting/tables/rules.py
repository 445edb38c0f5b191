"""Tables 1, 2 and 4: rules by settings, and their averages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fedlib.evidence.report import Archive, Table
from fedlib.evidence.table import plural
from fedlib.papers.residual_reweighting.keys import FEW, RULE_TITLES, STDS, Comparison, every
from fedlib.papers.residual_reweighting.tables.cells import (
    TableCells,
    published_averages,
    scale_class,
)

_FEW_HEADS = [plural(int(count), "attacker") for count in FEW]
_STD_HEADS = [f"deviation {int(100 * float(std))} %" for std in STDS]


def rules_table(
    archive: Archive, item: str, settings: Sequence[str], heads: Sequence[str], title: str
) -> Table:
    """A row for each rule, a column for each setting, and the average over the settings.

    Parameters
    ----------
    archive
        The stored runs.
    item
        The table as the keys name it, such as ``table_1``.
    settings, heads
        The settings as the keys name them, and as the reader sees them.
    title
        The caption without the data.
    """
    cells = TableCells(archive)
    averages = published_averages(item)
    rows = []
    for number, (rule, rule_title) in enumerate(RULE_TITLES.items()):
        keys = every(Comparison, item, settings, rule)
        row = [cells.text(key, number, column) for column, key in enumerate(keys, 1)]
        average = _average(cells, keys, number, len(row) + 1)
        text = f"{average}\n{averages[rule]:.2f}"
        rows.append((rule_title, *row, archive.linked(text, *keys)))
    return cells.table(("rule", *heads, "average"), rows, title)


def _average(cells: TableCells, keys: Sequence[str], row: int, column: int) -> str:
    """Our average, and its scale if that is not the paper's; a dash unless all have one scale."""
    known = cells.archive.common(keys)
    if known is None:
        return "–"
    cells.classes[row, column] = scale_class(known[0])
    scale = "" if known[0].scale == "paper" else f"\n{known[0].scale}"
    return f"{np.mean([result.accuracy.mean for result in known]):.2f}{scale}"


def table_1(archive: Archive) -> Table:
    """Label flips on CIFAR-10."""
    return rules_table(
        archive, "table_1", FEW, _FEW_HEADS, "Table 1: accuracy in % if attackers flip labels"
    )


def table_2(archive: Archive) -> Table:
    """Label flips on reviews."""
    return rules_table(
        archive, "table_2", FEW, _FEW_HEADS, "Table 2: accuracy in % if attackers flip labels"
    )


def table_4(archive: Archive) -> Table:
    """Gaussian noise."""
    title = "Table 4: accuracy in % if attackers multiply their parameters by Gaussian noise"
    return rules_table(archive, "table_4", STDS, _STD_HEADS, title)
