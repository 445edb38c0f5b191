"""Partitions: who holds which sample. Each is deterministic in its seed.

A partition is a list of ``n_clients`` arrays of sample indices, each of at least one sample;
disjoint, unless a partition says otherwise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from fedlib.parts import Revision
from fedlib.registry import Registry
from fedlib.seeds import stream
from fedlib.validation import ConfigError, check_int, check_real

PARTITIONS: Registry[Any] = Registry("partition", "fedlib.data")


class Partition(ABC):
    """Base of the partitions: a frozen dataclass with a ``split`` method."""

    name: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """Name and parameters, as JSON values."""
        return {"name": self.name, **asdict(self)}  # type: ignore[call-overload]

    needs_groups: ClassVar[bool] = False

    def __call__(
        self, labels: np.ndarray, n_clients: int, seed: int, groups: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """Split samples with ``labels`` ``(n,)`` over the clients.

        ``groups`` ``(n,)`` are the samples' natural ones, for a partition by them.

        Raises
        ------
        ConfigError
            If there are fewer samples than clients, or no groups where they are needed.
        """
        labels = np.asarray(labels)
        check_int("n_clients", n_clients, 1)
        if len(labels) < n_clients:
            raise ConfigError(
                f"n_clients={n_clients} is more than the {len(labels)} samples to share out."
            )
        generator = stream(seed, f"partition-{self.name}")
        if self.needs_groups:
            if groups is None:
                raise ConfigError(
                    f"partition={self.name!r} needs data with groups, and these have none."
                )
            labels = np.asarray(groups)
        parts = self._split(labels, n_clients, generator)
        return _no_empty_client([np.sort(part.astype(np.int64)) for part in parts])

    @abstractmethod
    def _split(
        self, labels: np.ndarray, n_clients: int, generator: np.random.Generator
    ) -> list[np.ndarray]:
        """Sample indices of each client, in any order; a client may come out empty."""


def _no_empty_client(parts: list[np.ndarray]) -> list[np.ndarray]:
    """Give each empty client one sample of the largest (a batch cannot come from nothing)."""
    for i, part in enumerate(parts):
        if len(part) == 0:
            donor = int(np.argmax([len(other) for other in parts]))
            parts[i], parts[donor] = parts[donor][-1:], parts[donor][:-1]
    return parts


def _pools(labels: np.ndarray, generator: np.random.Generator) -> list[np.ndarray]:
    """Indices of each class, shuffled."""
    return [
        generator.permutation(np.flatnonzero(labels == label))
        for label in range(int(labels.max()) + 1)
    ]


def _cut(pools: list[np.ndarray], proportions: np.ndarray) -> list[np.ndarray]:
    """Each client's piece of every pool, by proportions ``(len(pools), n_clients)``."""
    shares: list[list[np.ndarray]] = [[] for _ in range(proportions.shape[1])]
    for pool, proportion in zip(pools, proportions, strict=True):
        cuts = np.round(np.cumsum(proportion)[:-1] * len(pool)).astype(int)
        for share, piece in zip(shares, np.split(pool, cuts), strict=True):
            share.append(piece)
    return [np.concatenate(share) for share in shares]


def _drawn(
    pools: list[np.ndarray], size: int, shares: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """``size`` samples whose classes are drawn by ``shares``, of each class from its pool.

    Without replacement where the pool has enough.
    """
    counts = generator.multinomial(size, shares)
    drawn = [
        generator.choice(pool, count, replace=count > len(pool))
        for pool, count in zip(pools, counts, strict=True)
    ]
    return np.concatenate(drawn)


@PARTITIONS.register("iid")
@dataclass(frozen=True)
class IID(Partition):
    """Equal shares with (nearly) the same number of samples of each class.

    centered_clipping, section VI-A: "homogeneous classes and an equal number of training
    samples". Sizes differ by one where the number of samples is no multiple of
    ``n_clients``.
    """

    def _split(
        self, labels: np.ndarray, n_clients: int, generator: np.random.Generator
    ) -> list[np.ndarray]:
        # Dealing the class-sorted samples out like cards balances classes and sizes at once.
        ordered = np.concatenate(_pools(labels, generator))
        return [ordered[i::n_clients] for i in range(n_clients)]


@PARTITIONS.register("dirichlet")
@dataclass(frozen=True)
class DirichletSplit(Partition):
    """Each class is split over the clients in proportions drawn from Dir(alpha).

    The whole set is given out, so that client sizes differ as well as class shares
    (centered_clipping, section VI-A, alpha = 1).
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        check_real("partition.alpha", self.alpha, 0, open_low=True)

    def _split(
        self, labels: np.ndarray, n_clients: int, generator: np.random.Generator
    ) -> list[np.ndarray]:
        pools = _pools(labels, generator)
        return _cut(pools, generator.dirichlet(np.full(n_clients, self.alpha), len(pools)))


@PARTITIONS.register("dirichlet_normalised")
@dataclass(frozen=True)
class DirichletNormalised(Partition):
    """Each class is split over the clients in proportion to their own draws from Dir(alpha).

    The authors' code of centered_clipping, alpha = 1: client k draws a distribution ``q_k`` over
    the classes, and holds the share ``q_kc / sum_j q_jc`` of class c, so that the whole set is
    given out. Sizes differ less than with ``dirichlet``. That code rounds down and deals what is
    left over to the smaller clients; here shares are rounded where they meet.
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        check_real("partition.alpha", self.alpha, 0, open_low=True)

    def _split(
        self, labels: np.ndarray, n_clients: int, generator: np.random.Generator
    ) -> list[np.ndarray]:
        pools = _pools(labels, generator)
        wishes = generator.dirichlet(np.full(len(pools), self.alpha), n_clients)
        # A class that nobody wants, as happens for a tiny alpha, goes to all alike.
        wishes[:, wishes.sum(0) == 0] = 1
        return _cut(pools, (wishes / wishes.sum(0)).T)


@PARTITIONS.register("dirichlet_per_client")
@dataclass(frozen=True)
class DirichletPerClient(Partition):
    """Clients of equal size, each with its own class distribution q from Dir(alpha p).

    ``p`` is the class distribution of the whole set (clustering_with_outliers, section 5, alpha =
    0.1). The clients' q are independent, and each client draws its images by its own: never one
    twice as long as its class has enough, but two clients may hold the same, as of
    ``uniform_classes``.
    """

    revisions: ClassVar[tuple[Revision, ...]] = (
        Revision(2, "The set was dealt out, and the last clients were left with what there was."),
    )

    alpha: float = 0.1

    def __post_init__(self) -> None:
        check_real("partition.alpha", self.alpha, 0, open_low=True)

    def _split(
        self, labels: np.ndarray, n_clients: int, generator: np.random.Generator
    ) -> list[np.ndarray]:
        pools = [pool for pool in _pools(labels, generator) if len(pool)]
        prior = np.array([len(pool) for pool in pools]) / len(labels)
        # Of parameters that are next to nothing a draw may be all zeros.
        concentration = np.maximum(self.alpha * prior, 1e-12)
        size = len(labels) // n_clients
        return [
            _drawn(pools, size, generator.dirichlet(concentration), generator)
            for _ in range(n_clients)
        ]


@PARTITIONS.register("classes_per_client")
@dataclass(frozen=True)
class ClassesPerClient(Partition):
    """Each client holds samples of ``n_classes`` random classes (residual_reweighting, k = 2).

    The whole set is given out: a class is split evenly over the clients that hold it, and
    every class is held by somebody (which needs ``n_clients * n_classes`` at least the
    number of classes).

    Parameters
    ----------
    n_classes
        Classes of a client.
    last
        The clients that hold this class come last, where Byzantine clients are; None leaves them
        in order.
    removed, removed_class
        As many holders of a class are dealt a share like everybody, and then leave with it
        (residual_reweighting, appendix A.4).
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
        pools = _pools(labels, generator)
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
            # The least held classes come first, ties at random: balanced, and nobody left out.
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


@PARTITIONS.register("by_group")
@dataclass(frozen=True)
class ByGroup(Partition):
    """Each of the largest natural groups is a client (residual_reweighting: loans by state).

    Samples of the other groups are left out. The groups are in random order, so that the Byzantine
    clients are not always the smallest.
    """

    needs_groups: ClassVar[bool] = True

    def _split(
        self, labels: np.ndarray, n_clients: int, generator: np.random.Generator
    ) -> list[np.ndarray]:
        found, counts = np.unique(labels, return_counts=True)
        if len(found) < n_clients:
            raise ConfigError(f"n_clients={n_clients} is more than the {len(found)} groups.")
        largest = found[np.argsort(-counts, kind="stable")[:n_clients]]
        return [np.flatnonzero(labels == group) for group in generator.permutation(largest)]


@PARTITIONS.register("uniform_classes")
@dataclass(frozen=True)
class UniformClasses(Partition):
    """Clients of equal size that draw every sample's class uniformly (clustering_with_outliers).

    The "uniform distribution over 62 classes" of its section on experiments. A client never holds
    a sample twice as long as its class has enough, but two clients may hold the same: the
    classes of a set differ in size, and the rare ones would run out.
    """

    def _split(
        self, labels: np.ndarray, n_clients: int, generator: np.random.Generator
    ) -> list[np.ndarray]:
        pools = [pool for pool in _pools(labels, generator) if len(pool)]
        size = len(labels) // n_clients
        shares = np.full(len(pools), 1 / len(pools))
        return [_drawn(pools, size, shares, generator) for _ in range(n_clients)]


def matched_samples(
    parts: list[np.ndarray], labels: np.ndarray, test_labels: np.ndarray, seed: int
) -> list[np.ndarray]:
    """Test samples for each client, from the class distribution of what it trains on.

    That is the shares of the classes among its training samples: of a partition that draws them
    from a distribution q, not q itself, which with hundreds of samples differs little.

    Parameters
    ----------
    parts, labels
        The clients' training samples, and the labels of all training samples.
    test_labels
        Of all test samples, ``(n_test,)``.
    seed
        Of the draws.

    Returns
    -------
    list of numpy.ndarray
        ``n_test // len(parts)`` indices (one at least) of each client, drawn with replacement, so
        that the mean accuracy over clients is that on all of them. Classes without a test sample
        are passed over; a client that has no others is tested on all.
    """
    n_classes = int(max(labels.max(), test_labels.max())) + 1
    pools = [np.flatnonzero(test_labels == label) for label in range(n_classes)]
    there = np.array([len(pool) > 0 for pool in pools])
    size = max(len(test_labels) // len(parts), 1)
    chosen = []
    for number, part in enumerate(parts):
        generator = stream(seed, "test", number)
        weight = np.bincount(labels[part], minlength=n_classes) * there
        if weight.sum() == 0:
            weight = np.array([len(pool) for pool in pools])
        counts = generator.multinomial(size, weight / weight.sum())
        drawn = [generator.choice(pool, n) for pool, n in zip(pools, counts, strict=True) if n]
        chosen.append(np.concatenate(drawn))
    return chosen


def make_partition(spec: dict[str, Any] | Partition) -> Partition:
    """The partition that ``spec`` (as from ``to_dict``) describes."""
    if isinstance(spec, Partition):
        return spec
    made: Partition = PARTITIONS.make(spec)
    return made


def class_counts(labels: np.ndarray, parts: list[np.ndarray]) -> np.ndarray:
    """Samples of each class that each client holds, ``(n_clients, n_classes)``."""
    n_classes = int(np.max(labels)) + 1
    return np.stack([np.bincount(labels[part], minlength=n_classes) for part in parts])
