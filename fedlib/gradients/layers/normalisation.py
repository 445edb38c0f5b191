"""Normalisation by the statistics of a batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from fedlib.gradients.layers.base import ClientLayer, LayerKind, register


@register(nn.BatchNorm2d)
class BatchNormKind(LayerKind[nn.BatchNorm2d]):
    """Batch norm of images without running statistics; the merged pass has no form of it."""

    takes = "images"

    def fits_grouped(self, layer: nn.BatchNorm2d) -> bool:
        return layer.affine and not layer.track_running_stats

    def for_clients(self, layer: nn.BatchNorm2d) -> nn.Module:
        return _ClientBatchNorm(layer)


class _ClientBatchNorm(ClientLayer):
    """Batch norm in which each client's samples are normalised by their own statistics."""

    weight: torch.Tensor
    bias: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        k, channels = self.weight.shape
        side_by_side = x.reshape(-1, k * channels, *x.shape[2:])
        weight, bias = self.weight.reshape(-1), self.bias.reshape(-1)
        eps = self.layer.eps
        return F.batch_norm(side_by_side, None, None, weight, bias, True, 0.0, eps).view_as(x)
