"""The runner of a grid: it computes the runs that are not stored yet."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fedlib import hardware
from fedlib.gradients.base import STRATEGIES
from fedlib.grids.compute import NotStarted, Task, check_agents
from fedlib.grids.grid import Cell
from fedlib.grids.on_ray import OnRay, on_ray
from fedlib.grids.pace import PACE
from fedlib.grids.progress import Progress, duration
from fedlib.grids.side_by_side import load_data, side_by_side
from fedlib.grids.times import StoredTimes
from fedlib.grids.workers import Results, in_process, in_workers
from fedlib.runs import RunConfig
from fedlib.runs.records import FaultyRecordError
from fedlib.runs.store import SCALES, Store, StoreError
from fedlib.validation import check_bool, check_int, check_kind, check_name, check_real


@dataclass
class Outcome:
    """What became of the cells of one call of :func:`run_grid`.

    Attributes
    ----------
    computed, stored_before
        The keys of the cells that this call computed, and of those that somebody else has stored.
    elsewhere
        The keys of the cells that another process or thread is computing now.
    not_started
        The keys of the cells that would not have ended within the budget.
    failed
        The reason why a run failed, by cell and seed (``table_iv/... seed 1``).
    """

    computed: list[str] = field(default_factory=list)
    stored_before: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    not_started: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def run_grid(
    cells: Iterable[Cell],
    store: Store,
    scale: str,
    *,
    device: str = "auto",
    jobs: int | None = None,
    strategy: str = "auto",
    progress: bool = True,
    ray: OnRay | None = None,
) -> Outcome:
    """Compute the cells that are not stored yet, and store each run when it ends.

    The process may be killed at any point and the function called again, also while another
    process works on the same store. No finished run is lost, and no run is computed twice.

    Parameters
    ----------
    cells
        The runs to compute.
    store
        Where the records are kept.
    scale
        The scale of the runs, one of ``SCALES``, under which the records are kept.
    device
        ``auto``, ``cpu``, ``cuda``, or another name of a device.
    jobs
        The number of processes. None takes what :func:`fedlib.grids.side_by_side.side_by_side`
        gives: one for each core of a CPU if there is memory for them, and one on a GPU.
    strategy
        How the clients' gradients are computed (see :mod:`fedlib.gradients`).
    progress
        Whether to print how much there is to do, a line for each finished run, and a bar.
    ray
        The Ray cluster on which the runs are computed. None computes them on this machine, in
        ``jobs`` processes. On a cluster, ``jobs`` is the largest number of runs at a time, and
        ``device`` is ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    ConfigError
        If the device cannot be used, ``jobs`` is no positive number, or another parameter is of
        the wrong kind.
    DataError
        If the data set of a run cannot be used.
    StoreError
        If the records cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from fedlib import Archive, expand, load_grid, run_grid
    >>> from fedlib.runs.store import Store
    >>> grid = load_grid("two_stage_attack")
    >>> cells = expand(grid, "smoke", only="circle/ipm/median")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(grid.slug, folder)
    ...     outcome = run_grid(cells, store, "smoke", device="cpu", jobs=1, progress=False)
    ...     held = Archive(grid, store).held("circle/ipm/median")
    >>> outcome.computed
    ['circle/ipm/median']
    """
    target, jobs, ray = _checked(scale, device, jobs, strategy, progress, ray)
    check_kind("store", store, Store, "a Store", "Store('gradient_guard')")
    check_kind("cells", cells, Iterable, "cells", "expand(load_grid('gradient_guard'), 'smoke')")
    cells = list(cells)
    for cell in cells:
        check_kind("cells", cell, Cell, "cells", "expand(load_grid('gradient_guard'), 'smoke')")
    tasks = [Task(cell, store, scale, target, strategy) for cell in cells]
    return _play(tasks, scale, jobs, progress, ray)


@dataclass(frozen=True)
class Planned:
    """A run of a plan.

    Attributes
    ----------
    cell
        The run under its name.
    store
        Where its record is kept.
    seconds
        How long it is expected to take.
    """

    cell: Cell
    store: Store
    seconds: float


def run_planned(
    runs: Iterable[Planned],
    scale: str,
    budget: float | None = None,
    *,
    device: str = "auto",
    jobs: int | None = None,
    strategy: str = "auto",
    progress: bool = True,
    ray: OnRay | None = None,
) -> Outcome:
    """Compute planned runs of any papers in their order, and stop before a budget is spent.

    A run is not started if it would not end within the budget by its expected time. Shorter runs
    that come after it are still started. If the last five runs of a process have taken longer than
    expected, the process expects the same of the next ones.

    Parameters
    ----------
    runs
        The runs.
    scale
        The scale of all of them.
    budget
        The seconds that may be spent. None sets no limit.
    device, jobs, strategy, progress, ray
        As for :func:`run_grid`.

    Raises
    ------
    ConfigError
        If a parameter cannot be used.
    DataError
        If the data set of a run cannot be used.
    StoreError
        If the records cannot be written.
    """
    target, jobs, ray = _checked(scale, device, jobs, strategy, progress, ray)
    end = None
    if budget is not None:
        end = time.time() + check_real("budget", budget, 0, open_low=True)
    tasks = []
    for run in runs:
        check_kind("runs", run, Planned, "planned runs", "Planned(cell, store, 60.0)")
        tasks.append(Task(run.cell, run.store, scale, target, strategy, end, run.seconds))
    PACE.forget()
    return _play(tasks, scale, jobs, progress, ray, budget)


def _checked(
    scale: str,
    device: str,
    jobs: int | None,
    strategy: str,
    progress: bool,
    ray: OnRay | None,
) -> tuple[str, int | None, OnRay | None]:
    """Check what all kinds of grids have in common; return device, number of jobs and cluster."""
    if ray is None:
        target = str(hardware.check_device(device))
    else:
        check_kind("ray", ray, OnRay, "a Ray cluster", "OnRay('auto')")
        ray, target = ray.with_device(device)
    check_name("scale", scale, SCALES)
    check_name("strategy", strategy, ("auto", *STRATEGIES))
    check_bool("progress", progress)
    return target, None if jobs is None else check_int("jobs", jobs, 1), ray


def _play(
    tasks: Sequence[Task],
    scale: str,
    jobs: int | None,
    progress: bool,
    ray: OnRay | None,
    budget: float | None = None,
) -> Outcome:
    """Compute the tasks whose runs are not stored yet, and say what became of all."""
    outcome = Outcome()
    stores = {task.store.folder: task.store for task in tasks}
    for store in stores.values():
        store.check_writable(scale)
    stored = {folder: store.read(scale) for folder, store in stores.items()}
    pending = []
    known = {folder: set(records) for folder, records in stored.items()}
    for task in tasks:
        # Two cells of a grid may be the same run.
        if task.cell.config.id in known[task.store.folder]:
            outcome.stored_before.append(task.cell.key)
        else:
            pending.append(task)
        known[task.store.folder].add(task.cell.config.id)
    check_agents(task.cell.config for task in pending)
    loaded = load_data(pending)
    if ray is None:
        jobs = min(jobs or side_by_side(pending, loaded), max(len(pending), 1))

    if progress and pending:
        records = [record for held in stored.values() for record in held.values()]
        times = StoredTimes(pending[0].device)
        times.add(records)
        configs = [task.cell.config for task in pending]
        print(_outlook(configs, jobs, times), flush=True)
    rounds = sum(task.cell.config.rounds for task in pending)
    skipped: list[Task] = []
    several = len({task.store.slug for task in pending}) > 1
    with Progress(rounds, len(pending), progress, budget) as bar, contextlib.ExitStack() as stack:
        results = _results(pending, jobs, bar, ray)
        # Closed at once on an error, or the workers would go on computing what nobody can store.
        stack.callback(results.close)
        for task, result in results:
            seeded = f"{task.cell.key} seed {task.cell.config.seed}"
            if several:
                seeded = f"{task.store.slug} {seeded}"
            if isinstance(result, StoreError) and not isinstance(result, FaultyRecordError):
                raise result  # the other runs could not be stored either
            if isinstance(result, Exception):
                outcome.failed[seeded] = f"{type(result).__name__}: {result}"
                bar.line(f"FAILED {seeded}: {result}")
            elif isinstance(result, NotStarted):
                outcome.not_started.append(task.cell.key)
            elif result is None:
                skipped.append(task)
                bar.line(f"skipped {seeded}: another process has it")
            else:
                outcome.computed.append(task.cell.key)
                bar.line(f"{seeded}: {_summary(result)}")
    # What another process had, it may have stored by now.
    again = {task.store.folder: task.store.read(scale) for task in skipped}
    for task in skipped:
        held = task.cell.config.id in again[task.store.folder]
        found = outcome.stored_before if held else outcome.elsewhere
        found.append(task.cell.key)
    return outcome


def _results(tasks: Sequence[Task], jobs: int | None, bar: Progress, ray: OnRay | None) -> Results:
    """Compute the tasks where they are to be computed; ``jobs`` is None on Ray alone."""
    if ray is not None:
        return on_ray(tasks, jobs, bar, ray) if tasks else in_process(tasks, bar)
    return in_process(tasks, bar) if jobs in (None, 1) else in_workers(tasks, jobs, bar)


def _outlook(configs: Sequence[RunConfig], jobs: int | None, times: StoredTimes) -> str:
    """Say how many runs there are to do, and how long they take by the times of similar runs."""
    runs = len(configs)
    text = f"{runs} run{'' if runs == 1 else 's'} to compute"
    text += f", {jobs} at a time" if jobs and jobs > 1 else ""
    known = [minutes for config in configs if (minutes := times.minutes(config)) is not None]
    if not known:
        return text
    # How many a cluster plays at a time is not known here; then the sum of all times is said.
    seconds = 60 * max(sum(known) / (jobs or 1), *known)
    of = "in all" if len(known) == runs else f"for {len(known)} of them"
    took = duration(seconds) if seconds < 7200 else f"{seconds / 3600:.1f} hours"
    return f"{text}, about {took} {of}, as similar runs took"


def _summary(record: dict[str, Any]) -> str:
    """Say what a run reached and how long it took, for the line of a finished run."""
    accuracy = record["metrics"]["test_accuracy"][-1]
    return f"accuracy {100 * accuracy:.2f} % in {record['provenance']['wall_time_s']:.0f} s"
