"""Statistics of the values of each column in ascending order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from fedlib.blocks.columns import (
    NonFiniteError,
    column_blocks,
    in_chunks,
    require_finite,
    rows_for_kernel,
    shared_out,
)
from fedlib.kernels.networks import selection_network


def of_sorted(
    matrix: torch.Tensor, statistic: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """Compute an order statistic of each column.

    On the CPU numpy's vectorised sort of short rows orders the values, several times faster than
    ``torch.sort`` does along the first dimension, and each of torch's threads takes a block at a
    time.

    Parameters
    ----------
    matrix
        A matrix of shape ``(n, d)`` with finite values.
    statistic
        A function that is called for each block. It is given the values of the block's columns in
        ascending order, of shape ``(block, n)``, and returns the statistics, of shape ``(block,)``.

    Returns
    -------
    torch.Tensor
        The statistics, of shape ``(d,)``.
    """
    out = matrix.new_empty(matrix.shape[1])
    on_cpu = matrix.device.type == "cpu" and matrix.dtype in (torch.float32, torch.float64)

    def take(columns: slice) -> None:
        if on_cpu:
            # A copy always, and by numpy, which is faster at it.
            values = np.array(matrix[:, columns].numpy().T, order="C")
            values.sort(axis=1)
            out[columns] = statistic(torch.from_numpy(values))
        else:
            out[columns] = statistic(matrix[:, columns].t().sort(dim=1).values)

    blocks = list(column_blocks(matrix))
    if on_cpu:
        shared_out(blocks, take)
    else:
        for columns in blocks:
            take(columns)
    return out


def l_estimate(
    matrix: torch.Tensor, weights: Sequence[float], *, check: bool = False
) -> torch.Tensor:
    """Compute a weighted sum of each column's order statistics, which is called an L-estimator.

    The median and the trimmed mean are of this kind.

    Parameters
    ----------
    matrix
        A matrix of shape ``(n, d)`` with finite values.
    weights
        The weight of each place in the ascending order, ``n`` numbers. The sum of their absolute
        values is at most 1, so that the result cannot overflow.
    check
        If true, the values need not be finite, and it is an error if one of them is not. On an
        accelerator nothing is checked.

    Returns
    -------
    torch.Tensor
        The sums, of shape ``(d,)``, in the dtype of the matrix.

    Raises
    ------
    NonFiniteError
        If ``check`` is true and the matrix on a CPU holds a NaN or an Inf.
    """
    rows = rows_for_kernel(matrix)
    if rows is None:
        if check:
            require_finite(matrix)
        factors = torch.tensor(weights, dtype=matrix.dtype, device=matrix.device)
        # A value without weight is finite, so its product with zero is zero.
        return of_sorted(matrix, lambda ordered: ordered @ factors)
    from fedlib.kernels import selection

    out = torch.empty(rows.d, dtype=matrix.dtype)
    network = selection_network(rows.n, (k for k, weight in enumerate(weights) if weight))
    of_places, target = np.array(weights, rows.values.dtype), out.numpy()
    chosen, bits = np.arange(rows.n), rows.as_bits()

    def combine(start: int, stop: int) -> bool:
        return selection.order_statistics(
            rows.values, *bits, chosen, rows.stride, start, stop, *network, of_places, target
        )

    if not all(in_chunks(rows.d, combine)) and check:
        raise NonFiniteError("The matrix holds a NaN or an Inf.")
    return out


def mean_around_median(
    matrix: torch.Tensor, kept: int, chosen: torch.Tensor | None = None, *, check: bool = False
) -> torch.Tensor:
    """Compute the mean of the ``kept`` values of each column that are closest to its median.

    If two values are equally close, the smaller one is taken.

    Parameters
    ----------
    matrix
        A matrix of shape ``(n, d)`` with finite values.
    kept
        How many values are averaged, from 1 to the number of rows that are looked at.
    chosen
        The indices of the rows that are looked at, of shape ``(m,)``. None looks at all rows.
    check
        If true, the values need not be finite, and it is an error if one of them is not. On an
        accelerator nothing is checked.

    Returns
    -------
    torch.Tensor
        The means, of shape ``(d,)``, in the dtype of the matrix.

    Raises
    ------
    NonFiniteError
        If ``check`` is true and one of the rows on a CPU holds a NaN or an Inf.
    """
    rows = rows_for_kernel(matrix)
    if rows is None:
        if check:
            require_finite(matrix)
        looked_at = matrix if chosen is None else matrix.index_select(0, chosen)
        return of_sorted(looked_at, lambda ordered: _mean_of_window(ordered, kept))
    from fedlib.kernels import selection

    out = torch.empty(rows.d, dtype=matrix.dtype)
    which = np.arange(rows.n) if chosen is None else chosen.numpy()
    network, bits = selection_network(len(which), range(len(which))), rows.as_bits()

    def average(start: int, stop: int) -> bool:
        return selection.means_around_median(
            rows.values, *bits, which, rows.stride, start, stop, *network, kept, out.numpy()
        )

    if not all(in_chunks(rows.d, average)) and check:
        raise NonFiniteError("The matrix holds a NaN or an Inf.")
    return out


def _mean_of_window(ordered: torch.Tensor, kept: int) -> torch.Tensor:
    """Return the mean of the ``kept`` values closest to the median of each row ``(m, n)``."""
    count = ordered.shape[1]
    median = ordered[:, (count - 1) // 2] / 2 + ordered[:, count // 2] / 2
    return mean_of_nearest(ordered, median, kept)


def mean_of_nearest(ordered: torch.Tensor, centre: torch.Tensor, kept: int) -> torch.Tensor:
    """Compute the mean of the values of each row that are closest to a centre.

    :func:`of_sorted` gives such rows. If two values are equally close, the smaller one is taken.

    Parameters
    ----------
    ordered
        Finite values in ascending order, of shape ``(m, n)``.
    centre
        The centre of each row, of shape ``(m,)``.
    kept
        How many values are averaged, from 1 to ``n``.

    Returns
    -------
    torch.Tensor
        The means, of shape ``(m,)``.
    """
    left_out = ordered.shape[1] - kept
    # The closest values are neighbours in the order. The first of them moves up as long as the
    # smallest value is farther than the one beyond the largest. A difference may overflow to Inf.
    below = centre[:, None] - ordered[:, :left_out]
    above = ordered[:, kept:] - centre[:, None]
    start = (below > above).sum(1, keepdim=True)
    places = start + torch.arange(kept, device=ordered.device)
    # Each value is scaled first, because their sum could overflow.
    return (ordered.gather(1, places) / kept).sum(1)
