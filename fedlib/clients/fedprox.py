"""Local epochs that are held near the broadcast model."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fedlib.clients.base import CLIENTS
from fedlib.clients.local import Adjustment, LocalSGD
from fedlib.validation import check_real


@CLIENTS.register("fedprox")
@dataclass(frozen=True)
class FedProx(LocalSGD):
    """Local SGD on the loss plus ``mu / 2 ||w - w_broadcast||^2`` (Li et al., 2020, Algorithm 2).

    Parameters
    ----------
    mu
        The strength of the proximal term. With 0 this is :class:`LocalSGD`.
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
