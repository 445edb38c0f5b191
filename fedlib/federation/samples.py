"""The samples that some clients draw in a round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from fedlib.data.batches import Batches
from fedlib.federation.federation import Federation
from fedlib.gradients import Batch


class Passes(NamedTuple):
    """Local passes of some clients over their data.

    ``schedule`` ``(clients, steps, batch)`` has indices of ``data``. An empty place has -1.
    """

    data: Batch
    schedule: torch.Tensor


class Samples:
    """The next samples of some clients, drawn when the client algorithm asks for them.

    Parameters
    ----------
    federation
        The federation that holds the samples.
    batches
        The stream from which samples are drawn.
    clients
        The clients' numbers. Honest clients must stand before Byzantine ones.
    poisoned
        Whether Byzantine clients draw poisoned samples. Samples of the server are always clean.
    """

    def __init__(
        self,
        federation: Federation,
        batches: Batches,
        clients: Sequence[int],
        poisoned: bool = False,
    ) -> None:
        self.federation, self.clients = federation, clients
        self._batches, self._poisoned = batches, poisoned
        self._n_honest = sum(client < federation.n_benign for client in clients)

    def batch(self, size: int, sampling: str = "shuffle") -> Batch:
        """Draw the next batch of each client.

        The samples have the shape ``(clients, size, C, H, W)``, the labels ``(clients, size)``.

        Parameters
        ----------
        size
            The number of samples of each client.
        sampling
            The way in which they are drawn (see :class:`~fedlib.data.batches.Batches`).
        """
        clean, drawn = self.federation.train, self._batches.draw(self.clients, size, sampling)
        index = self.federation.on_device(torch.from_numpy(drawn)).view(-1)
        shape = (len(self.clients), size)
        x = clean[0].index_select(0, index).view(*shape, *clean[0].shape[1:])
        y = clean[1].index_select(0, index).view(shape)
        if self._poisoned and self._n_honest < len(self.clients):
            # An honest client may hold a sample that a Byzantine one has poisoned, so that the
            # rows of Byzantine clients are drawn again, from their own data.
            index = self._poison_first_places(drawn[self._n_honest :])
            index = self.federation.on_device(index).view(-1)
            for rows, source, other in zip((x, y), self.federation.poisoned, clean, strict=True):
                if source is not other:  # an attack may poison labels alone, or nothing
                    part = rows[self._n_honest :]
                    part.copy_(source.index_select(0, index).view_as(part))
        return x, y

    def passes(self, size: int, epochs: int) -> list[Passes]:
        """Draw whole passes over the data, of the honest clients and then of the Byzantine ones.

        Parameters
        ----------
        size
            The number of samples in a batch.
        epochs
            The number of passes.
        """
        honest, others = self.clients[: self._n_honest], self.clients[self._n_honest :]
        groups = [(honest, False), (others, self._poisoned)]
        return [self._passes_of(*group, size, epochs) for group in groups if len(group[0])]

    def _passes_of(self, clients: Sequence[int], poisoned: bool, size: int, epochs: int) -> Passes:
        schedule = self._batches.draw_epochs(clients, size, epochs)
        index = self._poison_first_places(schedule) if poisoned else torch.from_numpy(schedule)
        data = self.federation.poisoned if poisoned else self.federation.train
        return Passes(data, self.federation.on_device(index))

    def _poison_first_places(self, drawn: np.ndarray) -> torch.Tensor:
        """Byzantine clients' indices ``(clients, ..., size)``, into the poisoned samples.

        Where a part of every batch is poisoned, the first places of a batch come to point to the
        poisoned copies.
        """
        index, twins = torch.from_numpy(drawn), self.federation.twins
        if twins is not None:
            first = index[..., : self.federation.config.attack.poisoned_of_batch()]
            # An empty place, which is -1, stays one.
            first.copy_(torch.where(first < 0, first, twins[first]))
        return index
