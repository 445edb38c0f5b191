"""Fully connected layers."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from fedlib.gradients.layers.base import ClientLayer, Kept, LayerKind, register


@register(nn.Linear)
class LinearKind(LayerKind[nn.Linear]):
    """A product with the weights, and a bias."""

    # On an image the layer would work on each row of pixels, which is not provided for.
    takes = "features"

    def fits_merged(self, layer: nn.Linear) -> bool:
        return layer.bias is not None

    def weight_gradients(
        self,
        layer: nn.Linear,
        kept: Kept,
        g: torch.Tensor,
        n_clients: int,
        places: dict[str, torch.Tensor],
    ) -> None:
        (h,) = kept
        b = h.shape[0] // n_clients
        per_client = g.view(n_clients, b, -1)
        torch.bmm(per_client.transpose(1, 2), h.view(n_clients, b, -1), out=places["weight"])
        places["bias"].copy_(per_client.sum(1))

    def input_gradient(self, layer: nn.Linear, kept: Kept, g: torch.Tensor) -> torch.Tensor:
        return g @ layer.weight

    def fits_grouped(self, layer: nn.Linear) -> bool:
        return True

    def for_clients(self, layer: nn.Linear) -> nn.Module:
        return _ClientLinear(layer)


class _ClientLinear(ClientLayer):
    def forward(self, x: torch.Tensor) -> Any:
        return _Product.apply(x, self.weight, self.bias)


class _Product(torch.autograd.Function):
    """``x @ weight.T + bias`` with the gradients of each client's weight."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, bias: Any) -> Any:
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        return F.linear(x, weight[0], bias[0] if ctx.has_bias else None)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        x, weight = ctx.saved_tensors
        k = len(weight)
        inputs, outputs = (_rows_by_client(part, k) for part in (x, g))
        dw = torch.bmm(outputs.transpose(1, 2), inputs)
        db = outputs.sum(1) if ctx.has_bias else None
        return g @ weight[0] if ctx.needs_input_grad[0] else None, dw, db


def _rows_by_client(x: torch.Tensor, k: int) -> torch.Tensor:
    """Rows ``(b * k, ..., features)`` as ``(k, b * ..., features)``."""
    return x.reshape(-1, k, *x.shape[1:]).transpose(0, 1).reshape(k, -1, x.shape[-1])
