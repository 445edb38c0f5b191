"""The rule FABA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import pairwise_squared_distances, weighted_mean
from fedlib.federation.facts import Facts


@AGGREGATORS.register("faba")
@dataclass(frozen=True)
class FABA(Aggregator):
    """Remove, ``n_byzantine`` times, the update that is farthest from the mean of all those left.

    This is Algorithm 1 of Xia et al. (2019). The aggregate is the mean of what is left.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["faba"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0500, 2.0500, 0.3000])
    """

    checks_finite: ClassVar[bool] = True
    by_distances: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"\frac{1}{n - f} \sum_{i \in S} x_i, \quad S \leftarrow S \setminus \arg\max_{i \in "
        r"S} \lVert x_i - \bar x_S \rVert, \ f \text{ times}"
    )
    cost: ClassVar[str] = r"f n d"

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        squared = pairwise_squared_distances(updates, check=True)
        left = torch.ones(len(updates), dtype=squared.dtype, device=updates.device)
        for _ in range(self.n_byzantine):
            # Up to a constant, |x_i - mean|^2 is the mean of the squared distances |x_i - x_j|^2.
            far = (squared @ left).masked_fill(left == 0, -1)
            left = left * (torch.arange(len(left), device=left.device) != far.argmax())
        return weighted_mean(updates, left), state
