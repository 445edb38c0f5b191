"""1-center and 1-mean clustering with outliers: CenterwO and MeanwO, Inner and Outer."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import pairwise_squared_distances, weighted_mean
from fedlib.validation import check_name


@dataclass(frozen=True)
class ClusteringRule(Aggregator):
    """Base: every update is a candidate centre, the cheapest cluster decides.

    clustering_with_outliers, Algorithm 2 (``inner``) and Algorithm 4 of its appendix (``outer``).
    Of equal costs the first client's cluster is taken.

    Parameters
    ----------
    side
        ``"inner"``: the mean of the cheapest cluster of ``n - f`` updates; ``"outer"``: the mean
        of the ``n - f`` updates outside the cheapest cluster of ``f``.
    """

    side: str = "inner"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("aggregator.side", self.side, ("inner", "outer"))

    def _aggregate(
        self, updates: torch.Tensor, state: Any, context: Any
    ) -> tuple[torch.Tensor, Any]:
        n, f = len(updates), self.n_byzantine
        size = n - f if self.side == "inner" else f
        if size == 0:  # outside no cluster are all
            return weighted_mean(updates, updates.new_ones(n, dtype=torch.float64)), state
        nearest, members = pairwise_squared_distances(updates).sort(dim=1, stable=True)
        best = self._cost(nearest[:, :size]).argmin()
        cluster = members.index_select(0, best.view(1))[0, :size]
        inside = torch.zeros(n, dtype=torch.float64, device=updates.device)
        inside = inside.index_fill(0, cluster, 1.0)
        return weighted_mean(updates, inside if self.side == "inner" else 1 - inside), state

    @abstractmethod
    def _cost(self, squared: torch.Tensor) -> torch.Tensor:
        """Cost of each candidate's cluster from its squared distances ``(n, size)``, ascending."""


@AGGREGATORS.register("center_with_outliers")
@dataclass(frozen=True)
class CenterWithOutliers(ClusteringRule):
    """CenterwO: the cluster of smallest radius (clustering_with_outliers, Algorithm 2)."""

    def _cost(self, squared: torch.Tensor) -> torch.Tensor:
        return squared[:, -1]


@AGGREGATORS.register("mean_with_outliers")
@dataclass(frozen=True)
class MeanWithOutliers(ClusteringRule):
    """MeanwO: the cluster of smallest sum of squares (clustering_with_outliers, Algorithm 2)."""

    def _cost(self, squared: torch.Tensor) -> torch.Tensor:
        return squared.sum(1)
