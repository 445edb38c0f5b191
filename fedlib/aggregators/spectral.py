"""Spectral residual saliency of vectors: a map of an array itself, without network or inputs."""

from __future__ import annotations

import math

import torch
from scipy.fft import next_fast_len

AVERAGE = 3
"""Side of the local average of the log spectrum (Hou and Zhang, 2007)."""
SIGMA = 2.5
"""Deviation of the Gaussian that smooths the map, in pixels, as in the code of its authors."""
_BLOCK = 1 << 22
"""Values at once: spectra of all clients of a large network would take many times its updates."""


def spectral_residual_maps(vectors: torch.Tensor) -> torch.Tensor:
    """Saliency maps of vectors by their spectral residual (Hou and Zhang, 2007).

    Each vector is laid out row by row as a matrix that is nearly a square, with zeros at its end.
    Of the matrix's spectrum the phase is kept, and the log amplitude less its local average; the
    map is the squared magnitude of what that is the spectrum of, smoothed. Spectrum and map are
    taken as periodic, as the transform takes them, and nothing is resized. Neither a vector's
    length nor its sign changes the map but by rounding: a vector and its negative have one.

    Parameters
    ----------
    vectors
        ``(n, d)``, finite.

    Returns
    -------
    torch.Tensor
        ``(n, H, W)`` in float64, not below zero; zero for a vector of zeros.
    """
    n, d = vectors.shape
    # Small prime factors alone, or the transform would take many times as long.
    width = next_fast_len(math.ceil(d**0.5), real=True)
    height = next_fast_len(math.ceil(d / width))
    maps = vectors.new_zeros(n, height, width, dtype=torch.float64)
    rows = max(_BLOCK // d, 1)
    for start in range(0, n, rows):
        block = vectors[start : start + rows].double()
        largest = block.abs().amax(1, keepdim=True)
        # Scaled first, or the sums of extreme values would overflow.
        block = block / torch.where(largest > 0, largest, 1.0)
        padded = torch.nn.functional.pad(block, (0, height * width - d))
        maps[start : start + rows] = _maps(padded.view(-1, height, width))
    return maps


def _maps(images: torch.Tensor) -> torch.Tensor:
    spectrum = torch.fft.fft2(images)
    amplitude = spectrum.abs()
    # What is smaller than rounding has no logarithm that means anything.
    least = torch.finfo(amplitude.dtype).eps * amplitude.amax((1, 2), keepdim=True)
    floored = torch.maximum(amplitude, least)
    floored = torch.where(floored > 0, floored, 1.0)
    log = floored.log()
    residual = log - _local_average(log)
    # The phase is the spectrum over its amplitude. What is of a real matrix is so after it.
    kept = (spectrum * (residual.exp() / floored))[..., : images.shape[2] // 2 + 1]
    size = images.shape[1:]
    magnitude = torch.fft.irfft2(kept, s=size).square()
    smoothed = torch.fft.irfft2(torch.fft.rfft2(magnitude) * _gaussian(images), s=size)
    return smoothed.clamp(min=0)


def _local_average(values: torch.Tensor) -> torch.Tensor:
    """Mean over windows of side ``AVERAGE`` round each value, over the edges."""
    reach = range(1, AVERAGE // 2 + 1)
    for axis in (1, 2):
        values = values + sum(values.roll(k, axis) + values.roll(-k, axis) for k in reach)
    return values / AVERAGE**2


def _gaussian(images: torch.Tensor) -> torch.Tensor:
    """The Gaussian of deviation ``SIGMA`` by frequency, ``(H, W // 2 + 1)``."""
    height, width = images.shape[1:]
    rows = torch.fft.fftfreq(height, dtype=images.dtype, device=images.device)
    columns = torch.fft.rfftfreq(width, dtype=images.dtype, device=images.device)
    squares = rows[:, None].square() + columns.square()
    return torch.exp(-2 * (math.pi * SIGMA) ** 2 * squares)
