"""Constants of rules: those that Theorem 2 prints, and those that the book proves."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fedlib.aggregators import Aggregator, make_aggregator


@dataclass(frozen=True)
class Bound:
    """A constant of a rule, which bounds how badly it can violate a definition.

    Parameters
    ----------
    rule
        The name of the rule in ``AGGREGATORS``.
    definition
        The definition that the constant belongs to, one of ``DEFINITIONS``.
    constant
        The constant as a function of the number of vectors n, the number of Byzantine ones f, and
        the dimension d.
    formula
        The constant as captions write it.
    source
        ``PRINTED`` or ``PROVED``: where the constant comes from.
    parameters
        The parameters of the rule, as pairs of name and value.
    tolerance
        The tolerance that :func:`violation` needs for this rule. None takes the usual one.
    appendix
        The constant that the paper's own proof gives, as a function of n, f and d, if the theorem
        prints another one. None if they are the same.

    Examples
    --------
    >>> bound = next(bound for bound in BOUNDS if bound.rule == "trimmed_mean")
    >>> bound.formula, bound.constant(10, 2, 3)
    ('f / (n − 2f)', 0.3333333333333333)
    >>> bound.make(2).name
    'trimmed_mean'
    """

    rule: str
    definition: str
    constant: Callable[[int, int, int], float]
    formula: str
    source: str
    parameters: tuple[tuple[str, Any], ...] = ()
    tolerance: float | None = None
    appendix: Callable[[int, int, int], float] | None = None

    def unproven(self, n: int, f: int, d: int) -> bool:
        """Whether the theorem prints a smaller constant than the paper's own proof gives.

        Parameters
        ----------
        n, f, d
            The number of vectors, the number of Byzantine ones and the dimension.
        """
        if self.appendix is None:
            return False
        return self.constant(n, f, d) < (1 - 1e-9) * self.appendix(n, f, d)

    def make(self, f: int) -> Aggregator:
        """Return the rule that the bound is about, for ``f`` Byzantine vectors."""
        return make_aggregator({"name": self.rule, "n_byzantine": f, **dict(self.parameters)})


PRINTED = "printed in Theorem 2 of clustering_with_outliers"
PROVED = "proof in the chapter on guarantees"
_EXACT = (("n_iterations", 100), ("nu", 1e-9), ("start", "mean"))


def _nu(n: int, f: int) -> float:
    """Return nu of Theorem 2, for the smallest delta_max that the theorem allows."""
    return 0.5 - f / n


def _kappa_trimmed(n: int, f: int) -> float:
    return f / (n - 2 * f)


def _kappa_median(n: int, f: int) -> float:
    return 4 * ((n - f) / (n - 2 * f)) ** 2


def _kappa_krum(n: int, f: int) -> float:
    if n <= 2 * f + 1:
        return math.inf  # Krum does not accept so many Byzantine vectors.
    return 2 * (n - f) / (n - 2 * f - 1) * (1 + 2 * (n - f - 2) / (n - f - 1))


def _kappa_mean(n: int, f: int) -> float:
    return (3 + 2 * 2**0.5) * f / (n - 2 * f)


def _kappa_mixed(kappa: Callable[[int, int], float]) -> Callable[[int, int, int], float]:
    """Return the constant of nearest neighbour mixing before a rule whose constant is kappa."""
    return lambda n, f, d: 8 * f / (n - f) * (1 + kappa(n, f))


def _mixed_before(name: str, **parameters: Any) -> tuple[tuple[str, Any], ...]:
    """Return the parameters of nearest neighbour mixing before the rule ``name``."""
    return (("rule", {"name": name, **parameters}),)


BOUNDS = (
    Bound(
        "center_with_outliers", "resilient", lambda n, f, d: (2 * 2**0.5 + 1) * f / (n - f),
        "(2√2 + 1) f / (n − f)", PRINTED,
    ),
    Bound(
        "center_with_outliers", "resilient", lambda n, f, d: 3 * f / (n - f),
        "3f / (n − f)", PROVED,
    ),
    Bound(
        "center_with_outliers", "agnostic",
        lambda n, f, d: (18 + 8 * 2**0.5) * f / (1 + 2 * _nu(n, f)) ** 2 * f / n,
        "(18 + 8√2) f / (1 + 2ν)² · f / n", PRINTED,
        appendix=lambda n, f, d: (36 + 16 * 2**0.5) * f / ((1 + 2 * _nu(n, f)) ** 2 * n),
    ),
    Bound(
        "center_with_outliers", "agnostic",
        lambda n, f, d: 36 * f / ((1 + 2 * _nu(n, f)) ** 2 * n),
        "36 f / ((1 + 2ν)² n)", PROVED,
    ),
    Bound(
        "center_with_outliers", "robust",
        lambda n, f, d: (8 * f**2 + 2 * f) / (n - 2 * f) * (n - f) / (n - 2 * f),
        "(8f² + 2f) / (n − 2f) · (n − f) / (n − 2f)", PRINTED,
    ),
    Bound(
        "center_with_outliers", "robust_averaging",
        lambda n, f, d: (8 * f**2 + 2 * f) / (n - 2 * f) * (n - f) / (n - 2 * f),
        "(8f² + 2f) / (n − 2f) · (n − f) / (n − 2f)", PRINTED,
    ),
    Bound(
        "mean_with_outliers", "resilient",
        lambda n, f, d: math.sqrt(3 * f * (n - f)) / (n - 2 * f),
        "√(3 f (n − f)) / (n − 2f)", PRINTED,
    ),
    Bound(
        "mean_with_outliers", "resilient",
        lambda n, f, d: math.sqrt(_kappa_mean(n, f) / 2),
        "√((3/2 + √2) f / (n − 2f))", PROVED,
    ),
    Bound(
        "mean_with_outliers", "agnostic",
        lambda n, f, d: 3 * (1 + 2 * _nu(n, f)) / (8 * _nu(n, f) ** 2),
        "3 (1 + 2ν) / (8 ν²)", PRINTED,
    ),
    Bound(
        "mean_with_outliers", "agnostic",
        lambda n, f, d: (3 + 2 * 2**0.5) / (4 * _nu(n, f)),
        "(3/4 + √2/2) / ν", PROVED,
    ),
    Bound(
        "mean_with_outliers", "robust",
        lambda n, f, d: 6 * f / (n - 2 * f) * (n - f) / (n - 2 * f),
        "6f / (n − 2f) · (n − f) / (n − 2f)", PRINTED,
    ),
    Bound(
        "mean_with_outliers", "robust", lambda n, f, d: _kappa_mean(n, f),
        "(3 + 2√2) f / (n − 2f)", PROVED,
    ),
    Bound(
        "mean_with_outliers", "robust_averaging",
        lambda n, f, d: 6 * f * min(n - f, d) / (n - 2 * f) * (n - f) / (n - 2 * f),
        "6f min(n − f, d) / (n − 2f) · (n − f) / (n − 2f)", PRINTED,
    ),
    Bound("mda", "resilient", lambda n, f, d: 2 * f / (n - f), "2f / (n − f)", PROVED),
    Bound("trimmed_mean", "robust", lambda n, f, d: _kappa_trimmed(n, f), "f / (n − 2f)", PROVED),
    Bound("median", "robust", lambda n, f, d: _kappa_median(n, f),
          "4 (n − f)² / (n − 2f)²", PROVED),
    Bound("geometric_median", "robust", lambda n, f, d: _kappa_median(n, f),
          "4 (n − f)² / (n − 2f)²", PROVED, _EXACT, 1e-4),
    Bound("krum", "robust", lambda n, f, d: _kappa_krum(n, f),
          "2 (n − f) / (n − 2f − 1) · (1 + 2 (n − f − 2) / (n − f − 1))", PROVED),
    Bound("nearest_neighbour_mixing", "robust", _kappa_mixed(_kappa_trimmed),
          "8f / (n − f) · (1 + κ), κ of the trimmed mean", PROVED, _mixed_before("trimmed_mean")),
    Bound("nearest_neighbour_mixing", "robust", _kappa_mixed(_kappa_median),
          "8f / (n − f) · (1 + κ), κ of the median", PROVED, _mixed_before("median")),
    Bound("nearest_neighbour_mixing", "robust", _kappa_mixed(_kappa_median),
          "8f / (n − f) · (1 + κ), κ of the geometric median", PROVED,
          _mixed_before("geometric_median", **dict(_EXACT)), 1e-4),
    Bound("nearest_neighbour_mixing", "robust", _kappa_mixed(_kappa_krum),
          "8f / (n − f) · (1 + κ), κ of Krum", PROVED, _mixed_before("krum")),
    Bound("smea", "robust_averaging", lambda n, f, d: 4 * f / (n - 2 * f),
          "4f / (n − 2f)", PROVED),
)  # fmt: skip
"""All constants, in the order in which tables list them."""
