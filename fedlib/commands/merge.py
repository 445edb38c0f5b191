"""``merge`` adds the records of another results folder."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from fedlib.commands.helps import sentence
from fedlib.grids import grid_slugs
from fedlib.grids.merge import KNOWN, REFUSED, VERDICTS, merge_results
from fedlib.runs.store import results_root


def add_merge(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``merge`` to the parser."""
    text = "add the records of another results folder to this one"
    merge = commands.add_parser("merge", help=text, description=sentence(text))
    merge.add_argument("path", metavar="PATH", type=Path, help="the other results folder")
    merge.add_argument(
        "slugs",
        metavar="PAPER",
        nargs="*",
        help=f"take only the records of these papers: {', '.join(grid_slugs())} (default: all)",
    )
    merge.set_defaults(command=print_merge)


def print_merge(options: argparse.Namespace) -> int:
    """Add the records, and print which were added and which were refused."""
    counts: Counter[str] = Counter()
    for one in merge_results(options.path, options.slugs):
        counts[one.verdict] += 1
        if one.verdict != KNOWN:
            print(f"{one.verdict}: {one.name}" + (f": {one.why}" if one.why else ""), flush=True)
    found = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS)
    print(f"{options.path}: {found}. Records: {results_root()}")
    return 1 if counts[REFUSED] else 0
