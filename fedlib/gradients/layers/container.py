"""Modules that are made of other layers."""

from __future__ import annotations

from torch import nn

from fedlib.gradients.layers.base import LayerKind, kind_of, register
from fedlib.models import ResidualBlock


@register(nn.Sequential, ResidualBlock)
class ContainerKind(LayerKind[nn.Module]):
    """A module whose own forward pass only calls its children and computes each sample alone.

    The merged pass serves one plain Sequential and none inside another.
    """

    def fits_grouped(self, layer: nn.Module) -> bool:
        return True

    def for_clients(self, layer: nn.Module) -> nn.Module:
        # Not named_children(), which leaves out a layer's second place.
        for name, child in layer._modules.items():
            if child is not None:
                setattr(layer, name, kind_of(child).for_clients(child))
        return layer
