"""What every client algorithm shares: the contract, and how it is found by its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch

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
        Samples of a client's batch.
    """

    name: ClassVar[str]
    revisions: ClassVar[tuple[Revision, ...]] = ()
    """Changes of the code after which runs give other numbers."""

    batch_size: int = 32

    def __post_init__(self) -> None:
        check_int("client.batch_size", self.batch_size, 1)

    @property
    def sampling(self) -> str:
        """How a client draws its batches (see :class:`~fedlib.data.batches.Batches`)."""
        return "shuffle"

    def to_dict(self) -> dict[str, Any]:
        """The name and the hyperparameters, as JSON values."""
        return {"name": self.name, **asdict(self)}

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
        """What the algorithm keeps from round to round, before the first round. By default nothing.

        Parameters
        ----------
        federation
            What the run is played on.
        n_parameters
            Number of the model's parameters.
        """
        return None

    @abstractmethod
    def step(
        self, samples: Samples, state: State, out: Sequence[torch.Tensor], memory: Any
    ) -> torch.Tensor:
        """Compute what some clients send, and their losses.

        Parameters
        ----------
        samples
            The samples that the clients draw.
        state
            The broadcast model is ``state.model``; it must be left as it is.
        out
            Where the updates are written: matrices ``(clients, n_parameters)`` that together have a
            row for each of ``samples.clients``, the honest ones in the first matrix and the
            Byzantine ones in the second. They hold what was written in the round before. The
            server subtracts its learning rate times the aggregate of the updates.
        memory
            What :meth:`init` gave. The algorithm may change it in place.

        Returns
        -------
        torch.Tensor
            Each client's mean loss, ``(clients,)``.
        """

    def train_harder(self, extra_epochs: int, rate_factor: float) -> Client:
        """The algorithm of an attacker that trains longer and faster than the others.

        By default it is the algorithm of the others, which has no epochs.

        Parameters
        ----------
        extra_epochs
            Local epochs that are trained besides.
        rate_factor
            By what the local learning rate is multiplied.
        """
        return self


def make_client(spec: dict[str, Any] | Client) -> Client:
    """The client algorithm that ``spec`` (as from ``to_dict``) describes."""
    if isinstance(spec, Client):
        return spec
    made: Client = CLIENTS.make(spec)
    return made
