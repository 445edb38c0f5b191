"""Sorting networks: fixed sequences of exchanges that put any values into ascending order."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np

RUN = 16
"""So many rows are sorted at once in registers, before the exchanges of a network follow."""


def _exchanges(n: int) -> list[tuple[int, int, int]]:
    """Return Batcher's odd-even merge sort of ``n`` values.

    Each exchange is a pair of places, of which the first gets the smaller value. The third number
    is the length of the sorted runs that the exchange helps to merge. The network is Algorithm M of
    section 5.2.2 in Knuth (1998), The Art of Computer Programming, volume 3.
    """
    found = []
    run = 1
    while run < n:
        step = run
        while step >= 1:
            for first in range(step % run, n - step, 2 * step):
                for i in range(first, min(first + step, n - step)):
                    if i // (2 * run) == (i + step) // (2 * run):
                        found.append((i, i + step, run))
            step //= 2
        run *= 2
    return found


def exchanges_of_a_run() -> list[tuple[int, int]]:
    """Return the exchanges that sort ``RUN`` values."""
    return [(i, j) for i, j, _ in _exchanges(RUN)]


def selection_network(n: int, places: Iterable[int]) -> tuple[int, np.ndarray]:
    """Return a network that puts the right values of ``n`` into some places of their order.

    Parameters
    ----------
    n
        The number of values, at least 1.
    places
        The places in the ascending order whose values are wanted, each from 0 to ``n - 1``.

    Returns
    -------
    runs : int
        How many runs of ``RUN`` rows, from the first row on, are to be sorted before.
    exchanges : ndarray
        The exchanges that follow, of shape ``(m, 2)``, in this order. Exchanges that no wanted
        place depends on are left out, so the other places hold any values.
    """
    return _selection_network(n, frozenset(places))


@cache
def sorting_network(n: int) -> np.ndarray:
    """Return all exchanges that sort ``n`` values, of shape ``(m, 2)``, in their order."""
    return _as_array([(i, j) for i, j, _ in _exchanges(n)])


@cache
def _selection_network(n: int, places: frozenset[int]) -> tuple[int, np.ndarray]:
    runs = n // RUN
    left = [(i, j) for i, j, run in _exchanges(n) if not (run < RUN and j < runs * RUN)]
    needed, kept = set(places), []
    for i, j in reversed(left):
        if i in needed or j in needed:
            needed |= {i, j}
            kept.append((i, j))
    return runs, _as_array(kept[::-1])


def _as_array(exchanges: list[tuple[int, int]]) -> np.ndarray:
    array = np.array(exchanges, dtype=np.int64).reshape(-1, 2)
    array.flags.writeable = False  # It is kept for later calls.
    return array
