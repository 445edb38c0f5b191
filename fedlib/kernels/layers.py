# mypy: disable-error-code="call-arg,no-untyped-def,var-annotated"
"""The layers of a small network, forward and backward, over a tile of 16 samples.

:mod:`fedlib.kernels.passes` describes the plan whose rows these functions read, and the workspace.
"""

from __future__ import annotations

from numba import njit

from fedlib.kernels.lane_blocks import (
    add_products,
    add_sums,
    add_vectors,
    add_weighted,
    rows_of,
    store,
    store_positive,
    store_where_positive,
    zeros,
)
from fedlib.kernels.lane_tiles import pool, transpose, unpool
from fedlib.kernels.lanes import LANES, WIDE

CONVOLUTION, POOLING, LINEAR = 0, 1, 2
# The columns of a plan. Positions count numbers of the workspace or of the parameters; pitches
# count vectors, from channel to channel (PLANE) and from row to row (ROW).
KIND, CUT, CUT_BEFORE, GOES_BACK = 0, 1, 2, 3
IN_AT, IN_PLANE, IN_ROW, OUT_AT, OUT_PLANE, OUT_ROW = 4, 5, 6, 7, 8, 9
CHANNELS, HEIGHT, WIDTH, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH = 10, 11, 12, 13, 14, 15
WINDOW_HEIGHT, WINDOW_WIDTH, WEIGHTS, BIAS, COLUMNS = 16, 17, 18, 19, 20
"""CUT says that a ReLU follows, CUT_BEFORE that one stands before the layer, and GOES_BACK that a
layer before has parameters. BIAS is -1 if there is none."""

ONES, SPARE = 0, LANES
"""The workspace begins with a vector of ones. After it come the transposed inputs of a linear
layer, the samples by number; see :func:`_linear_weights`."""

MARGIN = 3
"""Columns of zeros on both sides of the outputs of a convolution that passes a gradient back. A
block of four columns may reach so far over the edge."""

_ROWS = 4
_BESIDE = 4 if WIDE else 1  # columns of a block of a convolution
_STACK = 8 if WIDE else 4  # rows of a block of a linear layer

compiled = njit(nogil=True, error_model="numpy")
"""How a part of a kernel is compiled; the kernel alone is kept on disk, with its parts in it."""


@compiled
def _convolve(zero, rows, columns, layer, w, ws):
    """Fill the outputs of a convolution, in blocks like ``zero``."""
    channels, height, width = layer[CHANNELS], layer[OUT_HEIGHT], layer[OUT_WIDTH]
    tall, wide = layer[WINDOW_HEIGHT], layer[WINDOW_WIDTH]
    taps = channels * tall * wide
    plane = layer[OUT_PLANE] * LANES
    for first in range(0, layer[OUT_CHANNELS], rows):
        # The last blocks overlap those before them, where the sizes are no multiples.
        o = min(first, layer[OUT_CHANNELS] - rows)
        for r in range(height):
            for left in range(0, width, columns):
                c = min(left, width - columns)
                block = zero
                if layer[BIAS] >= 0:
                    block = rows_of(zero, w, layer[BIAS] + o)
                for i in range(channels):
                    for ky in range(tall):
                        at = i * layer[IN_PLANE] + (r + ky) * layer[IN_ROW] + c
                        at = layer[IN_AT] + at * LANES
                        tap = layer[WEIGHTS] + o * taps + (i * tall + ky) * wide
                        for kx in range(wide):
                            x_at = at + kx * LANES
                            block = add_weighted(block, w, tap + kx, taps, ws, x_at, LANES)
                at = layer[OUT_AT] + (o * layer[OUT_PLANE] + r * layer[OUT_ROW] + c) * LANES
                if layer[CUT]:
                    store_positive(block, ws, at, plane, LANES)
                else:
                    store(block, ws, at, plane, LANES)


@compiled
def _convolve_back(zero, channels, columns, layer, w, ws):
    """Put the gradient of a convolution's inputs over them, in blocks like ``zero``.

    ``channels`` and ``columns`` are ranges of the inputs. No block may overlap another one, because
    a block reads what it stores over.
    """
    tall, wide = layer[WINDOW_HEIGHT], layer[WINDOW_WIDTH]
    area = tall * wide
    plane = layer[IN_PLANE] * LANES
    for i in channels:
        for r in range(layer[HEIGHT]):
            top, bottom = max(0, r - layer[OUT_HEIGHT] + 1), min(tall, r + 1)
            for c in columns:
                # Only the places of the window that some column of the block has an output for.
                begin = max(0, c - layer[OUT_WIDTH] + 1)
                end = min(wide, c + columns.step)
                block = zero
                for o in range(layer[OUT_CHANNELS]):
                    for ky in range(top, bottom):
                        at = o * layer[OUT_PLANE] + (r - ky) * layer[OUT_ROW] + c
                        at = layer[OUT_AT] + at * LANES
                        tap = layer[WEIGHTS] + (o * layer[CHANNELS] + i) * area + ky * wide
                        for kx in range(begin, end):
                            g_at = at - kx * LANES
                            block = add_weighted(block, w, tap + kx, area, ws, g_at, LANES)
                at = layer[IN_AT] + (i * layer[IN_PLANE] + r * layer[IN_ROW] + c) * LANES
                if layer[CUT_BEFORE]:
                    store_where_positive(block, ws, at, plane, LANES)
                else:
                    store(block, ws, at, plane, LANES)


@compiled
def _convolution_weights(zero, o, kx, layer, ws, grad):
    """Add to the gradients of the weights of the channels from ``o`` on and columns from ``kx``."""
    tall, wide = layer[WINDOW_HEIGHT], layer[WINDOW_WIDTH]
    taps = layer[CHANNELS] * tall * wide
    plane = layer[OUT_PLANE] * LANES
    for i in range(layer[CHANNELS]):
        for ky in range(tall):
            block = zero
            for r in range(layer[OUT_HEIGHT]):
                g_at = layer[OUT_AT] + (o * layer[OUT_PLANE] + r * layer[OUT_ROW]) * LANES
                x_at = i * layer[IN_PLANE] + (r + ky) * layer[IN_ROW] + kx
                x_at = layer[IN_AT] + x_at * LANES
                for c in range(layer[OUT_WIDTH]):
                    at = c * LANES
                    block = add_products(block, ws, g_at + at, plane, ws, x_at + at, LANES)
            at = layer[WEIGHTS] + o * taps + (i * tall + ky) * wide + kx
            add_sums(block, grad, at, taps, 1)


@compiled
def _convolution_bias(zero, o, layer, ws, grad):
    """Add to the gradients of the biases of the channels from ``o`` on."""
    block = zero
    for r in range(layer[OUT_HEIGHT]):
        at = layer[OUT_AT] + (o * layer[OUT_PLANE] + r * layer[OUT_ROW]) * LANES
        for c in range(layer[OUT_WIDTH]):
            plane = layer[OUT_PLANE] * LANES
            block = add_products(block, ws, at + c * LANES, plane, ws, ONES, 0)
    add_sums(block, grad, layer[BIAS] + o, 1, 0)


@compiled
def convolution_gradients(layer, ws, grad):
    """Add to the gradients of a convolution's parameters."""
    wide = layer[WINDOW_WIDTH]
    whole = layer[OUT_CHANNELS] // _ROWS * _ROWS
    for o in range(0, whole, _ROWS):
        if WIDE and wide == 5:
            _convolution_weights(zeros(4, 5), o, 0, layer, ws, grad)
        elif WIDE and wide == 3:
            _convolution_weights(zeros(4, 3), o, 0, layer, ws, grad)
        else:
            for kx in range(wide):
                _convolution_weights(zeros(4, 1), o, kx, layer, ws, grad)
        if layer[BIAS] >= 0:
            _convolution_bias(zeros(4, 1), o, layer, ws, grad)
    for o in range(whole, layer[OUT_CHANNELS]):
        if wide == 5:
            _convolution_weights(zeros(1, 5), o, 0, layer, ws, grad)
        else:
            for kx in range(wide):
                _convolution_weights(zeros(1, 1), o, kx, layer, ws, grad)
        if layer[BIAS] >= 0:
            _convolution_bias(zeros(1, 1), o, layer, ws, grad)


@compiled
def pooling(layer, ws):
    """Fill the outputs of a max pooling by windows of two rows and two columns."""
    for i in range(layer[CHANNELS]):
        for r in range(layer[OUT_HEIGHT]):
            at = layer[IN_AT] + (i * layer[IN_PLANE] + 2 * r * layer[IN_ROW]) * LANES
            out = layer[OUT_AT] + (i * layer[OUT_PLANE] + r * layer[OUT_ROW]) * LANES
            for c in range(layer[OUT_WIDTH]):
                step = c * LANES
                row = layer[IN_ROW] * LANES
                pool(ws, at + 2 * step, row, ws, out + step, layer[CUT] != 0)


@compiled
def pooling_back(layer, ws):
    """Put the gradient of a pooling's inputs over them."""
    row = layer[IN_ROW] * LANES
    for i in range(layer[CHANNELS]):
        plane = layer[IN_AT] + i * layer[IN_PLANE] * LANES
        for r in range(layer[OUT_HEIGHT]):
            at = plane + 2 * r * row
            out = layer[OUT_AT] + (i * layer[OUT_PLANE] + r * layer[OUT_ROW]) * LANES
            for c in range(layer[OUT_WIDTH]):
                step = c * LANES
                unpool(ws, at + 2 * step, row, ws, out + step, layer[CUT_BEFORE] != 0)
        # Rows and columns that no window reaches, where a side is odd.
        for r in range(layer[HEIGHT]):
            covered = 2 * layer[OUT_WIDTH] if r < 2 * layer[OUT_HEIGHT] else 0
            for c in range(covered, layer[WIDTH]):
                store(zeros(1, 1), ws, plane + r * row + c * LANES, 0, 0)


@compiled
def _linear(zero, rows, layer, w, ws):
    """Fill the outputs of a linear layer, in blocks like ``zero``."""
    features = layer[WIDTH]
    for first in range(0, layer[OUT_CHANNELS], rows):
        o = min(first, layer[OUT_CHANNELS] - rows)
        block = zero
        if layer[BIAS] >= 0:
            block = rows_of(zero, w, layer[BIAS] + o)
        w_at = layer[WEIGHTS] + o * features
        for k in range(features):
            x_at = layer[IN_AT] + k * LANES
            block = add_weighted(block, w, w_at + k, features, ws, x_at, 0)
        if layer[CUT]:
            store_positive(block, ws, layer[OUT_AT] + o * LANES, LANES, 0)
        else:
            store(block, ws, layer[OUT_AT] + o * LANES, LANES, 0)


@compiled
def _linear_back(zero, inputs, layer, w, ws):
    """Put the gradient of a linear layer's inputs, which lie in one row, over them."""
    for k in inputs:
        block = zero
        for o in range(layer[OUT_CHANNELS]):
            g_at, w_at = layer[OUT_AT] + o * LANES, layer[WEIGHTS] + o * layer[WIDTH] + k
            block = add_weighted(block, w, w_at, 1, ws, g_at, 0)
        at = layer[IN_AT] + k * LANES
        if layer[CUT_BEFORE]:
            store_where_positive(block, ws, at, LANES, 0)
        else:
            store(block, ws, at, LANES, 0)


@compiled
def _linear_weights(zero, o, inputs, layer, ws, grad):
    """Add to the gradients of a linear layer's weights from output ``o`` on, for a range of inputs.

    A gradient is a sum over samples. The lanes are therefore features here, and the samples are
    gone through one by one: no sum over lanes is needed.
    """
    features = layer[WIDTH]
    pitch = features // LANES * LANES
    for k in inputs:
        block = zero
        for sample in range(LANES):
            g_at, x_at = layer[OUT_AT] + o * LANES + sample, SPARE + sample * pitch + k
            block = add_weighted(block, ws, g_at, LANES, ws, x_at, LANES)
        add_vectors(block, grad, layer[WEIGHTS] + o * features + k, features, LANES)


@compiled
def linear_gradients(layer, ws, starts, grad):
    """Add to the gradients of a linear layer's parameters."""
    features = layer[WIDTH]
    pitch = features // LANES * LANES
    for k in range(0, pitch, LANES):
        for j in range(LANES):
            starts[j] = layer[IN_AT] + (k + j) * LANES
        transpose(ws, starts, LANES, 0, ws, SPARE + k, pitch)
    beside = _BESIDE * LANES
    most = pitch // beside * beside
    whole = layer[OUT_CHANNELS] // _ROWS * _ROWS
    for o in range(0, whole, _ROWS):
        _linear_weights(zeros(_ROWS, _BESIDE), o, range(0, most, beside), layer, ws, grad)
        _linear_weights(zeros(_ROWS, 1), o, range(most, pitch, LANES), layer, ws, grad)
    for o in range(whole, layer[OUT_CHANNELS]):
        _linear_weights(zeros(1, _BESIDE), o, range(0, most, beside), layer, ws, grad)
        _linear_weights(zeros(1, 1), o, range(most, pitch, LANES), layer, ws, grad)
    for o in range(layer[OUT_CHANNELS]):
        g_at = layer[OUT_AT] + o * LANES
        for k in range(pitch, features):
            x_at = layer[IN_AT] + k * LANES
            block = add_products(zeros(1, 1), ws, g_at, 0, ws, x_at, 0)
            add_sums(block, grad, layer[WEIGHTS] + o * features + k, 0, 0)
        if layer[BIAS] >= 0:
            block = add_products(zeros(1, 1), ws, g_at, 0, ws, ONES, 0)
            add_sums(block, grad, layer[BIAS] + o, 0, 0)


@compiled
def convolution(layer, w, ws):
    """Fill the outputs of a convolution."""
    if layer[OUT_CHANNELS] < _ROWS:
        _convolve(zeros(1, 1), 1, 1, layer, w, ws)
    elif layer[OUT_WIDTH] < _BESIDE:
        _convolve(zeros(_ROWS, 1), _ROWS, 1, layer, w, ws)
    else:
        _convolve(zeros(_ROWS, _BESIDE), _ROWS, _BESIDE, layer, w, ws)


@compiled
def convolution_back(layer, w, ws):
    """Put the gradient of a convolution's inputs over them."""
    channels, width = layer[CHANNELS], layer[WIDTH]
    some = channels // _ROWS * _ROWS
    # A block of several columns needs the zeros beside the outputs.
    most = width // _BESIDE * _BESIDE if layer[OUT_ROW] > layer[OUT_WIDTH] else 0
    rows = range(0, some, _ROWS)
    _convolve_back(zeros(_ROWS, _BESIDE), rows, range(0, most, _BESIDE), layer, w, ws)
    _convolve_back(zeros(_ROWS, 1), rows, range(most, width, 1), layer, w, ws)
    rows = range(some, channels, 1)
    _convolve_back(zeros(1, _BESIDE), rows, range(0, most, _BESIDE), layer, w, ws)
    _convolve_back(zeros(1, 1), rows, range(most, width, 1), layer, w, ws)


@compiled
def linear(layer, w, ws):
    """Fill the outputs of a linear layer."""
    if layer[OUT_CHANNELS] < _STACK:
        _linear(zeros(1, 1), 1, layer, w, ws)
    else:
        _linear(zeros(_STACK, 1), _STACK, layer, w, ws)


@compiled
def linear_back(layer, w, ws):
    """Put the gradient of a linear layer's inputs over them."""
    most = layer[WIDTH] // _STACK * _STACK
    _linear_back(zeros(_STACK, 1), range(0, most, _STACK), layer, w, ws)
    _linear_back(zeros(1, 1), range(most, layer[WIDTH], 1), layer, w, ws)
