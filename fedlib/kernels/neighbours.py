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
