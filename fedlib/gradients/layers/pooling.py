"""Pooling of images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from fedlib.gradients.layers.base import Kept, LayerKind, register


@register(nn.MaxPool2d)
class MaxPoolingKind(LayerKind[nn.MaxPool2d]):
    """The largest value of each window; in the merged pass windows lie side by side."""

    takes = "images"

    def fits_merged(self, layer: nn.MaxPool2d) -> bool:
        size, plain = layer.kernel_size, not layer.ceil_mode and not layer.return_indices
        return plain and layer.stride == size and layer.padding == 0 and layer.dilation == 1

    def forward(self, layer: nn.MaxPool2d, h: torch.Tensor) -> tuple[torch.Tensor, Kept]:
        pooled, index = F.max_pool2d(h, layer.kernel_size, return_indices=True)
        return pooled, (h, index)

    def input_gradient(self, layer: nn.MaxPool2d, kept: Kept, g: torch.Tensor) -> torch.Tensor:
        h, index = kept
        size = [layer.kernel_size] * 2 if isinstance(layer.kernel_size, int) else layer.kernel_size
        return torch.ops.aten.max_pool2d_with_indices_backward(
            g, h, size, size, [0, 0], [1, 1], False, index
        )

    def fits_grouped(self, layer: nn.MaxPool2d) -> bool:
        return True


@register(nn.AdaptiveAvgPool2d)
class AdaptiveAveragePoolingKind(LayerKind[nn.AdaptiveAvgPool2d]):
    """The mean of each window, for a given number of windows; the merged pass has no form of it."""

    takes = "images"

    def fits_grouped(self, layer: nn.AdaptiveAvgPool2d) -> bool:
        return True
