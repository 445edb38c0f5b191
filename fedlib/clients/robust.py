"""Distributionally robust learning, which takes gradients at the worst samples nearby.

The method is that of Sinha, Namkoong and Duchi (2018), as two_stage_attack uses it. A sample may be
moved at a price of ``gamma`` times the squared distance. Labels are not changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F

from fedlib.clients.base import CLIENTS
from fedlib.clients.momentum import Memory, MomentumSGD
from fedlib.federation.federation import Federation, State
from fedlib.federation.samples import Samples
from fedlib.models import batch_norms
from fedlib.validation import check_int, check_name, check_real


@dataclass
class RobustMemory(Memory):
    """The memory of robust clients, which also has ``gamma``, the price of distance."""

    gamma: float = 0.0


@CLIENTS.register("robust_sgd")
@dataclass(frozen=True)
class RobustSGD(MomentumSGD):
    """Compute the gradient at samples that are moved to where the loss is largest.

    This is Algorithm 1 of two_stage_attack. Each sample x of the batch is replaced by ``argmax_z
    loss(z) - gamma ||z - x||^2`` (see :func:`transport`). The paper does not say how this maximum
    is found.

    Parameters
    ----------
    gamma
        The price of a squared unit of distance. It is 2 on the synthetic data.
    gamma_unit
        The unit of ``gamma``. With ``"one"`` it is 1. With ``"norm"`` it is the mean norm of the
        training samples. On MNIST ``gamma`` is 0.04 in this unit.
    ascent_steps, ascent_rate
        The number of steps and the step size of the inner maximisation. A rate of 1 stands for ``1
        / (2 gamma)``.

    Examples
    --------
    >>> from fedlib import CLIENTS, DataConfig, RunConfig, load_dataset, run
    >>> data = DataConfig("circle", "real", "canonical", train_samples=200, test_samples=100)
    >>> client = CLIENTS["robust_sgd"](gamma=2.0, batch_size=16)
    >>> config = RunConfig(
    ...     data=data, model="elu_4_2", n_clients=5, rounds=4, learning_rate=1.0, client=client
    ... )
    >>> metrics = run(config, load_dataset(data))
    >>> metrics["test_accuracy"][-1] > 0.8
    True
    """

    gamma: float = 2.0
    gamma_unit: str = "one"
    ascent_steps: int = 15
    ascent_rate: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("client.gamma", self.gamma, 0, open_low=True)
        check_name("client.gamma_unit", self.gamma_unit, ("one", "norm"))
        check_int("client.ascent_steps", self.ascent_steps, 1)
        check_real("client.ascent_rate", self.ascent_rate, 0, 2, open_low=True, open_high=True)

    @property
    def alters_samples(self) -> bool:
        """Return True, because robust clients always move their samples."""
        return True

    def init(self, federation: Federation, n_parameters: int) -> RobustMemory:
        """Return the memory of :class:`MomentumSGD`, with the price of distance."""
        base = super().init(federation, n_parameters)
        unit = 1.0
        if self.gamma_unit == "norm":
            unit = float(federation.train[0].flatten(1).norm(dim=1).mean())
        return RobustMemory(base.shared, base.moves, gamma=self.gamma * unit)

    def _altered(
        self, x: torch.Tensor, y: torch.Tensor, samples: Samples, state: State, memory: Memory
    ) -> torch.Tensor:
        """Return the samples of all clients, moved to where the broadcast model errs."""
        x = super()._altered(x, y, samples, state, memory)
        gamma = cast(RobustMemory, memory).gamma

        def moved(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            def loss(z: torch.Tensor) -> torch.Tensor:
                return F.cross_entropy(state.model(z), labels, reduction="none")

            return transport(loss, images, gamma, self.ascent_steps, self.ascent_rate)

        if batch_norms(state.model):
            # Batch norm must look at each client's batch alone.
            return torch.stack([moved(*batch) for batch in zip(x, y, strict=True)])
        return moved(x.flatten(0, 1), y.flatten()).view(x.shape)


def transport(
    loss: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    gamma: float,
    steps: int = 15,
    rate: float = 0.5,
) -> torch.Tensor:
    """Move samples to ``argmax_z loss(z) - gamma ||z - x||^2`` by gradient ascent.

    This is the inner problem of Algorithm 1 of two_stage_attack. Its solution is the map T_gamma
    of section 2.

    Parameters
    ----------
    loss
        The function that maps samples ``(n, ...)`` to their losses ``(n,)``. All samples move at
        once.
    x
        The samples at the start, ``(n, ...)``.
    gamma
        The price of a squared unit of distance.
    steps
        The number of steps of the ascent.
    rate
        The step size of the ascent in units of ``1 / (2 gamma)``. With a rate of 1 a linear loss
        needs one step.

    Returns
    -------
    torch.Tensor
        The moved samples, ``(n, ...)``, without gradients.
    """
    z = x.detach().clone()
    with torch.enable_grad():
        for _ in range(steps):
            z.requires_grad_()
            (grad,) = torch.autograd.grad(loss(z).sum(), z)
            z = z.detach()
            z = z + rate / (2 * gamma) * (grad - 2 * gamma * (z - x))
    return z.detach()
