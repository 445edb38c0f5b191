"""The coordinate-wise trimmed mean (TM)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import l_estimate
from fedlib.federation.facts import Facts


@AGGREGATORS.register("trimmed_mean")
@dataclass(frozen=True)
class TrimmedMean(Aggregator):
    """Average each coordinate without its ``n_byzantine`` smallest and largest values.

    This is Algorithm 1, option II, of Yin et al. (2018). The trimmed share is f / n.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["trimmed_mean"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.1000, 2.0000, 0.3700])
    """

    by_columns: ClassVar[bool] = True
    checks_finite: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"\frac{1}{n - 2f} \sum_{k = f + 1}^{n - f} x_{(k)} \text{ of each coordinate}"
    )
    cost: ClassVar[str] = r"n d \log n"

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        n, f = updates.shape[0], self.n_byzantine
        weights = [1 / (n - 2 * f) if f <= place < n - f else 0.0 for place in range(n)]
        return l_estimate(updates, weights, check=True), state
