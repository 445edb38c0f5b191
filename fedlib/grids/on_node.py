"""What happens on a node of a Ray cluster: one run in a process, which stores nothing itself."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from fedlib.data.datasets import Dataset
from fedlib.grids.compute import NotStarted, Played, Task, play
from fedlib.grids.workers import check_that_it_travels

_REPORT_EVERY = 5.0


class Reports:
    """Adds up the rounds that runs all over the cluster have done."""

    def __init__(self) -> None:
        self._rounds = 0

    def add(self, rounds: int) -> None:
        """Add rounds that were done."""
        self._rounds += rounds

    def take(self) -> int:
        """Return the rounds since the last call."""
        rounds, self._rounds = self._rounds, 0
        return rounds


def fedlib_run(
    task: Task, data: tuple[Dataset, dict[str, np.ndarray]], reports: Any
) -> Played | NotStarted | Exception:
    """Compute a run in a process of the cluster. An error is returned, because it is a result."""
    warnings.simplefilter("ignore")  # the driver has shown the same warnings
    if not task.ends_in_time():
        return NotStarted()
    add = _Rounds(reports)
    try:
        played = play(task, put_together(*data), add)
    except Exception as error:
        try:
            check_that_it_travels(error)
        except RuntimeError as other:
            return other
        return error
    add.report()
    return played


class _Rounds:
    """Counts the rounds of a run, and reports them every few seconds."""

    def __init__(self, reports: Any) -> None:
        self._add: Callable[[int], Any] = reports.add.remote
        self._pending, self._last = 0, time.monotonic()

    def __call__(self, _: int) -> None:
        self._pending += 1
        if time.monotonic() - self._last > _REPORT_EVERY:
            self.report()

    def report(self) -> None:
        """Report the rounds since the last report."""
        self._add(self._pending)
        self._pending, self._last = 0, time.monotonic()


def taken_apart(dataset: Dataset) -> tuple[Dataset, dict[str, np.ndarray]]:
    """Return a data set without its tensors, and these as arrays, which processes can share.

    Ray copies a tensor into each process that reads it, but an array of NumPy only to each node.
    """
    names = [f.name for f in dataclasses.fields(dataset)]
    tensors = {
        name: getattr(dataset, name)
        for name in names
        if isinstance(getattr(dataset, name), torch.Tensor)
    }
    nothing: dict[str, Any] = dict.fromkeys(tensors, torch.empty(0))
    return dataclasses.replace(dataset, **nothing), {
        name: tensor.numpy() for name, tensor in tensors.items()
    }


def put_together(rest: Dataset, arrays: dict[str, np.ndarray]) -> Dataset:
    """Return the data set that :func:`taken_apart` took apart. Nobody may write into it."""
    tensors: dict[str, Any] = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return dataclasses.replace(rest, **tensors)
