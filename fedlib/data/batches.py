"""Which samples each client draws next."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fedlib.seeds import stream


class Batches:
    """Sample indices of each client's next batch, from a stream of its own.

    A client's batches depend on the run's seed, its number and its share alone, so that they
    are the same whatever the others do.
    """

    def __init__(self, shares: list[np.ndarray], seed: int, purpose: str = "batches") -> None:
        self._shares = shares
        self._streams = [stream(seed, purpose, i) for i in range(len(shares))]
        self._queues = [share[:0] for share in shares]

    def draw(self, clients: Sequence[int], size: int, sampling: str) -> np.ndarray:
        """Indices ``(len(clients), size)`` of these clients' next batches."""
        out = np.empty((len(clients), size), dtype=np.int64)
        for row, i in enumerate(clients):
            share, generator = self._shares[i], self._streams[i]
            if sampling == "replacement":
                out[row] = share[generator.integers(len(share), size=size)]
                continue
            if sampling == "fresh":
                self._queues[i] = share[:0]
            while len(self._queues[i]) < size:
                self._queues[i] = np.concatenate([self._queues[i], generator.permutation(share)])
            out[row], self._queues[i] = self._queues[i][:size], self._queues[i][size:]
        return out

    def draw_epochs(self, clients: Sequence[int], size: int, epochs: int) -> np.ndarray:
        """Indices ``(clients, steps, size)`` of whole passes, -1 where a client has no more."""
        per_epoch = max(math.ceil(len(self._shares[i]) / size) for i in clients)
        out = np.full((len(clients), epochs, per_epoch * size), -1, dtype=np.int64)
        for row, i in enumerate(clients):
            for epoch in range(epochs):
                order = self._streams[i].permutation(self._shares[i])
                out[row, epoch, : len(order)] = order
        return out.reshape(len(clients), epochs * per_epoch, size)
