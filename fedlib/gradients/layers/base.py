"""The table of layer kinds, and what an entry of it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

import torch
from torch import nn

Kept = tuple[torch.Tensor, ...]
"""What a layer keeps of its forward pass for its backward pass."""

L = TypeVar("L", bound=nn.Module)
K = TypeVar("K", bound="type[LayerKind[Any]]")


class LayerKind(Generic[L]):
    """How the ``merged`` and the ``grouped`` pass compute layers of one class.

    A subclass overrides what its layer needs, and is entered with :func:`register`. By default
    neither pass serves the layer. For the ``merged`` pass a subclass overrides ``fits_merged``,
    ``input_gradient`` and, if the layer has parameters, ``weight_gradients``; ``forward`` may stay.
    For the ``grouped`` pass it overrides ``fits_grouped`` and, if the layer has parameters or mixes
    samples, ``for_clients``.

    In the ``merged`` pass the samples of all clients lie one client after the other: sample ``i``
    of client ``c`` is row ``c * b + i`` of ``k * b`` rows, for ``k`` clients with ``b`` samples.
    """

    takes: Literal["any", "images", "features"] = "any"
    """The inputs for which the ``merged`` pass of this layer is right: images ``(n, C, H, W)``,
    features ``(n, F)``, or both. A model is refused if a layer that takes images comes after one
    that takes features."""

    def fits_merged(self, layer: L) -> bool:
        """Whether the ``merged`` pass can serve this layer with its settings."""
        return False

    def forward(self, layer: L, h: torch.Tensor) -> tuple[torch.Tensor, Kept]:
        """The layer's outputs for the inputs ``h``, and what the backward pass needs of both.

        The default keeps the inputs.
        """
        return layer(h), (h,)

    def weight_gradients(
        self,
        layer: L,
        kept: Kept,
        g: torch.Tensor,
        n_clients: int,
        places: dict[str, torch.Tensor],
    ) -> None:
        """Write the gradients of each client's parameters into ``places``.

        This is called for layers with parameters only.

        Parameters
        ----------
        layer
            The layer, whose parameters all clients share.
        kept
            What :meth:`forward` kept.
        g
            Gradient of the sum of all clients' losses by the layer's outputs.
        n_clients
            The number of clients whose samples lie one after the other.
        places
            For the name of each parameter, the tensor ``(n_clients, *parameter.shape)`` to fill.
        """
        raise NotImplementedError(f"{type(self).__name__} forms no weight gradients.")

    def input_gradient(self, layer: L, kept: Kept, g: torch.Tensor) -> torch.Tensor:
        """Gradient by the layer's inputs, where ``g`` is the gradient by its outputs."""
        raise NotImplementedError(f"{type(self).__name__} forms no gradient of its inputs.")

    def fits_grouped(self, layer: L) -> bool:
        """Whether the ``grouped`` pass can serve this layer with its settings."""
        return False

    def for_clients(self, layer: L) -> nn.Module:
        """The module that stands for this layer in the ``grouped`` pass.

        In that pass sample ``i`` of client ``c`` is row ``i * k + c``, and each parameter has a
        leading axis of ``k`` clients (see :class:`ClientLayer`). ``layer`` is part of a copy of the
        model and may be changed. The default returns the layer itself, which is right if it has no
        parameters and computes each sample alone.
        """
        return layer


class ClientLayer(nn.Module):
    """Base of modules that stand for a layer with parameters in the ``grouped`` pass.

    The parameters have the names that they have in the layer. While the pass runs, each of them is
    replaced by a tensor with a leading axis of clients, so that each client has its own gradient.

    Parameters
    ----------
    layer
        The layer that this module stands for; ``self.layer`` gives it back, with its settings.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        for name, parameter in layer._parameters.items():
            self.register_parameter(name, parameter)
        # In a tuple, because torch would find the parameters of a submodule a second time.
        self._layer = (layer,)

    @property
    def layer(self) -> Any:
        """The layer that this module stands for."""
        return self._layer[0]


LAYERS: dict[type[nn.Module], LayerKind[Any]] = {}
"""The kinds of layers that the hand-made passes know, by the exact class of the layer."""

_UNKNOWN: LayerKind[Any] = LayerKind()


def register(*classes: type[nn.Module]) -> Callable[[K], K]:
    """Class decorator that enters a :class:`LayerKind` for layers of these classes.

    Raises
    ------
    ValueError
        If another kind is already entered for one of the classes.
    """

    def enter(kind: K) -> K:
        for cls in classes:
            known = type(LAYERS.get(cls, _UNKNOWN))
            here = (kind.__module__, kind.__qualname__)
            if known is not LayerKind and (known.__module__, known.__qualname__) != here:
                raise ValueError(f"{cls.__name__} is already served by {known}.")
            LAYERS[cls] = kind()
        return kind

    return enter


def kind_of(layer: nn.Module) -> LayerKind[Any]:
    """The kind that is entered for exactly the layer's class, or one that neither pass serves.

    An instance of a subclass is not found under its parent, because it may compute something else.
    """
    return LAYERS.get(type(layer), _UNKNOWN)
