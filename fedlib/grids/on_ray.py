"""A grid on a Ray cluster: runs are computed on any of its nodes, and this process stores them.

This process is the driver. It alone reads and writes the store and holds the claims of the runs
that are on their way, so that the nodes need neither the results folder nor the data. Each data set
goes into Ray's object store, from which the runs on a node read one copy.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fedlib import limits
from fedlib.compat import require
from fedlib.data import DataConfig
from fedlib.grids.compute import Played, Task, cached_dataset, keep
from fedlib.grids.on_node import Reports, fedlib_run, taken_apart
from fedlib.grids.progress import Progress
from fedlib.grids.workers import Result, Results
from fedlib.runs.store import StoreError
from fedlib.validation import ConfigError, check_name, check_real

ATTEMPTS = 3
"""How often a run is begun whose process or node dies, before it counts as failed."""
AHEAD = 2
"""How many runs are on their way for each that the cluster can compute at a time."""
_COUNT_NODES_EVERY = 5.0
_LOOK_EVERY = 1.0


@dataclass(frozen=True)
class OnRay:
    """Where Ray computes a grid.

    Attributes
    ----------
    address
        The address of a cluster, or ``"auto"`` for the one that this machine belongs to. None
        starts Ray on this machine alone, for as long as the grid is computed.
    gpu_share
        The share of a GPU that a run takes, above 0 and at most 1. None computes on CPUs, with one
        core for each run.

    Examples
    --------
    Two runs share a GPU of the cluster that this machine belongs to.

    >>> from fedlib.grids import OnRay
    >>> OnRay("auto", gpu_share=0.5)
    OnRay(address='auto', gpu_share=0.5)
    """

    address: str | None = None
    gpu_share: float | None = None

    def __post_init__(self) -> None:
        if self.gpu_share is not None:
            check_real("gpu_share", self.gpu_share, 0, 1, open_low=True)

    def with_device(self, device: str) -> tuple[OnRay, str]:
        """Return where the grid is played, and the device of a run, for the device that is asked.

        Which GPU it is on its node is Ray's choice. The driver need not have one.

        Raises
        ------
        ConfigError
            If the device and the share do not go together.
        MissingExtraError
            If Ray is not installed.
        """
        _ray()
        check_name("device", device, ("auto", "cpu", "cuda"))
        if device == "cpu" and self.gpu_share is not None:
            raise ConfigError(
                f"gpu_share={self.gpu_share} has no meaning with device='cpu': must be None."
            )
        if device == "cuda" and self.gpu_share is None:
            return dataclasses.replace(self, gpu_share=1.0), "cuda"
        return self, "cpu" if self.gpu_share is None else "cuda"


def on_ray(tasks: Sequence[Task], jobs: int | None, bar: Progress, where: OnRay) -> Results:
    """Compute the tasks on a Ray cluster, and give each result when it is stored.

    Parameters
    ----------
    tasks
        The runs.
    jobs
        How many of them are computed at a time at most. None takes what the cluster has.
    bar
        The progress.
    where
        The cluster, and what a run takes of it.

    Raises
    ------
    ConfigError
        If the cluster cannot be reached, or has nothing of what a run takes.
    """
    ray = _ray()
    with _connected(ray, where.address):
        driver = _Driver(ray, tasks, jobs, bar, where)
        try:
            yield from driver.results()
        finally:
            driver.end()


def _ray() -> Any:
    """Return the module ``ray``.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    require("ray")
    import ray

    return ray


@contextlib.contextmanager
def _connected(ray: Any, address: str | None) -> Iterator[None]:
    """Connect this process to the cluster while the context lasts, unless it is already."""
    if ray.is_initialized():
        yield
        return
    alone: dict[str, Any] = {"num_cpus": limits.cores(), "include_dashboard": False}
    try:
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level="WARNING",
            **({} if address else alone),
        )
    except (ConnectionError, ValueError) as error:
        raise ConfigError(f"address={address!r} leads to no Ray cluster: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


@dataclass
class _Flight:
    """A run that is on its way: its claim, and how often it was begun."""

    task: Task
    claim: contextlib.ExitStack
    attempts: int = 0


class _Driver:
    """The tasks on their way over the cluster."""

    def __init__(
        self, ray: Any, tasks: Sequence[Task], jobs: int | None, bar: Progress, where: OnRay
    ) -> None:
        self._ray, self._jobs, self._bar, self._where = ray, jobs, bar, where
        self._waiting = deque(tasks)
        self._flying: dict[Any, _Flight] = {}
        self._left = Counter(task.cell.config.data for task in tasks)
        self._placed: dict[DataConfig, Any] = {}
        self._looked, self._slots = 0.0, 1
        self._check_room()
        takes = {"num_cpus": 1, "num_gpus": where.gpu_share or 0, "max_retries": 0}
        self._play = ray.remote(**takes)(fedlib_run)
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        # The reports go where the driver is, so that no other node can take them away.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._reports = ray.remote(num_cpus=0, scheduling_strategy=here)(Reports).remote()

    def results(self) -> Results:
        """Send the tasks, and give each result when it is there."""
        while self._waiting or self._flying:
            while self._waiting and len(self._flying) < self._window():
                task = self._waiting.popleft()
                refused = self._begin(task)
                if refused is not _BEGUN:
                    self._done_with(task)
                    yield task, refused  # type: ignore[misc]
            for reference in self._ready():
                flight = self._flying.pop(reference)
                result = self._result(reference, flight)
                if result is _BEGUN:
                    continue
                flight.claim.close()
                self._done_with(flight.task)
                yield flight.task, result  # type: ignore[misc]
            self._advance()

    def end(self) -> None:
        """Stop what is still on its way, and give its claims back."""
        for reference, flight in self._flying.items():
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.cancel(reference, force=True)
            flight.claim.close()
        self._flying.clear()
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(self._reports)

    def _begin(self, task: Task) -> Result | object:
        """Claim a run and send it, and return ``_BEGUN``, or the result if it is not sent."""
        claim = contextlib.ExitStack()
        try:
            mine = claim.enter_context(task.store.claim(task.cell.config.id))
            if not mine or task.store.holds(task.scale, task.cell.config.id):
                claim.close()
                return None
        except StoreError as error:
            claim.close()
            return error
        self._send(_Flight(task, claim))
        return _BEGUN

    def _send(self, flight: _Flight) -> None:
        """Send a run to the cluster, once more if it was sent before."""
        flight.attempts += 1
        data = flight.task.cell.config.data
        if data not in self._placed:
            self._placed[data] = self._ray.put(taken_apart(cached_dataset(data)))
        reference = self._play.remote(flight.task, self._placed[data], self._reports)
        self._flying[reference] = flight

    def _ready(self) -> list[Any]:
        """Wait for results, for a while, and return those that are there."""
        flying = list(self._flying)
        if not flying:
            return []
        ready, _ = self._ray.wait(flying, num_returns=1, timeout=_LOOK_EVERY)
        if ready:
            ready, _ = self._ray.wait(flying, num_returns=len(flying), timeout=0)
        return list(ready)

    def _result(self, reference: Any, flight: _Flight) -> Result | object:
        """Store what a run has given, and return its record, or ``_BEGUN`` if it begins again."""
        errors = self._ray.exceptions
        try:
            given = self._ray.get(reference)
        except errors.RayTaskError as error:
            return RuntimeError(f"Ray could not bring its result: {error}")
        except errors.RayError as error:
            # Its process or its node has died, most often for want of memory.
            if flight.attempts < ATTEMPTS:
                self._send(flight)
                return _BEGUN
            return RuntimeError(
                f"its process or its node died {ATTEMPTS} times, at last with "
                f"{type(error).__name__}. Perhaps there is too little memory: try fewer --jobs."
            )
        if not isinstance(given, Played):
            return given  # type: ignore[no-any-return]
        try:
            return keep(flight.task, given)
        except Exception as error:
            return error

    def _done_with(self, task: Task) -> None:
        """Take a data set away from the cluster when its last run is done."""
        data = task.cell.config.data
        self._left[data] -= 1
        if not self._left[data]:
            self._placed.pop(data, None)

    def _window(self) -> int:
        """Return how many runs may be on their way. Nodes may come and go meanwhile."""
        if self._jobs is not None:
            return self._jobs
        if time.monotonic() - self._looked > _COUNT_NODES_EVERY:
            self._slots, self._looked = self._room(), time.monotonic()
        return max(1, AHEAD * self._slots)

    def _room(self) -> int:
        """Return how many runs the cluster can compute at a time."""
        has = self._ray.cluster_resources()
        room = has.get("CPU", 0)
        if self._where.gpu_share is not None:
            room = min(room, has.get("GPU", 0) / self._where.gpu_share)
        return int(room)

    def _check_room(self) -> None:
        if self._room() < 1:
            kind = "CPU" if self._where.gpu_share is None else "GPU beside a CPU"
            raise ConfigError(
                f"engine='ray': no node of the cluster has a {kind} for a run; it has "
                f"{dict(self._ray.cluster_resources())}."
            )

    def _advance(self) -> None:
        """Show the rounds that were reported since the last time."""
        with contextlib.suppress(self._ray.exceptions.RayError):  # They serve the bar alone.
            self._bar.advance(self._ray.get(self._reports.take.remote()))


_BEGUN = object()
"""Stands for the result of a run that is on its way."""
