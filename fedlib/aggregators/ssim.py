"""The structural similarity of many images at once."""

from __future__ import annotations

import functools

import torch

from fedlib import kernels
from fedlib.validation import ConfigError, check_int

# This many pixels are looked at together, so that all intermediate values stay in the cache.
_PIXELS = 40_000


def structural_similarity(
    x: torch.Tensor, y: torch.Tensor, data_range: torch.Tensor | float, window: int | None = 7
) -> torch.Tensor:
    """Compute the mean structural similarity of images.

    The measure is that of Wang et al. (2004), and of equation (2) of gradient_guard. Up to rounding
    it agrees with ``skimage.metrics.structural_similarity`` in its default settings: its windows
    are square and have equal weights, its covariances are those of samples, and it does not pad.
    Everything is computed in float64, about the mean of each image, because a variance is a small
    difference of large squares.

    Parameters
    ----------
    x, y
        The images ``(..., H, W)`` of real numbers. Their leading axes broadcast.
    data_range
        The range r of the values, as one number or as ``(...)``. It sets the constants
        ``(0.01 r)^2`` and ``(0.03 r)^2``.
    window
        The side of the windows in pixels, an odd number. In a smaller image the windows have the
        largest odd side that fits into it. None takes each image as one window and plain
        covariances, which is equation (2) to the letter.

    Returns
    -------
    torch.Tensor
        The similarities ``(...)`` in float64, from -1 to 1. A similarity is NaN if images without
        any contrast are compared with a ``data_range`` of 0.

    Raises
    ------
    ConfigError
        If ``window`` is not an odd number of at least 1, or if the images are complex.
    """
    for field, images in (("x", x), ("y", y)):
        if images.is_complex():
            raise ConfigError(f"{field} of type {images.dtype} must have real numbers.")
    x, y = x.double(), y.double()
    height, width = x.shape[-2:]
    if window is None:
        size, correction = (height, width), 1.0
    elif check_int("window", window, 1) % 2 == 0:
        raise ConfigError(f"window={window} must be odd, or None.")
    else:
        side = min(window, *((length - 1) // 2 * 2 + 1 for length in (height, width)))
        size, correction = (side, side), side * side / max(side * side - 1, 1)

    def mean(values: torch.Tensor) -> torch.Tensor:
        sums = _window_sums(_window_sums(values, size[1], -1), size[0], -2)
        return sums / (size[0] * size[1])

    def variance(values: torch.Tensor, means: torch.Tensor) -> torch.Tensor:
        return correction * (mean(values * values) - means * means).clamp(min=0)

    def of_part(
        x: torch.Tensor, y: torch.Tensor, centre_y: torch.Tensor, mean_y: torch.Tensor,
        var_y: torch.Tensor, span: torch.Tensor,
    ) -> torch.Tensor:  # fmt: skip
        centre_x = x.mean((-2, -1), keepdim=True)
        x = x - centre_x
        mean_x = mean(x)
        var_x = variance(x, mean_x)
        covariance = correction * (mean(x * y) - mean_x * mean_y)
        mean_x, mean_y = mean_x + centre_x, mean_y + centre_y
        c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
        luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
        contrast = (2 * covariance + c2) / (var_x + var_y + c2)
        return (luminance * contrast).mean((-2, -1))

    span = torch.as_tensor(data_range, dtype=x.dtype, device=x.device)[..., None, None]
    lead = torch.broadcast_shapes(x.shape[:-2], y.shape[:-2], span.shape[:-2])
    plain = x.device.type == "cpu" and not any(a.requires_grad for a in (x, y, span))
    if plain and 0 not in lead and kernels.available():
        return _by_kernel(x, y, span, lead, size, correction)
    # The mean and the variance of y are computed once for all images that are compared with it.
    centre_y = y.mean((-2, -1), keepdim=True)
    y = y - centre_y
    mean_y = mean(y)
    var_y = variance(y, mean_y)
    arrays = [a.expand(*lead, *a.shape[-2:]) for a in (x, y, centre_y, mean_y, var_y, span)]
    if not lead or 0 in lead:
        return of_part(*arrays)
    rows = max(1, _PIXELS // (lead[1:].numel() * height * width))
    parts = zip(*(a.split(rows) for a in arrays), strict=True)
    return torch.cat([of_part(*part) for part in parts])


def _by_kernel(
    x: torch.Tensor, y: torch.Tensor, span: torch.Tensor, lead: torch.Size,
    size: tuple[int, int], correction: float,
) -> torch.Tensor:  # fmt: skip
    from fedlib.kernels.windows import similarities

    samples = lead[-1:].numel()
    # Images that all the others are compared with are looked at once.
    shared = y.shape[:-2].numel() == y.shape[-3:-2].numel()
    lead_y = (1,) * (len(lead) - 1) + tuple(lead[-1:]) if shared else lead
    out = torch.empty(lead.numel() // samples, samples, dtype=x.dtype)
    arrays = [
        images.expand(*leading, *images.shape[-2:])
        .reshape(-1, samples, *images.shape[-2:])
        .contiguous()
        .numpy()
        for images, leading in ((x, lead), (y, lead_y), (span, lead))
    ]
    arrays[2] = arrays[2][..., 0, 0]
    similarities(*arrays, *size, correction, out.numpy())
    return out.view(lead)


def _window_sums(values: torch.Tensor, size: int, axis: int) -> torch.Tensor:
    """Return the sums over windows of ``size`` along one axis of ``values`` ``(..., H, W)``.

    They are added up from sums over windows whose sizes double.
    """
    count = values.shape[axis] - size + 1
    parts, start = [], 0
    for power in range(size.bit_length()):
        if power:
            half = 2 ** (power - 1)
            left = values.shape[axis] - half
            values = values.narrow(axis, 0, left) + values.narrow(axis, half, left)
        if size >> power & 1:
            parts.append(values.narrow(axis, start, count))
            start += 2**power
    return functools.reduce(torch.add, parts)
