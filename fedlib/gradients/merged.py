"""The client step of a CPU: one pass without autograd over the samples of all clients.

All clients hold the broadcast model, so that their samples go through it together, one client after
the other. Only the gradients of the weights are formed client by client. What depends on the kind
of a layer is in :mod:`fedlib.gradients.layers`.
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import nn

from fedlib.gradients import tiled
from fedlib.gradients.layers import Kept, kind_of
from fedlib.gradients.layers.memory import channels_last
from fedlib.models import ParameterLayout


def supports(model: nn.Module) -> bool:
    """Whether this pass can serve ``model``: a plain Sequential of layers with a merged form."""
    if type(model) is not nn.Sequential:
        return False
    kinds = [kind_of(layer) for layer in model]
    if not all(kind.fits_merged(layer) for kind, layer in zip(kinds, model, strict=True)):
        return False
    # A layer of features before one of images would work on an image's rows, and a layer that
    # stands twice would have to sum its gradients. Neither is provided for.
    takes = [kind.takes for kind in kinds]
    first = takes.index("features") if "features" in takes else len(takes)
    return "images" not in takes[first:] and len({id(layer) for layer in model}) == len(model)


def client_gradients(
    model: nn.Module, layout: ParameterLayout, x: torch.Tensor, y: torch.Tensor, out: torch.Tensor
) -> torch.Tensor:
    """The strategy ``merged``: write each client's gradient into ``out`` and return the losses.

    Parameters
    ----------
    model
        A model that :func:`supports` accepts.
    layout
        The layout of its parameters.
    x, y
        Each client's batch ``(k, b, ...)`` and its labels ``(k, b)``.
    out
        The matrix ``(k, n_parameters)`` to fill.

    Returns
    -------
    torch.Tensor
        Each client's mean cross-entropy, ``(k,)``.
    """
    assert isinstance(model, nn.Sequential)
    k, b = y.shape
    places = _by_layer(layout.views(out))
    with torch.no_grad():
        h, tape = record(model, x.reshape(k * b, *x.shape[2:]))
        log_p = torch.log_softmax(h, dim=1)
        labels = y.reshape(-1, 1)
        losses = -log_p.gather(1, labels).view(k, b).mean(1)
        g = log_p.exp_()
        g.scatter_add_(1, labels, g.new_full(labels.shape, -1.0)).div_(b)
        layers = list(model.named_children())
        for (name, layer), kept in zip(reversed(layers), reversed(tape), strict=True):
            kind = kind_of(layer)
            if name in places:
                kind.weight_gradients(layer, kept, g, k, places.pop(name))
            if not places:
                break  # no layer before this one has parameters
            g = kind.input_gradient(layer, kept, g)
    return losses


def _by_layer(views: dict[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """Tensors by the name of the layer, and then by the name of the parameter in it."""
    layers: dict[str, dict[str, torch.Tensor]] = defaultdict(dict)
    for name, view in views.items():
        layer, _, parameter = name.partition(".")
        layers[layer][parameter] = view
    return layers


def record(model: nn.Sequential, x: torch.Tensor) -> tuple[torch.Tensor, list[Kept]]:
    """Outputs for samples ``(n, ...)``, and what each layer keeps for its backward pass."""
    h = channels_last(x) if x.dim() == 4 else x
    tape = []
    for layer in model:
        h, kept = kind_of(layer).forward(layer, h)
        tape.append(kept)
    return h, tape


def input_gradient(model: nn.Sequential, tape: list[Kept], g: torch.Tensor) -> torch.Tensor:
    """Gradient by the samples, where ``g`` is the gradient by the outputs of :func:`record`."""
    for layer, kept in zip(reversed(model), reversed(tape), strict=True):
        g = kind_of(layer).input_gradient(layer, kept, g)
    return g


def forward(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Outputs of ``model`` for samples ``(n, C, H, W)``, without gradients: for evaluation.

    On a CPU a model that ``tiled`` supports is run by that strategy's compiled pass, and one that
    ``merged`` supports in that strategy's memory order. Either is several times faster than
    ``model(x)`` and equal to float tolerance.
    """
    with torch.no_grad():
        if x.dtype == torch.float32 and x.device.type == "cpu" and tiled.supports(model):
            assert isinstance(model, nn.Sequential)
            return tiled.forward(model, x)
        if x.device.type != "cpu" or x.dim() != 4 or not supports(model):
            return model(x)
        assert isinstance(model, nn.Sequential)
        h = channels_last(x)
        for layer in model:
            h, _ = kind_of(layer).forward(layer, h)
        return h
