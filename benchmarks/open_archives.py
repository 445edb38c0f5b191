"""Measure how long it takes to open the archives of all papers, which every chapter begins with.

usage: open_archives.py [--profile | --jobs N]

The time is that of the processor. With ``--jobs`` several processes share the archives of the
papers, as they do when a book is built, and the time is that of the clock. To import the library
and its parts comes before and is not counted.
"""

from __future__ import annotations

import argparse
import cProfile
import multiprocessing
import pstats
import time
from concurrent.futures import ProcessPoolExecutor

from fedlib import AGGREGATORS, ATTACKS
from fedlib.evidence.report import Archive
from fedlib.grids import Grid, grid_slugs, load_grid
from fedlib.grids.grid import paper_slugs


def load_all() -> list[Grid]:
    """Import all grids and all parts, and return the grids."""
    for parts in (AGGREGATORS, ATTACKS):
        list(parts)
    return [load_grid(slug) for slug in grid_slugs()]


def open_one(slug: str) -> float:
    """Return the seconds of the processor until the archive of a grid can count its cells."""
    start = time.process_time()
    Archive(load_grid(slug)).coverage()
    return time.process_time() - start


def open_all() -> dict[str, float]:
    """Return the seconds of :func:`open_one` for every grid."""
    return {grid.slug: open_one(grid.slug) for grid in load_all()}


def open_at_once(jobs: int) -> float:
    """Return the seconds of the clock until several processes have opened the papers' archives.

    Parameters
    ----------
    jobs
        The number of processes.
    """
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(jobs + 1)
    with ProcessPoolExecutor(jobs, context, _start, (ready,)) as pool:
        opened = [pool.submit(open_one, slug) for slug in paper_slugs()]
        ready.wait()
        start = time.perf_counter()
        for one in opened:
            one.result()
        return time.perf_counter() - start


def _start(ready: multiprocessing.synchronize.Barrier) -> None:
    """Import everything in a process, and wait until the others have done so too."""
    load_all()
    ready.wait()


def main() -> None:
    """Print the seconds, or with ``--profile`` the functions that take the most of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--profile", action="store_true")
    how.add_argument("--jobs", type=int)
    given = parser.parse_args()
    if given.jobs is not None:
        seconds = open_at_once(given.jobs)
        print(f"the papers in {given.jobs} processes at once: {seconds:.2f} s")
    elif given.profile:
        profile = cProfile.Profile()
        profile.runcall(open_all)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    else:
        of_each = open_all()
        for slug, taken in of_each.items():
            print(f"{slug:28} {taken:.2f} s")
        print(f"{'the papers':28} {sum(of_each[slug] for slug in paper_slugs()):.2f} s")
        print(f"{'all':28} {sum(of_each.values()):.2f} s")


if __name__ == "__main__":
    main()
