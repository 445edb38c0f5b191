"""Transcribe the published numbers of the centered-clipping paper from its text.

The text is the PDF's, extracted with tab-separated tables.  Every number is kept as it is printed
(``86.2`` stays ``86.2``, ``.94`` stays ``.94``), so that a proof-reader can compare it by eye::

    python -m tools.transcribe.centered_clipping PAPER.txt            # print the CSV
    python -m tools.transcribe.centered_clipping PAPER.txt --write    # store it
    python -m tools.transcribe.centered_clipping PAPER.txt --check    # compare with it
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.transcribe.common import (
    NUMBER,
    Row,
    TranscriptionError,
    check_counts,
    command_line,
    find_table,
    parse_number,
    parse_value_and_spread,
)

STORED = Path(__file__).parents[2] / "fedlib" / "papers" / "centered_clipping" / "published.csv"

ATTACKS = {
    "ROP": "rop",
    "ALIE": "alie",
    "IPM": "ipm",
    "Label flip": "label_flip",
    "Bit flip": "bit_flip",
}
"""The attacks of Table IV in the order of its rows; each dataset is one run of them."""

SETTINGS = {
    "FMNIST": "fmnist_iid",
    "CIFAR10": "cifar10_iid",
    "CIFAR100": "cifar100_iid",
    "MNIST *": "mnist_noniid",
    "FMNIST *": "fmnist_noniid",
    "CIFAR10 *": "cifar10_noniid",
}
"""The dataset labels of Table IV (its caption: ``*`` denotes a non-IID distribution)."""


def parse_momentum(cell: str) -> str:
    r"""Return the number of ``β = 0.9`` or ``$\beta = 0.9$``."""
    match = re.fullmatch(rf"\$?(?:β|\\beta)\s*=\s*({NUMBER})\$?", cell)
    if not match:
        raise TranscriptionError(f"not a momentum: {cell!r}")
    return match[1]


def parse_aggregator(cell: str) -> str:
    r"""Name the aggregator of a heading: ``RFA``, ``TM`` or, by its radius, ``CC $\tau = 1$``."""
    if cell in ("RFA", "TM"):
        return cell.lower()
    match = re.search(rf"\\tau = ({NUMBER})", cell)
    if not match:
        raise TranscriptionError(f"not an aggregator: {cell!r}")
    return f"cc_tau{match[1]}"


def table_ii(text: str) -> list[Row]:
    """Table II: how alike consecutive perturbations of ALIE are."""
    table = find_table(text, "TABLE II:")
    if len(table) != 2 or len(table[0]) != len(table[1]) or table[1][0] != "Similarity":
        raise TranscriptionError("Table II: not one heading and one row 'Similarity' of its length")
    return [
        Row("table_ii", "cifar10_iid", "alie", "", parse_momentum(momentum),
            "cosine_consecutive_perturbations", parse_number(value), "", "cosine")
        for momentum, value in zip(table[0][1:], table[1][1:], strict=True)
    ]  # fmt: skip


def table_iii(text: str) -> list[Row]:
    """Table III: how alike the reference is to benign momenta and to those of ROP."""
    groups, momenta, *body = find_table(text, "TABLE III:")
    names = [name for name in groups if name]
    if names != ["Benign", "Byzantine (ROP)"] or momenta[0] != "β":
        raise TranscriptionError(f"Table III: unknown heading {groups} {momenta}")
    if any(len(line) != len(momenta) for line in body):
        raise TranscriptionError("Table III: a row is not as long as the heading")
    side = len(momenta[1:]) // 2
    kinds = ["benign"] * side + ["byzantine"] * side
    return [
        Row("table_iii", "cifar10_iid", "rop", parse_aggregator(line[0]), parse_number(momentum),
            f"cosine_to_reference_{kind}", parse_number(value), "", "cosine")
        for line in body
        for kind, momentum, value in zip(kinds, momenta[1:], line[1:], strict=True)
    ]  # fmt: skip


def table_iv(text: str) -> list[Row]:
    """Table IV: test accuracy under attack.

    A dataset's label is printed once, beside one of its five rows; the other rows have an empty
    label or a dash.  The headings of the aggregators are not above their columns in the text:
    only their order is used.
    """
    headings, momentum_cells, *body = find_table(text, "TABLE IV:")
    if headings[:2] != ["Dataset", "Attack"]:
        raise TranscriptionError(f"Table IV: unknown heading {headings}")
    aggregators = [parse_aggregator(cell) for cell in headings[2:] if cell]
    momenta = [parse_momentum(cell) for cell in momentum_cells[2:]]
    each = len(set(momenta))
    if momenta != momenta[:each] * len(aggregators):
        raise TranscriptionError(f"Table IV: {aggregators} do not share the momenta {momenta}")
    columns = [(name, beta) for name in aggregators for beta in momenta[:each]]

    rows = []
    for start in range(0, len(body), len(ATTACKS)):
        block = body[start : start + len(ATTACKS)]
        if [line[1] for line in block] != list(ATTACKS):
            raise TranscriptionError(f"Table IV: rows from {start + 1} on are not {list(ATTACKS)}")
        labels = [line[0] for line in block if line[0] not in ("", "-")]
        if len(labels) != 1 or labels[0] not in SETTINGS:
            raise TranscriptionError(f"Table IV: rows from {start + 1} on have labels {labels}")
        for _, attack, *cells in block:
            if len(cells) != len(columns):
                raise TranscriptionError(
                    f"Table IV: {labels[0]}, {attack}: {len(cells)} cells, not {len(columns)}"
                )
            for (aggregator, momentum), cell in zip(columns, cells, strict=True):
                value, spread = parse_value_and_spread(cell)
                rows.append(Row("table_iv", SETTINGS[labels[0]], ATTACKS[attack], aggregator,
                                momentum, "test_accuracy", value, spread, "percent"))  # fmt: skip
    return rows


EXPECTED = {"table_ii": 3, "table_iii": 12, "table_iv": 360}
"""The number of published cells of each item."""


def transcribe(text: str) -> list[Row]:
    """Return the rows of all three tables; raise `TranscriptionError` if the count is off."""
    rows = table_ii(text) + table_iii(text) + table_iv(text)
    check_counts(rows, EXPECTED)
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 where the stored file differs, 2 where parsing fails."""
    files = {"paper": "the paper as text, with tab-separated tables"}
    return command_line(argv, __spec__.name, files, transcribe, STORED)


if __name__ == "__main__":
    sys.exit(main())
