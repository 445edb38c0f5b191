"""Local epochs: what each client changes by several steps of its own from the broadcast model."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from fedlib.gradients import merged, tiled
from fedlib.gradients.base import Batch, choose_strategy
from fedlib.gradients.optimisers import OPTIMISERS, SGD, Optimiser
from fedlib.models import ParameterLayout, batch_norms, flatten_parameters
from fedlib.validation import check_name

Adjust = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""A function of gradient, current parameters and broadcast parameters: the gradient to use."""


def local_updates(
    model: nn.Module,
    start: torch.Tensor,
    data: Batch,
    schedule: torch.Tensor,
    *,
    learning_rate: float,
    momentum: float = 0.0,
    optimizer: str = "sgd",
    adjust: Adjust | None = None,
    gradient_rate: float | None = None,
    out: torch.Tensor | None = None,
    strategy: str = "auto",
) -> tuple[torch.Tensor, torch.Tensor]:
    """What each client changes by local SGD from the broadcast model.

    Parameters
    ----------
    model
        A module of the right form; its parameters are not read.
    start
        The broadcast parameters, ``(n_parameters,)``.
    data
        Samples ``(n, C, H, W)`` and labels ``(n,)`` that ``schedule`` points into.
    schedule
        Sample indices ``(n_clients, n_steps, batch)``; -1 marks an empty place. A step without
        any sample leaves the client as it is (clients of unequal size).
    learning_rate, momentum
        The settings of each client's SGD, whose momentum buffer starts at zero every round.
    optimizer
        ``"sgd"``, or ``"adam"`` (Kingma and Ba, 2015, Algorithm 1), which also starts anew every
        round.
    adjust
        A function that is called at every local step with the gradient, the client's current
        parameters and the broadcast parameters, and that returns the gradient to use. FedProx, for
        instance, is ``lambda grad, parameters, start: grad + mu * (parameters - start)``. Clients
        are computed one by one, with three tensors ``(n_parameters,)``, or all at once, with
        ``(n_clients, n_parameters)`` twice and ``(n_parameters,)``, so the function must be written
        to broadcast. It must not change its arguments. None uses the gradient as it is.
    gradient_rate
        With a number, the update of a client is the sum of the gradients of its local steps times
        this number, whatever its optimiser made of them. None takes what the steps changed.
    out
        The matrix ``(n_clients, n_parameters)`` to write the updates into; None makes a new one.
    strategy
        ``auto``, ``loop``, ``merged``, ``tiled``, ``grouped`` or ``vmap``.

    Returns
    -------
    updates, losses
        The updates ``start - local``, or the summed gradients, ``(n_clients, n_parameters)``,
        which a server step of rate 1 subtracts; and the mean loss over each client's samples,
        ``(n_clients,)``.

    Raises
    ------
    ConfigError
        If strategy or optimizer is unknown, or if the strategy cannot serve the model.

    Notes
    -----
    A model with batch norm and a schedule with empty places are computed client by client, whatever
    the strategy is.
    """
    layout = ParameterLayout.of(model)
    if out is None:
        out = start.new_empty(schedule.shape[0], layout.size)
    chosen = choose_strategy(model, start.device, strategy)
    at_once = chosen in ("grouped", "vmap")
    if at_once and batch_norms(model) and bool((schedule < 0).any()):
        # Empty places are masked in the loss, but would count in a batch's statistics.
        chosen = "loop"
    optimiser = OPTIMISERS[check_name("optimizer", optimizer, OPTIMISERS)](learning_rate, momentum)
    epochs = _Epochs(model, layout, start, data, schedule, optimiser, adjust, gradient_rate, out)
    return out, _STRATEGIES[chosen](epochs)


class _Epochs(NamedTuple):
    """What a strategy is to compute: the arguments of :func:`local_updates`, checked."""

    model: nn.Module
    layout: ParameterLayout
    start: torch.Tensor
    data: Batch
    schedule: torch.Tensor
    optimiser: Optimiser
    adjust: Adjust | None
    gradient_rate: float | None
    out: torch.Tensor

    def adjusted(self, grad: torch.Tensor, parameters: torch.Tensor) -> torch.Tensor:
        """The gradient that the optimiser gets."""
        return grad if self.adjust is None else self.adjust(grad, parameters, self.start)


def _by_autograd(epochs: _Epochs) -> torch.Tensor:
    flat = epochs.start.clone().requires_grad_()

    def gradient(index: torch.Tensor) -> Batch:
        x, y = epochs.data[0][index], epochs.data[1][index]
        views = epochs.layout.views(flat)
        logits = torch.func.functional_call(epochs.model, views, (x,))
        loss = F.cross_entropy(logits, y)
        return torch.autograd.grad(loss, flat)[0], loss.detach()

    return _one_by_one(epochs, gradient, flat)


def _by_merged(epochs: _Epochs) -> torch.Tensor:
    local = copy.deepcopy(epochs.model)
    flat = flatten_parameters(local)
    grad = torch.empty_like(flat)

    def gradient(index: torch.Tensor) -> Batch:
        x, y = epochs.data[0][index], epochs.data[1][index]
        losses = merged.client_gradients(local, epochs.layout, x[None], y[None], grad[None])
        return grad, losses[0]

    return _one_by_one(epochs, gradient, flat)


def _by_tiled(epochs: _Epochs) -> torch.Tensor:
    if not tiled.fits(*epochs.data, epochs.start, epochs.out):
        return _by_merged(epochs)
    steps = tiled.Steps(epochs.model, epochs.data)
    optimiser = epochs.optimiser
    if type(optimiser) is SGD and epochs.adjust is None:
        return steps.epochs(
            epochs.start,
            epochs.schedule,
            optimiser.learning_rate,
            optimiser.momentum,
            epochs.gradient_rate,
            epochs.out,
        )
    flat, grad = epochs.start.clone(), torch.empty_like(epochs.start)

    def gradient(index: torch.Tensor) -> Batch:
        return steps.gradient(flat, index, grad)

    return _one_by_one(epochs, gradient, flat)


def _one_by_one(
    epochs: _Epochs,
    gradient: Callable[[torch.Tensor], Batch],
    flat: torch.Tensor,
) -> torch.Tensor:
    """Compute the clients in turn, and return their losses.

    ``flat`` holds the parameters of the client whose turn it is; ``gradient`` gives the gradient
    and the loss of the samples with the given indices at these parameters.
    """
    start, schedule = epochs.start, epochs.schedule
    losses = start.new_zeros(schedule.shape[0])
    filled = schedule >= 0
    for i in range(schedule.shape[0]):
        flat.data.copy_(start)
        if epochs.gradient_rate is not None:
            epochs.out[i].zero_()
        state = epochs.optimiser.init(start)
        for step in range(schedule.shape[1]):
            index = schedule[i, step][filled[i, step]]
            if len(index) == 0:
                continue
            grad, loss = gradient(index)
            grad = epochs.adjusted(grad, flat.data)
            if epochs.gradient_rate is not None:
                epochs.out[i].add_(grad, alpha=epochs.gradient_rate)
            flat.data.sub_(epochs.optimiser.change(grad, state))
            losses[i] += loss * len(index)
        if epochs.gradient_rate is None:
            torch.sub(start, flat.data, out=epochs.out[i])
    return losses / filled.sum((1, 2)).clamp(min=1)


def _at_once(epochs: _Epochs) -> torch.Tensor:
    """Compute a step of all clients together by ``torch.func``, and return their losses."""
    start, data, schedule = epochs.start, epochs.data, epochs.schedule

    def loss_of(flat: torch.Tensor, x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor) -> Any:
        return _masked_loss(epochs.model, epochs.layout.views(flat), x, y, mask)

    step_all = torch.func.vmap(torch.func.grad_and_value(loss_of), randomness="different")
    flats = start.expand(schedule.shape[0], -1).clone()
    state = epochs.optimiser.init(flats)
    losses = start.new_zeros(schedule.shape[0])
    if epochs.gradient_rate is not None:
        epochs.out.zero_()
    for step in range(schedule.shape[1]):
        index = schedule[:, step]
        mask = (index >= 0).to(start.dtype)
        # An empty place holds a sample of the same client: another's might not be finite.
        index = torch.where(index < 0, index.amax(1, keepdim=True), index).clamp(min=0)
        grads, loss = step_all(flats, data[0][index], data[1][index], mask)
        active = mask.amax(1, keepdim=True)
        before = [part.clone() for part in state]
        grads = epochs.adjusted(grads, flats)
        if epochs.gradient_rate is not None:
            epochs.out.add_(grads.masked_fill(active == 0, 0), alpha=epochs.gradient_rate)
        change = epochs.optimiser.change(grads, state)
        # A step without a sample is none: the client stays as it was.
        for part, old in zip(state, before, strict=True):
            torch.where(active > 0, part, old, out=part)
        flats -= change.masked_fill_(active == 0, 0)
        losses += (loss * mask.sum(1)).masked_fill_(active[:, 0] == 0, 0)
    if epochs.gradient_rate is None:
        torch.sub(start, flats, out=epochs.out)
    return losses / (schedule >= 0).sum((1, 2)).clamp(min=1)


def _masked_loss(
    model: nn.Module,
    parameters: dict[str, torch.Tensor],
    x: torch.Tensor,
    y: torch.Tensor,
    mask: torch.Tensor,
) -> torch.Tensor:
    """Mean cross-entropy of the samples whose ``mask`` is 1; 0 if there are none."""
    logits = torch.func.functional_call(model, parameters, (x,))
    losses = F.cross_entropy(logits, y, reduction="none")
    return (losses * mask).sum() / mask.sum().clamp(min=1)


_STRATEGIES: dict[str, Callable[[_Epochs], torch.Tensor]] = {
    "loop": _by_autograd,
    "merged": _by_merged,
    "tiled": _by_tiled,
    "grouped": _at_once,
    "vmap": _at_once,
}
