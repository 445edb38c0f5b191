"""Transcribe the published numbers of the centered-clipping paper from its text.

The text is the PDF's, extracted with tab-separated tables.  Every number is kept as it is printed
(``86.2`` stays ``86.2``, ``.94`` stays ``.94``), so that a proof-reader can compare it by eye::

    python -m fedlib.papers.centered_clipping.transcribe PAPER.txt            # print the CSV
    python -m fedlib.papers.centered_clipping.transcribe PAPER.txt --write    # store it
    python -m fedlib.papers.centered_clipping.transcribe PAPER.txt --check    # compare with it
"""

from __future__ import annotations

import argparse
import csv
import difflib
import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

STORED = Path(__file__).with_name("published.csv")

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

NUMBER = r"-?\d*\.?\d+"


class Row(NamedTuple):
    """One published number; every field is the text that goes into the CSV."""

    item: str
    setting: str
    attack: str
    aggregator: str
    momentum: str
    quantity: str
    value: str
    spread: str
    unit: str


class TranscriptionError(ValueError):
    """The text does not hold a table in the form that the parser knows."""


def find_table(text: str, caption: str) -> list[list[str]]:
    """Return the cells of the tab-separated table next to the line that starts with `caption`.

    The caption stands above or below its table, with nothing but blank lines between.
    """
    lines = text.splitlines()
    at = [i for i, line in enumerate(lines) if line.startswith(caption)]
    if len(at) != 1:
        raise TranscriptionError(f"{caption!r}: {len(at)} lines start with this caption, not 1")
    for step in (1, -1):
        i = at[0] + step
        while 0 <= i < len(lines) and not lines[i].strip():
            i += step
        found = []
        while 0 <= i < len(lines) and "\t" in lines[i]:
            found.append([cell.strip() for cell in lines[i].split("\t")])
            i += step
        if len(found) > 1:
            return found[::step]
    raise TranscriptionError(f"{caption!r}: no tab-separated table of 2 lines or more beside it")


def parse_number(cell: str) -> str:
    """Return the number in `cell` as printed."""
    if not re.fullmatch(NUMBER, cell):
        raise TranscriptionError(f"not a number: {cell!r}")
    return cell


def parse_value_and_spread(cell: str) -> tuple[str, str]:
    r"""Return value and spread, as printed, of ``a ± b`` or its LaTeX form ``$a~\pm~b$``."""
    plain = cell.strip("$").replace("~", " ").replace(r"\pm", "±")
    match = re.fullmatch(rf"({NUMBER})\s*±\s*({NUMBER})", plain.strip())
    if not match:
        raise TranscriptionError(f"not of the form 'value ± spread': {cell!r}")
    return match[1], match[2]


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
    for item, expected in EXPECTED.items():
        count = sum(row.item == item for row in rows)
        if count != expected:
            raise TranscriptionError(f"{item}: {count} cells found, {expected} expected")
    return rows


def to_csv(rows: Sequence[Row]) -> str:
    """Return `rows` as CSV text with a heading."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows(rows)
    return out.getvalue()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 where the stored file differs, 2 where parsing fails."""
    parser = argparse.ArgumentParser(
        prog="python -m fedlib.papers.centered_clipping.transcribe",
        description="Transcribe Tables II, III and IV from the text of the paper.",
    )
    parser.add_argument("paper", type=Path, help="the paper as text, with tab-separated tables")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--write", action="store_true", help=f"store as {STORED.name}")
    mode.add_argument("--check", action="store_true", help=f"compare with {STORED.name}")
    args = parser.parse_args(argv)

    try:
        made = to_csv(transcribe(args.paper.read_text(encoding="utf-8")))
        stored = STORED.read_text(encoding="utf-8") if args.check else ""
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if args.write:
        STORED.write_text(made, encoding="utf-8")
    elif args.check:
        sys.stdout.writelines(
            difflib.unified_diff(
                stored.splitlines(True), made.splitlines(True), "stored", "transcribed"
            )
        )
        return int(stored != made)
    else:
        print(made, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
