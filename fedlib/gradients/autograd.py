"""Gradients by torch's own differentiation: client after client, or all clients at once."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from fedlib.models import ParameterLayout


def gradients_one_by_one(
    model: nn.Module, layout: ParameterLayout, x: torch.Tensor, y: torch.Tensor, out: torch.Tensor
) -> torch.Tensor:
    """The strategy ``loop``: write each client's gradient into ``out`` and return the losses."""
    parameters = list(model.parameters())
    losses = x.new_empty(x.shape[0])
    for i in range(x.shape[0]):
        loss = F.cross_entropy(model(x[i]), y[i])
        grads = torch.autograd.grad(loss, parameters)
        torch.cat([g.reshape(-1) for g in grads], out=out[i])
        losses[i] = loss.detach()
    return losses


def gradients_at_once(
    model: nn.Module, layout: ParameterLayout, x: torch.Tensor, y: torch.Tensor, out: torch.Tensor
) -> torch.Tensor:
    """The strategy ``vmap``: write each client's gradient into ``out`` and return the losses."""
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss_of(parameters: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> Any:
        return F.cross_entropy(torch.func.functional_call(model, parameters, (x,)), y)

    step = torch.func.vmap(
        torch.func.grad_and_value(loss_of), in_dims=(None, 0, 0), randomness="different"
    )
    grads, losses = step(parameters, x, y)
    for name, view in layout.views(out).items():
        view.copy_(grads[name])
    return losses
