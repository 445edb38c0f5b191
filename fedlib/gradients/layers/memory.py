"""The order of images in memory that is fastest on a CPU."""

from __future__ import annotations

import torch


def channels_last(h: torch.Tensor) -> torch.Tensor:
    """Images ``(n, C, H, W)`` with the strides of channels-last order.

    Pooling is several times faster on a CPU in this order, and convolutions keep it. With one
    channel torch sees no difference between the orders, so the strides are set by hand.
    """
    _, c, height, width = h.shape
    h = h.contiguous(memory_format=torch.channels_last)
    return h.as_strided(h.shape, (c * height * width, 1, width * c, c))
