"""Column blocks of the update matrix: work that stays in the processor's cache."""

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
    """Slices that cover the columns: ``width`` each on the CPU, all at once elsewhere."""
    d = matrix.shape[1]
    step = width if matrix.device.type == "cpu" else max(d, 1)
    for start in range(0, d, step):
        yield slice(start, min(start + step, d))


def of_sorted(
    matrix: torch.Tensor, statistic: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """An order statistic of each column, ``(d,)``.

    ``statistic`` is given the columns' values in ascending order, ``(block, n)``, block by block,
    and returns ``(block,)``. The matrix must be finite. On the CPU numpy's vectorised sort of short
    rows orders them, several times faster than ``torch.sort`` along the first dimension, and
    torch's threads take a block each.
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
    """Euclidean distance of each row of ``(n, d)`` to ``point`` ``(d,)``; shape ``(n,)``.

    Summed block by block in float64. A distance whose square is too large for the dtype
    (in float32, a distance beyond about 1e19) comes out as ``inf``, never as NaN, for finite
    input.
    """
    total = torch.zeros(matrix.shape[0], dtype=torch.float64, device=matrix.device)
    for columns in column_blocks(matrix, WIDE_CPU_BLOCK):
        difference = matrix[:, columns] - point[columns]
        total += torch.linalg.vector_norm(difference, dim=1).double().square()
    return total.sqrt().to(matrix.dtype)


def gram_matrix(matrix: torch.Tensor) -> torch.Tensor:
    """Inner products of all rows, ``(n, n)`` in float64."""
    return _gram(matrix, None, torch.float64)


def _gram(
    matrix: torch.Tensor, centre: slice | torch.Tensor | None, dtype: torch.dtype
) -> torch.Tensor:
    """Inner products of all rows minus the row ``centre``, if any, ``(n, n)``.

    Products are in ``dtype``, summed over the blocks in float64.
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
    """Inner product of each row of ``(n, d)`` with ``vector`` ``(d,)``; ``(n,)`` in float64."""
    total = torch.zeros(matrix.shape[0], dtype=torch.float64, device=matrix.device)
    for columns in column_blocks(matrix):
        total += matrix[:, columns].double() @ vector[columns].double()
    return total


def row_norms(matrix: torch.Tensor) -> torch.Tensor:
    """Euclidean length of each row, ``(n,)`` in float64.

    Finite for finite input, but for float64 rows longer than about 1e154, whose length is ``inf``:
    see :func:`shortened`.
    """
    total = torch.zeros(matrix.shape[0], dtype=torch.float64, device=matrix.device)
    for columns in column_blocks(matrix):
        total += matrix[:, columns].double().square().sum(1)
    return total.sqrt_()


def shortened(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows ``(n, d)`` of the same directions with finite lengths, and their divisors ``(n,)``.

    Only float64 rows longer than about 1e154 are divided, by their largest value.
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
    """Squared distances of all rows, ``(n, n)`` in float64 and finite, by one Gram product.

    All rows are centred on the first. On a CPU float32 is multiplied as it is; a distance that is
    small beside the rows' lengths, where that would cancel, or not finite, is then summed from the
    rows' differences, or, if there are many of them, all products are taken in float64, as they are
    elsewhere. Where the first row is so far out that the others' distances would be lost even so,
    the shortest row is the centre, which no attacker can make longer. Equal rows (an attacker's,
    often) are looked at once. Of float64 rows, squares beyond 1e300 count as 1e300.
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
    """Squared distances of the rows ``i`` to the rows ``j``, in float64."""
    total = torch.zeros(len(i), dtype=torch.float64)
    if len(i) == 0:
        return total
    for columns in column_blocks(matrix):
        block = matrix[:, columns]
        total += (block[i].double() - block[j].double()).square_().sum(1)
    return total


def _centre(matrix: torch.Tensor) -> torch.Tensor:
    """Index ``(1,)`` of the first row, or of the shortest if the first is far longer."""
    # A tensor: an accelerator need not be waited for.
    lengths = torch.linalg.vector_norm(matrix, dim=1, dtype=torch.float64)
    least, shortest = lengths.min(0)
    return torch.where(lengths[0] > _FAR * least, shortest, 0).view(1)


def _distinct_rows(matrix: torch.Tensor) -> tuple[list[int], list[int]]:
    """The first of each set of equal rows, and for each row the place of its own among them."""
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
    """Squared distances from inner products, and those relative to the lengths.

    The latter are 0 where a length is not finite, and 1 on the diagonal.
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
    """Sum of each row's ``n - f - 2`` smallest squared distances to others, ``(n,)``."""
    n = squared.shape[0]
    others = squared.nan_to_num(nan=torch.inf).fill_diagonal_(torch.inf)
    return others.sort(dim=1).values[:, : n - n_byzantine - 2].sum(1)


def weighted_sum(matrix: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sum of the rows ``(n, d)`` times their ``weights`` ``(n,)``; shape ``(d,)``."""
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
    """Mean of the rows, ``(d,)``, even where their sum would overflow.

    But for its rounding: the mean of equal rows may be one digit in the last place larger.
    """
    # Each row is scaled first.
    return weighted_sum(matrix, matrix.new_full((matrix.shape[0],), 1 / matrix.shape[0]))


def weighted_mean(matrix: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean of the rows by ``weights`` ``(n,)`` of any positive sum, ``(d,)``."""
    return weighted_sum(matrix, weights / weights.sum())


def selected_mean(matrix: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Mean of some rows, given by their indices ``(m,)``; no copy of them is made."""
    weights = torch.zeros(len(matrix), dtype=torch.float64, device=matrix.device)
    return weighted_mean(matrix, weights.index_fill(0, rows, 1.0))


def row_std(matrix: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """Sample standard deviation (n - 1) of each column, ``(d,)``; zeros for a single row."""
    n = matrix.shape[0]
    if n < 2:
        return torch.zeros_like(mean)
    ones = matrix.new_full((n,), 1 / (n - 1))
    out = torch.empty_like(mean)
    for columns in column_blocks(matrix):
        out[columns] = ones @ (matrix[:, columns] - mean[columns]).square_()
    return out.sqrt_()
