"""Kernels of sums over the windows of images, and of the likeness of two images from them."""

from __future__ import annotations

import numpy as np

from fedlib.kernels.compiling import kernel, kernel_of_sums


@kernel
def _window_sums(values, height, width, work, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` with the sums over all windows of an image, with two loops over their sides."""
    rows, columns = out.shape
    work[:] = 0
    for i in range(rows):
        target = work[i]
        for k in range(height):
            source = values[i + k]
            for j in range(len(target)):
                target[j] += source[j]
    out[:] = 0
    for i in range(rows):
        source, target = work[i], out[i]
        for k in range(width):
            shifted = source[k : k + columns]
            for j in range(columns):
                target[j] += shifted[j]


@kernel_of_sums
def _centred(image, out):  # type: ignore[no-untyped-def]
    """Write an image less its mean to ``out``, and return the mean."""
    total = 0.0
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            total += image[i, j]
    mean = total / image.size
    for i in range(image.shape[0]):
        for j in range(image.shape[1]):
            out[i, j] = image[i, j] - mean
    return mean


@kernel_of_sums
def similarities(x, y, spans, height, width, correction, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` with the mean structural similarity of each image of ``x`` to one of ``y``.

    The images ``x`` are ``(n, samples, H, W)``, and ``out`` is ``(n, samples)``. ``y`` and
    ``spans`` may have length 1 in place of n, and ``spans`` also in place of the samples. A window
    has ``height`` times ``width`` pixels. The variances are multiplied by ``correction``.
    """
    n, samples = out.shape
    rows, columns = x.shape[2] - height + 1, x.shape[3] - width + 1
    work = np.empty((rows, x.shape[3]))
    one, other, product = np.empty(x.shape[2:]), np.empty(x.shape[2:]), np.empty(x.shape[2:])
    mean_x, mean_y = np.empty((rows, columns)), np.empty((rows, columns))
    var_x, var_y = np.empty((rows, columns)), np.empty((rows, columns))
    both = np.empty((rows, columns))
    share = 1.0 / (height * width)
    for s in range(samples):
        centre_y = 0.0
        for i in range(n):
            if i == 0 or len(y) > 1:
                centre_y = _centred(y[i, s], other)
                _window_sums(other, height, width, work, mean_y)
                product[:] = other * other
                _window_sums(product, height, width, work, var_y)
            centre_x = _centred(x[i, s], one)
            _window_sums(one, height, width, work, mean_x)
            product[:] = one * one
            _window_sums(product, height, width, work, var_x)
            product[:] = one * other
            _window_sums(product, height, width, work, both)
            span = spans[min(i, len(spans) - 1), min(s, spans.shape[1] - 1)]
            c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
            total = 0.0
            for r in range(rows):
                a, b, aa, bb, ab = mean_x[r], mean_y[r], var_x[r], var_y[r], both[r]
                for c in range(columns):
                    mx, my = a[c] * share, b[c] * share
                    vx = correction * (aa[c] * share - mx * mx)
                    vy = correction * (bb[c] * share - my * my)
                    vx, vy = vx if not vx < 0 else 0.0, vy if not vy < 0 else 0.0
                    covariance = correction * (ab[c] * share - mx * my)
                    mx, my = mx + centre_x, my + centre_y
                    above = (2 * mx * my + c1) * (2 * covariance + c2)
                    total += above / ((mx * mx + my * my + c1) * (vx + vy + c2))
            out[i, s] = total / (rows * columns)
