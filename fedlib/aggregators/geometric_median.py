"""Geometric median by the smoothed Weiszfeld algorithm (RFA)."""

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
    """Robust federated averaging (Pillutla et al., 2022, Algorithm 2).

    Parameters
    ----------
    n_iterations
        The number of Weiszfeld steps. Section VI-B of centered_clipping takes 3.
    nu
        The smoothing: a distance below ``nu`` counts as ``nu``. The text of centered_clipping
        gives no value; its authors' code has 0.1.
    start
        Where the first step begins: at ``"zero"``, as in that code, or at the ``"mean"``.
    """

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
            weights = 1 / distances_to(updates, centre).double().clamp(min=self.nu)
            total = weights.sum()
            # Rows too far for the dtype have weight 0; if all are, they count alike.
            weights = torch.where(total > 0, weights / total, 1 / len(weights))
            centre = weighted_sum(updates, weights)
        return centre, state
