"""How many runs are computed side by side, if nobody says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from fedlib import limits
from fedlib.data import DataConfig
from fedlib.grids.compute import Task, cached_dataset
from fedlib.models import make_model

GROWTH = 1.4
"""How much larger than this process a worker gets for small models.

Measured with runs of five kinds, the largest factor was 1.40, of ``resnet20`` on CIFAR-10: 1.68 GB
in a process that had 1.2 GB with the data loaded. It was 1.1 to 1.35 for the other small models.
"""
COPIES = 4
"""How many numbers of four bytes a worker holds for each client and parameter.

Measured with ``resnet9`` and 25 clients: 1.86 GB beside the process and its data, which is 3.9
times the size of all clients' updates.
"""


class DataShape(NamedTuple):
    """The shape of a sample, ``(C, H, W)``, and the number of classes."""

    shape: tuple[int, int, int]
    n_classes: int


def load_data(tasks: Sequence[Task]) -> dict[DataConfig, DataShape]:
    """Load the data sets of all tasks, and return the shapes of what they hold.

    A data set that is missing or broken must stop a grid now, not in a worker after an hour.

    Raises
    ------
    DataError
        If a data set cannot be used.
    """
    shapes = {}
    for config in dict.fromkeys(task.cell.config.data for task in tasks):
        dataset = cached_dataset(config)
        shapes[config] = DataShape(dataset.shape, dataset.n_classes)
    return shapes


def side_by_side(tasks: Sequence[Task], loaded: Mapping[DataConfig, DataShape]) -> int:
    """Return how many of the tasks should be computed side by side.

    On a CPU that is one run for each core that this process may use, because several runs on one
    core each do more rounds than one run on all cores. There are fewer if there is too little
    memory for so many workers. On a GPU it is one run, because several share a GPU well only under
    NVIDIA's multi-process service.

    Parameters
    ----------
    tasks
        The runs to compute.
    loaded
        What :func:`load_data` gave for them. Their data sets are in memory since then, so that this
        process is as large as a worker before its first round.

    Returns
    -------
    int
        At least 1.
    """
    if not tasks or torch.device(tasks[0].device).type != "cpu":
        return 1
    room = limits.free_memory() / worker_memory(tasks, loaded)
    return max(1, int(min(limits.cores(), room)))


def worker_memory(tasks: Sequence[Task], loaded: Mapping[DataConfig, DataShape]) -> float:
    """Estimate how many bytes a worker takes that computes the largest of the tasks."""
    largest = 0
    parameters: dict[tuple[str, DataConfig], int] = {}
    for config in (task.cell.config for task in tasks):
        key = (config.model, config.data)
        if key not in parameters:
            model = make_model(config.model, *loaded[config.data], config.seed)
            parameters[key] = sum(values.numel() for values in model.parameters())
        largest = max(largest, config.n_clients * parameters[key])
    return GROWTH * limits.memory_of_this_process() + COPIES * 4 * largest
