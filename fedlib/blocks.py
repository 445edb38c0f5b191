"""Column blocks of the update matrix, so that the work stays in the processor's cache.

In this module a ``matrix`` has the shape ``(n, d)``, with a row for each client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch

# 25 rows of 8192 float32 values are 0.8 MB, well inside a core's second-level cache. Where little
# is done to a value, fewer operations on wider blocks were faster, by one thread and by two.
CPU_BLOCK, WIDE_CPU_BLOCK = 8192, 32_768


def column_blocks(matrix: torch.Tensor, width: int = CPU_BLOCK) -> Iterator[slice]:
    """Yield the columns of a matrix in blocks, as slices.

    Parameters
    ----------
    matrix
        A matrix of shape ``(n, d)``.
    width
        The number of columns in a block on the CPU. On another device all columns are one block.
    """
    d = matrix.shape[1]
    step = width if matrix.device.type == "cpu" else max(d, 1)
    for start in range(0, d, step):
        yield slice(start, min(start + step, d))


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

    threads = torch.get_num_threads() if on_cpu else 1
    if threads == 1 or matrix.shape[1] <= CPU_BLOCK:
        for columns in column_blocks(matrix):
            take(columns)
    else:
        list(_pool(threads).map(take, column_blocks(matrix)))
    return out


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    # Kept, since a new thread's first operation costs more than a block. Each counts as one of
    # torch's threads, and must not share its work out a second time.
    return ThreadPoolExecutor(threads, "blocks", torch.set_num_threads, (1,))


def distances_to(matrix: torch.Tensor, point: torch.Tensor) -> torch.Tensor:
    """Compute the Euclidean distance of each row to a point.

    The squares are summed block by block in float64. A distance whose square is too large for the
    dtype (in float32, a distance beyond about 1e19) is ``inf``. It is never NaN for finite input.

    Parameters
    ----------
    matrix
        A matrix of shape ``(n, d)``.
    point
        A point of shape ``(d,)``.

    Returns
    -------
    torch.Tensor
        The distances, of shape ``(n,)``, in the dtype of the matrix.
    """
    total = torch.zeros(matrix.shape[0], dtype=torch.float64, device=matrix.device)
    for columns in column_blocks(matrix, WIDE_CPU_BLOCK):
        difference = matrix[:, columns] - point[columns]
        total += torch.linalg.vector_norm(difference, dim=1).double().square()
    return total.sqrt().to(matrix.dtype)


def gram_matrix(matrix: torch.Tensor) -> torch.Tensor:
    """Compute the inner products of all rows, of shape ``(n, n)`` in float64."""
    return _gram(matrix, None, torch.float64)


def _gram(
    matrix: torch.Tensor, centre: slice | torch.Tensor | None, dtype: torch.dtype
) -> torch.Tensor:
    """Compute the inner products of all rows, ``(n, n)``, after the row ``centre`` is subtracted.

    Nothing is subtracted if ``centre`` is None. The products within a block are in ``dtype``, and
    their sum over the blocks is in float64.
    """
    n = matrix.shape[0]
    gram = torch.zeros(n, n, dtype=torch.float64, device=matrix.device)
    for columns in column_blocks(matrix):
        block = matrix[:, columns].to(dtype)
        if centre is not None:
            block = block - block[centre]
        if dtype == torch.float64:
            gram.addmm_(block, block.t())
        else:
            gram += block @ block.t()
    return gram


def inner_products(matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    """Compute the inner product of each row with a ``vector`` of shape ``(d,)``.

    The result has the shape ``(n,)`` and is in float64.
    """
    total = torch.zeros(matrix.shape[0], dtype=torch.float64, device=matrix.device)
    for columns in column_blocks(matrix):
        total += matrix[:, columns].double() @ vector[columns].double()
    return total


def row_norms(matrix: torch.Tensor) -> torch.Tensor:
    """Compute the Euclidean length of each row, of shape ``(n,)`` in float64.

    The lengths of finite rows are finite, with one exception: the length of a float64 row that is
    longer than about 1e154 is ``inf``. See :func:`shortened`.
    """
    total = torch.zeros(matrix.shape[0], dtype=torch.float64, device=matrix.device)
    for columns in column_blocks(matrix):
        total += matrix[:, columns].double().square().sum(1)
    return total.sqrt_()


def shortened(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Shorten the rows whose length would be infinite, without changing their directions.

    Only float64 rows that are longer than about 1e154 are shortened. Each of them is divided by its
    largest absolute value.

    Returns
    -------
    rows : torch.Tensor
        The rows, of shape ``(n, d)``, all of finite length if their values are finite.
    divisors : torch.Tensor
        What each row was divided by, of shape ``(n,)`` in float64.
    """
    divisors = matrix.new_ones(len(matrix), dtype=torch.float64)
    if matrix.dtype != torch.float64:
        return matrix, divisors
    far = row_norms(matrix).isinf()
    if not bool(far.any()):
        return matrix, divisors
    divisors = torch.where(far, matrix.abs().amax(1), divisors)
    return matrix / divisors[:, None], divisors


def pairwise_squared_distances(matrix: torch.Tensor) -> torch.Tensor:
    """Compute the squared distances of all rows by one Gram product.

    All rows are first centred on the first row. If that row is so far out that the distances of the
    others would be lost even in float64, the shortest row is the centre, which no attacker can make
    longer.

    On a CPU, rows that are equal (an attacker's often are) are looked at once, and float32 rows are
    multiplied in float32. A distance that is small beside the lengths of its rows would then lose
    its digits by cancellation. Such a distance, and one that is not finite, is summed from the
    differences of the rows. If there are many of them, all products are taken in float64 instead.
    On other devices all products are taken in float64 from the start.

    Parameters
    ----------
    matrix
        A matrix of shape ``(n, d)`` with finite values.

    Returns
    -------
    torch.Tensor
        The squared distances, of shape ``(n, n)`` in float64 and finite. Between float64 rows, a
        square beyond 1e300 counts as 1e300.
    """
    first, on_cpu = slice(0, 1), matrix.device.type == "cpu"
    if on_cpu:
        distinct, which = _distinct_rows(matrix)
        if len(distinct) < len(matrix):
            of_distinct = pairwise_squared_distances(matrix[distinct])
            return of_distinct[which][:, which]
        if matrix.dtype == torch.float32:
            squared, relative = _squared_distances(_gram(matrix, first, torch.float32))
            i, j = (relative <= _CANCELS).triu(1).nonzero(as_tuple=True)
            if len(i) <= len(matrix):
                squared[i, j] = squared[j, i] = _squared_differences(matrix, i, j)
                return squared
        squared, relative = _squared_distances(_gram(matrix, first, torch.float64))
        if bool((relative >= _LOST).all()):
            return squared
    centre = _centre(matrix)
    if not on_cpu or int(centre):
        squared, _ = _squared_distances(_gram(matrix, centre, torch.float64))
    if matrix.dtype == torch.float64:
        squared.nan_to_num_(nan=_FARTHEST, posinf=_FARTHEST).clamp_(max=_FARTHEST)
    return squared


def _squared_differences(matrix: torch.Tensor, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
    """Compute the squared distances, in float64, of the rows ``i`` to the rows ``j``.

    Both are indices of shape ``(m,)``, and so is the result.
    """
    total = torch.zeros(len(i), dtype=torch.float64)
    if len(i) == 0:
        return total
    for columns in column_blocks(matrix):
        block = matrix[:, columns]
        total += (block[i].double() - block[j].double()).square_().sum(1)
    return total


def _centre(matrix: torch.Tensor) -> torch.Tensor:
    """Return the index, of shape ``(1,)``, of the row to centre on.

    It is the first row, or the shortest row if the first is far longer.
    """
    # A tensor: an accelerator need not be waited for.
    lengths = torch.linalg.vector_norm(matrix, dim=1, dtype=torch.float64)
    least, shortest = lengths.min(0)
    return torch.where(lengths[0] > _FAR * least, shortest, 0).view(1)


def _distinct_rows(matrix: torch.Tensor) -> tuple[list[int], list[int]]:
    """Find the rows that are equal.

    The first list has the index of the first row of each set of equal rows. The second has, for
    each row of the matrix, the position of its set in the first list.
    """
    distinct: list[int] = []
    which: list[int] = []
    # Most rows differ within their first values: only the others are compared whole.
    heads: dict[tuple[float, ...], list[int]] = {}
    for row, head in enumerate(map(tuple, matrix[:, :16].tolist())):
        alike = heads.setdefault(head, [])
        place = next((p for p in alike if torch.equal(matrix[distinct[p]], matrix[row])), None)
        if place is None:
            place = len(distinct)
            distinct.append(row)
            alike.append(place)
        which.append(place)
    return distinct, which


# Of a squared distance to the squared lengths that it is the difference of: too little for float32,
# and for float64.
_CANCELS, _LOST = 0.05, 1e-8
# Times the shortest row: a first row beyond it is not the centre.
_FAR = 1e3
# Sums of many squared distances stay finite.
_FARTHEST = 1e300


def _squared_distances(gram: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute squared distances from inner products, and how large they are beside the lengths.

    The second result has each squared distance divided by the sum of both rows' squared lengths. It
    is 0 where a length is not finite, and 1 on the diagonal.
    """
    norms = gram.diagonal()
    lengths = norms[:, None] + norms[None, :]
    squared = (lengths - 2 * gram).clamp_(min=0)
    # A product need not be symmetric to the last digit, and rules break ties by equality.
    squared = torch.maximum(squared, squared.t())
    relative = torch.where(torch.isfinite(lengths), squared / lengths, 0.0)
    squared.fill_diagonal_(0)
    return squared, relative.fill_diagonal_(1)


def krum_scores(squared: torch.Tensor, n_byzantine: int) -> torch.Tensor:
    """Compute the sum of each row's ``n - f - 2`` smallest squared distances to other rows.

    Parameters
    ----------
    squared
        The squared distances of all rows, of shape ``(n, n)``.
    n_byzantine
        How many rows f may be Byzantine.
    """
    n = squared.shape[0]
    others = squared.nan_to_num(nan=torch.inf).fill_diagonal_(torch.inf)
    return others.sort(dim=1).values[:, : n - n_byzantine - 2].sum(1)


def weighted_sum(matrix: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Compute the sum ``(d,)`` of the rows times their ``weights`` ``(n,)``.

    The sum has the dtype of the matrix.
    """
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


# Products that a thread gets: a few, so that none is left waiting for the slower. Narrower ones are
# not worth sharing out.
_PARTS, _NARROW = 4, 4096


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
