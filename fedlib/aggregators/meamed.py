"""The rule Meamed, the mean around the median."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import mean_around_median
from fedlib.federation.facts import Facts


@AGGREGATORS.register("meamed")
@dataclass(frozen=True)
class MeanAroundMedian(Aggregator):
    """Average the ``n - f`` values of each coordinate that are closest to their median.

    This is the mean around the median of Xie et al. (2018a), Generalized Byzantine-tolerant SGD.
    If two values are equally close, the smaller one is taken.
    """

    by_columns: ClassVar[bool] = True
    checks_finite: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"\frac{1}{n - f} \sum_{k} x_{(k)} \text{ nearest to } "
        r"\operatorname{median}(x_1, \dots, x_n), \text{ of each coordinate}"
    )
    cost: ClassVar[str] = r"n d \log n"

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        kept = len(updates) - self.n_byzantine
        return mean_around_median(updates, kept, check=True), state
