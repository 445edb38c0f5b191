"""The step from images to rows of features."""

from __future__ import annotations

import torch
from torch import nn

from fedlib.gradients.layers.base import Kept, LayerKind, register
from fedlib.gradients.layers.memory import channels_last


@register(nn.Flatten)
class FlattenKind(LayerKind[nn.Flatten]):
    """The numbers of a sample in one row; on the way back they become an image again."""

    takes = "images"

    def fits_merged(self, layer: nn.Flatten) -> bool:
        return True

    def input_gradient(self, layer: nn.Flatten, kept: Kept, g: torch.Tensor) -> torch.Tensor:
        (h,) = kept
        g = g.reshape(h.shape)
        return channels_last(g) if h.dim() == 4 else g

    def fits_grouped(self, layer: nn.Flatten) -> bool:
        return True
