"""Sums, means and deviations over a matrix's rows."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import torch

from fedlib.blocks.columns import (
    NonFiniteError,
    Rows,
    column_blocks,
    in_chunks,
    require_finite,
    rows_for_kernel,
    shared_out,
)


def weighted_sum(matrix: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Compute the sum ``(d,)`` of the rows times their ``weights`` ``(n,)``.

    The sum has the dtype of the matrix.
    """
    least = _IN_CACHE if torch.get_num_threads() > 1 else _TINY
    rows = rows_for_kernel(matrix) if matrix.numel() > least else None
    if rows is not None:
        from fedlib.kernels import products

        out, factors = torch.empty(rows.d, dtype=matrix.dtype), weights.to(matrix.dtype).numpy()

        def add(start: int, stop: int) -> None:
            products.weighted_sum(*rows[:3], start, stop, factors, out.numpy())

        in_chunks(rows.d, add)
        return out
    n, d = matrix.shape
    weights, threads = weights.to(matrix.dtype), torch.get_num_threads()
    parts = _PARTS * threads
    width = d // parts
    if matrix.device.type != "cpu" or threads == 1 or width < _NARROW:
        return weights @ matrix
    # One product with a vector has one thread alone; of many, each thread has some.
    down, along = matrix.stride()
    body = matrix.as_strided((parts, n, width), (width * along, down, along))
    sums = torch.bmm(weights.expand(parts, 1, n), body).view(-1)
    if len(sums) == d:
        return sums
    return torch.cat((sums, weights @ matrix[:, len(sums) :]))


# So many values lie in the cache, where torch's product is faster than a kernel of several threads,
# and so few are done before a kernel has begun.
_IN_CACHE, _TINY = 4_000_000, 200_000
# Products that a thread gets: a few, so that none is left waiting for the slower. Narrower ones are
# not worth sharing out.
_PARTS, _NARROW = 4, 4096


def add_within(
    total: torch.Tensor | None, matrix: torch.Tensor, largest: float, *, check: bool = False
) -> torch.Tensor:
    """Add two matrices, and cut the sums at a largest absolute value.

    Parameters
    ----------
    total
        A finite matrix of shape ``(n, d)``. None stands for zeros.
    matrix
        A matrix of the same shape and dtype, with finite values.
    largest
        The largest absolute value of a sum.
    check
        If true, the values of ``matrix`` need not be finite, and it is an error if one of them is
        not. On an accelerator nothing is checked.

    Returns
    -------
    torch.Tensor
        The sums, of shape ``(n, d)``. They share no memory with the arguments.

    Raises
    ------
    NonFiniteError
        If ``check`` is true and ``matrix`` on a CPU holds a NaN or an Inf.
    """
    old, new = rows_for_kernel(matrix if total is None else total), rows_for_kernel(matrix)
    if old is None or new is None:
        if check:
            require_finite(matrix)
        sums = matrix.clone() if total is None else total + matrix
        return sums.clamp_(-largest, largest)
    from fedlib.kernels import products

    out = torch.empty(matrix.shape, dtype=matrix.dtype)
    limit = new.values.dtype.type(largest)

    def add(start: int, stop: int) -> bool:
        return products.add_within(
            *(old.values, new.values, total is None, new.n, old.stride, new.stride),
            *(start, stop, limit, out.view(-1).numpy(), new.d),
        )

    if not all(in_chunks(new.d, add)) and check:
        raise NonFiniteError("The matrix holds a NaN or an Inf.")
    return out


def row_mean(matrix: torch.Tensor) -> torch.Tensor:
    """Compute the mean of the rows, of shape ``(d,)``, even where their sum would overflow.

    The mean is rounded, so the mean of equal rows may be larger than the rows by one digit in the
    last place.
    """
    # Each row is scaled first.
    return weighted_sum(matrix, matrix.new_full((matrix.shape[0],), 1 / matrix.shape[0]))


def weighted_mean(matrix: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Compute the mean ``(d,)`` of the rows by their ``weights`` ``(n,)``.

    The sum of the weights may be any positive number.
    """
    return weighted_sum(matrix, weights / weights.sum())


def selected_mean(matrix: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Compute the mean ``(d,)`` of the rows with the indices ``rows`` ``(m,)``, without a copy."""
    weights = torch.zeros(len(matrix), dtype=torch.float64, device=matrix.device)
    return weighted_mean(matrix, weights.index_fill(0, rows, 1.0))


def row_std(matrix: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """Compute the sample standard deviation (n - 1) of each column, of shape ``(d,)``.

    It is zero if there is one row alone. It is ``inf`` only if it is itself too large for the
    dtype.

    Parameters
    ----------
    matrix
        A matrix of shape ``(n, d)``. Its rows are the samples.
    mean
        The mean of the rows, of shape ``(d,)``.
    """
    n = matrix.shape[0]
    if n < 2:
        return torch.zeros_like(mean)
    ones = matrix.new_full((n,), 1 / (n - 1))
    out = torch.empty_like(mean)
    for columns in column_blocks(matrix):
        out[columns] = ones @ (matrix[:, columns] - mean[columns]).square_()
    out.sqrt_()
    if matrix.device.type == "cpu" and bool(out.isfinite().all()):
        return out
    # Where the squares overflowed, the values are scaled first.
    largest = matrix.abs().amax(0).clamp(min=torch.finfo(matrix.dtype).tiny)
    scaled = (matrix / largest - mean / largest).square_()
    return torch.where(out.isfinite(), out, (ones @ scaled).sqrt_() * largest)


def mixed_columns(
    matrix: torch.Tensor,
    weights: torch.Tensor,
    function: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Apply a function of the columns to weighted sums of the rows, block by block.

    The sums of all columns are never there at once: a block of them stays in the cache until the
    function has read it.

    Parameters
    ----------
    matrix
        A matrix of shape ``(n, d)`` with finite values.
    weights
        The weights of each sum, of shape ``(m, n)``.
    function
        A function that is given the sums of some columns, of shape ``(m, block)``, and returns a
        value for each column, of shape ``(block,)``. It must not keep what it is given.

    Returns
    -------
    torch.Tensor
        The values, of shape ``(d,)``, in the dtype of the matrix.
    """
    rows, out = rows_for_kernel(matrix), matrix.new_empty(matrix.shape[1])
    weights = weights.to(matrix.dtype)
    if rows is None:
        for columns in column_blocks(matrix):
            out[columns] = function(weights @ matrix[:, columns])
        return out
    mix = _mixing(rows, weights.numpy())

    def take(columns: slice) -> None:
        sums = mix(columns.start, columns.stop)[: len(weights), : columns.stop - columns.start]
        out[columns] = function(torch.from_numpy(sums))

    shared_out(list(column_blocks(matrix, _BLOCK)), take)
    return out


def _mixing(rows: Rows, weights: np.ndarray) -> Callable[[int, int], np.ndarray]:
    """Return a function ``(start, stop)`` that mixes these columns.

    Its answer has at least as many rows as the ``weights`` ``(m, n)`` have and at least as many
    columns as asked for. What is beyond is not to be read. The next answer of the same thread is
    written over it.
    """
    from fedlib.kernels import products
    from fedlib.kernels.vectors import TILE

    m = len(weights)
    filled = np.zeros(((m + TILE - 1) // TILE * TILE, rows.n), rows.values.dtype)
    filled[:m] = weights
    own = threading.local()
    owners, members = weights.nonzero()
    begins, few = np.searchsorted(owners, np.arange(m + 1)), weights[owners, members]

    def mix(start: int, stop: int) -> np.ndarray:
        if not hasattr(own, "out"):  # Each thread keeps its memory, which is dear to get anew.
            own.out = np.empty((len(filled), _BLOCK), rows.values.dtype)
        out: np.ndarray = own.out
        # Many rows in each sum are read once for five sums, and few rows once for each sum.
        if len(members) < _FEW * weights.size:
            products.sums_of_few(rows.values, rows.stride, start, stop, begins, members, few, out)
        else:
            products.mixed(*rows[:3], start, stop, filled.reshape(-1), out)
        return out

    return mix


_FEW = 0.2
# Of mixed columns. Where blocks are narrower, Python between them costs more than the cache saves,
# most of all with several threads, which wait for one another there.
_BLOCK = 16_384
