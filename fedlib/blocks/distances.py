"""Lengths, distances and inner products of a matrix's rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from fedlib.blocks.columns import (
    WIDE_CPU_BLOCK,
    Rows,
    column_blocks,
    in_chunks,
    require_finite,
    rows_for_kernel,
)
from fedlib.validation import ConfigError


def distances_to(matrix: torch.Tensor, point: torch.Tensor, *, check: bool = False) -> torch.Tensor:
    """Compute the Euclidean distance of each row to a point.

    The squares are summed block by block in float64. A distance whose square is too large for the
    dtype (in float32, a distance beyond about 1e19) is ``inf``. It is never NaN for finite input.

    Parameters
    ----------
    matrix
        A matrix of shape ``(n, d)``.
    point
        A point of shape ``(d,)``.
    check
        If true, the values need not be finite, and it is an error if one of them is not. On an
        accelerator nothing is checked.

    Returns
    -------
    torch.Tensor
        The distances, of shape ``(n,)``, in the dtype of the matrix.

    Raises
    ------
    NonFiniteError
        If ``check`` is true and the matrix on a CPU holds a NaN or an Inf.
    ConfigError
        If the point has another shape than a row of the matrix.
    """
    _check_vector("point", point, matrix)
    rows = rows_for_kernel(matrix)
    if rows is not None:
        from fedlib.kernels.products import squared_distances

        there = point.to(matrix.dtype).contiguous().numpy()
        squared = _sums_of_columns(
            rows,
            lambda start, stop, out: squared_distances(*rows[:3], start, stop, there, out),
            (rows.n,),
        )
        if check and not bool(squared.isfinite().all()):
            require_finite(matrix)
        return squared.sqrt_().to(matrix.dtype)
    if check:
        require_finite(matrix)
    total = torch.zeros(matrix.shape[0], dtype=torch.float64, device=matrix.device)
    for columns in column_blocks(matrix, WIDE_CPU_BLOCK):
        difference = matrix[:, columns] - point[columns]
        total += torch.linalg.vector_norm(difference, dim=1).double().square()
    return total.sqrt().to(matrix.dtype)


def _check_vector(name: str, vector: torch.Tensor, matrix: torch.Tensor) -> None:
    """Check that a vector is as long as a row. A kernel would read on behind a shorter one.

    Raises
    ------
    ConfigError
        If it has another shape.
    """
    if vector.shape != matrix.shape[1:]:
        raise ConfigError(
            f"{name} has the shape {tuple(vector.shape)}: must have the shape "
            f"{tuple(matrix.shape[1:])} of a row of the matrix."
        )


def _sums_of_columns(
    rows: Rows, add: Callable[[int, int, np.ndarray], None], shape: tuple[int, ...]
) -> torch.Tensor:
    """Return the sum over all columns, in float64, of what ``add(start, stop, out)`` adds."""

    def of_chunk(start: int, stop: int) -> np.ndarray:
        out = np.zeros(shape)
        add(start, stop, out)
        return out

    return torch.from_numpy(sum(in_chunks(rows.d, of_chunk, summed=True), np.zeros(shape)))


def gram_matrix(matrix: torch.Tensor, *, exact: bool = True) -> torch.Tensor:
    """Compute the inner products of all rows, of shape ``(n, n)`` in float64.

    Parameters
    ----------
    matrix
        A matrix of shape ``(n, d)``.
    exact
        If true, all products are taken in float64. If false, a kernel may sum a thousand products
        in the dtype of the matrix before it goes on in float64, which is several times faster.
    """
    if not exact and rows_for_kernel(matrix) is not None:
        gram = _gram(matrix, None, matrix.dtype)
        if matrix.dtype == torch.float64 or bool(gram.isfinite().all()):
            return gram
    return _gram(matrix, None, torch.float64)


def _gram(
    matrix: torch.Tensor, centre: slice | torch.Tensor | None, dtype: torch.dtype
) -> torch.Tensor:
    """Compute the inner products of all rows, ``(n, n)``, after the row ``centre`` is subtracted.

    Nothing is subtracted if ``centre`` is None. The products within a block are in ``dtype``, and
    their sum over the blocks is in float64.
    """
    rows = rows_for_kernel(matrix) if matrix.dtype == dtype else None
    if rows is not None:
        from fedlib.kernels.products import products

        middle = -1 if centre is None else 0 if isinstance(centre, slice) else int(centre)
        return _sums_of_columns(
            rows,
            lambda start, stop, out: products(*rows[:3], start, stop, middle, out),
            (rows.n, rows.n),
        )
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

    The result has the shape ``(n,)`` and is in float64. A vector of another shape raises a
    ConfigError.
    """
    _check_vector("vector", vector, matrix)
    rows = rows_for_kernel(matrix)
    if rows is not None:
        from fedlib.kernels import products

        there = vector.to(matrix.dtype).contiguous().numpy()
        return _sums_of_columns(
            rows,
            lambda start, stop, out: products.inner_products(*rows[:3], start, stop, there, out),
            (rows.n,),
        )
    total = torch.zeros(matrix.shape[0], dtype=torch.float64, device=matrix.device)
    for columns in column_blocks(matrix):
        total += matrix[:, columns].double() @ vector[columns].double()
    return total


def row_norms(matrix: torch.Tensor) -> torch.Tensor:
    """Compute the Euclidean length of each row, of shape ``(n,)`` in float64.

    The lengths of finite rows are finite, with one exception: the length of a float64 row that is
    longer than about 1e154 is ``inf``. See :func:`shortened`.
    """
    rows = rows_for_kernel(matrix)
    if rows is not None:
        from fedlib.kernels.products import squared_lengths

        squared = _sums_of_columns(
            rows, lambda start, stop, out: squared_lengths(*rows[:3], start, stop, out), (rows.n,)
        )
        # Squares that are too large or too small for the dtype are taken again in float64.
        if matrix.dtype == torch.float64 or bool(((squared > _SMALL) & squared.isfinite()).all()):
            return squared.sqrt_()
    total = torch.zeros(matrix.shape[0], dtype=torch.float64, device=matrix.device)
    for columns in column_blocks(matrix):
        total += matrix[:, columns].double().square().sum(1)
    return total.sqrt_()


def cosines(matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    """Compute the cosine between each row and a ``vector`` of shape ``(d,)``.

    On a CPU the compiled kernels read the matrix twice, which takes a fraction of the time of
    torch's own function.

    Returns
    -------
    torch.Tensor
        Shape ``(n,)``, in the dtype of the matrix. It is 0 where a length is 0, and NaN for rows
        that are not finite.

    Raises
    ------
    ConfigError
        If the vector has another shape than a row of the matrix.
    """
    _check_vector("vector", vector, matrix)
    if rows_for_kernel(matrix) is None:
        return F.cosine_similarity(matrix, vector[None], dim=1)
    lengths = row_norms(matrix) * row_norms(vector[None])
    return (inner_products(matrix, vector) / lengths.clamp_min_(_NO_LENGTH)).to(matrix.dtype)


_NO_LENGTH = 1e-30


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


def pairwise_squared_distances(matrix: torch.Tensor, *, check: bool = False) -> torch.Tensor:
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
    check
        If true, the values need not be finite, and it is an error if one of them is not. On an
        accelerator nothing is checked.

    Returns
    -------
    torch.Tensor
        The squared distances, of shape ``(n, n)`` in float64 and finite. Between float64 rows, a
        square beyond 1e300 counts as 1e300.

    Raises
    ------
    NonFiniteError
        If ``check`` is true and the matrix on a CPU holds a NaN or an Inf.
    """
    first, on_cpu = slice(0, 1), matrix.device.type == "cpu"
    if on_cpu:
        distinct, which = _distinct_rows(matrix)
        if len(distinct) < len(matrix):
            of_distinct = pairwise_squared_distances(matrix[distinct], check=check)
            return of_distinct[which][:, which]
        if matrix.dtype == torch.float32:
            gram = _gram(matrix, first, torch.float32)
            if check and not bool(gram.diagonal().isfinite().all()):
                require_finite(matrix)
            squared, relative = _squared_distances(gram)
            i, j = (relative <= _CANCELS).triu(1).nonzero(as_tuple=True)
            if len(i) <= len(matrix):
                squared[i, j] = squared[j, i] = _squared_differences(matrix, i, j)
                return squared
        gram = _gram(matrix, first, torch.float64)
        if check and not bool(gram.diagonal().isfinite().all()):
            require_finite(matrix)
        squared, relative = _squared_distances(gram)
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
# A float32 row with a smaller squared length may have lost digits of its squares.
_SMALL = 1e-26
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
