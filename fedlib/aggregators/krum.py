"""Krum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import pairwise_squared_distances


@AGGREGATORS.register("krum")
@dataclass(frozen=True)
class Krum(Aggregator):
    """The update closest to its ``n - f - 2`` nearest others (Blanchard et al., 2017, section 4).

    Needs ``n >= 2 f + 3``. Of equal scores the first client's wins.
    """

    def _max_byzantine(self, n_clients: int) -> int:
        return (n_clients - 3) // 2

    def _aggregate(
        self, updates: torch.Tensor, state: Any, context: Any
    ) -> tuple[torch.Tensor, Any]:
        scores = krum_scores(pairwise_squared_distances(updates), self.n_byzantine)
        # Indexing by a tensor, not a number, keeps an accelerator from waiting.
        return updates.index_select(0, scores.argmin().view(1)).squeeze(0), state


def krum_scores(squared: torch.Tensor, n_byzantine: int) -> torch.Tensor:
    """Sum of each row's ``n - f - 2`` smallest squared distances to others, ``(n,)``."""
    n = squared.shape[0]
    others = squared.nan_to_num(nan=torch.inf).fill_diagonal_(torch.inf)
    return others.sort(dim=1).values[:, : n - n_byzantine - 2].sum(1)
