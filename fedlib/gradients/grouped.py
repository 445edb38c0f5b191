"""The client step of an accelerator: one pass for all clients, and each client's own gradients.

A copy of the model shares its parameters, but its layers keep apart what differs from client to
client: weight gradients and batch statistics. The rest (convolutions, products, pooling) is
computed for all samples at once, since all clients hold the broadcast model. Samples lie side by
side, sample ``i`` of client ``c`` in row ``i * k + c``: ``(b * k, C, ...)`` is then
``(b, k * C, ...)`` without a copy, which is what batch norm of each client alone and grouped
convolution work on. The layers of the copy are made by :mod:`fedlib.gradients.layers`.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import nn

from fedlib.gradients.layers import kind_of
from fedlib.models import ParameterLayout


def supports(model: nn.Module) -> bool:
    """Whether this pass can serve ``model``: each of its layers must have a grouped form."""
    return all(kind_of(layer).fits_grouped(layer) for layer in model.modules())


def client_gradients(
    model: nn.Module, layout: ParameterLayout, x: torch.Tensor, y: torch.Tensor, out: torch.Tensor
) -> torch.Tensor:
    """The strategy ``grouped``: write each client's gradient into ``out`` and return the losses.

    Parameters
    ----------
    model
        A model that :func:`supports` accepts.
    layout
        The layout of its parameters.
    x, y
        Each client's batch ``(k, b, C, H, W)`` and its labels ``(k, b)``.
    out
        The matrix ``(k, n_parameters)`` to fill.

    Returns
    -------
    torch.Tensor
        Each client's mean cross-entropy, ``(k,)``.
    """
    k, b = y.shape
    # Every client's parameters are the same memory: only their gradients are k.
    own = {
        name: p.detach().expand(k, *p.shape).requires_grad_()
        for name, p in model.named_parameters()
    }
    samples = x.transpose(0, 1).reshape(b * k, *x.shape[2:])
    with torch.enable_grad():
        logits = torch.func.functional_call(_twin(model), own, (samples,))
        losses = F.cross_entropy(logits, y.t().reshape(-1), reduction="none").view(b, k).mean(0)
        grads = torch.autograd.grad(losses.sum(), list(own.values()))
    for view, grad in zip(layout.views(out).values(), grads, strict=True):
        view.copy_(grad)
    return losses.detach()


def _twin(model: nn.Module) -> nn.Module:
    """A copy of ``model`` on the same parameters, whose layers serve many clients."""
    twin = copy.deepcopy(model, {id(p): p for p in model.parameters()})
    return kind_of(twin).for_clients(twin)
