"""The server's step along an update, and what the model is like after it."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from fedlib import models
from fedlib.federation.federation import Federation, State
from fedlib.gradients import SaliencyModel, forward


def project(parameters: torch.Tensor, radius: float | None) -> torch.Tensor:
    """Move parameters to the nearest point of a ball around 0, in place.

    Parameters
    ----------
    parameters
        The model, ``(n_parameters,)``.
    radius
        The largest Euclidean norm that is allowed. With None every model is allowed.

    Returns
    -------
    torch.Tensor
        ``parameters``. They are not changed if their norm is at most ``radius``. They are not
        changed either if it is not finite, because such a model has no nearest point.
    """
    if radius is None:
        return parameters
    # In double precision the squares of large values do not overflow.
    norm = torch.linalg.vector_norm(parameters, dtype=torch.float64)
    if torch.isfinite(norm) and norm > radius:
        parameters.mul_((radius / norm).to(parameters.dtype))
    return parameters


def losses_after(
    federation: Federation,
    state: State,
    candidates: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
) -> torch.Tensor:
    """Return each client's loss after a step along each candidate.

    Parameters
    ----------
    federation, state
        The federation and its state. The state's model is the same afterwards.
    candidates
        The updates, ``(n_candidates, n_parameters)``.
    x, y
        The samples of each client, ``(n_clients, n, ...)``, and their labels, ``(n_clients, n)``.

    Returns
    -------
    torch.Tensor
        The mean losses, ``(n_clients, n_candidates)``. A loss that is not a number is infinite.
    """
    radius = federation.config.projection_radius
    losses = []
    before = state.parameters.clone()
    # Batch norm looks at each client's batch alone; without it all samples go through at once.
    normed = bool(models.batch_norms(state.model))
    for candidate in candidates:
        state.parameters.copy_(before).sub_(candidate, alpha=state.learning_rate)
        project(state.parameters, radius)
        parts = list(x) if normed else [x.flatten(0, 1)]
        logits = torch.cat([forward(state.model, part) for part in parts])
        each = F.cross_entropy(logits, y.flatten(), reduction="none").view(len(y), -1).mean(1)
        losses.append(each.nan_to_num(nan=torch.inf))
    state.parameters.copy_(before)
    return torch.stack(losses, dim=1)


def maps_after(
    federation: Federation,
    state: State,
    updates: torch.Tensor,
    raw: bool,
    score: str,
    x: torch.Tensor,
    y: torch.Tensor,
) -> torch.Tensor:
    """Return the saliency maps of the model after a step along each update.

    Parameters
    ----------
    federation, state
        The federation and its state.
    updates
        The updates, ``(m, n_parameters)``.
    raw
        Whether the maps are those of models whose parameters are the negated updates.
    score
        As for :func:`~fedlib.gradients.saliency_maps`.
    x, y
        The samples, ``(n, C, H, W)``, and their labels, ``(n,)``.

    Returns
    -------
    torch.Tensor
        The maps, ``(m, n, H, W)``.
    """
    radius, rate = federation.config.projection_radius, state.learning_rate
    # One model at a time: those of all clients at once would be as large as all updates.
    after = (
        -update if raw else project(state.parameters - rate * update, radius) for update in updates
    )
    looked_at = state.keep("saliency_model", lambda: SaliencyModel(state.model))
    maps: torch.Tensor = looked_at.maps(after, x, y, score)
    return maps
