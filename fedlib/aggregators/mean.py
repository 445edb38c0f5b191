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

    def apply(
        self, updates: torch.Tensor, state: Any = None, context: Any = None
    ) -> tuple[torch.Tensor, Any]:
        """As for every aggregator; a NaN or an Inf in a row would show in the plain mean."""
        if updates.device.type == "cpu" and updates.dim() == 2 and updates.is_floating_point():
            self.check(updates.shape[0])
            plain = updates.mean(0)
            if bool(torch.isfinite(plain.sum())):
                return plain, state
        return super().apply(updates, state, context)

    def _aggregate(
        self, updates: torch.Tensor, state: Any, context: Any
    ) -> tuple[torch.Tensor, Any]:
        plain = updates.mean(0)
        # A sum of finite values may overflow where their mean does not.
        return torch.where(torch.isfinite(plain), plain, row_mean(updates)), state
