"""Measure how long it takes to open the archives of all papers, which every chapter begins with.

usage: open_archives.py [--profile]

The time is that of the processor. Importing the library comes before and is not counted.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import time

from fedlib.evidence.report import Archive
from fedlib.grids import grid_slugs, load_grid


def open_all() -> dict[str, float]:
    """Return the seconds that each paper's archive takes until it can count its cells."""
    grids = [load_grid(slug) for slug in grid_slugs()]
    seconds = {}
    for grid in grids:
        start = time.process_time()
        Archive(grid).coverage()
        seconds[grid.slug] = time.process_time() - start
    return seconds


def main() -> None:
    """Print the seconds, or with ``--profile`` the functions that take the most of them."""
    if "--profile" in sys.argv[1:]:
        profile = cProfile.Profile()
        profile.runcall(open_all)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    seconds = open_all()
    for slug, taken in seconds.items():
        print(f"{slug:28} {taken:.2f} s")
    print(f"{'all':28} {sum(seconds.values()):.2f} s")


if __name__ == "__main__":
    main()
