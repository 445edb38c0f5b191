"""Lengths of updates, clipping to a length, and angles between updates, for rules that use them."""

from __future__ import annotations

import torch

from fedlib.blocks import gram_matrix, row_norms, shortened


def update_lengths(updates: torch.Tensor) -> torch.Tensor:
    """Compute the Euclidean length of each update.

    Parameters
    ----------
    updates
        The updates ``(n, d)``. They must be finite.

    Returns
    -------
    torch.Tensor
        The lengths ``(n,)`` in float64, all finite. A length beyond the largest float counts as the
        largest float.
    """
    shorter, divisors = shortened(updates)
    return (row_norms(shorter) * divisors).clamp(max=torch.finfo(torch.float64).max)


def median_length(lengths: torch.Tensor) -> torch.Tensor:
    """Compute the median of lengths ``(n,)``, the mean of the two middle ones if ``n`` is even."""
    ordered, n = lengths.sort().values, len(lengths)
    return ordered[(n - 1) // 2] / 2 + ordered[n // 2] / 2


def clipping_factors(lengths: torch.Tensor, limit: torch.Tensor) -> torch.Tensor:
    """Compute the factors ``(n,)``, at most 1, that shorten updates to a limit.

    Parameters
    ----------
    lengths
        The lengths of the updates, ``(n,)``.
    limit
        The largest length that is allowed, a tensor without axes.
    """
    return torch.where(lengths > limit, limit / lengths, 1.0)


def cosine_distances(updates: torch.Tensor) -> torch.Tensor:
    """Compute one minus the cosine of the angle between each two updates.

    Parameters
    ----------
    updates
        The updates ``(n, d)``. They must be finite.

    Returns
    -------
    torch.Tensor
        The distances ``(n, n)`` in float64, from 0 to 2. They are symmetric, and 0 on the diagonal.
        The zero update has no direction, so its distance to every other update is 1.
    """
    gram = gram_matrix(shortened(updates)[0])
    lengths = gram.diagonal().sqrt().clamp(min=torch.finfo(torch.float64).tiny)
    distances = 1 - (gram / lengths[:, None] / lengths).clamp(-1, 1)
    # A product need not be symmetric to the last digit, and clustering needs it to be.
    return torch.maximum(distances, distances.t()).fill_diagonal_(0)
