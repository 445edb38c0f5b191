"""Learning the data from gradients: the first stage of two_stage_attack."""

from __future__ import annotations

import io

import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import nn

from fedlib.models import ParameterLayout
from fedlib.validation import ConfigError, check_int


def match_gradients(
    model: nn.Module,
    parameters: torch.Tensor,
    gradients: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    n_iterations: int = 300,
    learning_rate: float = 0.1,
) -> torch.Tensor:
    """Samples whose mean gradients are those that were seen (deep leakage from gradients).

    Zhu et al. (2019), as two_stage_attack uses it: started at the attacker's own data, and over
    pooled rounds. The distance is the squared one summed over rounds, each divided by its
    gradient's squared length, so that early rounds do not drown late ones; the optimiser is Adam.
    The text names neither.

    Parameters
    ----------
    model
        A module of the right form; its parameters are not read.
    parameters, gradients
        The broadcast models of some rounds, and the mean gradients there, ``(t, n_parameters)``.
    x, y
        Where the samples start, ``(n, C, H, W)``, and their labels ``(n,)``, which stay.
    n_iterations, learning_rate
        Of the optimiser.

    Returns
    -------
    torch.Tensor
        The samples, ``(n, C, H, W)``.

    Raises
    ------
    ConfigError
        If models and gradients are not of the same rounds.
    """
    check_int("n_iterations", n_iterations, 0)
    if parameters.shape != gradients.shape or parameters.dim() != 2:
        raise ConfigError(
            f"gradients of shape {tuple(gradients.shape)} do not belong to parameters of shape "
            f"{tuple(parameters.shape)}: both must be (rounds, n_parameters)."
        )
    layout = ParameterLayout.of(model)
    scale = gradients.square().sum(1).clamp(min=torch.finfo(gradients.dtype).tiny)
    found = x.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([found], lr=learning_rate)
    for _ in range(n_iterations):
        optimizer.zero_grad()
        gap = x.new_zeros(())
        for flat, target, size in zip(parameters, gradients, scale, strict=True):
            at = flat.detach().clone().requires_grad_()
            logits = torch.func.functional_call(model, layout.views(at), (found,))
            (grad,) = torch.autograd.grad(F.cross_entropy(logits, y), at, create_graph=True)
            gap = gap + (grad - target).square().sum() / size
        gap.backward()
        optimizer.step()
    return found.detach()


def wasserstein_distance(x: torch.Tensor, z: torch.Tensor) -> float:
    """Exact 2-Wasserstein distance of two samples of the same size, ``(n, ...)`` each.

    By the assignment that moves one into the other at least cost, which is exact for samples of
    equal weight; the time grows with the cube of n. Two consecutive estimates of the data that are
    nearer than 0.005 end the first stage of two_stage_attack.

    Raises
    ------
    ConfigError
        If the sizes differ.
    """
    if len(x) != len(z) or len(x) == 0:
        raise ConfigError(f"samples of {len(x)} and {len(z)} must be equally many, at least one.")
    cost = torch.cdist(x.flatten(1).double(), z.flatten(1).double()).square().cpu().numpy()
    rows, columns = linear_sum_assignment(cost)
    return float(cost[rows, columns].mean() ** 0.5)


def save_samples(x: torch.Tensor, y: torch.Tensor, start: torch.Tensor) -> bytes:
    """Learned samples ``x``, their labels and the samples that they ``start`` from, as an npz."""
    content = io.BytesIO()
    np.savez_compressed(content, x=x.cpu().numpy(), y=y.cpu().numpy(), start=start.cpu().numpy())
    return content.getvalue()


def load_samples(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of :func:`save_samples` by name; no objects are unpickled."""
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return dict(arrays)
