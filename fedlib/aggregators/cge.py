"""The rule CGE, comparative gradient elimination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import require_finite, row_norms, weighted_sum
from fedlib.federation.facts import Facts
from fedlib.validation import check_name


@AGGREGATORS.register("cge")
@dataclass(frozen=True)
class ComparativeGradientElimination(Aggregator):
    """Leave out the ``f`` longest updates.

    This is comparative gradient elimination (CGE) of Gupta et al. (2021), Byzantine fault-tolerant
    distributed machine learning with norm-based comparative gradient elimination. It removes forged
    updates that are long. It does not notice forged updates that are short.

    Parameters
    ----------
    combine
        This says how the remaining updates are combined. ``"mean"`` is their mean, as in public
        code. ``"sum"`` is their sum, as in the text. The sum has the same effect as the mean with a
        learning rate that is ``n - f`` times as large.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["cge"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0500, 2.0500, 0.3000])
    """

    checks_finite: ClassVar[bool] = True
    by_distances: ClassVar[bool] = True
    moves_with_updates: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"\frac{1}{n - f} \sum_{i \in S} x_i, \quad S \text{: the } n - f \text{ least } "
        r"\lVert x_i \rVert"
    )
    cost: ClassVar[str] = r"n d + n \log n"

    combine: str = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("aggregator.combine", self.combine, ("mean", "sum"))

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        require_finite(updates)
        kept = len(updates) - self.n_byzantine
        shortest = row_norms(updates).argsort(stable=True)[:kept]
        share = 1 / kept if self.combine == "mean" else 1.0
        weights = torch.zeros(len(updates), dtype=torch.float64, device=updates.device)
        return weighted_sum(updates, weights.index_fill(0, shortest, share)), state
