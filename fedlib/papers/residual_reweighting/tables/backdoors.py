"""Table 3 and the loans: accuracy and attack success under both backdoors."""

from __future__ import annotations

from itertools import product

from fedlib.evidence.report import Archive, Table
from fedlib.papers.residual_reweighting.keys import (
    APPROACHES,
    RULE_TITLES,
    Unattacked,
    key_at,
)
from fedlib.papers.residual_reweighting.tables.cells import TableCells

_QUANTITIES = {"test_accuracy": "accuracy", "attack_success": "success"}


def backdoor_table(archive: Archive, item: str, title: str) -> Table:
    """A row for each rule, accuracy and attack success under each approach and without an attack.

    Parameters
    ----------
    archive
        The stored runs.
    item
        What the cells' keys begin with: ``table_3/mnist``, ``table_3/cifar10`` or ``loan``. The
        last part names the cells without an attack.
    title
        The caption without the data.
    """
    cells = TableCells(archive)
    rows = []
    for number, (rule, rule_title) in enumerate(RULE_TITLES.items()):
        keys = [key_at(item, approach, rule) for approach in APPROACHES]
        keys.append(str(Unattacked(item.rpartition("/")[2], rule)))
        row = [
            cells.text(key, number, column, quantity)
            for column, (key, quantity) in enumerate(product(keys, _QUANTITIES), 1)
        ]
        rows.append((rule_title, *row))
    names = [*APPROACHES.values(), "no attack"]
    heads = [f"{name}\n{what}" for name, what in product(names, _QUANTITIES.values())]
    return cells.table(("rule", *heads), rows, title)
