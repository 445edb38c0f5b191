"""Convolutions of images."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from fedlib.gradients.layers import nnpack
from fedlib.gradients.layers.base import ClientLayer, Kept, LayerKind, register
from fedlib.gradients.layers.memory import channels_last

# Stride, padding, dilation, whether transposed, the output's padding, and groups: those of a
# convolution that the merged pass serves, as torch's backward function takes them.
_PLAIN = ([1, 1], [0, 0], [1, 1], False, [0, 0], 1)


@register(nn.Conv2d)
class ConvolutionKind(LayerKind[nn.Conv2d]):
    """A convolution; in the merged pass without padding, strides, dilation and groups."""

    takes = "images"

    def fits_merged(self, layer: nn.Conv2d) -> bool:
        plain = (layer.stride, layer.dilation, layer.groups) == ((1, 1), (1, 1), 1)
        return plain and layer.padding == (0, 0) and layer.bias is not None

    def forward(self, layer: nn.Conv2d, h: torch.Tensor) -> tuple[torch.Tensor, Kept]:
        # From few channels to many oneDNN is the faster, which computes them side by side.
        suits_nnpack = layer.out_channels <= 8 or layer.in_channels >= 16
        if suits_nnpack and nnpack.is_faster(layer.kernel_size, h):
            return nnpack.convolve(h, layer.weight, layer.bias, (0, 0)), (h,)
        return F.conv2d(h, _weight_in_order(layer), layer.bias), (h,)

    def weight_gradients(
        self,
        layer: nn.Conv2d,
        kept: Kept,
        g: torch.Tensor,
        n_clients: int,
        places: dict[str, torch.Tensor],
    ) -> None:
        (h,) = kept
        b = h.shape[0] // n_clients
        seen = _patches(h, *layer.kernel_size)
        if seen[:b].numel() > _PATCHES_IN_CACHE:
            _weight_gradients_by_torch(layer, h, g, n_clients, places)
            return
        # One client's patches at a time, in a place that stays in the processor's cache.
        patches = h.new_empty(b, *seen.shape[1:])
        g = g.permute(0, 2, 3, 1).reshape(n_clients, -1, layer.out_channels)
        shape = (layer.out_channels, *layer.kernel_size, layer.in_channels)
        dw = h.new_empty(layer.out_channels, layer.weight[0].numel())
        for i in range(n_clients):
            patches.copy_(seen[i * b : (i + 1) * b])
            torch.mm(g[i].t(), patches.view(g.shape[1], -1), out=dw)
            places["weight"][i].copy_(dw.view(shape).permute(0, 3, 1, 2))
        torch.sum(g, 1, out=places["bias"])

    def input_gradient(self, layer: nn.Conv2d, kept: Kept, g: torch.Tensor) -> torch.Tensor:
        (h,) = kept
        if nnpack.is_faster(layer.kernel_size, g):
            # The gradient of a convolution's input is a convolution, by the turned kernel.
            turned = layer.weight.flip(2, 3).transpose(0, 1).contiguous()
            height, width = layer.kernel_size
            return nnpack.convolve(g, turned, None, (height - 1, width - 1))
        only_input = [True, False, False]
        return torch.ops.aten.convolution_backward(
            g, h, _weight_in_order(layer), None, *_PLAIN, only_input
        )[0]

    def fits_grouped(self, layer: nn.Conv2d) -> bool:
        plain = layer.groups == 1 and layer.padding_mode == "zeros"
        return plain and not isinstance(layer.padding, str)

    def for_clients(self, layer: nn.Conv2d) -> nn.Module:
        return _ClientConvolution(layer)


# Values of one client's patches up to which a product with them beats torch's backward function:
# with three images it takes 0.6 to 0.75 of the time, and with 50 up to three times as long.
_PATCHES_IN_CACHE = 2**18


def _patches(h: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """What a kernel sees at each place: a view ``(n, places down, places across, height, w * C)``.

    In channels-last order a row of a kernel is one stretch of memory.
    """
    h = channels_last(h)
    n, c, down, across = h.shape
    image, _, row, column = h.stride()
    shape = (n, down - height + 1, across - width + 1, height, width * c)
    return h.as_strided(shape, (image, row, column, row, 1))


def _weight_gradients_by_torch(
    layer: nn.Conv2d, h: torch.Tensor, g: torch.Tensor, k: int, places: dict[str, torch.Tensor]
) -> None:
    """Write the gradients of ``k`` clients by one call of torch's backward function for each."""
    weight, b = _weight_in_order(layer), len(h) // k
    for i in range(k):
        rows = slice(i * b, (i + 1) * b)
        _, dw, db = torch.ops.aten.convolution_backward(
            g[rows], h[rows], weight, [weight.shape[0]], *_PLAIN, [False, True, True]
        )
        places["weight"][i].copy_(dw)
        places["bias"][i].copy_(db)


def _weight_in_order(layer: nn.Conv2d) -> torch.Tensor:
    """The weights in the memory order of the images."""
    return layer.weight.contiguous(memory_format=torch.channels_last)


class _ClientConvolution(ClientLayer):
    def forward(self, x: torch.Tensor) -> Any:
        settings = self.layer.stride, self.layer.padding, self.layer.dilation
        return _Convolution.apply(x, self.weight, self.bias, settings)


class _Convolution(torch.autograd.Function):
    """A convolution with the gradients of each client's weight.

    ``settings`` are stride, padding and dilation.
    """

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, bias: Any, settings: Any) -> Any:
        ctx.save_for_backward(x, weight)
        ctx.has_bias, ctx.settings = bias is not None, settings
        return F.conv2d(x, weight[0], bias[0] if ctx.has_bias else None, *settings)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        x, weight = ctx.saved_tensors
        k, dx, db = len(weight), None, None
        if ctx.needs_input_grad[0]:
            rest = (*ctx.settings, False, (0, 0), 1, (True, False, False))
            dx = torch.ops.aten.convolution_backward(g, x, weight[0], None, *rest)[0]
        if ctx.has_bias:
            db = g.reshape(-1, k, *g.shape[1:]).sum((0, 3, 4))
        return dx, _weight_gradients(x, g, weight, ctx.settings), db, None


# Columns of a kernel up to which a product for each image beats one grouped convolution. On an H200
# it takes 0.4 and 0.6 of the time with 25 and 27 (first layers), 1.3 to 3.5 with 144 and more.
_FEW_COLUMNS = 32


def _weight_gradients(
    x: torch.Tensor, g: torch.Tensor, weight: torch.Tensor, settings: Any
) -> torch.Tensor:
    """Gradients ``(k, out, in, height, width)`` of the clients' weights."""
    few = weight[0, 0].numel() <= _FEW_COLUMNS
    return (_by_products if few else _by_groups)(x, g, weight, settings)


def _by_groups(
    x: torch.Tensor, g: torch.Tensor, weight: torch.Tensor, settings: Any
) -> torch.Tensor:
    """As one convolution of as many groups as there are clients."""
    k, outputs, inputs = weight.shape[:3]
    side_by_side = weight.reshape(k * outputs, *weight.shape[2:])
    x = x.reshape(-1, k * inputs, *x.shape[2:])
    g = g.reshape(-1, k * outputs, *g.shape[2:])
    rest = (*settings, False, (0, 0), k, (False, True, False))
    return torch.ops.aten.convolution_backward(g, x, side_by_side, None, *rest)[1].view(
        weight.shape
    )


def _by_products(
    x: torch.Tensor, g: torch.Tensor, weight: torch.Tensor, settings: Any
) -> torch.Tensor:
    """As a product for each image with what its kernel saw, and their sum."""
    (down, right), padding, (between_rows, between_columns) = settings
    k, outputs = weight.shape[:2]
    height, width = weight.shape[3:]
    if any(padding):
        x = F.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    seen = x.unfold(2, between_rows * (height - 1) + 1, down)
    seen = seen.unfold(3, between_columns * (width - 1) + 1, right)
    seen = seen[..., ::between_rows, ::between_columns].permute(0, 1, 4, 5, 2, 3)
    seen = seen.reshape(len(x), weight[0, 0].numel(), -1)
    products = torch.bmm(g.reshape(len(g), outputs, -1), seen.transpose(1, 2))
    return products.view(-1, k, outputs * seen.shape[1]).sum(0).view(weight.shape)
