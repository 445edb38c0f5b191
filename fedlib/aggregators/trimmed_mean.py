"""The coordinate-wise trimmed mean (TM)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import of_sorted
from fedlib.federation.facts import Facts


@AGGREGATORS.register("trimmed_mean")
@dataclass(frozen=True)
class TrimmedMean(Aggregator):
    """Average each coordinate without its ``n_byzantine`` smallest and largest values.

    This is Algorithm 1, option II, of Yin et al. (2018). The trimmed share is f / n.
    """

    formula: ClassVar[str] = (
        r"\frac{1}{n - 2f} \sum_{k = f + 1}^{n - f} x_{(k)} \text{ of each coordinate}"
    )
    cost: ClassVar[str] = r"n d \log n"

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        n, f = updates.shape[0], self.n_byzantine
        kept = updates.new_zeros(n)
        kept[f : n - f] = 1 / (n - 2 * f)
        # The mean is a product with weights. A trimmed value is finite, so its product with the
        # weight zero is zero.
        return of_sorted(updates, lambda ordered: ordered @ kept), state
