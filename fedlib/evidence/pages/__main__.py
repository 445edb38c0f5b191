"""``python -m fedlib.evidence.pages``: fill the marks of pages in place."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fedlib.evidence.pages import MARKS, fill_file
from fedlib.validation import ConfigError


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the pages that the command line names.

    Returns
    -------
    int
        The exit status: 0, or 2 if a page cannot be filled.
    """
    marks = ", ".join(f"{{{mark.form}}}" for _, mark in sorted(MARKS.items()))
    parser = argparse.ArgumentParser(
        prog="python -m fedlib.evidence.pages",
        description="Fill the marks of Markdown pages in place.",
        epilog=f"The marks are {marks}.",
    )
    parser.add_argument("pages", nargs="+", type=Path, metavar="PAGE.md")
    parser.add_argument(
        "--benchmarks",
        type=Path,
        default=Path("benchmarks"),
        metavar="DIR",
        help="the folder of the benchmarks' results (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    for path in options.pages:
        try:
            fill_file(path, options.benchmarks)
        except ConfigError as error:
            print(f"fedlib: error: {path}: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
