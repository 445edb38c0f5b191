"""Transcribe the published numbers of the paper on clustering with outliers.

Table 1 is in the paper's text, its tab-separated tables kept; Tables 2 to 5 are in its appendix,
here as Markdown tables under a line that starts with the table's number::

    python -m tools.transcribe.clustering_with_outliers PAPER.txt APPENDIX.md
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from fedlib.papers.clustering_with_outliers.methods import (
    ATTACK_TITLES,
    PUBLISHED_ATTACKS,
    RULE_TITLES,
    RULES,
)
from tools.transcribe.common import (
    Row,
    TranscriptionError,
    check_counts,
    command_line,
    find_table,
    parse_number,
    parse_value_and_spread,
)

STORED = (
    Path(__file__).parents[2] / "fedlib" / "papers" / "clustering_with_outliers" / "published.csv"
)

_RULES = {title: rule for rule, title in RULE_TITLES.items()} | {"FedAvg": "avg"}
_ATTACKS = {title: attack for attack, title in ATTACK_TITLES.items()}

APPENDIX = {
    "table_2": ("Table 2,", "femnist_uniform", None),
    "table_3": ("Table 3,", "femnist_dirichlet", None),
    "table_4": ("Table 4,", "cifar10_uniform", "0.2"),
    "table_5": ("Table 5,", "femnist_uniform", "0.2"),
}
"""Of each table of the appendix: how its heading starts, its setting, its rate if it has one."""


def _columns(item: str, cells: Sequence[str]) -> list[str]:
    """The attacks of a heading, ``worst`` last."""
    unknown = [cell for cell in cells[:-1] if cell not in _ATTACKS]
    if unknown or cells[-1].lower() != "worst":
        raise TranscriptionError(f"{item}: unknown heading {list(cells)}")
    return [_ATTACKS[cell] for cell in cells[:-1]] + ["worst"]


def _rows(
    item: str, setting: str, rate: str, rule: str, columns: list[str], cells: list[str]
) -> list[Row]:
    """The values of one line."""
    if rule not in _RULES or len(cells) != len(columns):
        raise TranscriptionError(f"{item}: unknown line {rule!r} of {len(cells)} cells")
    found = []
    for attack, cell in zip(columns, cells, strict=True):
        value, spread = parse_value_and_spread(cell) if "±" in cell else (parse_number(cell), "")
        worst = attack == "worst"
        found.append(
            Row(item, f"{setting}/{rate}", "" if worst else attack, _RULES[rule], "",
                "worst_test_accuracy" if worst else "test_accuracy", value, spread, "share")
        )  # fmt: skip
    return found


def table_1(text: str) -> list[Row]:
    """Table 1: uniform FEMNIST, rate 0.4, without spread."""
    heading, *body = find_table(text, "Table 1:")
    columns = _columns("table_1", heading[1:])
    return [
        row
        for rule, *cells in body
        for row in _rows("table_1", "femnist_uniform", "0.4", rule, columns, cells)
    ]


def appendix_table(text: str, item: str) -> list[Row]:
    """One of Tables 2 to 5 from Markdown."""
    start, setting, rate = APPENDIX[item]
    lines = text.splitlines()
    at = [i for i, line in enumerate(lines) if line.startswith(start)]
    if len(at) != 1:
        raise TranscriptionError(f"{item}: {len(at)} lines start with {start!r}, not 1")
    table = []
    for line in lines[at[0] + 1 :]:
        if line.startswith("|"):
            table.append([cell.strip() for cell in line.strip().strip("|").split("|")])
        elif table:
            break
    if len(table) < 3 or not all(re.fullmatch("-+", cell) for cell in table[1]):
        raise TranscriptionError(f"{item}: no Markdown table below {start!r}")
    heading, _, *body = table
    leading = 1 if rate else 2
    if heading[leading - 1] != "rule":
        raise TranscriptionError(f"{item}: unknown heading {heading}")
    columns = _columns(item, heading[leading:])
    return [
        row
        for cells in body
        for row in _rows(
            item, setting, rate or cells[0], cells[leading - 1], columns, cells[leading:]
        )
    ]


_EACH = len(RULES) * (len(PUBLISHED_ATTACKS) + 1)
EXPECTED = {
    "table_1": _EACH,
    "table_2": 3 * _EACH,
    "table_3": 3 * (_EACH + len(RULES)),
    "table_4": _EACH,
    "table_5": _EACH // 2,
}
"""The number of published cells of each item, the column of the worst included."""


def transcribe(paper: str, appendix: str) -> list[Row]:
    """Return the rows of all five tables; raise `TranscriptionError` if the count is off."""
    rows = table_1(paper)
    for item in APPENDIX:
        rows += appendix_table(appendix, item)
    check_counts(rows, EXPECTED)
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 where the stored file differs, 2 where parsing fails."""
    files = {
        "paper": "the paper as text, with tab-separated tables",
        "appendix": "Tables 2 to 5 as Markdown",
    }
    return command_line(argv, __spec__.name, files, transcribe, STORED)


if __name__ == "__main__":
    sys.exit(main())
