"""How good the clusters of clustering_with_outliers are, against the best ones."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import torch

from fedlib.guarantees.search import Worst, climb
from fedlib.seeds import stream
from fedlib.validation import check_int, check_name

COSTS = {"center": "center_with_outliers", "mean": "mean_with_outliers"}
"""The costs in equation (5) of clustering_with_outliers, and the rules that minimise them."""


def approximation(points: torch.Tensor, f: int, cost: str) -> float:
    """Compare the cheapest cluster round one of the points with the cheapest cluster of all.

    A cluster holds ``n - f`` points. By Lemma 1 of clustering_with_outliers, its cost is at most
    twice the optimum if its centre is the best one among the points. The optimum is found by
    brute force. A smallest circle either has two of the points as the ends of a diameter, or goes
    through three of them. The best centre of a subset for the sum of squares is its mean.

    Parameters
    ----------
    points
        The points of the plane, ``(n, 2)``.
    f
        The number of points that a cluster leaves out.
    cost
        How the cost of a cluster is measured, one of ``COSTS``. ``"center"`` is its radius.
        ``"mean"`` is the sum of the squared distances from its centre.

    Returns
    -------
    float
        The ratio of the two costs. If the optimum is zero, this is 1 if the other cost is zero
        too, and ``inf`` otherwise.

    Raises
    ------
    ConfigError
        If an argument is not allowed.

    Examples
    --------
    >>> import torch
    >>> points = torch.tensor([[0.0, 0.0], [2.0, 0.0], [9.0, 9.0]])
    >>> round(approximation(points, 1, "center"), 6)  # the best centre is (1, 0)
    2.0
    """
    check_name("cost", cost, COSTS)
    x = points.double().numpy()
    check_int("points.shape[1]", x.shape[1], 2, 2)
    n = len(x)
    check_int("f", f, 0, n - 1)
    x = x / max(float(np.abs(x).max()), np.finfo(float).tiny)
    squared = np.square(x[:, None] - x[None]).sum(2)
    nearest = np.sort(squared, axis=1)[:, : n - f]
    noise = 1e-12
    if cost == "mean":
        cheapest = nearest.sum(1).min()
        inside = _all_subsets(n, f)
        # The mean squared distance from the mean is half the mean squared distance of all pairs.
        optimum = np.einsum("si,ij,sj->s", inside, squared, inside).min() / (2 * (n - f))
    else:
        cheapest = np.sqrt(nearest[:, -1].min())
        centres, radii = _circles(x)
        reach = np.linalg.norm(centres[:, None] - x[None], axis=2)
        enough = (reach <= radii[:, None] * (1 + 1e-9) + noise).sum(1) >= n - f
        optimum = radii[enough].min()
    if optimum <= noise:
        return 1.0 if cheapest <= 2 * noise else math.inf
    return float(cheapest / optimum)


def _all_subsets(n: int, f: int) -> np.ndarray:
    """Return all subsets of ``n - f`` of n points as rows of zeros and ones."""
    rows = np.zeros((math.comb(n, f), n))
    for row, members in zip(rows, combinations(range(n), n - f), strict=True):
        row[list(members)] = 1
    return rows


def _circles(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the centres ``(m, 2)`` and radii ``(m,)`` of all circles that can be smallest ones.

    These are each point with the radius zero, the circles that have two of the points ``x``
    ``(n, 2)`` as the ends of a diameter, and the circles through three of the points.
    """
    i, j = np.array(list(combinations(range(len(x)), 2))).reshape(-1, 2).T
    centres, radii = (
        [x, (x[i] + x[j]) / 2],
        [np.zeros(len(x)), np.linalg.norm(x[i] - x[j], axis=1) / 2],
    )
    a, b, c = x[np.array(list(combinations(range(len(x)), 3)), dtype=int).reshape(-1, 3)].transpose(
        1, 0, 2
    )
    u, v = b - a, c - a
    cross = 2 * (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    proper = np.abs(cross) > 1e-12  # no circle goes through three points on a line
    u, v, cross = u[proper], v[proper], cross[proper]
    uu, vv = np.square(u).sum(1), np.square(v).sum(1)
    off = np.stack([v[:, 1] * uu - u[:, 1] * vv, u[:, 0] * vv - v[:, 0] * uu], 1) / cross[:, None]
    centres.append(a[proper] + off)
    radii.append(np.linalg.norm(off, axis=1))
    return np.concatenate(centres), np.concatenate(radii)


def search_approximation(cost: str, n: int, f: int, *, tries: int = 400, seed: int = 0) -> Worst:
    """Search for the points of the plane with the largest :func:`approximation`.

    The search is that of :func:`search_worst`. The result is a lower bound of the largest ratio
    and nothing more.

    Parameters
    ----------
    cost
        How the cost of a cluster is measured, one of ``COSTS``.
    n
        The number of points.
    f
        The number of points that a cluster leaves out.
    tries
        The number of sets of points to try, at least 3. A third of them are random.
    seed
        The seed of the random numbers.

    Returns
    -------
    Worst
        The largest ratio, and the points that have it.

    Examples
    --------
    >>> worst = search_approximation("center", n=4, f=1, tries=30)
    >>> 1 <= worst.ratio <= 2 + 1e-9, tuple(worst.points.shape)
    (True, (4, 2))
    """
    check_int("tries", tries, 3)
    generator = stream(seed, "search_approximation", n, f)
    return climb(lambda points: approximation(points, f, cost), n, f, 2, tries, generator)
