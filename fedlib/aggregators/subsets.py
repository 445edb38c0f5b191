"""The rules MDA and SMEA, which search all subsets of ``n - f`` updates, for small ``n``."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import pairwise_squared_distances, selected_mean
from fedlib.federation.facts import Facts
from fedlib.validation import ConfigError

# A search of more subsets would take minutes in each round. These rules are references and not
# defences for daily use.
MOST_SUBSETS = 200_000
_CHUNK = 4096


@lru_cache(maxsize=4)
def _subsets(n: int, size: int) -> torch.Tensor:
    """Return all subsets of a size, ``(count, size)``, in lexicographic order."""
    return torch.tensor(list(combinations(range(n), size)))


@lru_cache(maxsize=4)
def _masks(n: int, size: int) -> torch.Tensor:
    """Return each of these subsets as an integer whose bits are its members, ``(count,)``."""
    return (1 << _subsets(n, size)).sum(1)


@dataclass(frozen=True)
class SubsetRule(Aggregator):
    """Base class of the rules that average the ``n - f`` updates with the least ``_spread``.

    The search over the subsets is exact. Subsets may tie, and those of MDA often share the pair
    that is farthest apart. The subset of least variance is then taken. If variances are equal, the
    first subset in lexicographic order is taken.
    """

    def check(self, n_clients: int) -> None:
        super().check(n_clients)
        count = math.comb(n_clients, self.n_byzantine)
        if count > MOST_SUBSETS:
            raise ConfigError(
                f"aggregator.n_byzantine={self.n_byzantine} with n_clients={n_clients} gives "
                f"{self.name} {count} subsets to search: must be at most {MOST_SUBSETS}."
            )

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        n = len(updates)
        squared = pairwise_squared_distances(updates, check=True)
        subsets = _subsets(n, n - self.n_byzantine).to(updates.device)
        tied = self._tightest(squared, subsets)
        totals = torch.cat(
            [squared[part[:, :, None], part[:, None, :]].sum((1, 2)) for part in tied.split(_CHUNK)]
        )
        return selected_mean(updates, tied[totals.argmin()]), state

    def _tightest(self, squared: torch.Tensor, subsets: torch.Tensor) -> torch.Tensor:
        """Return the subsets of the least spread, in the order of ``subsets``."""
        spreads = torch.cat([self._spread(squared, part) for part in subsets.split(_CHUNK)])
        return subsets[spreads == spreads.min()]

    @abstractmethod
    def _spread(self, squared: torch.Tensor, subsets: torch.Tensor) -> torch.Tensor:
        """Return the spread ``(count,)`` of each subset.

        ``subsets`` holds the indices of each subset's updates, ``(count, m)``. ``squared`` holds
        the squared distances between all updates, ``(n, n)``.
        """


@AGGREGATORS.register("mda")
@dataclass(frozen=True)
class MinimumDiameterAveraging(SubsetRule):
    """Average the subset of ``n - f`` updates with the smallest diameter (El Mhamdi et al., 2021).

    This is minimum diameter averaging (MDA). The diameter is the largest distance between two
    updates of the subset.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["mda"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0500, 2.0500, 0.3000])
    """

    checks_finite: ClassVar[bool] = True
    by_distances: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"\bar x_S, \quad S = \arg\min_{|S| = n - f} \max_{i, j \in S} \lVert x_i - x_j \rVert"
    )
    cost: ClassVar[str] = r"n^2 d + \tbinom{n}{f} n^2"

    def _spread(self, squared: torch.Tensor, subsets: torch.Tensor) -> torch.Tensor:
        return squared[subsets[:, :, None], subsets[:, None, :]].amax((1, 2))

    def _tightest(self, squared: torch.Tensor, subsets: torch.Tensor) -> torch.Tensor:
        # The subsets that hold the farthest pair are left out, then those with the next pair, until
        # none would be left. This looks at few pairs, where the diameters of all take every pair.
        n = len(squared)
        masks = _masks(n, subsets.shape[1]).to(subsets.device)
        first, second = torch.triu_indices(n, n, 1, device=squared.device)
        lengths = torch.maximum(squared, squared.T)[first, second]
        pairs = (1 << first) | (1 << second)
        for length in lengths.unique().flip(0):
            kept = torch.ones_like(masks, dtype=torch.bool)
            for pair in pairs[lengths == length]:
                kept &= (masks & pair) != pair
            if not kept.any():
                break
            masks, subsets = masks[kept], subsets[kept]
        return subsets


@AGGREGATORS.register("smea")
@dataclass(frozen=True)
class SmallestMaximumEigenvalueAveraging(SubsetRule):
    """Average the ``n - f`` updates that vary least in the direction in which they vary most.

    The rule is the smallest maximum eigenvalue averaging (SMEA) of Allouah et al. (2023), On the
    privacy-robustness-utility trilemma. The variance in that direction is the largest eigenvalue of
    the subset's covariance. The covariance has the same non-zero eigenvalues as the centred Gram
    matrix, which can be computed from the squared distances.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["smea"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0500, 2.0500, 0.3000])
    """

    checks_finite: ClassVar[bool] = True
    by_distances: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"\bar x_S, \quad S = \arg\min_{|S| = n - f} \lambda_{\max}\!\left(\tfrac{1}{|S|} "
        r"\sum_{i \in S} (x_i - \bar x_S)(x_i - \bar x_S)^{\!\top}\right)"
    )
    cost: ClassVar[str] = r"n^2 d + \tbinom{n}{f} n^3"

    def _spread(self, squared: torch.Tensor, subsets: torch.Tensor) -> torch.Tensor:
        distances = squared[subsets[:, :, None], subsets[:, None, :]]
        rows = distances.mean(2, keepdim=True)
        gram = (rows + rows.mT - distances - rows.mean(1, keepdim=True)) / 2
        return torch.linalg.eigvalsh(gram)[:, -1]
