# mypy: disable-error-code="call-arg,no-untyped-def,var-annotated"
"""Passes of a small network over tiles of 16 samples, without leaving the processor's cache.

A network is a *plan*: a table of integers with one row for each layer, whose columns are named in
:mod:`fedlib.kernels.layers`. :mod:`fedlib.gradients.tiled` writes it, and says which networks have
one.
All numbers between the layers lie in one *workspace*. A number of a layer takes 16 places there,
one for each sample of the tile, and the numbers of an image are ordered by channel, row and column.

The backward pass writes the gradient of a number over the number, once it is not needed any more.
A ReLU is no layer of its own: the layer before it stores what the ReLU makes of its outputs, and
the layer after it stores a gradient only where the ReLU's output is positive.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from fedlib.kernels.compiling import kernel
from fedlib.kernels.lane_tiles import transpose
from fedlib.kernels.lanes import LANES
from fedlib.kernels.layers import (
    CHANNELS,
    CONVOLUTION,
    CUT,
    GOES_BACK,
    HEIGHT,
    IN_AT,
    KIND,
    LINEAR,
    OUT_AT,
    OUT_CHANNELS,
    POOLING,
    WIDTH,
    compiled,
    convolution,
    convolution_back,
    convolution_gradients,
    linear,
    linear_back,
    linear_gradients,
    pooling,
    pooling_back,
)


@compiled
def fill(plan, x, rows, count, ws, starts):
    """Lay the samples ``rows[:count]`` of ``x``, a flat array, side by side; the rest are zeros."""
    first = plan[0]
    features = first[CHANNELS] * first[HEIGHT] * first[WIDTH]
    for lane in range(LANES):
        starts[lane] = rows[lane if lane < count else 0] * features
    whole = features // LANES * LANES
    for k in range(0, whole, LANES):
        transpose(x, starts, count, k, ws, first[IN_AT] + k * LANES, LANES)
    for k in range(whole, features):
        for lane in range(LANES):
            number = x[starts[lane] + k] if lane < count else np.float32(0)
            ws[first[IN_AT] + k * LANES + lane] = number


@compiled
def forward(plan, w, ws):
    """Compute all layers for the samples of a tile."""
    for number in range(len(plan)):
        layer = plan[number]
        if layer[KIND] == CONVOLUTION:
            convolution(layer, w, ws)
        elif layer[KIND] == POOLING:
            pooling(layer, ws)
        else:
            linear(layer, w, ws)


@compiled
def one_back(layer, w, ws):
    """Put the gradient of a layer's inputs over them."""
    if layer[KIND] == CONVOLUTION:
        convolution_back(layer, w, ws)
    elif layer[KIND] == POOLING:
        pooling_back(layer, ws)
    else:
        linear_back(layer, w, ws)


@compiled
def backward(plan, w, ws, starts, grad):
    """Add a tile's part to ``grad``; the gradients of the logits stand over the logits."""
    for number in range(len(plan) - 1, -1, -1):
        layer = plan[number]
        if layer[KIND] == CONVOLUTION:
            convolution_gradients(layer, ws, grad)
        elif layer[KIND] == LINEAR:
            linear_gradients(layer, ws, starts, grad)
        if not layer[GOES_BACK]:
            break
        one_back(layer, w, ws)


@compiled
def backward_to_inputs(plan, w, ws):
    """Put the gradients of the inputs over them; those of the logits stand over the logits."""
    for number in range(len(plan) - 1, -1, -1):
        one_back(plan[number], w, ws)


@compiled
def own_score(layer, labels, probability, ws):
    """Put the gradient of the score of each sample's own class over the logits.

    The score is the logit, or the ``probability`` after a softmax.
    """
    at, classes = layer[OUT_AT], layer[OUT_CHANNELS]
    for lane in range(LANES):
        most, whole, own = ws[at + lane], np.float32(0), at + labels[lane] * LANES + lane
        for o in range(1, classes):
            most = max(most, ws[at + o * LANES + lane])
        for o in range(classes):
            whole += math.exp(ws[at + o * LANES + lane] - most)
        share = math.exp(ws[own] - most) / whole if probability else np.float32(1)
        for o in range(classes):
            place = at + o * LANES + lane
            logit = ws[place]
            g = np.float32(1) if place == own else np.float32(0)
            if probability:
                g = share * (g - math.exp(logit - most) / whole)
            ws[place] = np.float32(0) if layer[CUT] and logit <= 0 else g


@compiled
def cross_entropy(layer, labels, count, batch, ws):
    """Put the gradient of the mean loss over the logits; return the sum of the samples' losses."""
    at, classes, total = layer[OUT_AT], layer[OUT_CHANNELS], 0.0
    share = np.float32(1) / np.float32(batch)
    for lane in range(LANES):
        if lane >= count:
            for o in range(classes):
                ws[at + o * LANES + lane] = 0
            continue
        most = ws[at + lane]
        for o in range(1, classes):
            most = max(most, ws[at + o * LANES + lane])
        whole = np.float32(0)
        for o in range(classes):
            whole += math.exp(ws[at + o * LANES + lane] - most)
        total += math.log(whole) + most - ws[at + labels[lane] * LANES + lane]
        for o in range(classes):
            place = at + o * LANES + lane
            logit = ws[place]
            g = math.exp(logit - most) / whole
            if o == labels[lane]:
                g -= np.float32(1)
            ws[place] = np.float32(0) if layer[CUT] and logit <= 0 else g * share
    return total


@njit(inline="always")  # once less to optimise all of it
def gradient(plan, w, x, y, index, ws, grad):
    """Put the gradient of the mean loss of the samples ``index`` into ``grad``.

    An index of -1 is no sample. Returns the sum of the losses, and the number of samples. Without
    any the gradient is zero.
    """
    grad[:] = 0
    batch = 0
    for number in index:
        if number >= 0:
            batch += 1
    rows, labels = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    starts = np.zeros(LANES, np.int64)
    total, done, place = 0.0, 0, 0
    while done < batch:
        count = 0
        while count < LANES and place < len(index):
            if index[place] >= 0:
                rows[count], labels[count] = index[place], y[index[place]]
                count += 1
            place += 1
        fill(plan, x, rows, count, ws, starts)
        forward(plan, w, ws)
        total += cross_entropy(plan[len(plan) - 1], labels, count, batch, ws)
        backward(plan, w, ws, starts, grad)
        done += count
    return total, batch


@kernel
def steps(plan, start, x, y, schedule, only, rate, momentum, sum_rate, ws, out, losses):
    """Local steps of SGD of each client; see :func:`fedlib.gradients.local_updates`.

    With ``only`` a client's row of ``out`` is the gradient of its one step. Otherwise it is the
    sum of the gradients times ``sum_rate`` or, if that is 0, what the steps changed.
    """
    rate, momentum, sum_rate = np.float32(rate), np.float32(momentum), np.float32(sum_rate)
    size = 0 if only else len(start)
    own, own_grad = np.empty(size, np.float32), np.empty(size, np.float32)
    velocity = np.empty(size, np.float32)
    for i in range(schedule.shape[0]):
        w, grad = (start, out[i]) if only else (own, own_grad)
        if not only:
            w[:] = start
            velocity[:] = 0
            out[i] = 0
        total, samples = 0.0, 0
        for step in range(schedule.shape[1]):
            loss, batch = gradient(plan, w, x, y, schedule[i, step], ws, grad)
            total += loss
            samples += batch
            if only or batch == 0:
                continue
            for j in range(size):
                velocity[j] = momentum * velocity[j] + grad[j]
                w[j] -= rate * velocity[j]
            if sum_rate != 0:
                for j in range(size):
                    out[i, j] += sum_rate * grad[j]
        if not only and sum_rate == 0:
            for j in range(size):
                out[i, j] = start[j] - w[j]
        losses[i] = total / max(samples, 1)


@kernel
def logits(plan, w, x, ws, out):
    """Fill the outputs ``(n, classes)`` of the network for all samples of ``x``."""
    last = plan[len(plan) - 1]
    rows, starts = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    for first in range(0, len(out), LANES):
        count = min(LANES, len(out) - first)
        for lane in range(count):
            rows[lane] = first + lane
        fill(plan, x, rows, count, ws, starts)
        forward(plan, w, ws)
        for o in range(last[OUT_CHANNELS]):
            for lane in range(count):
                out[first + lane, o] = ws[last[OUT_AT] + o * LANES + lane]


@kernel
def input_gradients(plan, w, x, y, probability, ws, out):
    """Fill the gradients ``(n, features)`` of each sample's own score by its own numbers.

    ``out`` has rows for a multiple of 16 samples. Those beyond the samples ``y`` are not to be
    read. All layers of the plan go back.
    """
    first, last, flat = plan[0], plan[len(plan) - 1], out.reshape(-1)
    features = out.shape[1]
    rows, labels = np.zeros(LANES, np.int64), np.zeros(LANES, np.int64)
    starts = np.zeros(LANES, np.int64)
    whole = features // LANES * LANES
    for begin in range(0, len(y), LANES):
        count = min(LANES, len(y) - begin)
        for lane in range(count):
            rows[lane], labels[lane] = begin + lane, y[begin + lane]
        fill(plan, x, rows, count, ws, starts)
        forward(plan, w, ws)
        own_score(last, labels, probability, ws)
        backward_to_inputs(plan, w, ws)
        for k in range(0, whole, LANES):
            for j in range(LANES):
                starts[j] = first[IN_AT] + (k + j) * LANES
            transpose(ws, starts, LANES, 0, flat, begin * features + k, features)
        for k in range(whole, features):
            for lane in range(LANES):
                out[begin + lane, k] = ws[first[IN_AT] + k * LANES + lane]
