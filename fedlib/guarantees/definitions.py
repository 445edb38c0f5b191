"""How badly an aggregate meets a definition of robustness.

The definitions are those of clustering_with_outliers, section 2.2. For every subset S of ``n - f``
of the n vectors, the aggregate must not be too far from the mean of S. Each definition bounds the
distance by a constant times a measure of the spread of S. The ratio of the two, maximised over S,
is the violation of a rule on one set of vectors. The supremum of the violation over all sets of
vectors is the constant of the rule.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations

import torch

from fedlib.arrays import as_tensor
from fedlib.seeds import stream
from fedlib.validation import ConfigError, check_int, check_matrix, check_name, check_real

DEFINITIONS = {
    "resilient": "(f, λ)-resilient averaging",
    "agnostic": "(δ, ζ)-agnostic robustness",
    "robust": "(f, κ)-robustness",
    "robust_averaging": "(f, ξ)-robust averaging",
}
"""The definitions by name, as captions write them."""
# All subsets are tried up to the first number. Above it, as many random ones as the second.
_MOST_SUBSETS = 20_000
_SAMPLED_SUBSETS = 2_000


@lru_cache(maxsize=32)
def _subsets(n: int, f: int) -> torch.Tensor:
    """Return the subsets of ``n - f`` of n vectors as rows of zeros and ones.

    These are all subsets, or random ones if there are too many.
    """
    if math.comb(n, f) <= _MOST_SUBSETS:
        members = torch.tensor(list(combinations(range(n), n - f)))
    else:
        generator = stream(0, "subsets", n, f)
        orders = generator.random((_SAMPLED_SUBSETS, n)).argsort(axis=1)
        members = torch.from_numpy(orders[:, : n - f].copy())
    rows = torch.zeros(len(members), n, dtype=torch.float64)
    return rows.scatter_(1, members, 1.0)


def _likely_worst_subsets(points: torch.Tensor, answer: torch.Tensor, f: int) -> torch.Tensor:
    """Return subsets that are likely to show a large violation, as rows of zeros and ones.

    These are the nearest neighbours of each point, and the points farthest from the answer.
    """
    size = len(points) - f
    centres = torch.cat([points, answer[None]])
    distance = (centres[:, None] - points[None]).square().sum(2)
    distance[-1] *= -1
    members = distance.argsort(dim=1)[:, :size]
    return torch.zeros(len(centres), len(points), dtype=torch.float64).scatter_(1, members, 1.0)


def _diameter(points: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Return the largest squared distance of two vectors of each subset."""
    pairs = inside[:, :, None] * inside[:, None, :]
    return (pairs * _squared_distances(points)).amax((1, 2))


def _variance(points: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Return the mean squared distance of the vectors of each subset from their mean."""
    pairs = inside[:, :, None] * inside[:, None, :]
    size = int(inside[0].sum())
    return (pairs * _squared_distances(points)).sum((1, 2)) / (2 * size**2)


def _widest(points: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Return the largest eigenvalue of the covariance of the vectors of each subset."""
    size = int(inside[0].sum())
    members = inside.nonzero()[:, 1].view(-1, size)
    centred = points[members] - (inside @ points / size)[:, None]
    gram = centred @ centred.transpose(1, 2) / size
    return torch.linalg.eigvalsh(gram)[:, -1].clamp(min=0)


def _squared_distances(points: torch.Tensor) -> torch.Tensor:
    return (points[:, None] - points[None]).square().sum(2)


_SPREADS = {
    # The rules are deterministic and the vectors are given, so rho is the diameter.
    "resilient": _diameter,
    "agnostic": _diameter,
    "robust": _variance,
    "robust_averaging": _widest,
}


def violation(
    definition: str,
    updates: torch.Tensor,
    aggregate: torch.Tensor,
    f: int,
    tolerance: float | None = None,
) -> float:
    """Return how badly an aggregate violates a definition on one set of vectors.

    A definition bounds the distance of the aggregate from the mean of a subset by a constant
    times a measure of the subset's spread. The function returns the largest ratio of this distance
    to this measure, over all subsets of ``n - f`` vectors. If there are more than 20,000 subsets,
    only some are tried: 2,000 random ones and those that are likely to be worst. The latter are the
    nearest neighbours of each vector and the vectors farthest from the aggregate.

    Parameters
    ----------
    definition
        The definition, one of ``DEFINITIONS``.
    updates
        The vectors, ``(n, d)``, as a tensor or another array.
    aggregate
        The aggregate of these vectors by some rule, ``(d,)``.
    f
        The number of vectors that a subset leaves out, from 0 to ``n - 1``.
    tolerance
        Differences of at most this size, relative to the largest value, count as zero. None takes
        the size of rounding errors in the dtype. An iterative rule needs a larger tolerance.

    Returns
    -------
    float
        The ratio. It is ``inf`` if the vectors of a subset are all equal and the aggregate differs
        from their mean. It is also ``inf`` if the vectors are finite and the aggregate is not.

    Raises
    ------
    ConfigError
        If there is no definition of this name, if a shape does not fit, if a vector is not finite,
        or if ``f`` or ``tolerance`` is out of range.

    Examples
    --------
    >>> import torch
    >>> updates = torch.tensor([[0.0], [1.0], [2.0], [100.0]])
    >>> round(violation("resilient", updates, updates.mean(0), f=1), 2)
    12.38
    >>> round(violation("resilient", updates, updates.median(0).values, f=1), 2)
    0.34
    """
    check_name("definition", definition, DEFINITIONS)
    updates = as_tensor("updates", updates)
    check_matrix("updates", updates, "(n, d)")
    check_int("f", f, 0, len(updates) - 1)
    if tolerance is not None:
        check_real("tolerance", tolerance, 0)
    aggregate = as_tensor("aggregate", aggregate)
    if aggregate.shape != updates.shape[1:]:
        raise ConfigError(
            f"aggregate has the shape {tuple(aggregate.shape)}: must have the shape "
            f"{tuple(updates.shape[1:])} of one of the updates."
        )
    points = updates.double()
    if not bool(points.isfinite().all()):
        raise ConfigError("updates hold a NaN or an Inf: must be finite.")
    if not bool(aggregate.isfinite().all()):
        return math.inf
    # Ratios do not depend on the scale, but squares of huge or tiny values would not be finite
    # or would be zero.
    scale = points.abs().max().clamp(min=torch.finfo(torch.float64).tiny)
    points, answer = points / scale, aggregate.double() / scale
    n, inside = len(points), _subsets(len(points), f)
    if math.comb(n, f) > _MOST_SUBSETS:
        inside = torch.cat([inside, _likely_worst_subsets(points, answer, f)])
    error = (answer - inside @ points / (n - f)).square().sum(1)
    allowed = _SPREADS[definition](points, inside)

    if tolerance is None:
        tolerance = 1e-10 if updates.dtype == torch.float64 else 1e-6
    noise = tolerance**2
    ratio = torch.where(allowed > noise, error / allowed, torch.inf)
    worst = float(torch.where(error > noise, ratio, 0.0).max())
    if definition == "resilient":
        return worst**0.5
    return worst * n / f if definition == "agnostic" and f else worst


def violations(
    updates: torch.Tensor, aggregate: torch.Tensor, f: int, tolerance: float | None = None
) -> dict[str, float]:
    """Return how badly an aggregate violates each definition on one set of vectors.

    Parameters
    ----------
    updates, aggregate, f, tolerance
        The arguments of :func:`violation`.

    Returns
    -------
    dict of str to float
        The ratio of each of the ``DEFINITIONS``, as :func:`violation` returns it.

    Examples
    --------
    >>> import torch
    >>> updates = torch.tensor([[0.0], [1.0], [2.0], [100.0]])
    >>> round(violations(updates, updates.mean(0), f=1)["resilient"], 2)
    12.38
    """
    return {name: violation(name, updates, aggregate, f, tolerance) for name in DEFINITIONS}
