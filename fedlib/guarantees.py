"""What robustness definitions demand, how badly a rule meets them, and what was proven.

The definitions are those of clustering_with_outliers, section 2.2: for every subset S of ``n - f``
of the n vectors, the aggregate may differ from the mean of S only by so much. The ratio of the
two sides, maximised over S, is a rule's violation on one set of vectors; its supremum
over all sets is the rule's constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
import torch

from fedlib.aggregators import Aggregator, make_aggregator
from fedlib.federation import Facts
from fedlib.seeds import stream
from fedlib.validation import check_int, check_name

DEFINITIONS = {
    "resilient": "(f, λ)-resilient averaging",
    "agnostic": "(δ, ζ)-agnostic robustness",
    "robust": "(f, κ)-robustness",
    "robust_averaging": "(f, ξ)-robust averaging",
}
_MOST_SUBSETS = 20_000
_SAMPLED_SUBSETS = 2_000


@lru_cache(maxsize=32)
def _subsets(n: int, f: int) -> torch.Tensor:
    """All subsets of ``n - f`` of n as rows of zeros and ones; random ones if too many."""
    if math.comb(n, f) <= _MOST_SUBSETS:
        members = torch.tensor(list(combinations(range(n), n - f)))
    else:
        generator = stream(0, "subsets", n, f)
        orders = generator.random((_SAMPLED_SUBSETS, n)).argsort(axis=1)
        members = torch.from_numpy(orders[:, : n - f].copy())
    rows = torch.zeros(len(members), n, dtype=torch.float64)
    return rows.scatter_(1, members, 1.0)


def _near_and_far(points: torch.Tensor, answer: torch.Tensor, f: int) -> torch.Tensor:
    """Subsets apt to be worst: nearest to each point, and farthest from the answer."""
    size = len(points) - f
    centres = torch.cat([points, answer[None]])
    distance = (centres[:, None] - points[None]).square().sum(2)
    distance[-1] *= -1
    members = distance.argsort(dim=1)[:, :size]
    return torch.zeros(len(centres), len(points), dtype=torch.float64).scatter_(1, members, 1.0)


def violations(
    updates: torch.Tensor, aggregate: torch.Tensor, f: int, tolerance: float | None = None
) -> dict[str, float]:
    """Each definition's ratio on one set of vectors, the largest over all subsets.

    Beyond 20,000 of them, over 2,000 random ones and those most apt to be worst: each point's
    nearest, and the farthest from the aggregate.

    Parameters
    ----------
    updates
        ``(n, d)``.
    aggregate
        What a rule made of them, ``(d,)``.
    f
        How many are left out of a subset.
    tolerance
        Differences up to it, relative to the largest value, count as none; None takes what
        rounding in the dtype may do. An iterative rule needs more.

    Returns
    -------
    dict
        By the names of ``DEFINITIONS``. ``inf`` where the aggregate differs from the mean of a
        subset whose vectors are all equal.
    """
    points = updates.double()
    # Ratios do not change with scale, but squares of huge or tiny values would.
    scale = points.abs().max().clamp(min=torch.finfo(torch.float64).tiny)
    points, answer = points / scale, aggregate.double() / scale
    n, inside = len(points), _subsets(len(points), f)
    if math.comb(n, f) > _MOST_SUBSETS:
        inside = torch.cat([inside, _near_and_far(points, answer, f)])
    size = n - f
    means = inside @ points / size
    error = (answer - means).square().sum(1)
    between = (points[:, None] - points[None]).square().sum(2)
    pairs = inside[:, :, None] * inside[:, None, :]
    diameter = (pairs * between).amax((1, 2))
    variance = (pairs * between).sum((1, 2)) / (2 * size**2)
    members = inside.nonzero()[:, 1].view(-1, size)
    centred = points[members] - means[:, None]
    gram = centred @ centred.transpose(1, 2) / size
    widest = torch.linalg.eigvalsh(gram)[:, -1].clamp(min=0)

    if tolerance is None:
        tolerance = 1e-10 if updates.dtype == torch.float64 else 1e-6
    noise = tolerance**2

    def worst(allowed: torch.Tensor) -> float:
        ratio = torch.where(allowed > noise, error / allowed, torch.inf)
        return float(torch.where(error > noise, ratio, 0.0).max())

    resilient = worst(diameter)
    return {
        "resilient": resilient**0.5,
        # The rules are deterministic and the vectors given, so rho is the diameter.
        "agnostic": resilient * n / f if f else resilient,
        "robust": worst(variance),
        "robust_averaging": worst(widest),
    }


@dataclass(frozen=True)
class Bound:
    """A proven constant of a rule: ``constant(n, f, d)``, and where it was printed."""

    rule: str
    definition: str
    constant: Callable[[int, int, int], float]
    formula: str
    source: str
    parameters: tuple[tuple[str, Any], ...] = ()
    tolerance: float | None = None

    def make(self, f: int) -> Aggregator:
        """The rule that the bound is about."""
        return make_aggregator({"name": self.rule, "n_byzantine": f, **dict(self.parameters)})


_THEOREM = "clustering_with_outliers, Theorem 2"
_MIXING = "Allouah et al. (2023a)"
_AVERAGING = "Allouah et al. (2023b)"
_EXACT = (("n_iterations", 100), ("nu", 1e-9), ("start", "mean"))


def _nu(n: int, f: int) -> float:
    """nu of Theorem 2 at the smallest delta_max that it allows."""
    return 0.5 - f / n


def _kappa_trimmed(n: int, f: int) -> float:
    return 6 * f / (n - 2 * f) * (1 + f / (n - 2 * f))


def _kappa_median(n: int, f: int) -> float:
    return 4 * (1 + f / (n - 2 * f)) ** 2


def _kappa_krum(n: int, f: int) -> float:
    return 6 * (1 + f / (n - 2 * f))


def _mixed(kappa: Callable[[int, int], float]) -> Callable[[int, int, int], float]:
    return lambda n, f, d: 8 * f / (n - f) * (1 + kappa(n, f))


def _nnm(name: str, **parameters: Any) -> tuple[tuple[str, Any], ...]:
    return (("rule", {"name": name, **parameters}),)


BOUNDS = (
    Bound(
        "center_with_outliers", "resilient", lambda n, f, d: (2 * 2**0.5 + 1) * f / (n - f),
        "(2√2 + 1) f / (n − f)", _THEOREM,
    ),
    Bound(
        "center_with_outliers", "agnostic",
        lambda n, f, d: (18 + 8 * 2**0.5) * f / (1 + 2 * _nu(n, f)) ** 2 * f / n,
        "(18 + 8√2) f / (1 + 2ν)² · f / n", _THEOREM,
    ),
    Bound(
        "center_with_outliers", "robust",
        lambda n, f, d: (8 * f**2 + 2 * f) / (n - 2 * f) * (n - f) / (n - 2 * f),
        "(8f² + 2f) / (n − 2f) · (n − f) / (n − 2f)", _THEOREM,
    ),
    Bound(
        "center_with_outliers", "robust_averaging",
        lambda n, f, d: (8 * f**2 + 2 * f) / (n - 2 * f) * (n - f) / (n - 2 * f),
        "(8f² + 2f) / (n − 2f) · (n − f) / (n − 2f)", _THEOREM,
    ),
    Bound(
        "mean_with_outliers", "resilient",
        lambda n, f, d: math.sqrt(3 * f * (n - f)) / (n - 2 * f),
        "√(3 f (n − f)) / (n − 2f)", _THEOREM,
    ),
    Bound(
        "mean_with_outliers", "agnostic",
        lambda n, f, d: 3 * (1 + 2 * _nu(n, f)) / (8 * _nu(n, f) ** 2),
        "3 (1 + 2ν) / (8 ν²)", _THEOREM,
    ),
    Bound(
        "mean_with_outliers", "robust",
        lambda n, f, d: 6 * f / (n - 2 * f) * (n - f) / (n - 2 * f),
        "6f / (n − 2f) · (n − f) / (n − 2f)", _THEOREM,
    ),
    Bound(
        "mean_with_outliers", "robust_averaging",
        lambda n, f, d: 6 * f * min(n - f, d) / (n - 2 * f) * (n - f) / (n - 2 * f),
        "6f min(n − f, d) / (n − 2f) · (n − f) / (n − 2f)", _THEOREM,
    ),
    Bound("mda", "resilient", lambda n, f, d: 2 * f / (n - f), "2f / (n − f)",
          "Farhadkhani et al. (2022)"),
    Bound("trimmed_mean", "robust", lambda n, f, d: _kappa_trimmed(n, f),
          "6f / (n − 2f) · (1 + f / (n − 2f))", _MIXING),
    Bound("median", "robust", lambda n, f, d: _kappa_median(n, f),
          "4 (1 + f / (n − 2f))²", _MIXING),
    Bound("geometric_median", "robust", lambda n, f, d: _kappa_median(n, f),
          "4 (1 + f / (n − 2f))²", _MIXING, _EXACT, 1e-4),
    Bound("krum", "robust", lambda n, f, d: _kappa_krum(n, f), "6 (1 + f / (n − 2f))", _MIXING),
    Bound("nearest_neighbour_mixing", "robust", _mixed(_kappa_trimmed),
          "8f / (n − f) · (1 + κ), κ of the trimmed mean", _MIXING, _nnm("trimmed_mean")),
    Bound("nearest_neighbour_mixing", "robust", _mixed(_kappa_median),
          "8f / (n − f) · (1 + κ), κ of the median", _MIXING, _nnm("median")),
    Bound("nearest_neighbour_mixing", "robust", _mixed(_kappa_median),
          "8f / (n − f) · (1 + κ), κ of the geometric median", _MIXING,
          _nnm("geometric_median", **dict(_EXACT)), 1e-4),
    Bound("nearest_neighbour_mixing", "robust", _mixed(_kappa_krum),
          "8f / (n − f) · (1 + κ), κ of Krum", _MIXING, _nnm("krum")),
    Bound("smea", "robust_averaging",
          lambda n, f, d: 4 * f / (n - f) * (1 + f / (n - 2 * f)) ** 2,
          "4f / (n − f) · (1 + f / (n − 2f))²", _AVERAGING),
)  # fmt: skip

KINDS = ("random", "clustered", "collinear", "duplicated", "far", "huge", "tiny")


def draw_points(kind: str, n: int, f: int, d: int, generator: np.random.Generator) -> torch.Tensor:
    """A set of vectors ``(n, d)`` in float64 on which rules are apt to fail.

    Of ``KINDS``: Gaussian; in two clusters; on a line; few distinct; with f far ones; of size
    1e150 or 1e-150.
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
    """The largest violation that a search found, and the vectors that show it."""

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
    """Maximise the violation of ``definition`` by ``rule`` with f its ``n_byzantine``.

    Random starts of every kind, of which the best is then moved in random directions, near and
    far, as long as that makes it worse. A lower bound of the rule's constant, nothing more.

    Parameters
    ----------
    rule, definition
        What of; one of ``DEFINITIONS``.
    n, d
        Vectors and their dimension.
    tries
        Sets of vectors to try, a third of them random.
    seed
        Of the search.
    tolerance
        As for :func:`violations`.
    """
    check_name("definition", definition, DEFINITIONS)
    check_int("tries", tries, 3)
    rule.check(n)
    f = rule.n_byzantine
    generator = stream(seed, "search_worst", n, f, d)

    def of(points: torch.Tensor) -> float:
        aggregate, _ = rule.apply(points, rule.init(*points.shape))
        return violations(points, aggregate, f, tolerance)[definition]

    return _climb(of, n, f, d, tries, generator)


def _climb(
    of: Callable[[torch.Tensor], float],
    n: int,
    f: int,
    d: int,
    tries: int,
    generator: np.random.Generator,
) -> Worst:
    """The largest ``of`` found: random sets, then moves of the best, near and far."""
    starts = [draw_points(KINDS[i % 5], n, f, d, generator) for i in range(max(tries // 3, 1))]
    best = max((Worst(of(points), points) for points in starts), key=lambda found: found.ratio)
    step = 1.0
    for _ in range(tries - len(starts)):
        spread = float(best.points.std()) or 1.0
        move = generator.normal(size=(n, d)) * (generator.random((n, 1)) < 2 / n)
        points = best.points + torch.from_numpy(step * spread * move)
        ratio = of(points)
        if ratio > best.ratio and math.isfinite(ratio):
            best, step = Worst(ratio, points), min(2 * step, 10.0)
        else:
            step = max(step * 0.9, 1e-4)
            if step == 1e-4:
                step = 1.0
    return best


COSTS = {"center": "center_with_outliers", "mean": "mean_with_outliers"}
"""The costs of clustering_with_outliers, equation (5), and whose they are."""


def approximation(points: torch.Tensor, f: int, cost: str) -> float:
    """How much dearer the cheapest cluster round one of the points is than the cheapest of all.

    Lemma 1 of clustering_with_outliers allows 2, by either cost of a cluster of ``n - f`` points:
    ``"center"``, its radius; ``"mean"``, the sum of squared distances to its centre. The cheapest
    of all is found by brute force: a smallest circle is the one on two points or round three, and
    the best centre of a subset for the sum of squares its mean.

    Parameters
    ----------
    points
        ``(n, 2)``.
    f
        Points that a cluster leaves out.
    cost
        One of ``COSTS``.
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
        ours = nearest.sum(1).min()
        inside = _all_subsets(n, f)
        # Half the mean squared distance of all pairs is that to the mean.
        best = np.einsum("si,ij,sj->s", inside, squared, inside).min() / (2 * (n - f))
    else:
        ours = np.sqrt(nearest[:, -1].min())
        centres, radii = _circles(x)
        reach = np.linalg.norm(centres[:, None] - x[None], axis=2)
        enough = (reach <= radii[:, None] * (1 + 1e-9) + noise).sum(1) >= n - f
        best = radii[enough].min()
    if best <= noise:
        return 1.0 if ours <= 2 * noise else math.inf
    return float(ours / best)


def _all_subsets(n: int, f: int) -> np.ndarray:
    rows = np.zeros((math.comb(n, f), n))
    for row, members in zip(rows, combinations(range(n), n - f), strict=True):
        row[list(members)] = 1
    return rows


def _circles(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres ``(m, 2)`` and radii of the circles that can be smallest round some of ``x``.

    Each point, the circle with two of them as ends of a diameter, and that through three.
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
    proper = np.abs(cross) > 1e-12  # three in a line have no circle, and need none
    u, v, cross = u[proper], v[proper], cross[proper]
    uu, vv = np.square(u).sum(1), np.square(v).sum(1)
    off = np.stack([v[:, 1] * uu - u[:, 1] * vv, u[:, 0] * vv - v[:, 0] * uu], 1) / cross[:, None]
    centres.append(a[proper] + off)
    radii.append(np.linalg.norm(off, axis=1))
    return np.concatenate(centres), np.concatenate(radii)


def search_approximation(cost: str, n: int, f: int, *, tries: int = 400, seed: int = 0) -> Worst:
    """The largest :func:`approximation` of n points in the plane that a search finds.

    As :func:`search_worst` does; a lower bound of the factor, nothing more.
    """
    check_int("tries", tries, 3)
    generator = stream(seed, "search_approximation", n, f)
    return _climb(lambda points: approximation(points, f, cost), n, f, 2, tries, generator)


def breakdown_point(
    rule: Aggregator,
    n: int,
    d: int = 3,
    *,
    distance: float = 1e6,
    seed: int = 0,
    context: Callable[[torch.Tensor], Facts] | None = None,
) -> int:
    """The fewest far vectors among n that carry the aggregate away; ``n`` if none do.

    Tried: all at one far place, each at its own, at two opposite ones, on a line, and at
    increasing distances. The aggregate is carried away if it is more than a thousandth of
    ``distance`` from all honest vectors.

    Parameters
    ----------
    rule
        What to break.
    n, d
        Vectors and their dimension.
    distance
        How far the hostile vectors are.
    seed
        Of the honest vectors and places.
    context
        Makes what the rule needs beside the vectors.
    """
    generator = stream(seed, "breakdown_point", n, d)
    for hostile in range(1, n):
        for layout in ("one", "each", "opposite", "line", "growing"):
            honest = torch.from_numpy(generator.normal(size=(n - hostile, d)))
            place = torch.from_numpy(generator.normal(size=(hostile, d)))
            steps = torch.arange(1, hostile + 1, dtype=torch.float64)[:, None]
            direction = place[:1] / place[0].norm()
            far = {
                "one": direction.expand(hostile, d),
                "each": place / place.norm(dim=1, keepdim=True),
                "opposite": torch.where(steps % 2 == 0, -1.0, 1.0) * direction,
                "line": steps * direction,
                "growing": 10.0 ** (steps.clamp(max=20) / 2) * direction,
            }[layout] * distance
            points = torch.cat([honest, far])
            told = context(points) if context else None
            found, _ = rule.apply(points, rule.init(n, d), told)
            if float((found - honest).norm(dim=1).min()) > distance / 1000:
                return hostile
    return n
