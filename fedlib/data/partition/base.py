"""What all partitions have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np

from fedlib.registry import Registry
from fedlib.seeds import stream
from fedlib.validation import ConfigError, check_int

PARTITIONS: Registry[Any] = Registry("partition", "fedlib.data.partition")


class Partition(ABC):
    """Base class of the partitions.

    A partition is a frozen dataclass whose fields are its parameters, with a ``_split`` method.

    Attributes
    ----------
    name
        The name of the partition in ``PARTITIONS``.
    needs_groups
        Whether the samples are split by their natural groups instead of their classes.
    disjoint
        Whether no sample is held twice.
    complete
        Whether every sample is held by a client, as long as no parameter removes clients.
    """

    name: ClassVar[str]
    needs_groups: ClassVar[bool] = False
    disjoint: ClassVar[bool] = True
    complete: ClassVar[bool] = True

    def to_dict(self) -> dict[str, Any]:
        """Return the name and the parameters as JSON values."""
        return {"name": self.name, **asdict(self)}  # type: ignore[call-overload]

    def __call__(
        self, labels: np.ndarray, n_clients: int, seed: int, groups: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """Split the samples over the clients.

        Parameters
        ----------
        labels
            The class of each sample, ``(n,)``, from 0.
        n_clients
            The number of clients.
        seed
            The seed of the run. The same seed gives the same split.
        groups
            The number of the natural group of each sample, ``(n,)``. Only a partition that
            ``needs_groups`` reads them.

        Returns
        -------
        list of numpy.ndarray
            The indices of each client's samples, sorted, int64. Every client has at least one.

        Raises
        ------
        ConfigError
            If there are fewer samples than clients, if groups are needed and there are none, or
            if the parameters of the partition do not fit the labels or the number of clients.
        """
        labels = np.asarray(labels)
        check_int("n_clients", n_clients, 1)
        if len(labels) < n_clients:
            raise ConfigError(
                f"n_clients={n_clients} is more than the {len(labels)} samples to share out: must "
                f"be at most {len(labels)}."
            )
        generator = stream(seed, f"partition-{self.name}")
        if self.needs_groups:
            if groups is None:
                raise ConfigError(
                    f"partition={self.name!r} needs data with groups, but the data set has none: "
                    "must be another partition."
                )
            labels = np.asarray(groups)
        parts = self._split(labels, n_clients, generator)
        return _no_empty_client([np.sort(part.astype(np.int64)) for part in parts])

    @abstractmethod
    def _split(
        self, labels: np.ndarray, n_clients: int, generator: np.random.Generator
    ) -> list[np.ndarray]:
        """Return the sample indices of each client, in any order.

        A client may get no samples at all. ``labels`` are the groups of the samples if the
        partition ``needs_groups``.
        """


def _no_empty_client(parts: list[np.ndarray]) -> list[np.ndarray]:
    """Give each empty client one sample of the largest client, as every client needs a batch."""
    for i, part in enumerate(parts):
        if len(part) == 0:
            donor = int(np.argmax([len(other) for other in parts]))
            parts[i], parts[donor] = parts[donor][-1:], parts[donor][:-1]
    return parts


def make_partition(spec: dict[str, Any] | Partition) -> Partition:
    """Return the partition that a dictionary describes.

    Parameters
    ----------
    spec
        The name and the parameters, as :meth:`Partition.to_dict` returns them. A partition is
        returned as it is.

    Raises
    ------
    ConfigError
        If the name or a parameter is unknown, or a value is not allowed.
    """
    if isinstance(spec, Partition):
        return spec
    made: Partition = PARTITIONS.make(spec)
    return made


def shuffled_classes(labels: np.ndarray, generator: np.random.Generator) -> list[np.ndarray]:
    """Return the sample indices of each class, in random order.

    Parameters
    ----------
    labels
        The class of each sample, ``(n,)``, from 0.
    generator
        The source of the random order.

    Returns
    -------
    list of numpy.ndarray
        One array of indices per class. It is empty for a class without samples.
    """
    return [
        generator.permutation(np.flatnonzero(labels == label))
        for label in range(int(labels.max()) + 1)
    ]


def cut_by_proportions(pools: list[np.ndarray], proportions: np.ndarray) -> list[np.ndarray]:
    """Cut every pool of samples into one piece per client.

    Parameters
    ----------
    pools
        Arrays of sample indices.
    proportions
        The share of each pool that each client gets, ``(len(pools), n_clients)``. Each row sums
        to 1.

    Returns
    -------
    list of numpy.ndarray
        The sample indices of each client.
    """
    shares: list[list[np.ndarray]] = [[] for _ in range(proportions.shape[1])]
    for pool, proportion in zip(pools, proportions, strict=True):
        cuts = np.round(np.cumsum(proportion)[:-1] * len(pool)).astype(int)
        for share, piece in zip(shares, np.split(pool, cuts), strict=True):
            share.append(piece)
    return [np.concatenate(share) for share in shares]


def draw_by_shares(
    pools: list[np.ndarray], size: int, shares: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Draw samples whose classes follow a given distribution.

    Parameters
    ----------
    pools
        The sample indices of each class. No class may be empty.
    size
        The number of samples.
    shares
        The probability of each class, ``(len(pools),)``.
    generator
        The source of the random numbers.

    Returns
    -------
    numpy.ndarray
        Sample indices, ``(size,)``. No index occurs twice unless more samples of a class are
        drawn than it has.
    """
    counts = generator.multinomial(size, shares)
    drawn = [
        # Most clients hold few of the classes. Drawing nothing takes numpy as long as drawing some.
        generator.choice(pool, count, replace=count > len(pool)) if count else pool[:0]
        for pool, count in zip(pools, counts, strict=True)
    ]
    return np.concatenate(drawn)
