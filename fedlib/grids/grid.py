"""Grids: the runs that a paper owes, and the runner that computes those not yet stored."""

from __future__ import annotations

import contextlib
import fnmatch
import importlib
import multiprocessing
import os
import pkgutil
import signal
import statistics
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any

import torch

import fedlib.papers
from fedlib import engine, hardware
from fedlib.data import DataConfig, load_dataset, resolve_source
from fedlib.data.datasets import EMBEDDED_VARIANT, Dataset
from fedlib.data.files import DataError
from fedlib.gradients import choose_strategy
from fedlib.grids.progress import Progress, duration
from fedlib.models import make_model
from fedlib.runs import RunConfig
from fedlib.runs.store import SCALES, Store, StoreError, make_record
from fedlib.validation import ConfigError, check_int, check_name


@dataclass(frozen=True)
class Cell:
    """One run of a grid under the name that the paper's tables give it."""

    key: str
    config: RunConfig


@dataclass(frozen=True)
class Grid:
    """A paper's runs.

    Attributes
    ----------
    slug, title
        The paper.
    cells
        ``(scale, seed, data)`` to the cells of one seed, in the order to compute them;
        ``data`` maps a data set's name to where it comes from.
    seeds
        How many seeds each scale has if nobody says otherwise.
    """

    slug: str
    title: str
    cells: Callable[[str, int, Callable[[str], DataConfig]], list[Cell]]
    seeds: dict[str, int]


@dataclass(frozen=True)
class Variant:
    """A choice that text and authors' code make differently, or leave open, taken the other way.

    Attributes
    ----------
    key
        Part of the cells' keys.
    question, used, other
        What is chosen, and the two ways, in words.
    change
        From the run as used to the other one.
    cells
        Keys of the grid's cells that it is shown on.
    """

    key: str
    question: str
    used: str
    other: str
    change: Callable[[RunConfig], RunConfig]
    cells: tuple[str, ...]

    def cell(self, base: str) -> str:
        """The key of a cell taken the other way, such as ``variants/momentum/figure_3/10/ours``."""
        return f"variants/{self.key}/{base}"


def varied(variants: Iterable[Variant], found: Mapping[str, RunConfig]) -> list[Cell]:
    """The variants' cells, from the runs of the cells that they are shown on."""
    return [
        Cell(variant.cell(base), variant.change(found[base]))
        for variant in variants
        for base in variant.cells
    ]


def with_changes(part: str, **changes: Any) -> Callable[[RunConfig], RunConfig]:
    """A variant's change: fields of a run's ``part``, such as ``attack`` or ``client``."""
    return lambda run: run.with_(**{part: replace(getattr(run, part), **changes)})


def grid_slugs() -> list[str]:
    """The papers that have a grid."""
    return sorted(
        module.name for module in pkgutil.iter_modules(fedlib.papers.__path__) if module.ispkg
    )


def load_grid(slug: str) -> Grid:
    """The grid of a paper.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    check_name("slug", slug, grid_slugs())
    grid: Grid = importlib.import_module(f"fedlib.papers.{slug}.grid").GRID
    return grid


def expand(
    grid: Grid,
    scale: str,
    seeds: int | None = None,
    data: str = "auto",
    only: str | None = None,
) -> list[Cell]:
    """The cells to compute: seed 1 of every cell first, then seed 2 of every cell, and so on.

    Parameters
    ----------
    grid, scale
        What of, and at which of ``SCALES``.
    seeds
        How many; None takes the grid's number.
    data
        ``auto``, ``real`` or ``embedded``.
    only
        A shell pattern that the keys must match, such as ``*/rop/cc_tau1/*``.

    Raises
    ------
    ConfigError, DataError
        If something is unknown, the pattern matches nothing, or the data are not there.
    """
    check_name("scale", scale, SCALES)
    count = check_int("seeds", grid.seeds[scale] if seeds is None else seeds, 1)
    # A data set that no chosen cell uses need not be there.
    troubles: dict[str, Exception | list[warnings.WarningMessage]] = {}

    @cache
    def resolve(name: str) -> DataConfig:
        try:
            with warnings.catch_warnings(record=True) as troubles[name]:
                warnings.simplefilter("always")
                return resolve_source(name, data)
        except (ConfigError, DataError) as error:
            troubles[name] = error
            return DataConfig(name, "embedded", EMBEDDED_VARIANT)

    found = [cell for seed in range(1, count + 1) for cell in grid.cells(scale, seed, resolve)]
    chosen = [cell for cell in found if only is None or fnmatch.fnmatchcase(cell.key, only)]
    if not chosen:
        raise none_matches(only, [cell.key for cell in found], grid.slug)
    for name in sorted({cell.config.data.name for cell in chosen}):
        trouble = troubles[name]
        if isinstance(trouble, Exception):
            raise trouble
        for said in trouble:
            warnings.warn(said.message, stacklevel=2)
    return chosen


def none_matches(only: str | None, keys: Sequence[str], where: str) -> ConfigError:
    """The error for a pattern that matches no cell."""
    return ConfigError(
        f"only={only!r} matches none of the {len(keys)} cells of {where}; their keys look like "
        f"{keys[0]!r}."
    )


@dataclass
class Outcome:
    """What became of the cells of one call of :func:`run_grid`."""

    computed: list[str] = field(default_factory=list)
    stored_before: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    """Being computed by another process now."""
    failed: dict[str, str] = field(default_factory=dict)
    """Reason by cell and seed."""


def run_grid(
    cells: Iterable[Cell],
    store: Store,
    scale: str,
    *,
    device: str = "auto",
    jobs: int | None = None,
    strategy: str = "auto",
    progress: bool = True,
) -> Outcome:
    """Compute the cells that are not stored yet; each is stored as it ends.

    May be killed at any point and called again, also beside another process on the same
    store: no finished run is lost, none is computed twice.

    Parameters
    ----------
    cells, store, scale
        What to compute and where to keep it.
    device
        ``auto``, ``cpu``, ``cuda``, ...
    jobs
        Processes; None takes as many as there are cores on a CPU (single-threaded clients
        side by side do more than one run on all cores), and 1 on a GPU, which several share
        well only under NVIDIA's multi-process service.
    strategy
        Of the client step; see :mod:`fedlib.gradients`.
    progress
        Whether to print how much is to be done, a line for each finished run and a bar.
    """
    target = hardware.check_device(device)
    cells = list(cells)
    outcome = Outcome()
    store.check_writable(scale)
    stored = store.read(scale)
    pending = []
    known = set(stored)
    for cell in cells:
        # Two cells of a grid may be the same run.
        if cell.config.id in known:
            outcome.stored_before.append(cell.key)
        else:
            pending.append(cell)
        known.add(cell.config.id)
    if jobs is None:
        jobs = hardware.cores() if target.type == "cpu" else 1
    jobs = min(check_int("jobs", jobs, 1), max(len(pending), 1))
    threads = hardware.threads_per_job(jobs)
    # A missing or broken data set stops the grid here, not in a worker after an hour.
    for config in {cell.config.data: cell.config for cell in pending}.values():
        _dataset(config.data)

    if progress and pending:
        print(_outlook(len(pending), jobs, stored.values()), flush=True)
    with Progress(sum(cell.config.rounds for cell in pending), len(pending), progress) as bar:
        tasks = [_Task(cell, store, scale, str(target), strategy, threads) for cell in pending]
        results = _in_process(tasks, bar) if jobs == 1 else _in_workers(tasks, jobs, bar)
        for task, result in results:
            seeded = f"{task.cell.key} seed {task.cell.config.seed}"
            if isinstance(result, StoreError):
                raise result  # what cannot be stored need not be computed
            if isinstance(result, Exception):
                outcome.failed[seeded] = f"{type(result).__name__}: {result}"
                bar.line(f"FAILED {seeded}: {result}")
            elif result is None:
                outcome.elsewhere.append(task.cell.key)
                bar.line(f"skipped {seeded}: another process has it")
            else:
                outcome.computed.append(task.cell.key)
                bar.line(f"{seeded}: {_summary(result)}")
    return outcome


def _outlook(runs: int, jobs: int, stored: Iterable[dict[str, Any]]) -> str:
    """How many runs there are to do, and the median time of those stored, if there are any."""
    text = f"{runs} run{'' if runs == 1 else 's'} to compute"
    text += f", {jobs} at a time" if jobs > 1 else ""
    seconds = [record["provenance"]["wall_time_s"] for record in stored]
    return f"{text}, about {duration(statistics.median(seconds))} each so far" if seconds else text


@dataclass(frozen=True)
class _Task:
    cell: Cell
    store: Store
    scale: str
    device: str
    strategy: str
    threads: int


def _summary(record: dict[str, Any]) -> str:
    accuracy = record["metrics"]["test_accuracy"][-1]
    return f"accuracy {100 * accuracy:.2f} % in {record['provenance']['wall_time_s']:.0f} s"


@lru_cache(maxsize=4)
def _dataset(config: DataConfig) -> Dataset:
    return load_dataset(config)


def compute(task: _Task, on_round: Callable[[int], None] | None = None) -> dict[str, Any] | None:
    """Compute and store one run; None if another process has or had it."""
    config = task.cell.config
    with task.store.claim(config.id) as mine:
        if not mine or config.id in task.store.read(task.scale):
            return None
        hardware.configure(task.threads)
        dataset = _dataset(config.data)
        started = datetime.now(UTC)
        clock = time.perf_counter()
        metrics = compute_metrics(config, dataset, task.device, task.strategy, on_round)
        elapsed = round(time.perf_counter() - clock, 1)
        # An agent's own: how long its parts took, and what it leaves beside the record.
        extra: dict[str, Any] = {}
        if "seconds" in metrics:
            extra["seconds"] = metrics.pop("seconds")
        if "files" in metrics:
            extra["files"] = {
                name: task.store.keep(task.scale, config.id, name, content)
                for name, content in metrics.pop("files").items()
            }
        model = make_model(config.model, dataset.shape, dataset.n_classes, config.seed)
        record = make_record(
            config,
            slug=task.store.slug,
            scale=task.scale,
            cell=task.cell.key,
            metrics=metrics,
            provenance={
                "data": dataset.label,
                "data_checksum": dataset.checksum,
                "started": started.isoformat(timespec="seconds"),
                "wall_time_s": elapsed,
                "strategy": choose_strategy(model, torch.device(task.device), task.strategy),
                **extra,
                **hardware.describe(torch.device(task.device)),
            },
        )
        return record if task.store.append(task.scale, record) else None


def compute_metrics(
    config: RunConfig,
    dataset: Dataset,
    device: str = "cpu",
    strategy: str = "auto",
    on_round: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Play a run by the engine, or by its attack's agent with the engine; return its metrics."""
    player = engine.run
    if config.attack.agent:
        # An agent may need an extra: it is loaded for those runs alone that need it.
        player = importlib.import_module(config.attack.agent).run
    return player(config, dataset, device, strategy, on_round)


_Results = Iterable[tuple[_Task, "dict[str, Any] | Exception | None"]]


def _in_process(tasks: list[_Task], bar: Progress) -> _Results:
    for task in tasks:
        try:
            yield task, compute(task, lambda _: bar.advance(1))
        except Exception as error:
            yield task, error


# In a worker: where to report rounds done, and whether to stop; set when it starts.
_reports: Any = None
_stopped: Any = None


def _start_worker(reports: Any, stopped: Any) -> None:
    global _reports, _stopped
    _reports, _stopped = reports, stopped
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        # A worker whose parent was killed would compute on unseen, then wait for ever.
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    # Ctrl-C reaches every process of a terminal: one message, from the parent, is enough.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    warnings.simplefilter("ignore")  # the parent has shown them


def _work(task: _Task) -> dict[str, Any] | None:
    pending, last = 0, time.monotonic()

    def on_round(_: int) -> None:
        nonlocal pending, last
        if _stopped.is_set():
            os._exit(130)
        pending += 1
        if time.monotonic() - last > 0.5:
            _reports.put(pending)
            pending, last = 0, time.monotonic()

    record = compute(task, on_round)
    _reports.put(pending)
    return record


@contextlib.contextmanager
def _children_ignore_interrupts() -> Iterator[None]:
    """Processes started in here inherit it: they would die of Ctrl-C with a message each."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _in_workers(tasks: list[_Task], jobs: int, bar: Progress) -> _Results:
    # Spawned, not forked: torch's threads and CUDA do not survive a fork.
    context = multiprocessing.get_context("spawn")
    reports, stopped = context.SimpleQueue(), context.Event()
    pool = ProcessPoolExecutor(jobs, context, _start_worker, (reports, stopped))
    try:
        with bar.fed_by(reports):
            with _children_ignore_interrupts():
                futures = {pool.submit(_work, task): task for task in tasks}
            for future in as_completed(futures):
                error = future.exception()
                if error is not None and not isinstance(error, Exception):
                    raise error
                yield futures[future], error or future.result()
    except BaseException:
        stopped.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
