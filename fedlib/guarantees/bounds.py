"""The constants of rules that publications have proven."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fedlib.aggregators import Aggregator, make_aggregator


@dataclass(frozen=True)
class Bound:
    """A proven constant of a rule.

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
        The publication that states the constant.
    parameters
        The parameters of the rule, as pairs of name and value.
    tolerance
        The tolerance that :func:`violations` needs for this rule. None takes the usual one.
    """

    rule: str
    definition: str
    constant: Callable[[int, int, int], float]
    formula: str
    source: str
    parameters: tuple[tuple[str, Any], ...] = ()
    tolerance: float | None = None

    def make(self, f: int) -> Aggregator:
        """Return the rule that the bound is about, for ``f`` Byzantine vectors."""
        return make_aggregator({"name": self.rule, "n_byzantine": f, **dict(self.parameters)})


_THEOREM = "clustering_with_outliers, Theorem 2"
_MIXING = "Allouah et al. (2023a)"
_AVERAGING = "Allouah et al. (2023b)"
_EXACT = (("n_iterations", 100), ("nu", 1e-9), ("start", "mean"))


def _nu(n: int, f: int) -> float:
    """Return nu of Theorem 2, for the smallest delta_max that the theorem allows."""
    return 0.5 - f / n


def _kappa_trimmed(n: int, f: int) -> float:
    return 6 * f / (n - 2 * f) * (1 + f / (n - 2 * f))


def _kappa_median(n: int, f: int) -> float:
    return 4 * (1 + f / (n - 2 * f)) ** 2


def _kappa_krum(n: int, f: int) -> float:
    return 6 * (1 + f / (n - 2 * f))


def _kappa_mixed(kappa: Callable[[int, int], float]) -> Callable[[int, int, int], float]:
    """Return the constant of nearest neighbour mixing before a rule whose constant is kappa."""
    return lambda n, f, d: 8 * f / (n - f) * (1 + kappa(n, f))


def _mixed_before(name: str, **parameters: Any) -> tuple[tuple[str, Any], ...]:
    """Return the parameters of nearest neighbour mixing before the rule ``name``."""
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
    Bound("nearest_neighbour_mixing", "robust", _kappa_mixed(_kappa_trimmed),
          "8f / (n − f) · (1 + κ), κ of the trimmed mean", _MIXING, _mixed_before("trimmed_mean")),
    Bound("nearest_neighbour_mixing", "robust", _kappa_mixed(_kappa_median),
          "8f / (n − f) · (1 + κ), κ of the median", _MIXING, _mixed_before("median")),
    Bound("nearest_neighbour_mixing", "robust", _kappa_mixed(_kappa_median),
          "8f / (n − f) · (1 + κ), κ of the geometric median", _MIXING,
          _mixed_before("geometric_median", **dict(_EXACT)), 1e-4),
    Bound("nearest_neighbour_mixing", "robust", _kappa_mixed(_kappa_krum),
          "8f / (n − f) · (1 + κ), κ of Krum", _MIXING, _mixed_before("krum")),
    Bound("smea", "robust_averaging",
          lambda n, f, d: 4 * f / (n - f) * (1 + f / (n - 2 * f)) ** 2,
          "4f / (n − f) · (1 + f / (n − 2f))²", _AVERAGING),
)  # fmt: skip
"""All proven constants, in the order in which tables list them."""
