"""Partitions whose proportions are drawn from a Dirichlet distribution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fedlib.data.partition.base import (
    PARTITIONS,
    Partition,
    cut_by_proportions,
    draw_by_shares,
    shuffled_classes,
)
from fedlib.parts import Revision
from fedlib.validation import check_real


@PARTITIONS.register("dirichlet")
@dataclass(frozen=True)
class DirichletSplit(Partition):
    """Each class is split over the clients in proportions drawn from Dir(alpha).

    The whole set is given out, so the clients differ in size as well as in the shares of their
    classes. This is the partition of centered_clipping, section VI-A, with alpha = 1.

    Parameters
    ----------
    alpha
        The concentration of the Dirichlet distribution. The smaller it is, the fewer clients hold
        most of a class.

    Examples
    --------
    >>> import numpy as np
    >>> from fedlib import PARTITIONS
    >>> labels = np.repeat([0, 1, 2, 3], 25)  # a hundred samples of four classes
    >>> partition = PARTITIONS["dirichlet"](alpha=0.5)
    >>> shares = partition(labels, 4, seed=1)
    >>> [np.bincount(labels[share], minlength=4).tolist() for share in shares]
    [[1, 15, 0, 2], [5, 0, 5, 2], [3, 8, 10, 10], [16, 2, 10, 11]]
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        check_real("partition.alpha", self.alpha, 0, open_low=True)

    def _split(
        self, labels: np.ndarray, n_clients: int, generator: np.random.Generator
    ) -> list[np.ndarray]:
        pools = shuffled_classes(labels, generator)
        return cut_by_proportions(
            pools, generator.dirichlet(np.full(n_clients, self.alpha), len(pools))
        )


@PARTITIONS.register("dirichlet_normalised")
@dataclass(frozen=True)
class DirichletNormalised(Partition):
    """Each class is split over the clients in proportion to their own draws from Dir(alpha).

    Client k draws a distribution ``q_k`` over the classes, and holds the share
    ``q_kc / sum_j q_jc`` of class c. So the whole set is given out, and the clients differ less
    in size than with ``dirichlet``.

    The code of the authors of centered_clipping splits the data in this way, with alpha = 1. It
    rounds the shares down and deals the samples that are left over to the smaller clients. Here
    the boundaries between the shares are rounded instead.

    Parameters
    ----------
    alpha
        The concentration of the Dirichlet distribution. The smaller it is, the fewer classes a
        client holds.

    Examples
    --------
    >>> import numpy as np
    >>> from fedlib import PARTITIONS
    >>> labels = np.repeat([0, 1, 2, 3], 25)  # a hundred samples of four classes
    >>> partition = PARTITIONS["dirichlet_normalised"](alpha=0.5)
    >>> shares = partition(labels, 4, seed=1)
    >>> [np.bincount(labels[share], minlength=4).tolist() for share in shares]
    [[0, 3, 8, 9], [2, 10, 1, 15], [23, 1, 1, 1], [0, 11, 15, 0]]
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        check_real("partition.alpha", self.alpha, 0, open_low=True)

    def _split(
        self, labels: np.ndarray, n_clients: int, generator: np.random.Generator
    ) -> list[np.ndarray]:
        pools = shuffled_classes(labels, generator)
        wishes = generator.dirichlet(np.full(len(pools), self.alpha), n_clients)
        # With a tiny alpha it can happen that no client wants a class. Then all get equal shares.
        wishes[:, wishes.sum(0) == 0] = 1
        return cut_by_proportions(pools, (wishes / wishes.sum(0)).T)


@PARTITIONS.register("dirichlet_per_client")
@dataclass(frozen=True)
class DirichletPerClient(Partition):
    """Clients of equal size draw their samples by class distributions of their own.

    Each client draws a class distribution from Dir(alpha p), where p is the class distribution of
    the whole set. It then draws its samples by that distribution, independently of the other
    clients. A client holds a sample twice only if the class has too few samples for it, but two
    clients may hold the same sample. This is the partition of clustering_with_outliers, section
    5, with alpha = 0.1.

    Parameters
    ----------
    alpha
        The concentration of the Dirichlet distribution. The smaller it is, the fewer classes a
        client holds.

    Examples
    --------
    >>> import numpy as np
    >>> from fedlib import PARTITIONS
    >>> labels = np.repeat([0, 1, 2, 3], 25)  # a hundred samples of four classes
    >>> partition = PARTITIONS["dirichlet_per_client"](alpha=0.5)
    >>> shares = partition(labels, 4, seed=1)
    >>> [np.bincount(labels[share], minlength=4).tolist() for share in shares]
    [[6, 0, 0, 19], [0, 11, 0, 14], [1, 21, 3, 0], [5, 19, 0, 1]]
    """

    revisions: ClassVar[tuple[Revision, ...]] = (
        Revision(2, "The whole set was dealt out, and the last clients got what was left."),
    )
    disjoint: ClassVar[bool] = False
    complete: ClassVar[bool] = False

    alpha: float = 0.1

    def __post_init__(self) -> None:
        check_real("partition.alpha", self.alpha, 0, open_low=True)

    def _split(
        self, labels: np.ndarray, n_clients: int, generator: np.random.Generator
    ) -> list[np.ndarray]:
        pools = [pool for pool in shuffled_classes(labels, generator) if len(pool)]
        prior = np.array([len(pool) for pool in pools]) / len(labels)
        # If all parameters are tiny, every number of a draw may be rounded to zero.
        concentration = np.maximum(self.alpha * prior, 1e-12)
        size = len(labels) // n_clients
        return [
            draw_by_shares(pools, size, generator.dirichlet(concentration), generator)
            for _ in range(n_clients)
        ]
