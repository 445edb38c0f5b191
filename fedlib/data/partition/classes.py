"""Partitions that choose which classes each client holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fedlib.data.partition.base import PARTITIONS, Partition, draw_by_shares, shuffled_classes
from fedlib.validation import ConfigError, check_int


@PARTITIONS.register("classes_per_client")
@dataclass(frozen=True)
class ClassesPerClient(Partition):
    """Each client holds samples of a few random classes.

    Each class is split evenly over the clients that hold it. Every class has a holder, so
    ``n_clients * n_classes`` must not be less than the number of classes. The whole set is given
    out, unless clients are removed. This is the partition of residual_reweighting, where a client
    holds two classes.

    Parameters
    ----------
    n_classes
        The number of classes that a client holds.
    last
        A class whose holders become the last clients, so that they are the Byzantine ones. None
        leaves the clients in their order.
    removed
        The number of holders of ``removed_class`` that leave the federation after the samples
        have been shared out, and take their samples with them (residual_reweighting, appendix
        A.4).
    removed_class
        The class that the removed clients hold.

    Examples
    --------
    >>> import numpy as np
    >>> from fedlib import PARTITIONS
    >>> labels = np.repeat([0, 1, 2, 3], 25)  # a hundred samples of four classes
    >>> partition = PARTITIONS["classes_per_client"](n_classes=2)
    >>> shares = partition(labels, 4, seed=1)
    >>> [np.bincount(labels[share], minlength=4).tolist() for share in shares]
    [[13, 13, 0, 0], [0, 0, 13, 13], [0, 0, 12, 12], [12, 12, 0, 0]]
    """

    n_classes: int = 2
    last: int | None = None
    removed: int = 0
    removed_class: int = 0

    def __post_init__(self) -> None:
        check_int("partition.n_classes", self.n_classes, 1)
        if self.last is not None:
            check_int("partition.last", self.last, 0)
        check_int("partition.removed", self.removed, 0)
        check_int("partition.removed_class", self.removed_class, 0)

    def _split(
        self, labels: np.ndarray, n_clients: int, generator: np.random.Generator
    ) -> list[np.ndarray]:
        pools = shuffled_classes(labels, generator)
        n_clients += self.removed
        present = [label for label, pool in enumerate(pools) if len(pool)]
        check_int("partition.n_classes", self.n_classes, 1, len(present))
        if n_clients * self.n_classes < len(present):
            raise ConfigError(
                f"partition.n_classes={self.n_classes} with n_clients={n_clients} cannot hold "
                f"all {len(present)} classes: the product must be at least {len(present)}."
            )
        holders: dict[int, list[int]] = {label: [] for label in present}
        for client in range(n_clients):
            # A client takes the classes with the fewest holders, and chance decides between equal
            # ones. So the numbers of holders stay balanced, and every class gets one.
            order = generator.permutation(len(present))
            held = [len(holders[present[i]]) for i in order]
            chosen = order[np.argsort(held, kind="stable")][: self.n_classes]
            for i in chosen:
                holders[present[i]].append(client)
        shares: list[list[np.ndarray]] = [[] for _ in range(n_clients)]
        for label, clients in holders.items():
            for client, piece in zip(
                clients, np.array_split(pools[label], len(clients)), strict=True
            ):
                shares[client].append(piece)
        leaving = holders.get(self.removed_class, [])
        check_int("partition.removed", self.removed, 0, len(leaving))
        staying = [i for i in range(n_clients) if i not in leaving[: self.removed]]
        if self.last is not None:
            check_int("partition.last", self.last, 0, len(pools) - 1)
            last = set(holders.get(self.last, ()))
            staying.sort(key=lambda i: i in last)
        return [np.concatenate(shares[i]) for i in staying]


@PARTITIONS.register("uniform_classes")
@dataclass(frozen=True)
class UniformClasses(Partition):
    """Clients of equal size draw the class of every sample uniformly.

    This is the "uniform distribution over 62 classes" in the experiments of
    clustering_with_outliers. A client holds a sample twice only if the class has too few samples
    for it. Two clients may hold the same sample, because the classes differ in size and the rare
    ones would run out.

    Examples
    --------
    >>> import numpy as np
    >>> from fedlib import PARTITIONS
    >>> labels = np.repeat([0, 1, 2, 3], 25)  # a hundred samples of four classes
    >>> partition = PARTITIONS["uniform_classes"]()
    >>> shares = partition(labels, 4, seed=1)
    >>> [np.bincount(labels[share], minlength=4).tolist() for share in shares]
    [[7, 4, 6, 8], [7, 4, 6, 8], [6, 6, 6, 7], [7, 7, 6, 5]]
    """

    disjoint: ClassVar[bool] = False
    complete: ClassVar[bool] = False

    def _split(
        self, labels: np.ndarray, n_clients: int, generator: np.random.Generator
    ) -> list[np.ndarray]:
        pools = [pool for pool in shuffled_classes(labels, generator) if len(pool)]
        size = len(labels) // n_clients
        shares = np.full(len(pools), 1 / len(pools))
        return [draw_by_shares(pools, size, shares, generator) for _ in range(n_clients)]
