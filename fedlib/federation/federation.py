"""What stays the same over a run, and what changes from round to round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from fedlib.data.batches import Batches
from fedlib.gradients import Batch
from fedlib.gradients.replay import Graphs
from fedlib.parts import Configured


@dataclass(frozen=True)
class Federation:
    """What stays the same over a run: the configuration, and the data on the device.

    Attributes
    ----------
    config
        The run's configuration.
    device
        The device of the data and the model.
    train, test
        Clean samples ``(n, C, H, W)`` and labels ``(n,)``.
    poisoned
        The training samples as the Byzantine clients see them. If the attack poisons a part of
        every batch, these are the training samples, followed by poisoned copies of the samples of
        Byzantine clients.
    twins
        The place of the poisoned copy of each training sample in ``poisoned``, ``(n,)``. None if
        the attack does not poison a part of every batch.
    triggered
        The test samples with the labels that the attack wants the model to give them. None if the
        attack wants no certain labels, or if no test sample can be used for this.
    shares
        The sample indices of each client. If the server has samples, their indices come last.
    active
        The number of clients that compute a step. They are the first ones. Byzantine clients
        compute a step only if the attack needs their updates.
    strategy
        The way in which the clients' gradients are computed (see :mod:`fedlib.gradients`).
    black
        The value of a black pixel in each channel.
    """

    config: Configured
    device: torch.device
    train: Batch
    test: Batch
    poisoned: Batch
    twins: torch.Tensor | None
    triggered: Batch | None
    shares: list[np.ndarray]
    active: int
    strategy: str
    black: tuple[float, ...]

    @property
    def n_clients(self) -> int:
        """The number of clients."""
        return self.config.n_clients

    @property
    def n_benign(self) -> int:
        """The number of honest clients, which are the first ones."""
        return self.config.n_clients - self.config.n_byzantine

    @property
    def server(self) -> int:
        """The place of the server's samples among ``shares``."""
        return self.config.n_clients

    @cached_property
    def sample_counts(self) -> torch.Tensor:
        """The number of training samples of each client, ``(n_clients,)`` in float64."""
        counts = [len(share) for share in self.shares[: self.n_clients]]
        return torch.tensor(counts, dtype=torch.float64).to(self.device)

    def on_device(self, index: torch.Tensor) -> torch.Tensor:
        """Return the CPU tensor ``index`` on the device. The CPU does not wait for a GPU."""
        if self.device.type == "cuda":
            return index.pin_memory().to(self.device, non_blocking=True)
        return index.to(self.device)


class Streams:
    """Streams of batches with names. A stream begins when it is first asked for.

    Parameters
    ----------
    shares
        The sample indices of each client, and of the server if it has any.
    seed
        The run's seed.
    """

    def __init__(self, shares: list[np.ndarray], seed: int) -> None:
        self._shares, self._seed = shares, seed
        self._begun: dict[str, Batches] = {}

    def __call__(self, purpose: str) -> Batches:
        """Return the stream of this purpose. It does not depend on draws from other streams."""
        if purpose not in self._begun:
            self._begun[purpose] = Batches(self._shares, self._seed, purpose)
        return self._begun[purpose]


@dataclass
class State:
    """What changes from round to round; ``d`` is the number of the model's parameters.

    Attributes
    ----------
    model
        The broadcast model.
    parameters
        The flat vector ``(d,)`` of the parameters. The model's parameters are views of it.
    updates
        The updates that the rule sees, ``(n_clients, d)``. Between rounds the honest rows keep what
        the clients sent, such as their momenta.
    own
        The updates that Byzantine clients would send if they were honest, ``(n_byzantine, d)``. It
        has no rows if they compute no step.
    streams
        The streams from which the clients draw their samples.
    client, aggregator, attack
        The states of the client algorithm, the rule and the attack.
    graphs
        The graphs with which a GPU replays the clients' step.
    round
        The number of rounds that have been played.
    learning_rate
        The server's learning rate in the next round.
    last_aggregate
        The aggregate along which the server stepped in the last round, ``(d,)``. None before the
        first round.
    kept
        The values that facts keep from round to round, by name.
    """

    model: nn.Module
    parameters: torch.Tensor
    updates: torch.Tensor
    own: torch.Tensor
    streams: Streams
    client: Any
    aggregator: Any
    attack: Any
    learning_rate: float
    graphs: Graphs = field(default_factory=Graphs)
    round: int = 0
    last_aggregate: torch.Tensor | None = None
    kept: dict[str, Any] = field(default_factory=dict)

    def keep(self, name: str, make: Callable[[], Any]) -> Any:
        """Return the value that is kept under ``name``, and make it on the first call."""
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]
