"""Table 3 and the loans: accuracy and attack success under both backdoors."""

from __future__ import annotations

from itertools import product

from fedlib.evidence.report import Archive, Table
from fedlib.papers.residual_reweighting.keys import APPROACHES, RULE_TITLES, key_at
from fedlib.papers.residual_reweighting.tables.cells import TableCells

_QUANTITIES = {"test_accuracy": "accuracy", "attack_success": "success"}


def backdoor_table(archive: Archive, item: str, title: str) -> Table:
    """A row for each rule, accuracy and attack success under each approach.

    Parameters
    ----------
    archive
        The stored runs.
    item
        What the cells' keys begin with: ``table_3/mnist``, ``table_3/cifar10`` or ``loan``.
    title
        The caption without the data.
    """
    cells = TableCells(archive)
    rows = []
    for number, (rule, rule_title) in enumerate(RULE_TITLES.items()):
        columns = enumerate(product(APPROACHES, _QUANTITIES), 1)
        row = [
            cells.text(key_at(item, approach, rule), number, column, quantity)
            for column, (approach, quantity) in columns
        ]
        rows.append((rule_title, *row))
    heads = [f"{name}\n{what}" for name, what in product(APPROACHES.values(), _QUANTITIES.values())]
    return cells.table(("rule", *heads), rows, title)
