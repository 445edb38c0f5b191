"""The partition by natural groups of the samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fedlib.data.partition.base import PARTITIONS, Partition
from fedlib.validation import ConfigError


@PARTITIONS.register("by_group")
@dataclass(frozen=True)
class ByGroup(Partition):
    """Each of the largest natural groups is a client.

    The samples of all other groups are left out. The groups are in random order, so that the
    Byzantine clients are not always the smallest ones. This is how residual_reweighting splits
    loans by state.

    Examples
    --------
    >>> import numpy as np
    >>> from fedlib import PARTITIONS
    >>> labels = np.repeat([0, 1, 2, 3], 25)  # a hundred samples of four classes
    >>> groups = np.arange(100) % 3  # the state of a loan, say
    >>> partition = PARTITIONS["by_group"]()
    >>> shares = partition(labels, 3, seed=1, groups=groups)
    >>> sorted(len(share) for share in shares)
    [33, 33, 34]
    """

    needs_groups: ClassVar[bool] = True
    complete: ClassVar[bool] = False

    def _split(
        self, labels: np.ndarray, n_clients: int, generator: np.random.Generator
    ) -> list[np.ndarray]:
        found, counts = np.unique(labels, return_counts=True)
        if len(found) < n_clients:
            raise ConfigError(
                f"n_clients={n_clients} is more than the {len(found)} groups of the data set: must "
                f"be at most {len(found)}."
            )
        largest = found[np.argsort(-counts, kind="stable")[:n_clients]]
        return [np.flatnonzero(labels == group) for group in generator.permutation(largest)]
