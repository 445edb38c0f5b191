"""Kernels that combine the order statistics of each column.

A kernel works on strips of columns that stay in the first-level cache, and orders the values of all
rows by a sorting network. Each returns whether all values were finite. Where they were not, the
answer is of no use.
"""

from __future__ import annotations

import numpy as np

from fedlib.kernels.compiling import kernel
from fedlib.kernels.memory import zeros
from fedlib.kernels.vectors import LANES, exchange, prefetch, sort_run

STRIP = 256
"""The number of columns that are copied at once: long reads from each row, and little memory."""
_PART = 64
# Rows that are a power of two apart would share the same places of the cache.
_PITCH = STRIP + 2 * LANES


@kernel
def _copy(matrix, bits, magnitude, rows, stride, start, width, strip):  # type: ignore[no-untyped-def]
    """Copy columns of the chosen rows, and return the largest absolute value as bits.

    The bits of a float without its sign are an integer that grows with the absolute value, up to
    those of Inf and NaN.
    """
    largest = magnitude & 0
    for i in range(len(rows)):
        begin = rows[i] * stride + start
        source = matrix[begin : begin + width]
        target = strip[i * _PITCH : i * _PITCH + width]
        for k in range(width):
            target[k] = source[k]
        words = bits[begin : begin + width]
        for k in range(width):
            word = words[k] & magnitude
            largest = word if word > largest else largest
        strip[i * _PITCH + width : i * _PITCH + STRIP] = 0
    return largest


@kernel
def _order(strip, part, runs, exchanges):  # type: ignore[no-untyped-def]
    """Sort the rows of one part of a strip, column by column, as far as the network does."""
    for run in range(runs):
        for column in range(part, part + _PART, LANES):
            sort_run(strip, run * 16 * _PITCH + column, _PITCH)
    for step in range(len(exchanges)):
        first = exchanges[step, 0] * _PITCH + part
        second = exchanges[step, 1] * _PITCH + part
        for column in range(0, _PART, LANES):
            exchange(strip, first + column, second + column)


@kernel
def _fetch(matrix, rows, stride, start, stop):  # type: ignore[no-untyped-def]
    """Ask for the columns from ``start`` on, of which only those before ``stop`` are there."""
    for i in range(len(rows)):
        for column in range(start, min(start + _PART, stop), LANES):
            prefetch(matrix, rows[i] * stride + column)


@kernel
def order_statistics(  # type: ignore[no-untyped-def]
    matrix, bits, magnitude, infinity, rows, stride, start, stop, runs, exchanges, weights, out
):
    """Write the weighted sum of each column's values in ascending order.

    Parameters
    ----------
    matrix, bits
        The values of a matrix with ``stride`` between its rows, and the same memory as integers.
    magnitude, infinity
        Of the integers, all bits but the sign, and the bits of Inf.
    rows
        The rows that are looked at.
    start, stop
        The columns.
    runs, exchanges
        The network that puts the right values into all places with a weight.
    weights
        The weight of each place in the order.
    out
        The array for the sums of all columns.
    """
    strip = zeros(len(rows) * _PITCH, matrix)
    finite = True
    for first in range(start, stop, STRIP):
        width = min(STRIP, stop - first)
        largest = _copy(matrix, bits, magnitude, rows, stride, first, width, strip)
        finite = finite and largest < infinity
        for part in range(0, width, _PART):
            _fetch(matrix, rows, stride, first + STRIP + part, stop)
            _order(strip, part, runs, exchanges)
        target = out[first : first + width]
        target[:] = 0
        for k in range(len(weights)):
            weight = weights[k]
            if weight != 0:
                source = strip[k * _PITCH : k * _PITCH + width]
                for column in range(width):
                    target[column] += weight * source[column]
    return finite


@kernel
def means_around_median(  # type: ignore[no-untyped-def]
    matrix, bits, magnitude, infinity, rows, stride, start, stop, runs, exchanges, kept, out
):
    """Write the mean of the ``kept`` values of each column that are closest to its median.

    The other parameters are those of :func:`order_statistics`, with a network that puts every place
    right.
    """
    n = len(rows)
    low, high = (n - 1) // 2, n // 2
    strip = zeros(n * _PITCH, matrix)
    median, share = np.empty(STRIP, matrix.dtype), matrix.dtype.type(1 / kept)
    half = matrix.dtype.type(0.5)
    begin = np.empty(STRIP, np.int32)
    finite = True
    for first in range(start, stop, STRIP):
        width = min(STRIP, stop - first)
        largest = _copy(matrix, bits, magnitude, rows, stride, first, width, strip)
        finite = finite and largest < infinity
        for part in range(0, width, _PART):
            _fetch(matrix, rows, stride, first + STRIP + part, stop)
            _order(strip, part, runs, exchanges)
        of_low, of_high = strip[low * _PITCH :], strip[high * _PITCH :]
        for column in range(STRIP):
            median[column] = half * of_low[column] + half * of_high[column]
            begin[column] = 0
        # The values closest to the median are neighbours in the order, so they form a window. It
        # moves up as long as its smallest value is farther than the one beyond its largest.
        for place in range(n - kept):
            below, beyond = strip[place * _PITCH :], strip[(place + kept) * _PITCH :]
            for column in range(STRIP):
                begin[column] += median[column] - below[column] > beyond[column] - median[column]
        target = out[first : first + width]
        target[:] = 0
        for k in range(n):
            source = strip[k * _PITCH :]
            for column in range(width):
                inside = (begin[column] <= k) & (k < begin[column] + kept)
                target[column] += share * source[column] if inside else half * 0
    return finite
