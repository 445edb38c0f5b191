"""Transcribing published numbers from a paper's text: what the papers' programs share.

Every number is kept as it is printed (``86.2`` stays ``86.2``, ``.94`` stays ``.94``), so that a
proof-reader can compare it by eye.
"""

from __future__ import annotations

import argparse
import csv
import difflib
import io
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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


def find_table(text: str, caption: str, place: str = "either") -> list[list[str]]:
    """Return the cells of the tab-separated table next to the line that starts with `caption`.

    The table stands below or above its caption (`place` says which if both are possible), with
    nothing but blank lines between.
    """
    lines = text.splitlines()
    at = [i for i, line in enumerate(lines) if line.startswith(caption)]
    if len(at) != 1:
        raise TranscriptionError(f"{caption!r}: {len(at)} lines start with this caption, not 1")
    for step in {"either": (1, -1), "below": (1,), "above": (-1,)}[place]:
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


def check_counts(rows: Sequence[Row], expected: Mapping[str, int]) -> None:
    """Raise `TranscriptionError` if an item has not as many values as it should have."""
    found = Counter(row.item for row in rows)
    for item, count in expected.items():
        if found[item] != count:
            raise TranscriptionError(f"{item}: {found[item]} cells found, {count} expected")


def to_csv(rows: Sequence[Row]) -> str:
    """Return `rows` as CSV text with a heading."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows(rows)
    return out.getvalue()


def command_line(
    argv: Sequence[str] | None,
    name: str,
    files: Mapping[str, str],
    transcribe: Callable[..., Sequence[Row]],
    stored: Path,
) -> int:
    """Run a paper's command line; return 1 where the stored file differs, 2 where parsing fails.

    Args:
        argv: the arguments, None for the process's own.
        name: the module's.
        files: what to read, and what it is; their texts are given to `transcribe` in this order.
        transcribe: from texts to rows.
        stored: the file to write or to compare with.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {name}", description="Transcribe published tables as CSV."
    )
    for argument, said in files.items():
        parser.add_argument(argument, type=Path, help=said)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--write", action="store_true", help=f"store as {stored.name}")
    mode.add_argument("--check", action="store_true", help=f"compare with {stored.name}")
    args = parser.parse_args(argv)

    try:
        texts = [getattr(args, argument).read_text(encoding="utf-8") for argument in files]
        made = to_csv(transcribe(*texts))
        known = stored.read_text(encoding="utf-8") if args.check else ""
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if args.write:
        stored.write_text(made, encoding="utf-8")
    elif args.check:
        sys.stdout.writelines(
            difflib.unified_diff(
                known.splitlines(True), made.splitlines(True), "stored", "transcribed"
            )
        )
        return int(known != made)
    else:
        print(made, end="")
    return 0
