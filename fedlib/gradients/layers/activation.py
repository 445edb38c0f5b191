"""Functions that are applied to each number alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from fedlib.gradients.layers.base import Kept, LayerKind, register


@register(nn.ReLU)
class ReLUKind(LayerKind[nn.ReLU]):
    """The positive part; its gradient is known from the outputs, which alone are kept."""

    def fits_merged(self, layer: nn.ReLU) -> bool:
        return True

    def forward(self, layer: nn.ReLU, h: torch.Tensor) -> tuple[torch.Tensor, Kept]:
        h = h.clamp(min=0)
        return h, (h,)

    def input_gradient(self, layer: nn.ReLU, kept: Kept, g: torch.Tensor) -> torch.Tensor:
        return torch.ops.aten.threshold_backward(g, kept[0], 0)

    def fits_grouped(self, layer: nn.ReLU) -> bool:
        return True


@register(nn.ELU)
class ELUKind(LayerKind[nn.ELU]):
    """The exponential linear unit; the merged pass keeps its outputs and serves ``alpha=1``."""

    def fits_merged(self, layer: nn.ELU) -> bool:
        return layer.alpha == 1

    def forward(self, layer: nn.ELU, h: torch.Tensor) -> tuple[torch.Tensor, Kept]:
        h = F.elu(h)
        return h, (h,)

    def input_gradient(self, layer: nn.ELU, kept: Kept, g: torch.Tensor) -> torch.Tensor:
        return torch.ops.aten.elu_backward(g, 1, 1, 1, True, kept[0])

    def fits_grouped(self, layer: nn.ELU) -> bool:
        return True


@register(nn.Identity)
class IdentityKind(LayerKind[nn.Identity]):
    """A layer that changes nothing; only the grouped pass meets it, in residual blocks."""

    def fits_grouped(self, layer: nn.Identity) -> bool:
        return True
