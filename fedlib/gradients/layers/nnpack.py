"""Convolutions by NNPACK, a library that is faster than oneDNN when one thread computes."""

from __future__ import annotations

from functools import cache

import torch

# What NNPACK makes of so many images stays in the processor's cache.
_IMAGES_AT_ONCE = 64


@cache
def is_available() -> bool:
    """Whether this build of torch has NNPACK and the processor can run it."""
    return torch.backends.nnpack.is_available()


def is_faster(kernel_size: tuple[int, ...], h: torch.Tensor) -> bool:
    """Whether NNPACK should convolve ``h``: it is faster than oneDNN in one thread only.

    Only kernels of 5x5 in float32 have been measured; for all others the answer is no.
    """
    alone = h.device.type == "cpu" and torch.get_num_threads() == 1 and len(h) > 0
    measured = h.dtype == torch.float32 and kernel_size == (5, 5)
    return alone and measured and is_available()


def convolve(
    h: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, padding: tuple[int, int]
) -> torch.Tensor:
    """Convolve images ``(n, C, H, W)`` with stride 1; the result is in channels-last order."""
    by_nnpack = torch.ops.aten._nnpack_spatial_convolution
    parts = [by_nnpack(part, weight, bias, padding, (1, 1)) for part in h.split(_IMAGES_AT_ONCE)]
    n, (channels, height, width) = len(h), parts[0].shape[1:]
    out = h.new_empty(n, height, width, channels).permute(0, 3, 1, 2)
    for place, part in zip(out.split(_IMAGES_AT_ONCE), parts, strict=True):
        place.copy_(part)
    return out
