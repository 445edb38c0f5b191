"""Networks of the papers, by name, as plain ``torch.nn`` modules.

A pooling layer stands before its ReLU: the two commute, and the ReLU then works on a
quarter of the values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from fedlib.validation import check_name


@dataclass(frozen=True)
class ParameterLayout:
    """Where each parameter of a model lies in its flat vector of ``size`` numbers."""

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    offsets: tuple[int, ...]
    size: int

    @classmethod
    def of(cls, model: nn.Module) -> ParameterLayout:
        """The layout of ``model`` in the order of ``named_parameters``."""
        names, shapes, offsets, size = [], [], [], 0
        for name, parameter in model.named_parameters():
            names.append(name)
            shapes.append(parameter.shape)
            offsets.append(size)
            size += parameter.numel()
        return cls(tuple(names), tuple(shapes), tuple(offsets), size)

    def views(self, flat: torch.Tensor) -> dict[str, torch.Tensor]:
        """Views into ``flat``, ``(..., size)``, by parameter name; leading axes are kept."""
        lead = flat.shape[:-1]
        return {
            name: flat[..., start : start + shape.numel()].view(*lead, *shape)
            for name, shape, start in zip(self.names, self.shapes, self.offsets, strict=True)
        }


def flatten_parameters(model: nn.Module) -> torch.Tensor:
    """Move a model's parameters into one flat vector that they become views of; return it."""
    layout = ParameterLayout.of(model)
    first = next(model.parameters())
    flat = torch.empty(layout.size, dtype=first.dtype, device=first.device)
    views = layout.views(flat)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            views[name].copy_(parameter)
            parameter.data = views[name]
    return flat


def critical_parameters(model: nn.Module) -> torch.Tensor:
    """Which parameters sparse attacks aim at, ``(n_parameters,)`` of bool.

    First and last layers, normalisation and all biases (centered_clipping, section V-E).
    """
    layers = [
        layer
        for layer in model.modules()
        if next(layer.parameters(recurse=False), None) is not None
    ]
    ends = {id(p) for layer in (layers[0], layers[-1]) for p in layer.parameters(recurse=False)}
    # A bias or the scale of a normalisation is the only kind of parameter with one dimension.
    parts = [torch.full((p.numel(),), p.dim() == 1 or id(p) in ends) for p in model.parameters()]
    return torch.cat(parts)


def _cnn(channels: int, size: int, widths: tuple[int, int], hidden: int, classes: int) -> nn.Module:
    """Two 5x5 convolutions with 2x2 max pooling, one hidden layer (none if ``hidden`` is 0)."""
    first, second = widths
    side = ((size - 4) // 2 - 4) // 2
    head: list[nn.Module] = [nn.Flatten()]
    features = second * side * side
    if hidden:
        head += [nn.Linear(features, hidden), nn.ReLU()]
    head.append(nn.Linear(hidden or features, classes))
    return nn.Sequential(
        nn.Conv2d(channels, first, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(first, second, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        *head,
    )


def cnn_20_50(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """Two-layer CNN, 20 and 50 channels, hidden layer of 500 (centered_clipping, section VI-A).

    431,080 parameters on 28x28 grey images with 10 classes. The text says "2-layer CNN";
    the widths are those of the authors' code.
    """
    return _cnn(shape[0], shape[1], (20, 50), 500, n_classes)


def cnn_4_8(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """Small CNN, 4 and 8 channels, hidden layer of 16 (residual_reweighting, Table 5).

    3,146 parameters on 28x28 grey images with 10 classes.
    """
    return _cnn(shape[0], shape[1], (4, 8), 16, n_classes)


def cnn_32_64(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """CNN of 32 and 64 channels without hidden layer (clustering_with_outliers, code).

    115,646 parameters on 28x28 grey images with 62 classes.
    """
    return _cnn(shape[0], shape[1], (32, 64), 0, n_classes)


def softmax_regression(shape: tuple[int, int, int], n_classes: int) -> nn.Module:
    """Multinomial logistic regression: the smallest model, for examples and tests."""
    return nn.Sequential(nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], n_classes))


MODELS: dict[str, Callable[[tuple[int, int, int], int], nn.Module]] = {
    "cnn_20_50": cnn_20_50,
    "cnn_4_8": cnn_4_8,
    "cnn_32_64": cnn_32_64,
    "softmax_regression": softmax_regression,
}


def make_model(name: str, shape: tuple[int, int, int], n_classes: int, seed: int) -> nn.Module:
    """Build the model ``name`` for images of ``shape`` (C, H, W), initialised from ``seed``.

    torch's default initialisation; the global random state is left as it was.

    Raises
    ------
    ConfigError
        If ``name`` is unknown.
    """
    check_name("model", name, MODELS)
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which would seed the accelerators' generators too.
        torch.default_generator.manual_seed(seed)
        return MODELS[name](shape, n_classes)
