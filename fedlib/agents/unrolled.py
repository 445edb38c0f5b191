"""The inner ascent of robust clients, in a form that can be differentiated through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn


class Ascent(NamedTuple):
    """How robust clients move their samples.

    Attributes
    ----------
    gamma
        The price of a squared unit of distance.
    steps, rate
        The number of steps and the step size of the ascent, as in
        :func:`fedlib.clients.robust.transport`.
    """

    gamma: float
    steps: int = 15
    rate: float = 0.5


def moved(
    model: nn.Module,
    parameters: Mapping[str, torch.Tensor],
    x: torch.Tensor,
    y: torch.Tensor,
    ascent: Ascent,
) -> torch.Tensor:
    """Move samples as :func:`fedlib.clients.robust.transport` does, with the graph of all steps.

    Parameters
    ----------
    model
        A module with the layers of the model. Its own parameters are not read.
    parameters
        The model's parameters by name, through which the result can be differentiated.
    x
        The samples, ``(n, C, H, W)``, through which the result can be differentiated.
    y
        Their labels, ``(n,)``.
    ascent
        How they are moved.

    Returns
    -------
    torch.Tensor
        The moved samples, ``(n, C, H, W)``.
    """
    gamma, steps, rate = ascent
    with torch.enable_grad():
        z = x if x.requires_grad else x.detach().clone().requires_grad_()
        start = x
        for _ in range(steps):
            logits = torch.func.functional_call(model, dict(parameters), (z,))
            loss = F.cross_entropy(logits, y, reduction="sum")
            (grad,) = torch.autograd.grad(loss, z, create_graph=True)
            z = z + rate / (2 * gamma) * (grad - 2 * gamma * (z - start))
    return z
