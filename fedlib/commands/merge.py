"""``merge`` takes the records of another results folder."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from fedlib.grids import grid_slugs
from fedlib.grids.merge import KNOWN, REFUSED, VERDICTS, merge_results
from fedlib.runs.store import results_root


def add_merge(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``merge`` to the parser."""
    merge = commands.add_parser("merge", help="take the records of another results folder")
    merge.add_argument("path", metavar="PATH", type=Path, help="the other results folder")
    merge.add_argument(
        "slugs", metavar="PAPER", nargs="*", help=f"{', '.join(grid_slugs())} (default: all)"
    )
    merge.set_defaults(command=print_merge)


def print_merge(options: argparse.Namespace) -> int:
    """Take the records, and print which were added and which were refused."""
    counts: Counter[str] = Counter()
    for one in merge_results(options.path, options.slugs):
        counts[one.verdict] += 1
        if one.verdict != KNOWN:
            print(f"{one.verdict}: {one.name}" + (f": {one.why}" if one.why else ""), flush=True)
    found = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)
    print(f"{options.path}: {found}. Records: {results_root()}")
    return 1 if counts[REFUSED] else 0
