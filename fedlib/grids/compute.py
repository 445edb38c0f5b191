"""One run of a grid: it is computed and its record is stored."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import torch

from fedlib import engine, hardware
from fedlib.data import DataConfig, load_dataset
from fedlib.data.datasets import Dataset
from fedlib.gradients import choose_strategy
from fedlib.grids.grid import Cell
from fedlib.grids.pace import PACE
from fedlib.models import make_model
from fedlib.runs import RunConfig
from fedlib.runs.store import Store, make_record


@dataclass(frozen=True)
class Task:
    """One run to compute, and how to compute and store it.

    Attributes
    ----------
    cell
        The run under its name.
    store, scale
        Where to keep the record.
    device
        The name of the device, such as ``cpu`` or ``cuda:0``.
    strategy
        How the clients' gradients are taken; see :mod:`fedlib.gradients`.
    end
        The time at which a budget ends, in seconds as :func:`time.time` gives it. The run is not
        started if it would not end before. None sets no limit.
    expected
        How many seconds the run is expected to take.
    """

    cell: Cell
    store: Store
    scale: str
    device: str
    strategy: str
    end: float | None = None
    expected: float = 0.0

    def ends_in_time(self) -> bool:
        """Whether the run would end within the budget, at the pace of this process."""
        return self.end is None or time.time() + PACE.slowness * self.expected <= self.end


@dataclass(frozen=True)
class NotStarted:
    """The result of a task that would not have ended within its budget."""


@lru_cache(maxsize=4)
def cached_dataset(config: DataConfig) -> Dataset:
    """Load a data set, or return it if it was among the last four to be loaded."""
    return load_dataset(config)


def compute(
    task: Task, on_round: Callable[[int], None] | None = None
) -> dict[str, Any] | NotStarted | None:
    """Compute one run and store its record.

    Parameters
    ----------
    task
        The run.
    on_round
        This function is called with the number of each round when the round is done.

    Returns
    -------
    dict, NotStarted or None
        The record. None if another process is computing the run or has stored it.
    """
    if not task.ends_in_time():
        return NotStarted()
    config = task.cell.config
    with task.store.claim(config.id) as mine, hardware.one_thread():
        if not mine or task.store.holds(task.scale, config.id):
            return None
        return keep(task, play(task, cached_dataset(config.data), on_round))


@dataclass(frozen=True)
class Played:
    """What a run has given, before it is stored.

    Attributes
    ----------
    metrics, provenance
        What the record says of the run.
    files
        The content of the files that belong beside the record, by name.
    """

    metrics: dict[str, Any]
    provenance: dict[str, Any]
    files: dict[str, bytes]


def play(task: Task, dataset: Dataset, on_round: Callable[[int], None] | None = None) -> Played:
    """Compute one run without storing anything.

    Parameters
    ----------
    task
        The run.
    dataset
        The data set that the run's configuration names.
    on_round
        This function is called with the number of each round when the round is done.
    """
    config = task.cell.config
    hardware.keep_memory()
    started = datetime.now(UTC)
    clock, processor = time.perf_counter(), time.process_time()
    metrics = compute_metrics(config, dataset, task.device, task.strategy, on_round)
    taken, of_processor = time.perf_counter() - clock, time.process_time() - processor
    PACE.note(task.expected, taken)
    # An agent also reports how long its parts took, and files to keep beside the record.
    extra: dict[str, Any] = {name: metrics.pop(name) for name in ("seconds",) if name in metrics}
    files: dict[str, bytes] = metrics.pop("files", {})
    if files:
        extra["files"] = {}  # where they are, which is known when they are stored
    model = make_model(config.model, dataset.shape, dataset.n_classes, config.seed)
    provenance = {
        "data": dataset.label,
        "data_checksum": dataset.checksum,
        "started": started.isoformat(timespec="seconds"),
        "wall_time_s": round(taken, 1),
        # Without the time in which the run waited for other work, or for a computer that slept.
        "cpu_time_s": round(of_processor, 1),
        "strategy": choose_strategy(model, torch.device(task.device), task.strategy),
        **extra,
        **hardware.describe(torch.device(task.device)),
    }
    return Played(metrics, provenance, files)


def keep(task: Task, played: Played) -> dict[str, Any] | None:
    """Store what a run has given, and return its record. It is None if the run is stored already.

    Raises
    ------
    StoreError
        If a file or the record cannot be written.
    """
    config, provenance = task.cell.config, dict(played.provenance)
    if played.files:
        provenance["files"] = {
            name: task.store.keep(task.scale, config.id, name, content)
            for name, content in played.files.items()
        }
    record = make_record(
        config,
        slug=task.store.slug,
        scale=task.scale,
        cell=task.cell.key,
        metrics=played.metrics,
        provenance=provenance,
    )
    return record if task.store.append(task.scale, record) else None


def check_agents(configs: Iterable[RunConfig]) -> None:
    """Check that the optional packages of the attacks that learn are installed.

    Parameters
    ----------
    configs
        The runs that are to be computed.

    Raises
    ------
    MissingExtraError
        If an attack of one of them needs a package that is not installed.
    """
    for agent in sorted({config.attack.agent for config in configs} - {""}):
        # This imports the package around the agent, which says what it needs, and not the agent.
        importlib.util.find_spec(agent)


def compute_metrics(
    config: RunConfig,
    dataset: Dataset,
    device: str = "cpu",
    strategy: str = "auto",
    on_round: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Play a run with one thread and return its metrics, which no other thread number changes.

    The engine plays the run, unless its attack has an agent: then the agent plays it, with the
    engine.

    Parameters
    ----------
    config
        The run.
    dataset
        The data set that ``config.data`` names.
    device
        The name of the device.
    strategy
        How the clients' gradients are taken; see :mod:`fedlib.gradients`.
    on_round
        This function is called with the number of each round when the round is done.
    """
    player = engine.run
    if config.attack.agent:
        # An agent may need optional packages, so its module is imported only for its runs.
        player = importlib.import_module(config.attack.agent).run
    with hardware.one_thread():
        return player(config, dataset, device, strategy, on_round)
