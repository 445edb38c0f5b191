"""Distributionally robust learning: the worst nearby data, and what a model certifies.

Sinha, Namkoong and Duchi (2018), as two_stage_attack uses it: data may be moved at a price of
``gamma`` times the squared distance; labels stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


def transport(
    loss: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    gamma: float,
    steps: int = 15,
    rate: float = 0.5,
) -> torch.Tensor:
    """Where it pays to move samples: ``argmax_z loss(z) - gamma ||z - x||^2``, by gradient ascent.

    The inner problem of two_stage_attack, Algorithm 1; its map T_gamma of section 2.

    Parameters
    ----------
    loss
        From samples ``(n, ...)`` to their losses ``(n,)``; all samples move at once.
    x
        Where they start, ``(n, ...)``.
    gamma
        Price of a squared unit of distance.
    steps, rate
        Of the ascent; a rate of 1 is ``1 / (2 gamma)``, with which a linear loss needs one step.

    Returns
    -------
    torch.Tensor
        ``(n, ...)``, without gradients.
    """
    z = x.detach().clone()
    with torch.enable_grad():
        for _ in range(steps):
            z.requires_grad_()
            (grad,) = torch.autograd.grad(loss(z).sum(), z)
            z = z.detach()
            z = z + rate / (2 * gamma) * (grad - 2 * gamma * (z - x))
    return z.detach()


def squared_distances(z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """``||z - x||^2`` of each sample, ``(n,)``."""
    return (z - x).flatten(1).square().sum(1)


@dataclass(frozen=True)
class Certificate:
    """What a model certifies on a sample of data (Sinha et al., 2018, section 3).

    ``level`` is rho-hat, the mean squared distance that samples were moved by; ``worst_loss`` their
    mean loss there, which bounds the mean loss under every shift of up to ``level``;
    ``surrogate`` is ``worst_loss - gamma * level``.
    """

    level: float
    worst_loss: float
    surrogate: float


def certificate(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, gamma: float, steps: int, rate: float
) -> Certificate:
    """The certificate of ``model`` on samples ``(n, C, H, W)`` with labels ``(n,)``."""

    def loss(z: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(z), y, reduction="none")

    moved = transport(loss, x, gamma, steps, rate)
    with torch.no_grad():
        level = float(squared_distances(moved, x).mean())
        worst = float(loss(moved).mean())
    return Certificate(level, worst, worst - gamma * level)


def perturbation_curve(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    gammas: Sequence[float],
    steps: int = 15,
    rate: float = 0.5,
) -> list[tuple[float, float]]:
    """How wrong a model is on test data moved against it (two_stage_attack, Figure 3).

    Returns
    -------
    list
        For each price, from the first to the last: the mean squared distance that the samples were
        moved by, and the share of them that is misclassified there.
    """
    found = []
    for gamma in gammas:

        def loss(z: torch.Tensor) -> torch.Tensor:
            return F.cross_entropy(model(z), y, reduction="none")

        moved = transport(loss, x, gamma, steps, rate)
        with torch.no_grad():
            wrong = (model(moved).argmax(1) != y).double().mean()
        found.append((float(squared_distances(moved, x).mean()), float(wrong)))
    return found
