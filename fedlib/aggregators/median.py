"""The coordinate-wise median."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import l_estimate
from fedlib.federation.facts import Facts


@AGGREGATORS.register("median")
@dataclass(frozen=True)
class Median(Aggregator):
    """Take the median of each coordinate (Yin et al., 2018, Algorithm 1, option I).

    With an even number of clients the median is the mean of the two middle values.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["median"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.1000, 2.0000, 0.4000])
    """

    by_columns: ClassVar[bool] = True
    checks_finite: ClassVar[bool] = True
    uses_n_byzantine: ClassVar[bool] = False
    formula: ClassVar[str] = r"\operatorname{median}(x_1, \dots, x_n) \text{ of each coordinate}"
    cost: ClassVar[str] = r"n d \log n"

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        n = updates.shape[0]
        weights = [0.0] * n
        for middle in ((n - 1) // 2, n // 2):
            weights[middle] += 0.5
        return l_estimate(updates, weights, check=True), state
