"""The plain average of the updates: FedAvg's server step, and no defence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import row_mean


@AGGREGATORS.register("mean")
@dataclass(frozen=True)
class Mean(Aggregator):
    """Average of the rows (McMahan et al., 2017). ``n_byzantine`` is accepted and not used."""

    def _max_byzantine(self, n_clients: int) -> int:
        return n_clients

    def _aggregate(
        self, updates: torch.Tensor, state: Any, context: Any
    ) -> tuple[torch.Tensor, Any]:
        return row_mean(updates), state
