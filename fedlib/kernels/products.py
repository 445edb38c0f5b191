"""Kernels of sums over columns (products, lengths, distances) and of sums over rows.

Sums over columns are taken in the dtype of the values for some thousand columns at most, and in
float64 beyond. All arrays are one-dimensional and contiguous unless a shape is given. ``stride`` is
the distance of a matrix's rows in elements.
"""

from __future__ import annotations

import numpy as np

from fedlib.kernels.compiling import kernel, kernel_of_sums
from fedlib.kernels.memory import zeros
from fedlib.kernels.vectors import LANES, TILE, mix_rows, prefetch, products_of_rows

STRIP = 1024
"""The number of columns whose products are summed before they are added in float64."""
# Rows that are a power of two apart would share the same places of the cache.
_PITCH = STRIP + 2 * LANES
_WIDE, _SUMMED = 8192, 8192
MIXED = 64
"""Mixed columns come in groups of this number."""
_AHEAD = 256


@kernel
def products(matrix, n, stride, start, stop, centre, gram):  # type: ignore[no-untyped-def]
    """Add the inner products of all rows, from some columns, to ``gram``.

    Parameters
    ----------
    matrix, n, stride
        The matrix and its number of rows.
    start, stop
        The columns.
    centre
        The row that is subtracted from all rows first, or -1 if none is.
    gram
        The sums, of shape ``(n, n)`` in float64.
    """
    groups = (n + TILE - 1) // TILE
    # The rows that fill the last group are zero.
    strip = zeros(groups * TILE * _PITCH, matrix)
    sums = np.empty(TILE * TILE)
    for first in range(start, stop, STRIP):
        width = min(STRIP, stop - first)
        length = (width + LANES - 1) // LANES * LANES
        for i in range(n):
            source = matrix[i * stride + first : i * stride + first + width]
            target = strip[i * _PITCH : i * _PITCH + length]
            target[width:] = 0
            if centre < 0:
                for k in range(width):
                    target[k] = source[k]
            else:
                middle = matrix[centre * stride + first : centre * stride + first + width]
                for k in range(width):
                    target[k] = source[k] - middle[k]
        for a in range(groups):
            for b in range(a, groups):
                products_of_rows(strip, a * TILE * _PITCH, b * TILE * _PITCH, _PITCH, length, sums)
                _add_tile(sums, a * TILE, b * TILE, gram)


@kernel
def _add_tile(sums, first, second, gram):  # type: ignore[no-untyped-def]
    """Add the products of a tile to ``gram``, and those beside the diagonal on both sides of it."""
    n = len(gram)
    for a in range(min(TILE, n - first)):
        for b in range(min(TILE, n - second)):
            total = sums[TILE * a + b]
            gram[first + a, second + b] += total
            if first != second:
                gram[second + b, first + a] += total


@kernel_of_sums
def squared_distances(matrix, n, stride, start, stop, point, out):  # type: ignore[no-untyped-def]
    """Add each row's squared distance to ``point``, from some columns, to ``out`` ``(n,)``."""
    for first in range(start, stop, _WIDE):
        width = min(_WIDE, stop - first)
        there = point[first : first + width]
        for i in range(n):
            row = matrix[i * stride + first : i * stride + first + width]
            total = matrix.dtype.type(0)
            for k in range(width):
                difference = row[k] - there[k]
                total += difference * difference
            out[i] += total


@kernel_of_sums
def inner_products(matrix, n, stride, start, stop, point, out):  # type: ignore[no-untyped-def]
    """Add each row's inner product with ``point``, from some columns, to ``out`` ``(n,)``."""
    for first in range(start, stop, _WIDE):
        width = min(_WIDE, stop - first)
        there = point[first : first + width]
        for i in range(n):
            row = matrix[i * stride + first : i * stride + first + width]
            total = 0.0
            for k in range(width):
                total += np.float64(row[k]) * np.float64(there[k])
            out[i] += total


@kernel_of_sums
def squared_lengths(matrix, n, stride, start, stop, out):  # type: ignore[no-untyped-def]
    """Add each row's squared length, from some columns, to ``out`` ``(n,)``."""
    for first in range(start, stop, _WIDE):
        width = min(_WIDE, stop - first)
        for i in range(n):
            row = matrix[i * stride + first : i * stride + first + width]
            total = matrix.dtype.type(0)
            for k in range(width):
                total += row[k] * row[k]
            out[i] += total


@kernel
def weighted_sum(matrix, n, stride, start, stop, weights, out):  # type: ignore[no-untyped-def]
    """Write the sum of the rows times their weights, for some columns, to ``out``."""
    for first in range(start, stop, _SUMMED):
        width = min(_SUMMED, stop - first)
        target = out[first : first + width]
        target[:] = 0
        for i in range(0, n - n % 4, 4):
            place = i * stride + first
            a, b = matrix[place : place + width], matrix[place + stride : place + stride + width]
            place += 2 * stride
            c, d = matrix[place : place + width], matrix[place + stride : place + stride + width]
            p, q, r, s = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
            for k in range(width):
                target[k] += (p * a[k] + q * b[k]) + (r * c[k] + s * d[k])
        for i in range(n - n % 4, n):
            row, weight = matrix[i * stride + first : i * stride + first + width], weights[i]
            for k in range(width):
                target[k] += weight * row[k]


@kernel
def mixed(matrix, n, stride, start, stop, weights, out):  # type: ignore[no-untyped-def]
    """Write weighted sums of the rows, for some columns.

    Parameters
    ----------
    matrix, n, stride
        The matrix and its number of rows.
    start, stop
        The columns.
    weights
        The weights of all sums, one sum after the other, for a multiple of five sums.
    out
        The sums, of shape ``(m, at least stop - start)``. Their number ``m`` is a multiple of five,
        and their columns begin with column ``start``. It must have room for a multiple of 64
        columns.
    """
    pitch = out.shape[1]
    flat = out.reshape(-1)
    whole = start + (stop - start) // MIXED * MIXED
    rest = zeros(n * MIXED, matrix)
    for i in range(n):
        rest[i * MIXED : i * MIXED + stop - whole] = matrix[i * stride + whole : i * stride + stop]
    for first in range(start, stop, MIXED):
        for i in range(n):
            for column in range(first + _AHEAD, min(first + _AHEAD + MIXED, stop), LANES):
                prefetch(matrix, i * stride + column)
        for row in range(0, out.shape[0], TILE):
            to = row * pitch + first - start
            if first < whole:
                mix_rows(matrix, first, stride, weights, row * n, n, flat, to, pitch)
            else:
                mix_rows(rest, 0, MIXED, weights, row * n, n, flat, to, pitch)


@kernel
def sums_of_few(matrix, stride, start, stop, begins, members, weights, out):  # type: ignore[no-untyped-def]
    """Write weighted sums of a few rows each, for some columns.

    Parameters
    ----------
    matrix, stride
        The matrix.
    start, stop
        The columns.
    begins
        Where the rows of each sum begin in ``members``, and where those of the last sum end.
    members, weights
        The rows and their weights.
    out
        The sums, of shape ``(m, at least stop - start)``. Their columns begin with column
        ``start``.
    """
    width = stop - start
    for row in range(len(begins) - 1):
        target = out[row, :width]
        target[:] = 0
        for member in range(begins[row], begins[row + 1]):
            place, weight = members[member] * stride + start, weights[member]
            source = matrix[place : place + width]
            for k in range(width):
                target[k] += weight * source[k]


@kernel
def add_within(  # type: ignore[no-untyped-def]
    history, updates, first, n, of_history, of_updates, start, stop, largest, out, of_out
):
    """Write the sums of two matrices, cut at a largest absolute value, for some columns.

    ``of_history``, ``of_updates`` and ``of_out`` are the strides. If ``first`` is true, the history
    counts as zero.

    Returns
    -------
    bool
        Whether all values of ``updates`` are finite.
    """
    finite, nothing = True, largest * 0
    for i in range(n):
        old = history[i * of_history + start : i * of_history + stop]
        new = updates[i * of_updates + start : i * of_updates + stop]
        target = out[i * of_out + start : i * of_out + stop]
        bad = 0
        for k in range(stop - start):
            total = new[k] + (nothing if first else old[k])
            # The difference is NaN for a NaN and an Inf.
            bad += new[k] - new[k] != nothing
            total = largest if total > largest else total
            target[k] = -largest if total < -largest else total
        finite = finite and bad == 0
    return finite
