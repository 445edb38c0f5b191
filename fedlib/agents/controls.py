"""Attackers that learn nothing: what a learned policy must do better than."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from fedlib.agents.unrolled import Ascent, moved
from fedlib.models import ParameterLayout
from fedlib.trackers.robustness import squared_distances


def level_gradient(
    model: nn.Module,
    parameters: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    gamma: float,
    steps: int = 15,
    rate: float = 0.5,
) -> torch.Tensor:
    """Return the gradient of the certified level rho-hat with respect to the parameters.

    The level is that of :func:`fedlib.trackers.robustness.certificate`, and the gradient goes
    through all steps of its ascent.

    Parameters
    ----------
    model
        A module with the layers of the model. Its own parameters are not read.
    parameters
        The parameters, ``(n_parameters,)``.
    x
        The samples, ``(n, C, H, W)``.
    y
        Their labels, ``(n,)``.
    gamma
        The price of a squared unit of distance.
    steps, rate
        The number of steps and the step size of the ascent.

    Returns
    -------
    torch.Tensor
        The gradient, ``(n_parameters,)``. A value that is not finite is 0.
    """
    flat = parameters.detach().clone().requires_grad_()
    views = ParameterLayout.of(model).views(flat)
    with torch.enable_grad():
        z = moved(model, views, x, y, Ascent(gamma, steps, rate))
        (found,) = torch.autograd.grad(squared_distances(z, x).mean(), flat)
    return found.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)


def greedy_action(
    gradient: torch.Tensor, model: nn.Module, x: torch.Tensor, y: torch.Tensor, action: str
) -> torch.Tensor:
    """Return the action of full range that lowers rho-hat most in the next step, to first order.

    Parameters
    ----------
    gradient
        The gradient of rho-hat, ``(n_parameters,)``. A server steps against what it is sent, so
        that sending the gradient lowers rho-hat.
    model
        The model.
    x, y
        The samples that stand for the attacker's own gradient, ``(n, C, H, W)``, and their labels,
        ``(n,)``.
    action
        The meaning of an action, as in the environment.

    Returns
    -------
    torch.Tensor
        Signs, ``(n_parameters,)`` for ``"gradient"`` and ``(1,)`` for ``"scale"``.
    """
    if action == "gradient":
        return gradient.sign()
    with torch.enable_grad():
        loss = F.cross_entropy(model(x), y)
        grads = torch.autograd.grad(loss, list(model.parameters()))
    own = torch.cat([grad.flatten() for grad in grads])
    return (own @ gradient).sign()[None]


def constant_signs(n_actions: int, seed: int) -> torch.Tensor:
    """Return the action that is the same in every round, ``(n_actions,)``.

    Its signs are drawn once. A single factor is the lowest, -1.
    """
    if n_actions == 1:
        return -torch.ones(1)
    generator = torch.Generator().manual_seed(seed)
    return 2.0 * torch.randint(2, (n_actions,), generator=generator) - 1


def hidden_update(gradient: torch.Tensor, own: torch.Tensor, step: float) -> torch.Tensor:
    """Return what makes a ``dictated`` attack add a step along a gradient to its own update.

    Parameters
    ----------
    gradient
        The gradient of rho-hat, ``(n_parameters,)``.
    own
        The attacker's own update of the round before, ``(n_parameters,)``.
    step
        The length of the step, as a share of the length of ``own``.

    Returns
    -------
    torch.Tensor
        Factors of 1, and below them the step, ``(2, n_parameters)``.
    """
    added = F.normalize(gradient, dim=0) * (step * own.norm())
    return torch.stack([torch.ones_like(added), added])
