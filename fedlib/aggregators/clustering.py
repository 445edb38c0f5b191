"""The rules CenterwO and MeanwO: 1-center and 1-mean clustering with outliers, Inner and Outer."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import (
    AGGREGATORS,
    Aggregator,
    replace_non_finite,
)
from fedlib.blocks import pairwise_squared_distances, weighted_mean
from fedlib.federation.facts import Facts
from fedlib.validation import check_name


@dataclass(frozen=True)
class ClusteringRule(Aggregator):
    """Base class of the rules in which every update is a candidate centre of a cluster.

    The cheapest cluster decides. ``inner`` is Algorithm 2 of clustering_with_outliers, and
    ``outer`` is Algorithm 4 of its appendix. If costs are equal, the first client's cluster is
    taken.

    Parameters
    ----------
    side
        This says which updates are averaged. The cheapest cluster is the one with the smallest
        radius (CenterwO) or sum of squares (MeanwO). ``"inner"`` takes the cheapest cluster of ``n
        - f`` updates. ``"outer"`` takes the ``n - f`` updates outside the cheapest cluster of
        ``f``. ``"vote"`` takes the one of these two means that more clients vote for (Algorithm 3,
        which the paper calls 2PRASHB). If both get equally many votes, it takes the mean of
        ``"outer"``, as in the authors' code.
    """

    checks_finite: ClassVar[bool] = True
    candidates_ask: ClassVar[bool] = False

    side: str = "inner"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("aggregator.side", self.side, ("inner", "outer", "vote"))
        if self.side == "vote":
            self._set_needs("vote")

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        candidates = self._sides(updates)
        if self.side != "vote":
            return candidates[0], state
        votes = facts.vote(candidates)
        winner = torch.where(2 * (votes == 0).sum() > len(votes), 0, 1)
        return candidates.index_select(0, winner.view(1)).squeeze(0), state

    def candidates(
        self, updates: torch.Tensor, state: Any = None, facts: Facts | None = None
    ) -> torch.Tensor:
        self.check(updates.shape[0])
        return self._sides(replace_non_finite(updates))

    def _sides(self, updates: torch.Tensor) -> torch.Tensor:
        """Return Inner, Outer, or both in this order, ``(1 or 2, n_parameters)``."""
        squared = pairwise_squared_distances(updates, check=True)
        nearest, members = squared.sort(dim=1, stable=True)
        sides = ("inner", "outer") if self.side == "vote" else (self.side,)
        return torch.stack([self._one_side(updates, nearest, members, side) for side in sides])

    def _one_side(
        self, updates: torch.Tensor, nearest: torch.Tensor, members: torch.Tensor, side: str
    ) -> torch.Tensor:
        """Return Inner or Outer, ``(n_parameters,)``.

        A row of ``nearest`` ``(n, n)`` holds the squared distances of an update to all updates in
        ascending order. The same row of ``members`` ``(n, n)`` holds the indices of these updates.
        """
        n, f = len(updates), self.n_byzantine
        size = n - f if side == "inner" else f
        if size == 0:  # An empty cluster leaves all updates outside.
            return weighted_mean(updates, updates.new_ones(n, dtype=torch.float64))
        best = self._cost(nearest[:, :size]).argmin()
        cluster = members.index_select(0, best.view(1))[0, :size]
        inside = torch.zeros(n, dtype=torch.float64, device=updates.device)
        inside = inside.index_fill(0, cluster, 1.0)
        return weighted_mean(updates, inside if side == "inner" else 1 - inside)

    @abstractmethod
    def _cost(self, squared: torch.Tensor) -> torch.Tensor:
        """Return the cost ``(n,)`` of each candidate's cluster.

        ``squared`` holds the squared distances of the cluster's members to the candidate in
        ascending order, ``(n, size)``.
        """


@AGGREGATORS.register("center_with_outliers")
@dataclass(frozen=True)
class CenterWithOutliers(ClusteringRule):
    """Average the cluster of ``n - f`` updates that has the smallest radius (CenterwO).

    The rule is Algorithm 2 of clustering_with_outliers. The centre of a cluster is one of the
    updates. The radius is the largest distance of a member to the centre. If ``side`` is not
    ``"inner"``, another mean is taken, which is described under ``side``.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["center_with_outliers"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0500, 2.0500, 0.3000])
    """

    by_distances: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"\frac{1}{n - f} \sum_{x \in K(x_j)} x, \quad j = \arg\min_i \max_{x \in K(x_i)} "
        r"\lVert x - x_i \rVert"
    )
    cost: ClassVar[str] = r"n^2 d"

    def _cost(self, squared: torch.Tensor) -> torch.Tensor:
        return squared[:, -1]


@AGGREGATORS.register("mean_with_outliers")
@dataclass(frozen=True)
class MeanWithOutliers(ClusteringRule):
    """Average the cluster of ``n - f`` updates that has the smallest sum of squares (MeanwO).

    The rule is Algorithm 2 of clustering_with_outliers. The centre of a cluster is one of the
    updates. The squares are those of the members' distances to the centre. If ``side`` is not
    ``"inner"``, another mean is taken, which is described under ``side``.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["mean_with_outliers"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0500, 2.0500, 0.3000])
    """

    by_distances: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"\frac{1}{n - f} \sum_{x \in K(x_j)} x, \quad j = \arg\min_i \sum_{x \in K(x_i)} "
        r"\lVert x - x_i \rVert^2"
    )
    cost: ClassVar[str] = r"n^2 d"

    def _cost(self, squared: torch.Tensor) -> torch.Tensor:
        return squared.sum(1)
