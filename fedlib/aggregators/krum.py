"""The rule Krum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import krum_scores, pairwise_squared_distances
from fedlib.federation.facts import Facts


@AGGREGATORS.register("krum")
@dataclass(frozen=True)
class Krum(Aggregator):
    """Choose the update that is closest to its ``n - f - 2`` nearest neighbours.

    The rule is that of Blanchard et al. (2017), section 4. It needs ``n >= 2 f + 3``. If two
    updates are equally close, the one of the first client is taken.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["krum"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0000, 2.0000, 0.3000])
    """

    checks_finite: ClassVar[bool] = True
    by_distances: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"\arg\min_{x_i} \sum_{j \in N_i} \lVert x_i - x_j \rVert^2, \quad |N_i| = n - f - 2"
    )
    cost: ClassVar[str] = r"n^2 d"

    def _max_byzantine(self, n_clients: int) -> int:
        return (n_clients - 3) // 2

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        scores = krum_scores(pairwise_squared_distances(updates, check=True), self.n_byzantine)
        # An index that is a tensor and not a number spares the host a wait for an accelerator.
        return updates.index_select(0, scores.argmin().view(1)).squeeze(0), state
