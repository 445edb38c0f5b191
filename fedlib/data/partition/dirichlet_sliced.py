"""The Dirichlet split of the authors of centered_clipping, with its wrong slices."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from fedlib.data.partition.base import PARTITIONS, Partition, shuffled_classes
from fedlib.validation import check_real


@PARTITIONS.register("dirichlet_sliced")
@dataclass(frozen=True)
class DirichletSliced(Partition):
    """Like ``dirichlet_normalised``, but the pool of each class is cut at the wrong place.

    This is what the code of the authors of centered_clipping does (``dirichlet_dist``). It sorts
    the samples by class. Then it takes for class c, which has n_c samples, those from place
    ``c n_c`` to ``(c + 1) n_c``. That is right only if all classes are of the same size. On MNIST
    18 % of the samples get into the pool of another class. There 8,141 samples are in two pools,
    and the same number of samples are in no pool.

    Every pool is then split in proportion to the clients' own draws from Dir(alpha). The shares
    are rounded down. The samples that are left over are shuffled and dealt to the clients with the
    fewest samples, so that each of these clients gets about the same number of them.

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
    >>> partition = PARTITIONS["dirichlet_sliced"](alpha=0.5)
    >>> shares = partition(labels, 4, seed=1)
    >>> [np.bincount(labels[share], minlength=4).tolist() for share in shares]
    [[1, 8, 7, 8], [1, 12, 0, 12], [15, 4, 3, 4], [8, 1, 15, 1]]
    """

    disjoint: ClassVar[bool] = False
    complete: ClassVar[bool] = False

    alpha: float = 1.0

    def __post_init__(self) -> None:
        check_real("partition.alpha", self.alpha, 0, open_low=True)

    def _split(
        self, labels: np.ndarray, n_clients: int, generator: np.random.Generator
    ) -> list[np.ndarray]:
        pools = _sliced(shuffled_classes(labels, generator))
        wishes = generator.dirichlet(np.full(len(pools), self.alpha), n_clients)
        # With a tiny alpha it can happen that no client wants a class. Then all get equal shares.
        wishes[:, wishes.sum(0) == 0] = 1
        shares = wishes / wishes.sum(0)
        held: list[list[np.ndarray]] = [[] for _ in range(n_clients)]
        rest = []
        for pool, share in zip(pools, shares.T, strict=True):
            pieces = np.split(pool, np.cumsum((len(pool) * share).astype(int)))
            for client, piece in zip(held, pieces[:-1], strict=True):
                client.append(piece)
            rest.append(pieces[-1])
        parts = [np.concatenate(pieces) for pieces in held]
        return _dealt(parts, generator.permutation(np.concatenate(rest)), len(labels) / n_clients)


def _sliced(classes: list[np.ndarray]) -> list[np.ndarray]:
    """Return the pools of the classes, each cut by the size of its own class."""
    ordered = np.concatenate(classes)
    return [ordered[c * len(own) : (c + 1) * len(own)] for c, own in enumerate(classes)]


def _dealt(parts: list[np.ndarray], rest: np.ndarray, usual: float) -> list[np.ndarray]:
    """Return the clients' samples with the rest, which the smallest clients get.

    Each gets the rest's share of a client that has fewer samples than ``usual``.
    """
    sizes = np.array([len(part) for part in parts])
    each = math.ceil(len(rest) / max(int((sizes < usual).sum()), 1))
    for place, client in enumerate(np.argsort(sizes, kind="stable")):
        parts[client] = np.concatenate([parts[client], rest[place * each : (place + 1) * each]])
    return parts
