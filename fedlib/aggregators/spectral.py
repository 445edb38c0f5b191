"""Spectral residual saliency, which maps an array itself and needs no network and no inputs."""

from __future__ import annotations

import math

import torch

AVERAGE = 3
"""This is the side of the local average of the log spectrum (Hou and Zhang, 2007)."""
SIGMA = 2.5
"""This is the deviation in pixels of the Gaussian that smooths the map, as in the authors' code."""
_BLOCK = 1 << 16
"""This many values are worked on at once on a CPU, where the spectra then stay in the cache."""
_DEVICE_BLOCK = 1 << 22
"""This many are worked on at once on other devices. The spectra of all clients of a large network
would need many times the memory of its updates."""


def spectral_residual_maps(vectors: torch.Tensor) -> torch.Tensor:
    """Make saliency maps of vectors by their spectral residual (Hou and Zhang, 2007).

    Each vector is laid out row by row as a matrix that is nearly a square, with zeros at its end.
    A new spectrum is made from the matrix's spectrum. It keeps the phase, and its log amplitude is
    the old one less the local average of the old one. The map is the squared magnitude of the
    matrix that has the new spectrum, and it is smoothed. Spectrum and map are periodic here, as the
    transform takes them to be, and nothing is resized. The length and the sign of a vector change
    the map by rounding only, so a vector and its negative have the same map.

    Parameters
    ----------
    vectors
        The vectors ``(n, d)``. They must be finite.

    Returns
    -------
    torch.Tensor
        The maps ``(n, H, W)`` in float64. No value is below zero, and the map of a vector of zeros
        is zero.
    """
    # To import it takes longer than many commands do, and most of them make no map.
    from scipy.fft import next_fast_len

    n, d = vectors.shape
    # The sides have small prime factors only. Otherwise the transform could take many times as
    # long.
    width = next_fast_len(math.ceil(d**0.5), real=True)
    height = next_fast_len(math.ceil(d / width))
    maps = vectors.new_zeros(n, height, width, dtype=torch.float64)
    rows = max((_BLOCK if vectors.device.type == "cpu" else _DEVICE_BLOCK) // d, 1)
    for start in range(0, n, rows):
        block = vectors[start : start + rows].double()
        largest = block.abs().amax(1, keepdim=True)
        # The vectors are scaled first, because the sums of extreme values would overflow.
        block = block / torch.where(largest > 0, largest, 1.0)
        padded = torch.nn.functional.pad(block, (0, height * width - d))
        maps[start : start + rows] = _maps(padded.view(-1, height, width))
    return maps


def _maps(images: torch.Tensor) -> torch.Tensor:
    """Return the saliency maps of images ``(n, H, W)``, in the same shape."""
    # The spectrum of a real matrix repeats itself, so half of it is enough.
    spectrum = torch.fft.rfft2(images)
    amplitude = spectrum.abs()
    # The logarithm of an amplitude that is smaller than rounding means nothing.
    least = torch.finfo(amplitude.dtype).eps * amplitude.amax((1, 2), keepdim=True)
    floored = torch.maximum(amplitude, least)
    floored = torch.where(floored > 0, floored, 1.0)
    log = floored.log()
    residual = log - _local_average(log, images.shape[2])
    # The phase is the spectrum over its amplitude.
    size = images.shape[1:]
    magnitude = torch.fft.irfft2(spectrum * (residual.exp() / floored), s=size).square()
    smoothed = torch.fft.irfft2(torch.fft.rfft2(magnitude) * _gaussian(images), s=size)
    return smoothed.clamp(min=0)


def _local_average(half: torch.Tensor, width: int) -> torch.Tensor:
    """Return the mean over a window of side ``AVERAGE`` around each amplitude of a real matrix.

    A window that crosses an edge goes on at the opposite edge.

    Parameters
    ----------
    half
        The first ``width // 2 + 1`` columns of the amplitudes, ``(n, H, width // 2 + 1)``.
    width
        The number of all columns.
    """
    columns, reach = half.shape[2], AVERAGE // 2
    # The amplitude in row -i and column -j is that in row i and column j.
    wanted = [*range(-reach, 0), *range(columns, columns + reach)]
    beyond = half[..., [min(column % width, -column % width) for column in wanted]]
    mirrored = torch.tensor([column % width >= columns for column in wanted], device=half.device)
    beyond = torch.where(mirrored, beyond.flip(1).roll(1, 1), beyond)
    wide = torch.cat((beyond[..., :reach], half, beyond[..., reach:]), dim=2)
    wide = torch.cat((wide[:, -reach:], wide, wide[:, :reach]), dim=1)
    rows = sum(wide[:, k : k + half.shape[1]] for k in range(AVERAGE))
    assert isinstance(rows, torch.Tensor)
    average = sum(rows[..., k : k + columns] for k in range(AVERAGE))
    assert isinstance(average, torch.Tensor)
    return average / AVERAGE**2


def _gaussian(images: torch.Tensor) -> torch.Tensor:
    """Return the Gaussian of deviation ``SIGMA`` in terms of frequency, ``(H, W // 2 + 1)``."""
    height, width = images.shape[1:]
    rows = torch.fft.fftfreq(height, dtype=images.dtype, device=images.device)
    columns = torch.fft.rfftfreq(width, dtype=images.dtype, device=images.device)
    squares = rows[:, None].square() + columns.square()
    return torch.exp(-2 * (math.pi * SIGMA) ** 2 * squares)
