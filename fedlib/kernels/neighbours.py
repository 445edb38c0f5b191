"""Kernels over the distances of all rows, for loops of many small steps."""

from __future__ import annotations

import numpy as np

from fedlib.kernels.compiling import kernel


@kernel
def krum_picks(squared, n_byzantine, count):  # type: ignore[no-untyped-def]
    """Return the indices ``(count,)`` of the rows that Krum picks, each without the last.

    See ``Bulyan`` in :mod:`fedlib.aggregators.bulyan` for the rule and the order of ties.
    ``squared`` holds the squared distances of all rows, ``(n, n)``.
    """
    n = len(squared)
    order = np.empty((n, n), np.int64)
    for row in range(n):
        order[row] = np.argsort(squared[row])
    left = np.ones(n, np.bool_)
    scores, picks = np.empty(n), np.empty(count, np.int64)
    for step in range(count):
        neighbours = min(max(n - step - n_byzantine - 2, 1), n - step - 1)
        for row in range(n):
            scores[row], taken = 0.0, 0
            for place in range(n):
                other = order[row, place]
                if taken == neighbours:
                    break
                if left[other] and other != row:
                    scores[row] += squared[row, other]
                    taken += 1
        least = np.inf
        for row in range(n):
            if left[row] and scores[row] < least:
                least = scores[row]
        pick, total = -1, np.inf
        for row in range(n):
            if left[row] and scores[row] == least:
                whole = 0.0
                for other in range(n):
                    if left[other]:
                        whole += squared[row, other]
                if pick < 0 or whole < total:
                    pick, total = row, whole
        picks[step] = pick
        left[pick] = False
    return picks


@kernel
def _distances_to_mean(squared, shares, distances):  # type: ignore[no-untyped-def]
    """Write the distances ``(n,)`` of points to their weighted mean to ``distances``."""
    n = len(squared)
    half = 0.0
    for i in range(n):
        to_points = 0.0
        for j in range(n):
            to_points += squared[i, j] * shares[j]
        distances[i] = to_points
        half += shares[i] * to_points / 2
    for i in range(n):
        distances[i] = np.sqrt(max(distances[i] - half, 0.0))


@kernel
def _median_shares(squared, weights, n_iterations, nu, tolerance):  # type: ignore[no-untyped-def]
    """Return the shares ``(n,)`` of points in their geometric median with ``weights`` ``(n,)``."""
    kept = np.flatnonzero(weights)
    near = np.empty((len(kept), len(kept)))
    for i in range(len(kept)):
        for j in range(len(kept)):
            near[i, j] = squared[kept[i], kept[j]]
    near /= max(near.max(), np.finfo(np.float64).tiny)
    weighed = weights[kept] / weights.sum()
    shares, moved, distances = weighed.copy(), np.empty(len(kept)), np.empty(len(kept))
    for _ in range(n_iterations):
        _distances_to_mean(near, shares, distances)
        for i in range(len(kept)):
            moved[i] = weighed[i] / max(distances[i], nu)
        total, farthest = moved.sum(), 0.0
        for i in range(len(kept)):
            moved[i] /= total
            farthest = max(farthest, abs(moved[i] - shares[i]))
        shares, moved = moved, shares
        if farthest <= tolerance:
            break
    found = np.zeros(len(weights))
    found[kept] = shares
    return found


@kernel
def _best_weights(distances, lam):  # type: ignore[no-untyped-def]
    """See ``best_weights`` in :mod:`fedlib.aggregators.autogm`."""
    further = distances - distances.min()
    ordered = np.sort(further)
    total, level = 0.0, 0.0
    for i in range(len(ordered)):
        total += ordered[i]
        shared = (total + lam) / (i + 1)
        if ordered[i] >= shared:
            break
        level = shared
    return np.maximum(level - further, 0.0) / lam


@kernel
def auto_weighted_shares(squared, lam, n_iterations, nu, tolerance):  # type: ignore[no-untyped-def]
    """Return the shares ``(n,)`` of points in AutoGM's median.

    See ``AutoWeightedGeometricMedian`` in :mod:`fedlib.aggregators.autogm`. ``squared`` holds the
    squared distances of all points, ``(n, n)``, which are finite.
    """
    n = len(squared)
    weights, distances = np.full(n, 1 / n), np.empty(n)
    shares = _median_shares(squared, weights, n_iterations, nu, tolerance)
    before = np.inf
    for _ in range(n_iterations):
        _distances_to_mean(squared, shares, distances)
        weights = _best_weights(distances, lam)
        shares = _median_shares(squared, weights, n_iterations, nu, tolerance)
        _distances_to_mean(squared, shares, distances)
        now = 0.0
        for i in range(n):
            now += weights[i] * distances[i] + lam / 2 * weights[i] * weights[i]
        if abs(before - now) <= tolerance * now:
            break
        before = now
    return shares
