"""``verify`` computes stored runs again and compares the numbers."""

from __future__ import annotations

import argparse
from collections import Counter

from fedlib.commands.helps import DEVICE_HELP, ONLY_HELP, pattern, sentence
from fedlib.grids import choose_stored, grid_slugs, load_grid, verify_stored
from fedlib.grids.progress import Progress
from fedlib.grids.verify import DIFFERENT, FAILED, NOT_COMPARED, VERDICTS
from fedlib.runs.store import SCALES, Store
from fedlib.validation import check_name


def add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``verify`` to the parser."""
    text = "compute stored runs again and compare the numbers"
    verify = commands.add_parser("verify", help=text, description=sentence(text))
    verify.add_argument("slug", metavar="PAPER", help=f"one of {', '.join(grid_slugs())}")
    verify.add_argument(
        "--scale", metavar="S", help=f"verify only this scale: {', '.join(SCALES)} (default: all)"
    )
    verify.add_argument("--only", action="append", type=pattern, metavar="PATTERN", help=ONLY_HELP)
    verify.add_argument(
        "--seeds", type=int, metavar="K", help="verify only the seeds 1 to K (default: all)"
    )
    verify.add_argument(
        "--limit", type=int, metavar="N", help="verify at most N runs (default: all)"
    )
    verify.add_argument("--device", default="auto", metavar="D", help=DEVICE_HELP)
    verify.set_defaults(command=print_verification)


def print_verification(options: argparse.Namespace) -> int:
    """Play stored runs of a paper again, and print whether they give the stored numbers."""
    grid = load_grid(check_name("paper", options.slug, grid_slugs()))
    store = Store(grid.slug)
    runs = choose_stored(
        grid,
        store,
        scales=SCALES if options.scale is None else [options.scale],
        only=options.only,
        seeds=options.seeds,
        limit=options.limit,
    )
    counts: Counter[str] = Counter()
    rounds = sum(run.record["config"]["rounds"] for run in runs)
    with Progress(rounds, len(runs)) as bar:
        results = verify_stored(
            runs, store, device=options.device, on_round=lambda _: bar.advance(1)
        )
        for result in results:
            head, *details = result.lines()
            bar.line(head, details)
            counts[result.verdict] += 1
    found = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
    print(f"{grid.slug}: of {len(runs)} stored runs {found}")
    compared = len(runs) - counts[NOT_COMPARED]
    return 1 if counts[DIFFERENT] or counts[FAILED] or not compared else 0
