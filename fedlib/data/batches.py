"""Which samples each client's next batch holds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fedlib.seeds import stream


class Batches:
    """Sample indices of each client's next batch, drawn from a random stream of its own.

    A client's batches depend only on the run's seed, the client's number and the client's share.
    They stay the same whatever the other clients do.

    Parameters
    ----------
    shares
        The indices of each client's samples, one array ``(n_i,)`` with ``n_i >= 1`` per client.
    seed
        The seed of the run.
    purpose
        What the batches are for. Batches with another purpose come from other random streams.
    """

    def __init__(self, shares: list[np.ndarray], seed: int, purpose: str = "batches") -> None:
        self._shares = shares
        self._streams = [stream(seed, purpose, i) for i in range(len(shares))]
        self._queues = [share[:0] for share in shares]

    def draw(self, clients: Sequence[int], size: int, sampling: str) -> np.ndarray:
        """Draw the next batch of each of the given clients.

        Parameters
        ----------
        clients
            The numbers of the clients.
        size
            The number of samples in a batch.
        sampling
            ``"replacement"`` draws every sample independently. ``"fresh"`` starts a new random
            order of the share with every batch. With any other value a client goes through its
            whole share in a random order before it starts the next order. If a share is smaller
            than a batch, another order of the share fills the rest of the batch.

        Returns
        -------
        numpy.ndarray
            Sample indices of shape ``(len(clients), size)``, int64.
        """
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
        """Draw the batches of whole passes over the shares of the given clients.

        Parameters
        ----------
        clients
            The numbers of the clients.
        size
            The number of samples in a batch.
        epochs
            The number of passes. Each pass has a random order of its own.

        Returns
        -------
        numpy.ndarray
            Sample indices of shape ``(len(clients), steps, size)``, int64. The largest of the
            shares sets the number of steps. The entries that a client with a smaller share
            cannot fill are -1.
        """
        per_epoch = max(math.ceil(len(self._shares[i]) / size) for i in clients)
        out = np.full((len(clients), epochs, per_epoch * size), -1, dtype=np.int64)
        for row, i in enumerate(clients):
            for epoch in range(epochs):
                order = self._streams[i].permutation(self._shares[i])
                out[row, epoch, : len(order)] = order
        return out.reshape(len(clients), epochs * per_epoch, size)
