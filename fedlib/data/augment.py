"""Random changes of training images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

PADDING = 4


def draw_moves(generator: np.random.Generator, count: int) -> np.ndarray:
    """Moves for :func:`crop_and_flip`, ``(count, 3)``: top and left from 0 to 8, flipped or not."""
    crops = generator.integers(0, 2 * PADDING + 1, size=(count, 2))
    return np.concatenate([crops, generator.integers(0, 2, size=(count, 1))], axis=1)


def crop_and_flip(x: torch.Tensor, moves: torch.Tensor, fill: Sequence[float]) -> torch.Tensor:
    """Images after a border of 4 pixels, a crop to the old size, and a flip of left and right.

    The usual augmentation of CIFAR (He et al., 2016, section 4.2).

    Parameters
    ----------
    x
        Images ``(n, C, H, W)``.
    moves
        Of each image, ``(n, 3)``: the crop's top and left in the padded image, and whether it is
        then flipped.
    fill
        The border's value, ``(C,)``: black, as the data are normalised.
    """
    n, channels, height, width = x.shape
    border = torch.as_tensor(fill, dtype=x.dtype, device=x.device).view(1, -1, 1, 1)
    padded = border.repeat(n, 1, height + 2 * PADDING, width + 2 * PADDING)
    padded[:, :, PADDING:-PADDING, PADDING:-PADDING] = x
    top, left, flipped = moves.t()
    rows = top[:, None] + torch.arange(height, device=x.device)
    columns = torch.arange(width, device=x.device).expand(n, -1)
    columns = left[:, None] + torch.where(flipped[:, None] > 0, width - 1 - columns, columns)
    image = torch.arange(n, device=x.device)[:, None, None, None]
    channel = torch.arange(channels, device=x.device)[:, None, None]
    return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]
