"""Local epochs with a term that keeps the model near the broadcast model."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fedlib.clients.base import CLIENTS
from fedlib.clients.local import Adjustment, LocalSGD
from fedlib.validation import check_real


@CLIENTS.register("fedprox")
@dataclass(frozen=True)
class FedProx(LocalSGD):
    """Train with local SGD on the loss plus ``mu / 2 ||w - w_broadcast||^2``.

    Parameters
    ----------
    mu
        The strength of the proximal term. With 0 this is :class:`LocalSGD`.

    Examples
    --------
    >>> from fedlib import CLIENTS, DataConfig, RunConfig, load_dataset, run
    >>> data = DataConfig("circle", "real", "canonical", train_samples=200, test_samples=100)
    >>> client = CLIENTS["fedprox"](mu=0.1, batch_size=16)
    >>> config = RunConfig(
    ...     data=data, model="elu_4_2", n_clients=5, rounds=4, learning_rate=1.0, client=client
    ... )
    >>> metrics = run(config, load_dataset(data))
    >>> metrics["test_accuracy"][-1] > 0.8
    True
    """

    mu: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("client.mu", self.mu, 0)

    def adjustment(self) -> Adjustment:
        """The gradient of the proximal term is added."""

        def add_proximal_term(
            gradient: torch.Tensor, parameters: torch.Tensor, broadcast: torch.Tensor
        ) -> torch.Tensor:
            return gradient + self.mu * (parameters - broadcast)

        return add_proximal_term
