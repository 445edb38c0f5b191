"""Training images are augmented by random crops and flips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

PADDING = 4
"""The width of the border in pixels."""


def draw_moves(generator: np.random.Generator, count: int) -> np.ndarray:
    """Draw the random moves that :func:`crop_and_flip` makes.

    Parameters
    ----------
    generator
        The source of the random numbers.
    count
        The number of images.

    Returns
    -------
    numpy.ndarray
        For each image the top and the left of the crop, both from 0 to 8, and whether it is
        flipped, 0 or 1. Integers of shape ``(count, 3)``.
    """
    crops = generator.integers(0, 2 * PADDING + 1, size=(count, 2))
    return np.concatenate([crops, generator.integers(0, 2, size=(count, 1))], axis=1)


def crop_and_flip(x: torch.Tensor, moves: torch.Tensor, fill: Sequence[float]) -> torch.Tensor:
    """Add a border of 4 pixels to each image, crop it to its old size, and perhaps flip it.

    A flip exchanges left and right. This is the usual augmentation of CIFAR (He et al., 2016,
    section 4.2).

    Parameters
    ----------
    x
        The images, ``(n, C, H, W)``.
    moves
        For each image the top and the left of the crop in the image with its border, and whether
        the crop is then flipped, ``(n, 3)``.
    fill
        The value of the border in each channel, ``(C,)``. It is usually the value of a black
        pixel in the normalised data.

    Returns
    -------
    torch.Tensor
        The changed images, ``(n, C, H, W)``.
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
