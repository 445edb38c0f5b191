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

    This is the mean around the median of Xie et al. (2018), Generalized Byzantine-tolerant SGD. If
    two values are equally close, the smaller one is taken. If the number of clients is even, the
    median is the mean of the two middle values, as in other code by the same authors. Code of
    others takes the lower one of these values.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["meamed"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0500, 2.0500, 0.3000])
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
