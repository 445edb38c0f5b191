"""Kernels of repeated-median lines through the sorted values of each column.

A kernel works on strips of 64 columns. The slopes of one point to all others are there at a time,
and never those of all pairs. A slope is the difference of two values times the reciprocal of the
difference of their ranks.
"""

from __future__ import annotations

import math

import numpy as np

from fedlib.kernels.compiling import kernel
from fedlib.kernels.memory import zeros
from fedlib.kernels.vectors import LANES, exchange, exchange_owned, slope_between, sort_run

WIDTH = 64
# Rows that are a power of two apart would share the same places of the cache.
_PITCH = WIDTH + LANES


@kernel
def _order(strip, runs, exchanges):  # type: ignore[no-untyped-def]
    """Sort the rows of a strip, column by column, as far as the network does."""
    for run in range(runs):
        for column in range(0, WIDTH, LANES):
            sort_run(strip, run * 16 * _PITCH + column, _PITCH)
    for step in range(len(exchanges)):
        first, second = exchanges[step, 0] * _PITCH, exchanges[step, 1] * _PITCH
        for column in range(0, WIDTH, LANES):
            exchange(strip, first + column, second + column)


@kernel
def _middle(strip, low, high, out, place):  # type: ignore[no-untyped-def]
    """Write the mean of two rows of a strip to a place of ``out``."""
    half = strip.dtype.type(0.5)
    below, above = strip[low * _PITCH : (low + 1) * _PITCH], strip[high * _PITCH :]
    target = out[place : place + WIDTH]
    for k in range(WIDTH):
        target[k] = half * below[k] + half * above[k]


@kernel
def _load(matrix, n, stride, start, stop, sign, largest, strip):  # type: ignore[no-untyped-def]
    """Copy some columns times ``sign``, cut at ``largest``, and return whether all are finite."""
    bad, nothing = 0, largest * 0
    strip[:] = 0
    for i in range(n):
        source = matrix[i * stride + start : i * stride + stop]
        target = strip[i * _PITCH : i * _PITCH + WIDTH]
        for k in range(stop - start):
            value = source[k]
            bad += value - value != nothing
            value = largest if value > largest else value
            target[k] = sign * (-largest if value < -largest else value)
    return bad == 0


@kernel
def _fit(  # type: ignore[no-untyped-def]
    ordered, n, own, of_points, of_slopes, medians, work, slope, start
):
    """Write the slope and the value at rank 0 of each column's repeated-median line.

    ``of_points`` and ``of_slopes`` are the networks for the medians of ``n`` and of ``n - 1``
    values. If ``own`` is false, the line goes through the median of the values at the mean rank.
    """
    shares = np.empty(2 * n - 1, ordered.dtype)
    for run in range(1, n):
        shares[n - 1 + run], shares[n - 1 - run] = 1 / run, -1 / run
    for i in range(n):
        for j in range(i):
            for k in range(0, WIDTH, LANES):
                at = i * _PITCH + k, j * _PITCH + k
                slope_between(ordered, *at, shares, n - 1 + j - i, work, j * _PITCH + k)
        for j in range(i + 1, n):
            for k in range(0, WIDTH, LANES):
                at = i * _PITCH + k, j * _PITCH + k
                slope_between(ordered, *at, shares, n - 1 + j - i, work, (j - 1) * _PITCH + k)
        _order(work, *of_slopes)
        _middle(work, (n - 2) // 2, (n - 1) // 2, medians, i * _PITCH)
    low, high = (n - 1) // 2, n // 2
    work[: n * _PITCH] = medians[: n * _PITCH]
    _order(work, *of_points)
    _middle(work, low, high, slope, 0)
    if own:
        # Equation (2) takes the value at rank 0 of each pair's line, which is y_i - i slope_ij. Its
        # median over j is the value of the line whose slope is the median.
        for i in range(n):
            target = work[i * _PITCH : i * _PITCH + WIDTH]
            values, slopes = ordered[i * _PITCH :], medians[i * _PITCH :]
            rank = ordered.dtype.type(i + 1)
            for k in range(WIDTH):
                target[k] = values[k] - rank * slopes[k]
        _order(work, *of_points)
        _middle(work, low, high, start, 0)
    else:
        _middle(ordered, low, high, start, 0)
        mean_rank = ordered.dtype.type((n + 1) / 2)
        for k in range(WIDTH):
            start[k] -= slope[k] * mean_rank


@kernel
def middles_of_lines(  # type: ignore[no-untyped-def]
    matrix, n, stride, start, stop, largest, own, sorting, of_points, of_slopes, out
):
    """Write the value at the mean rank of each column's repeated-median line.

    Parameters
    ----------
    matrix, n, stride
        The values, the number of rows (at least 2), and their distance in elements.
    start, stop
        The columns.
    largest
        Values are cut at this absolute value.
    own
        Whether a line has the repeated median's own intercept, or goes through the median.
    sorting, of_points, of_slopes
        The networks that sort ``n`` values, and that find the medians of ``n`` and ``n - 1``.
    out
        The array for all columns.

    Returns
    -------
    bool
        Whether all values are finite.
    """
    size, kind = n * _PITCH, matrix.dtype
    ordered, medians, work = zeros(size, matrix), zeros(size, matrix), zeros(size, matrix)
    slope, at_zero = np.zeros(WIDTH, kind), np.zeros(WIDTH, kind)
    mean_rank, finite = kind.type((n + 1) / 2), True
    for first in range(start, stop, WIDTH):
        last = min(first + WIDTH, stop)
        fine = _load(matrix, n, stride, first, last, kind.type(1), largest, ordered)
        finite = finite and fine
        _order(ordered, *sorting)
        _fit(ordered, n, own, of_points, of_slopes, medians, work, slope, at_zero)
        for k in range(last - first):
            out[first + k] = at_zero[k] + slope[k] * mean_rank
    return finite


@kernel
def _confidences(  # type: ignore[no-untyped-def]
    ordered, n, slope, start, of_sizes, places, scale, bounds, deviation, delta, drop, work, out
):
    """Write the confidences of sorted values, and put the line's value where there is none.

    The parameters are those of :func:`corrected`, for one strip.
    """
    kind, nothing = ordered.dtype, ordered.dtype.type(0)
    for i in range(n):
        values, rank = ordered[i * _PITCH :], kind.type(i + 1)
        sizes = work[i * _PITCH : i * _PITCH + WIDTH]
        for k in range(WIDTH):
            sizes[k] = abs(values[k] - (start[k] + slope[k] * rank))
    _order(work, *of_sizes)
    middle = np.empty(_PITCH, kind)
    _middle(work, places[0], places[1], middle, 0)
    tiny, one = np.finfo(kind).tiny, kind.type(1)
    for k in range(WIDTH):
        middle[k] = scale[0] * middle[k] + scale[1]
    for i in range(n):
        values = ordered[i * _PITCH : i * _PITCH + WIDTH]
        target = out[i * _PITCH : i * _PITCH + WIDTH]
        rank, bound = kind.type(i + 1), bounds[i]
        for k in range(WIDTH):
            line = start[k] + slope[k] * rank
            size = abs(values[k] - line)
            error = size / middle[k] if size > nothing else nothing
            if deviation > nothing:
                confidence = math.exp(-(error * error) / deviation)
            else:
                confidence = min(bound / max(error, tiny), one)
            kept = confidence > delta
            target[k] = confidence if kept or not drop else nothing
            values[k] = values[k] if kept else line


@kernel
def _deviations(values, n, mean, out):  # type: ignore[no-untyped-def]
    """Write the sample standard deviation of each column of a strip to ``out`` in float64."""
    mean[:] = 0
    out[:] = 0
    for i in range(n):
        row = values[i * _PITCH : i * _PITCH + WIDTH]
        for k in range(WIDTH):
            mean[k] += row[k]
    for k in range(WIDTH):
        mean[k] /= n
    for i in range(n):
        row = values[i * _PITCH : i * _PITCH + WIDTH]
        for k in range(WIDTH):
            out[k] += (row[k] - mean[k]) ** 2
    for k in range(WIDTH):
        out[k] = math.sqrt(out[k] / (n - 1))


@kernel
def corrected(  # type: ignore[no-untyped-def]
    matrix,
    n,
    stride,
    start,
    stop,
    largest,
    own,
    exchanges,
    of_points,
    of_slopes,
    of_sizes,
    places,
    scale,
    bounds,
    deviation,
    delta,
    drop,
    weights,
    out,
):
    """Add the clients' weights, and write their corrected values, by residuals from robust lines.

    See ``ResidualReweighting`` in :mod:`fedlib.aggregators.residual_reweighting`. The lines go
    through the negated values.

    Parameters
    ----------
    matrix, n, stride
        The values, the number of rows (at least 2), and their distance in elements.
    start, stop
        The columns.
    largest
        Values are cut at this absolute value.
    own
        Whether a line has the repeated median's own intercept, or goes through the median.
    exchanges
        The network that sorts ``n`` values, without runs.
    of_points, of_slopes
        The networks for the medians of ``n`` and of ``n - 1`` values.
    of_sizes, places
        The network that puts two places of the residuals' order right. Their mean is the middle
        residual.
    scale
        Two numbers: the scale of the residuals is the first times the middle residual plus the
        second.
    bounds
        The bound of each rank, ``(n,)``, which is divided by the error.
    deviation
        If it is positive, a confidence is ``exp(-error**2 / deviation)`` in place of that.
    delta, drop
        Where a confidence is at most ``delta``, the value is replaced by that of the line. If
        ``drop`` is true, the confidence is then 0.
    weights
        The sums of the confidences times their deviations, ``(n,)`` in float64.
    out
        The corrected values, of shape ``(n, n_columns)``.

    Returns
    -------
    bool
        Whether all values are finite.
    """
    size, kind = n * _PITCH, matrix.dtype
    ordered, medians, work = zeros(size, matrix), zeros(size, matrix), zeros(size, matrix)
    owners, finite = zeros(size, np.zeros(1, np.int32)), True
    mean, spread = np.zeros(WIDTH), np.zeros(WIDTH)
    slope, at_zero = np.zeros(WIDTH, kind), np.zeros(WIDTH, kind)
    for first in range(start, stop, WIDTH):
        last = min(first + WIDTH, stop)
        fine = _load(matrix, n, stride, first, last, kind.type(-1), largest, ordered)
        finite = finite and fine
        for i in range(n):
            owners[i * _PITCH : (i + 1) * _PITCH] = i
        for step in range(len(exchanges)):
            one, other = exchanges[step, 0] * _PITCH, exchanges[step, 1] * _PITCH
            for column in range(0, WIDTH, LANES):
                exchange_owned(ordered, owners, one + column, other + column)
        _fit(ordered, n, own, of_points, of_slopes, medians, work, slope, at_zero)
        _confidences(
            ordered,
            n,
            slope,
            at_zero,
            of_sizes,
            places,
            scale,
            bounds,
            deviation,
            delta,
            drop,
            work,
            medians,
        )
        _deviations(medians, n, mean, spread)
        for i in range(n):
            confidence = medians[i * _PITCH : i * _PITCH + WIDTH]
            values, clients = ordered[i * _PITCH :], owners[i * _PITCH :]
            for k in range(last - first):
                weights[clients[k]] += np.float64(confidence[k]) * spread[k]
                out[clients[k], first + k] = -values[k]
    return finite
