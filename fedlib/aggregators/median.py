"""The coordinate-wise median."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import of_sorted
from fedlib.federation.facts import Facts


@AGGREGATORS.register("median")
@dataclass(frozen=True)
class Median(Aggregator):
    """Take the median of each coordinate (Yin et al., 2018, Algorithm 1, option I).

    With an even number of clients the median is the mean of the two middle values.
    """

    formula: ClassVar[str] = r"\operatorname{median}(x_1, \dots, x_n) \text{ of each coordinate}"
    cost: ClassVar[str] = r"n d \log n"

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        n = updates.shape[0]
        low, high = (n - 1) // 2, n // 2

        def middle(ordered: torch.Tensor) -> torch.Tensor:
            # The values are halved before they are added, so that the sum cannot overflow.
            return ordered[:, low] / 2 + ordered[:, high] / 2

        return of_sorted(updates, middle), state
