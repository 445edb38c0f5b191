"""``verify`` plays stored runs again and compares the numbers."""

from __future__ import annotations

import argparse
from collections import Counter

from fedlib.grids import choose_stored, grid_slugs, load_grid, verify_stored
from fedlib.grids.progress import Progress
from fedlib.grids.verify import DIFFERENT, FAILED, VERDICTS
from fedlib.runs.store import SCALES, Store


def add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``verify`` to the parser."""
    verify = commands.add_parser("verify", help="play stored runs again and compare the numbers")
    verify.add_argument("slug", metavar="PAPER", help=", ".join(grid_slugs()))
    verify.add_argument("--scale", metavar="S", help=f"{', '.join(SCALES)} (default: all)")
    verify.add_argument(
        "--only", action="append", metavar="PATTERN", help="runs of cells whose key matches"
    )
    verify.add_argument("--seeds", type=int, metavar="K", help="seeds 1 to K (default: all)")
    verify.add_argument("--limit", type=int, metavar="N", help="at most N runs (default: all)")
    verify.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, ...")
    verify.set_defaults(command=print_verification)


def print_verification(options: argparse.Namespace) -> int:
    """Play stored runs of a paper again, and print whether they give the stored numbers."""
    grid = load_grid(options.slug)
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
    return 1 if counts[DIFFERENT] or counts[FAILED] else 0
