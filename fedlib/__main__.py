"""``python -m fedlib``: compute grids, list and verify what is stored, check data and machine."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import select
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

from fedlib import __version__
from fedlib.commands.data import add_data
from fedlib.commands.doctor import add_doctor
from fedlib.commands.helps import DATA_HELP, DEVICE_HELP, ONLY_HELP, SCALE_HELP, pattern, sentence
from fedlib.commands.merge import add_merge
from fedlib.commands.plan import add_plan, cluster_of, run_all
from fedlib.commands.rank import add_rank
from fedlib.commands.verify import add_verify
from fedlib.compat import MissingExtraError
from fedlib.data.errors import DataError
from fedlib.evidence.report import Archive
from fedlib.evidence.table import plural
from fedlib.grids import expand, grid_slugs, load_grid, none_matches, run_grid
from fedlib.runs.store import Store, StoreError, results_root
from fedlib.validation import ConfigError, check_name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        The arguments. None takes those of the process.

    Returns
    -------
    int
        The exit status. It is 0 if all is well. It is 1 if a run failed, if it does not give what
        is stored, or if ``merge`` refused it. It is 2 for bad input, 3 if another process is still
        computing a run, 130 after an interrupt, and 141 if nobody reads the output any more.
    """
    for stream, name in ((sys.stdout, "output"), (sys.stderr, "error")):
        if stream is None:
            # The next file that is opened, which could be the store, would get its number.
            _tell(f"error: standard {name} is closed. Redirect it to /dev/null instead.")
            return 2
    options = _parser().parse_args(arguments)
    warnings.showwarning = _show_warning
    try:
        status: int = options.command(options)
        # Otherwise what cannot be written would be noticed after the status is given.
        sys.stdout.flush()
    except (ConfigError, DataError, MissingExtraError, StoreError) as error:
        _tell(f"error: {error}")
        return 2
    except BrokenPipeError:
        closed = [stream for stream in (sys.stdout, sys.stderr) if _has_no_reader(stream)]
        if not closed:
            raise  # This pipe is another one.
        _tell(
            "stopped, because nobody reads the output any more. Runs that had finished are stored."
        )
        for stream in closed:
            # Python flushes both once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return 128 + 13  # as if SIGPIPE had ended the process
    except KeyboardInterrupt:
        _tell("stopped. Finished runs are stored, and the same command computes the missing ones.")
        return 130
    return status


def _tell(text: str) -> None:
    """Print a message on standard error if somebody can read it there."""
    if sys.stderr is not None:
        with contextlib.suppress(BrokenPipeError):
            print(f"fedlib: {text}", file=sys.stderr, flush=True)


def _has_no_reader(stream: TextIO) -> bool:
    """Return whether a stream writes into a pipe whose reader has ended (`... | head`)."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), select.POLLOUT)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (AttributeError, io.UnsupportedOperation):
        return False  # Windows has no poll, and a stream of a test may be no file.


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning without the line of code that gave it."""
    print(f"fedlib: warning: {message}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m fedlib", description="Attacks and defences in federated learning."
    )
    parser.add_argument("--version", action="version", version=f"fedlib {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    text = "compute the runs of a paper that are not stored yet"
    run = commands.add_parser("run", help=text, description=sentence(text))
    run.add_argument(
        "slug",
        metavar="PAPER",
        help=f"one of {', '.join(grid_slugs())}, or all for the missing runs of all papers",
    )
    run.add_argument("--scale", required=True, metavar="S", help=SCALE_HELP)
    run.add_argument(
        "--only",
        action="append",
        type=pattern,
        metavar="PATTERN",
        help=f"{ONLY_HELP}. You can give this option several times, and the cells of the first "
        "pattern are then computed first. It cannot be given if PAPER is all",
    )
    run.add_argument("--device", default="auto", metavar="D", help=DEVICE_HELP)
    run.add_argument(
        "--seeds",
        type=int,
        metavar="K",
        help="compute the seeds 1 to K (default: as many as the paper's grid has at this scale). "
        "It cannot be given if PAPER is all",
    )
    run.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="how many processes compute runs at the same time (default: as many as the cores and "
        "the memory allow, and one on a GPU)",
    )
    run.add_argument(
        "--data",
        default="auto",
        metavar="SOURCE",
        help=f"{DATA_HELP}. If PAPER is all, auto means real, and embedded is not accepted",
    )
    run.add_argument(
        "--budget",
        metavar="T",
        help="only if PAPER is all: how much time to spend, such as 90s, 25m or 2h",
    )
    run.add_argument(
        "--engine",
        default="processes",
        metavar="E",
        help="what computes the runs: processes on this machine, or a cluster with ray "
        "(default: processes)",
    )
    run.add_argument(
        "--address",
        metavar="A",
        help="only with --engine ray: the address of the cluster, or auto for the cluster of this "
        "machine (default: ray starts on this machine alone)",
    )
    run.add_argument(
        "--gpu-share",
        type=float,
        metavar="G",
        help="only with --engine ray: the share of a GPU that each run gets, such as 0.25",
    )
    run.set_defaults(command=_run)
    add_plan(commands)

    text = "list the cells (configurations) of a paper, and say which of their runs are stored"
    show = commands.add_parser("list", help=text, description=sentence(text))
    show.add_argument(
        "slug", metavar="PAPER", nargs="?", help=f"one of {', '.join(grid_slugs())} (default: all)"
    )
    show.add_argument("--only", action="append", type=pattern, metavar="PATTERN", help=ONLY_HELP)
    show.set_defaults(command=_list)

    add_verify(commands)
    add_merge(commands)
    add_rank(commands)

    add_data(commands)
    add_doctor(commands)
    return parser


def _run(options: argparse.Namespace) -> int:
    """Compute the runs of a paper, or of all papers, that are not stored yet."""
    if check_name("paper", options.slug, [*grid_slugs(), "all"]) == "all":
        return run_all(options)
    if options.budget is not None:
        raise ConfigError(f"budget={options.budget!r} can only be given together with 'run all'.")
    grid = load_grid(options.slug)
    cells = expand(grid, options.scale, options.seeds, options.data, options.only)
    store = Store(grid.slug)
    ray = cluster_of(options)
    outcome = run_grid(
        cells, store, options.scale, device=options.device, jobs=options.jobs, ray=ray
    )
    print(
        f"{grid.slug} at scale {options.scale}: {plural(len(outcome.computed), 'run')} computed, "
        f"{len(outcome.stored_before)} stored before, {len(outcome.elsewhere)} with another "
        f"process, {len(outcome.failed)} failed. Records: {store.path(options.scale)}"
    )
    if options.scale == "smoke":
        print(
            "Runs at the scale smoke only check that the code runs. Their accuracies say nothing."
        )
    if outcome.failed:
        return 1
    return 3 if outcome.elsewhere else 0


def _list(options: argparse.Namespace) -> int:
    """Print which cells are stored, at which scale."""
    slugs = [check_name("paper", options.slug, grid_slugs())] if options.slug else grid_slugs()
    archives = [Archive(load_grid(slug)) for slug in slugs]
    lacking = "" if results_root().is_dir() else ", which is no folder"
    _tell(f"stored results are read from {results_root()}{lacking}")
    for only in options.only or [None]:
        shown = [archive for archive in archives if archive.cells(only)]
        if not shown:
            keys = [key for archive in archives for key in archive.cells()]
            raise none_matches(only, keys, options.slug or "all papers")
        for archive in shown:
            which = f"{archive.grid.slug}, {only}" if only else archive.grid.slug
            print(f"{which}: {archive.coverage(only)}")
            for key in archive.cells(only):
                held = archive.held(key)
                old = ", superseded" if archive.grid.superseded(key) else ""
                print(f"  {key:48} {held or '-'}{old}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
