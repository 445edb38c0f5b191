"""What every client algorithm shares: the contract, and how it is found by its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch

from fedlib.arrays import json_value
from fedlib.data import DataConfig
from fedlib.federation.federation import Federation, State
from fedlib.federation.samples import Samples
from fedlib.parts import Revision
from fedlib.registry import Registry
from fedlib.validation import check_int

CLIENTS: Registry[Any] = Registry("client", "fedlib.clients")


@dataclass(frozen=True)
class Client(ABC):
    """Base of the client algorithms: what a client does between receiving and sending.

    Parameters
    ----------
    batch_size
        The number of samples in a client's batch.
    """

    name: ClassVar[str]
    revisions: ClassVar[tuple[Revision, ...]] = ()
    """Changes of the code after which runs give other numbers."""

    batch_size: int = 32

    def __post_init__(self) -> None:
        check_int("client.batch_size", self.batch_size, 1)

    @property
    def sampling(self) -> str:
        """The way in which a client draws its batches (:class:`~fedlib.data.batches.Batches`)."""
        return "shuffle"

    def to_dict(self) -> dict[str, Any]:
        """Return the name and the hyperparameters as JSON values."""
        return {"name": self.name, **{k: json_value(v) for k, v in asdict(self).items()}}

    def check_data(self, data: DataConfig, shape: tuple[int, int, int]) -> None:
        """Raise ConfigError if clients cannot learn from such data. By default they can.

        Parameters
        ----------
        data
            The configuration of the data.
        shape
            The shape of a sample, ``(C, H, W)``.
        """
        return None

    def init(self, federation: Federation, n_parameters: int) -> Any:
        """Return what the algorithm keeps from round to round. By default it keeps nothing.

        Parameters
        ----------
        federation
            The data and the settings of the run.
        n_parameters
            The number of the model's parameters.
        """
        return None

    @abstractmethod
    def step(
        self, samples: Samples, state: State, out: Sequence[torch.Tensor], memory: Any
    ) -> torch.Tensor:
        """Compute the updates that some clients send, and their losses.

        Parameters
        ----------
        samples
            The source from which the clients draw their samples.
        state
            The state of the round. The broadcast model is ``state.model``, which must not be
            changed.
        out
            The matrices ``(clients, n_parameters)`` into which the updates are written. Together
            they have a row for each of ``samples.clients``. The first matrix is for the honest
            clients, and the second one for the Byzantine clients. They hold what was written in the
            round before. The server subtracts its learning rate times the aggregate of the updates.
        memory
            The value that :meth:`init` returned. The algorithm may change it in place.

        Returns
        -------
        torch.Tensor
            The mean loss of each client, ``(clients,)``.
        """

    def train_harder(self, extra_epochs: int, rate_factor: float) -> Client:
        """Return the algorithm of an attacker that trains longer and faster than the others.

        By default it is the same algorithm, because an algorithm without epochs cannot train
        longer.

        Parameters
        ----------
        extra_epochs
            The number of additional local epochs.
        rate_factor
            The local learning rate is multiplied by this number.
        """
        return self


def make_client(spec: dict[str, Any] | Client) -> Client:
    """Return the client algorithm that ``spec`` describes, a dictionary as from ``to_dict``."""
    if isinstance(spec, Client):
        return spec
    made: Client = CLIENTS.make(spec)
    return made
