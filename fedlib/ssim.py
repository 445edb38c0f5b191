"""Structural similarity of many images at once."""

from __future__ import annotations

import torch


def structural_similarity(
    x: torch.Tensor, y: torch.Tensor, data_range: torch.Tensor | float, window: int | None = 7
) -> torch.Tensor:
    """Mean structural similarity of images (Wang et al., 2004; gradient_guard, equation 2).

    As ``skimage.metrics.structural_similarity`` with its default settings, to rounding: square
    windows of equal weights, sample covariances, no padding.

    Parameters
    ----------
    x, y
        Images ``(..., H, W)`` whose leading axes broadcast.
    data_range
        Of the values, one or ``(...)``, for the constants ``(0.01 r)^2`` and ``(0.03 r)^2``.
    window
        Side of the windows, odd; smaller images are one window of their largest odd side. None
        takes each image as one window, which is equation (2) to the letter, with plain covariances.

    Returns
    -------
    torch.Tensor
        ``(...)``, from -1 to 1.
    """
    height, width = x.shape[-2:]
    if window is None:
        size, correction = (height, width), 1.0
    else:
        side = min(window, *((length - 1) // 2 * 2 + 1 for length in (height, width)))
        size, correction = (side, side), side * side / max(side * side - 1, 1)
    if min(size) < max(height, width) / 16:

        def mean(values: torch.Tensor) -> torch.Tensor:
            return _shifted_mean(_shifted_mean(values, size[1], -1), size[0], -2)

    else:
        # Of small images as two products with band matrices: many times faster than pooling.
        rows = _windows(height, size[0], x)
        columns = _windows(width, size[1], x).t()

        def mean(values: torch.Tensor) -> torch.Tensor:
            # The right product first: it is one of two matrices, whatever the leading axes.
            return rows @ (values @ columns)

    mean_x, mean_y = mean(x), mean(y)
    var_x = correction * (mean(x * x) - mean_x * mean_x)
    var_y = correction * (mean(y * y) - mean_y * mean_y)
    covariance = correction * (mean(x * y) - mean_x * mean_y)
    span = torch.as_tensor(data_range, dtype=x.dtype, device=x.device)[..., None, None]
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    contrast = (2 * covariance + c2) / (var_x + var_y + c2)
    return (luminance * contrast).mean((-2, -1))


def _shifted_mean(values: torch.Tensor, size: int, axis: int) -> torch.Tensor:
    """Means over windows of ``size`` along one axis."""
    count = values.shape[axis] - size + 1
    total = values.narrow(axis, 0, count).clone()
    for start in range(1, size):
        total += values.narrow(axis, start, count)
    return total / size


def _windows(length: int, size: int, like: torch.Tensor) -> torch.Tensor:
    """Matrix ``(length - size + 1, length)`` that takes means over windows of ``size``."""
    count = length - size + 1
    starts = torch.arange(count, device=like.device)[:, None]
    place = torch.arange(length, device=like.device) - starts
    return ((place >= 0) & (place < size)).to(like.dtype) / size
