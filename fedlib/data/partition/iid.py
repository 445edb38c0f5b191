"""The partition of identically distributed data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fedlib.data.partition.base import PARTITIONS, Partition, shuffled_classes


@PARTITIONS.register("iid")
@dataclass(frozen=True)
class IID(Partition):
    """Every client holds the same number of samples of each class.

    This is the partition of centered_clipping, section VI-A: "homogeneous classes and an equal
    number of training samples". The whole set is given out. Where the samples cannot be shared
    out evenly, the numbers differ by one.

    Examples
    --------
    >>> import numpy as np
    >>> from fedlib import PARTITIONS
    >>> labels = np.repeat([0, 1, 2, 3], 25)  # a hundred samples of four classes
    >>> partition = PARTITIONS["iid"]()
    >>> shares = partition(labels, 4, seed=1)
    >>> [np.bincount(labels[share], minlength=4).tolist() for share in shares]
    [[7, 6, 6, 6], [6, 7, 6, 6], [6, 6, 7, 6], [6, 6, 6, 7]]
    """

    def _split(
        self, labels: np.ndarray, n_clients: int, generator: np.random.Generator
    ) -> list[np.ndarray]:
        # Dealing the class-sorted samples out like cards balances classes and sizes at once.
        ordered = np.concatenate(shuffled_classes(labels, generator))
        return [ordered[i::n_clients] for i in range(n_clients)]
