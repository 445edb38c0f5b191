"""The geometric median, computed by the smoothed Weiszfeld algorithm (RFA)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import distances_to, row_mean, weighted_sum
from fedlib.federation.facts import Facts
from fedlib.validation import check_int, check_name, check_real


@AGGREGATORS.register("geometric_median")
@dataclass(frozen=True)
class GeometricMedian(Aggregator):
    """Approximate the geometric median of the updates by steps of a smoothed Weiszfeld algorithm.

    This is robust federated averaging (RFA), Algorithm 2 of Pillutla et al. (2022). The geometric
    median is the point with the least sum of distances to the updates. Each Weiszfeld step takes a
    weighted mean of the updates, in which an update weighs more if it is near the last mean.

    Parameters
    ----------
    n_iterations
        This is the number of Weiszfeld steps. Section VI-B of centered_clipping takes 3.
    nu
        This is the smoothing, in the units of the updates. A distance below ``nu`` counts as
        ``nu``. The text of centered_clipping gives no value. The authors' code has 0.1.
    start
        This says where the first step begins. ``"zero"`` begins at zero, as in the authors' code of
        centered_clipping. ``"mean"`` begins at the mean of the updates.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["geometric_median"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.1200, 1.9600, 0.3600])
    """

    checks_finite: ClassVar[bool] = True
    uses_n_byzantine: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"z \leftarrow \frac{\sum_i w_i x_i}{\sum_i w_i}, \quad w_i = \frac{1}{\max(\nu, "
        r"\lVert x_i - z \rVert)}"
    )
    cost: ClassVar[str] = r"n d \cdot \text{iterations}"

    n_iterations: int = 3
    nu: float = 0.1
    start: str = "zero"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("aggregator.n_iterations", self.n_iterations, 1)
        check_real("aggregator.nu", self.nu, 0, open_low=True)
        check_name("aggregator.start", self.start, ("zero", "mean"))

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        zero = updates.new_zeros(updates.shape[1])
        centre = zero if self.start == "zero" else row_mean(updates)
        for _ in range(self.n_iterations):
            weights = 1 / distances_to(updates, centre, check=True).double().clamp(min=self.nu)
            total = weights.sum()
            # A row too far for the dtype has weight 0. If all rows are too far, they count alike.
            weights = torch.where(total > 0, weights / total, 1 / len(weights))
            centre = weighted_sum(updates, weights)
        return centre, state
