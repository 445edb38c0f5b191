"""The client step of a small network on a processor: tiles of 16 samples that stay in the cache.

The passes are compiled (:mod:`fedlib.kernels.passes`). Each sample of a tile has a lane of a
vector register, and a tile goes through all layers, forward and backward, before the next one
begins. A tile holds samples of one client only, so that a sample that is not finite spoils no other
client. This module says which networks are served, and writes down the plan of a network: where
each layer finds its inputs, its parameters and the place of its outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from fedlib import kernels
from fedlib.models import ParameterLayout
from fedlib.validation import ConfigError


def supports(model: nn.Module) -> bool:
    """Whether these passes can serve ``model``.

    It must be a Sequential of float32 layers: convolutions with stride 1 and without padding, max
    pooling by 2, ReLU, Flatten and Linear, in the order of an image network, with a Linear last.
    """
    if type(model) is not nn.Sequential or not kernels.available():
        return False
    if len({id(layer) for layer in model}) != len(model):
        return False
    if any(p.dtype != torch.float32 or p.device.type != "cpu" for p in model.parameters()):
        return False
    kinds = [_kind(layer) for layer in model]
    if "" in kinds:
        return False
    order = [kind for kind in kinds if kind != "relu"]
    if not order or kinds[0] == "relu" or order[-1] != "linear" or order.count("flatten") != 1:
        return False
    flat = order.index("flatten")
    return set(order[:flat]) <= {"convolution", "pooling"} and set(order[flat + 1 :]) == {"linear"}


FEWEST = 8
"""Samples of a batch from which on a gradient by tiles is faster than by ``merged``."""


def fits(x: torch.Tensor, y: torch.Tensor, *others: torch.Tensor, fewest: int = 1) -> bool:
    """Whether these passes can take such tensors; those that they cannot take go to ``merged``.

    Parameters
    ----------
    x, y
        Samples, and their labels, whose last axis is the batch.
    *others
        Parameters to begin with, and rows to write into.
    fewest
        The number of samples that a batch must have.
    """
    floats = all(one.dtype == torch.float32 and one.device.type == "cpu" for one in (x, *others))
    whole = all(one.is_contiguous() for one in others)
    return floats and whole and y.dtype == torch.int64 and y.shape[-1] >= fewest


def _kind(layer: nn.Module) -> str:
    """The kind of a layer that a plan can hold, or an empty text."""
    # Only the classes themselves: a subclass may compute something else.
    if type(layer) is nn.Conv2d:
        plain = layer.stride == (1, 1) and layer.dilation == (1, 1) and layer.groups == 1
        return "convolution" if plain and layer.padding in ((0, 0), "valid") else ""
    if type(layer) is nn.MaxPool2d:
        pairs = layer.kernel_size in (2, (2, 2)) and layer.stride in (2, (2, 2))
        plain = layer.padding in (0, (0, 0)) and layer.dilation in (1, (1, 1))
        return (
            "pooling" if pairs and plain and not (layer.ceil_mode or layer.return_indices) else ""
        )
    if type(layer) is nn.Flatten:
        return "flatten" if (layer.start_dim, layer.end_dim) == (1, -1) else ""
    return {nn.ReLU: "relu", nn.Linear: "linear"}.get(type(layer), "")


class _Plan(NamedTuple):
    """The plan of a network for samples of one shape, and the numbers of its workspace."""

    table: np.ndarray
    size: int
    classes: int

    def workspace(self) -> np.ndarray:
        """A workspace of zeros, but for the vector of ones that it begins with."""
        from fedlib.kernels.lanes import LANES

        # torch's memory begins at a line of the cache.
        space = torch.zeros(self.size).numpy()
        space[:LANES] = 1
        return space


def _settings(layer: nn.Module) -> tuple[object, ...]:
    """What a plan needs to know of a layer."""
    kind = _kind(layer)
    if isinstance(layer, nn.Conv2d):
        bias = layer.bias is not None
        return kind, layer.in_channels, layer.out_channels, *layer.kernel_size, bias
    if isinstance(layer, nn.Linear):
        return kind, layer.in_features, layer.out_features, 1, 1, layer.bias is not None
    return (kind,)


def _plan(model: nn.Sequential, shape: torch.Size, to_inputs: bool = False) -> _Plan:
    """The plan of ``model`` for samples of a ``shape``, without the axis of the samples.

    With ``to_inputs`` gradients go back to the samples, and not only to the first parameters.
    """
    images = (1, 1, 1, *shape)[-3:] if len(shape) < 3 else (-1, *shape[-2:])
    channels = math.prod(shape) // max(1, math.prod(images[1:]))
    return _written(tuple(map(_settings, model)), (channels, images[1], images[2]), to_inputs)


class _Images(NamedTuple):
    """Where the numbers between two layers lie, and how many these are; see the columns there."""

    at: int
    row: int
    channels: int
    height: int
    width: int

    @property
    def plane(self) -> int:
        return self.height * self.row


@lru_cache(maxsize=32)
def _written(settings: tuple[Any, ...], shape: tuple[int, int, int], to_inputs: bool) -> _Plan:
    from fedlib.kernels import layers as k

    widest = max(one[1] for one in settings if one[0] == "linear")
    end = k.SPARE + widest * k.LANES

    def place(channels: int, height: int, width: int, margin: int = 0) -> _Images:
        nonlocal end
        images = _Images(end + margin * k.LANES, width + margin, channels, height, width)
        end += (channels * images.plane + 2 * margin) * k.LANES
        return images

    here, weights = place(*shape), 0
    rows: list[np.ndarray] = []
    before, cut = to_inputs, False
    for number, (kind, *sizes) in enumerate(settings):
        if kind == "relu":
            rows[-1][k.CUT], cut = 1, True
            continue
        if kind == "flatten":
            here = here._replace(
                channels=1, height=1, width=math.prod(here[2:]), row=math.prod(here[2:])
            )
            continue
        row = np.zeros(k.COLUMNS, np.int64)
        after = next((one[0] for one in settings[number + 1 :] if one[0] != "relu"), "")
        if kind == "pooling":
            row[k.KIND] = k.POOLING
            there = place(here.channels, here.height // 2, here.width // 2)
        else:
            inputs, outputs, height, width, bias = sizes
            if inputs != (here.width if kind == "linear" else here.channels):
                raise ConfigError(f"samples of shape {shape} do not fit the network's layers.")
            row[k.WINDOW_HEIGHT], row[k.WINDOW_WIDTH], row[k.WEIGHTS] = height, width, weights
            weights += inputs * outputs * height * width
            row[k.BIAS] = weights if bias else -1
            weights += outputs if bias else 0
            if kind == "linear":
                row[k.KIND], there = k.LINEAR, place(outputs, 1, 1)
            else:
                margin = k.MARGIN if before and after != "flatten" else 0
                row[k.KIND] = k.CONVOLUTION
                there = place(outputs, here.height - height + 1, here.width - width + 1, margin)
        if min(there) <= 0:
            raise ConfigError(f"samples of shape {shape} are too small for the network.")
        row[k.CUT_BEFORE], row[k.GOES_BACK] = cut, before
        row[[k.IN_AT, k.IN_ROW, k.CHANNELS, k.HEIGHT, k.WIDTH]] = here
        row[[k.OUT_AT, k.OUT_ROW, k.OUT_CHANNELS, k.OUT_HEIGHT, k.OUT_WIDTH]] = there
        row[k.IN_PLANE], row[k.OUT_PLANE] = here.plane, there.plane
        rows.append(row)
        if kind == "linear":  # its outputs are the next layer's row of inputs
            there = there._replace(channels=1, width=there.channels, row=there.channels)
        here, cut, before = there, False, before or kind != "pooling"
    return _Plan(np.stack(rows), end, int(rows[-1][k.OUT_CHANNELS]))


def client_gradients(
    model: nn.Module, layout: ParameterLayout, x: torch.Tensor, y: torch.Tensor, out: torch.Tensor
) -> torch.Tensor:
    """The strategy ``tiled``: write each client's gradient into ``out`` and return the losses.

    The arguments are those of :func:`fedlib.gradients.merged.client_gradients`.
    """
    assert isinstance(model, nn.Sequential)
    from fedlib.kernels import passes

    plan, samples = _plan(model, x.shape[2:]), _samples(x)
    _check_labels(y, plan.classes)
    w, labels, losses = _flat(model), y.reshape(-1).numpy(), torch.empty(len(y))
    rows, lost = out.numpy(), losses.numpy()
    index = np.arange(labels.size).reshape(len(y), 1, -1)

    def compute(part: slice) -> None:
        passes.steps(
            plan.table, w, samples, labels, index[part], True, 0.0, 0.0, 0.0, plan.workspace(),
            rows[part], lost[part],
        )  # fmt: skip

    _shared_out(compute, len(y))
    return losses


class Steps:
    """Gradients of batches of one data set, and local epochs on it.

    Parameters
    ----------
    model
        A model that :func:`supports` accepts. Its parameters are not read.
    data
        Samples ``(n, C, H, W)`` and labels ``(n,)``.
    """

    def __init__(self, model: nn.Module, data: tuple[torch.Tensor, torch.Tensor]) -> None:
        assert isinstance(model, nn.Sequential)
        self._plan = _plan(model, data[0].shape[1:])
        _check_labels(data[1], self._plan.classes)
        self._x, self._y = _samples(data[0]), data[1].contiguous().numpy()
        self._workspace = self._plan.workspace()

    def gradient(
        self, w: torch.Tensor, index: torch.Tensor, out: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Put the gradient of the samples ``index`` at ``w`` into ``out``, and return both."""
        from fedlib.kernels import passes

        self._check_places(index)
        loss, places = torch.empty(1), index.contiguous().numpy()
        passes.steps(
            self._plan.table, w.numpy(), self._x, self._y, places[None, None], True, 0.0, 0.0, 0.0,
            self._workspace, out.numpy()[None], loss.numpy(),
        )  # fmt: skip
        return out, loss[0]

    def epochs(
        self,
        start: torch.Tensor,
        schedule: torch.Tensor,
        learning_rate: float,
        momentum: float,
        gradient_rate: float | None,
        out: torch.Tensor,
    ) -> torch.Tensor:
        """Local SGD of each client; see :func:`fedlib.gradients.local_updates`."""
        from fedlib.kernels import passes

        self._check_places(schedule)
        places, rows = schedule.contiguous().numpy(), out.numpy()
        losses = torch.empty(len(places))
        lost, begin = losses.numpy(), start.detach().numpy()

        def compute(part: slice) -> None:
            passes.steps(
                self._plan.table, begin, self._x, self._y, places[part], False, learning_rate,
                momentum, gradient_rate or 0.0, self._plan.workspace(), rows[part], lost[part],
            )  # fmt: skip

        _shared_out(compute, len(places))
        return losses

    def _check_places(self, index: torch.Tensor) -> None:
        # A compiled pass does not notice that a place is outside of its array.
        if index.numel() and int(index.max()) >= len(self._y):
            raise IndexError(f"index {int(index.max())} is beyond {len(self._y)} samples.")


def forward(model: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    """Outputs of ``model`` for samples ``(n, C, H, W)``, without gradients."""
    from fedlib.kernels import passes

    plan, samples, w = _plan(model, x.shape[1:]), _samples(x), _flat(model)
    out = torch.empty(len(x), plan.classes)
    rows, images = out.numpy(), math.prod(x.shape[1:])

    def compute(part: slice) -> None:
        of_part = samples[part.start * images : part.stop * images]
        passes.logits(plan.table, w, of_part, plan.workspace(), rows[part])

    _shared_out(compute, len(x))
    return out


def input_gradients(
    model: nn.Sequential, x: torch.Tensor, labels: torch.Tensor, probability: bool
) -> torch.Tensor:
    """Gradients of the score of each sample's own class by the sample's own numbers.

    Parameters
    ----------
    model
        A model that :func:`supports` accepts.
    x, labels
        Samples ``(n, C, H, W)`` that :func:`fits` accepts, and their labels ``(n,)``.
    probability
        Whether the score is the probability of the class. Otherwise it is the logit.

    Returns
    -------
    torch.Tensor
        The gradients, of the shape of ``x``.
    """
    from fedlib.kernels import passes
    from fedlib.kernels.lanes import LANES

    plan, samples, w = _plan(model, x.shape[1:], to_inputs=True), _samples(x), _flat(model)
    _check_labels(labels, plan.classes)
    features = math.prod(x.shape[1:])
    own = labels.contiguous().numpy()
    tiles = -(-len(x) // LANES)
    out = torch.empty(tiles * LANES, features)
    rows = out.numpy()

    def compute(part: slice) -> None:
        start, stop = LANES * part.start, min(LANES * part.stop, len(x))
        passes.input_gradients(
            plan.table, w, samples[start * features : stop * features], own[start:stop],
            probability, plan.workspace(), rows[start : LANES * part.stop],
        )  # fmt: skip

    _shared_out(compute, tiles)
    return out[: len(x)].view(x.shape)


def _samples(x: torch.Tensor) -> np.ndarray:
    """The samples' numbers, sample after sample."""
    return x.detach().contiguous().view(-1).numpy()


def _flat(model: nn.Module) -> np.ndarray:
    """The parameters in one row."""
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()]).numpy()


def _check_labels(y: torch.Tensor, classes: int) -> None:
    # A compiled pass does not notice that a place is outside of its array.
    if len(y) and not 0 <= int(y.min()) <= int(y.max()) < classes:
        raise ConfigError(
            f"y has labels from {int(y.min())} to {int(y.max())}: must be from 0 to {classes - 1}, "
            "as the network has outputs."
        )


def _shared_out(compute: Callable[[slice], None], count: int) -> None:
    """Compute ``count`` rows, of which each of torch's threads gets as many.

    A row's numbers are the same whoever computes it.
    """
    threads = min(torch.get_num_threads(), count)
    if threads < 2:
        compute(slice(0, count))
        return
    edges = [count * i // threads for i in range(threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(compute, map(slice, edges[:-1], edges[1:])))
