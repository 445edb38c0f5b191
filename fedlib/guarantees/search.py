"""The search for the worst case of a rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from fedlib.aggregators import Aggregator
from fedlib.guarantees.definitions import DEFINITIONS, violation
from fedlib.seeds import stream
from fedlib.validation import check_int, check_name

KINDS = ("random", "clustered", "collinear", "duplicated", "far", "huge", "tiny")
"""The kinds of sets of vectors on which rules are likely to fail, see :func:`draw_points`."""


def draw_points(kind: str, n: int, f: int, d: int, generator: np.random.Generator) -> torch.Tensor:
    """Draw a set of vectors on which rules are likely to fail.

    Parameters
    ----------
    kind
        What the set is like, one of ``KINDS``. ``"random"`` vectors are Gaussian, and the other
        kinds change these. ``"clustered"`` vectors form two clusters, ``"collinear"`` ones lie on
        a line, and among ``"duplicated"`` ones few are distinct. In a ``"far"`` set the first f
        vectors are far from the others. ``"huge"`` vectors have sizes of about 1e150, and
        ``"tiny"`` ones of about 1e-150.
    n
        The number of vectors.
    f
        The number of vectors that may be far from the others.
    d
        The dimension.
    generator
        The source of the random numbers.

    Returns
    -------
    torch.Tensor
        The vectors, float64 of shape ``(n, d)``.

    Examples
    --------
    >>> import numpy as np
    >>> points = draw_points("collinear", 5, 1, 3, np.random.default_rng(0))
    >>> tuple(points.shape), int(np.linalg.matrix_rank(points))
    ((5, 3), 1)
    """
    check_name("kind", kind, KINDS)
    points = generator.normal(size=(n, d))
    if kind == "clustered":
        points = 0.01 * points + generator.integers(0, 2, (n, 1))
    elif kind == "collinear":
        points = generator.normal(size=(n, 1)) * generator.normal(size=d)
    elif kind == "duplicated":
        points = points[generator.integers(0, max(n // 2, 1), n)]
    elif kind == "far":
        points[:f] += generator.normal(size=d) * 10.0 ** generator.integers(-1, 6)
    elif kind == "huge":
        points *= 1e150
    elif kind == "tiny":
        points *= 1e-150
    return torch.from_numpy(points)


@dataclass(frozen=True)
class Worst:
    """The worst case that a search found.

    Attributes
    ----------
    ratio
        The largest ratio.
    points
        The vectors that have it, ``(n, d)``.

    Examples
    --------
    >>> import torch
    >>> Worst(2.0, torch.zeros(3, 2)).ratio
    2.0
    """

    ratio: float
    points: torch.Tensor


def search_worst(
    rule: Aggregator,
    definition: str,
    n: int,
    d: int = 2,
    *,
    tries: int = 400,
    seed: int = 0,
    tolerance: float | None = None,
) -> Worst:
    """Search for the vectors on which a rule violates a definition most.

    The search starts from random vectors of several kinds. It then moves the worst of these sets
    in random directions, by small and by large steps, and keeps every move that makes the
    violation larger. The result is a lower bound of the rule's constant and nothing more.

    Parameters
    ----------
    rule
        The rule. Its ``n_byzantine`` is f.
    definition
        The definition, one of ``DEFINITIONS``.
    n
        The number of vectors.
    d
        The dimension.
    tries
        The number of sets of vectors to try, at least 3. A third of them are random.
    seed
        The seed of the random numbers.
    tolerance
        The tolerance of :func:`violation`.

    Returns
    -------
    Worst
        The largest violation, and the vectors that show it.

    Raises
    ------
    ConfigError
        If the rule cannot serve n vectors, or an argument is not allowed.

    Examples
    --------
    No set of vectors exceeds the constant of the trimmed mean, f / (n − 2f), which is 1/3 here.

    >>> from fedlib import AGGREGATORS
    >>> rule = AGGREGATORS["trimmed_mean"](n_byzantine=1)
    >>> worst = search_worst(rule, "robust", n=5, tries=60)
    >>> 0 < worst.ratio <= 1 / 3
    True
    """
    check_name("definition", definition, DEFINITIONS)
    check_int("tries", tries, 3)
    rule.check(n)
    f = rule.n_byzantine
    generator = stream(seed, "search_worst", n, f, d)

    def ratio_of(points: torch.Tensor) -> float:
        aggregate, _ = rule.apply(points, rule.init(*points.shape))
        return violation(definition, points, aggregate, f, tolerance)

    return climb(ratio_of, n, f, d, tries, generator)


def climb(
    ratio_of: Callable[[torch.Tensor], float],
    n: int,
    f: int,
    d: int,
    tries: int,
    generator: np.random.Generator,
) -> Worst:
    """Search for the vectors that have the largest ratio.

    The search tries random sets first. Then it moves the best set at random, by small and by
    large steps, and keeps every move that makes the ratio larger.

    Parameters
    ----------
    ratio_of
        The ratio of a set of vectors ``(n, d)``.
    n, f, d
        The arguments of :func:`draw_points`.
    tries
        The number of sets to try. A third of them are random.
    generator
        The source of the random numbers.

    Returns
    -------
    Worst
        The largest ratio, and the vectors that have it.
    """
    starts = [draw_points(KINDS[i % 5], n, f, d, generator) for i in range(max(tries // 3, 1))]
    found = (Worst(ratio_of(points), points) for points in starts)
    best = max(found, key=lambda worst: worst.ratio)
    step = 1.0
    for _ in range(tries - len(starts)):
        spread = float(best.points.std()) or 1.0
        move = generator.normal(size=(n, d)) * (generator.random((n, 1)) < 2 / n)
        points = best.points + torch.from_numpy(step * spread * move)
        ratio = ratio_of(points)
        if ratio > best.ratio and math.isfinite(ratio):
            best, step = Worst(ratio, points), min(2 * step, 10.0)
        else:
            step = max(step * 0.9, 1e-4)
            if step == 1e-4:
                step = 1.0
    return best
