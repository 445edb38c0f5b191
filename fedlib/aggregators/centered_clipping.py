"""The rule centered clipping (CC)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.aggregators.states import Kept
from fedlib.blocks import distances_to, weighted_sum
from fedlib.federation.facts import Facts
from fedlib.validation import check_int, check_real


@AGGREGATORS.register("centered_clipping")
@dataclass(frozen=True)
class CenteredClipping(Aggregator):
    """Average the updates, each clipped to a ball of radius ``tau`` around the last aggregate.

    The rule is Algorithm 2 of Karimireddy et al. (2021), and Algorithm 2 of centered_clipping. The
    state is the last aggregate, a vector ``(n_parameters,)``. Before the first round it is None,
    and the rule takes zero for it.

    Parameters
    ----------
    tau
        This is the radius of the ball, in the units of the updates. Section VI-B of
        centered_clipping takes 0.1 and 1.
    n_iterations
        This is the number of clipping steps in a round, l in the papers.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["centered_clipping"](n_byzantine=1, tau=1.0)
    >>> state = None
    >>> for _ in range(9):
    ...     aggregate, state = rule.apply(updates, state)
    >>> aggregate.round(decimals=2)
    tensor([1.1700, 1.8800, 0.4300])
    """

    checks_finite: ClassVar[bool] = True
    moves_with_updates: ClassVar[bool] = False
    scales_with_updates: ClassVar[bool] = False
    uses_n_byzantine: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"v \leftarrow v + \frac{1}{n} \sum_i (x_i - v) \min\!\left(1, \frac{\tau}{\lVert x_i "
        r"- v \rVert}\right)"
    )
    cost: ClassVar[str] = r"n d \cdot \text{iterations}"

    tau: float = 1.0
    n_iterations: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("aggregator.tau", self.tau, 0, open_low=True)
        check_int("aggregator.n_iterations", self.n_iterations, 1)

    def _state_like(self, updates: torch.Tensor, facts: Facts) -> Kept:
        return Kept((updates.shape[1],), updates.dtype)

    def _aggregate(
        self, updates: torch.Tensor, state: torch.Tensor | None, facts: Facts
    ) -> tuple[torch.Tensor, torch.Tensor]:
        n, d = updates.shape
        centre = updates.new_zeros(d) if state is None else state
        for _ in range(self.n_iterations):
            # A row too far for the dtype has an infinite distance, so its weight is 0.
            distance = distances_to(updates, centre, check=True).double()
            weights = (self.tau / distance).clamp(max=1.0) / n
            # This is centre + sum_i w_i (m_i - centre), without a matrix of differences.
            kept = (1 - weights.sum()).to(centre.dtype)
            centre = kept * centre + weighted_sum(updates, weights)
        # The aggregate is a copy. A caller that changes it in place must not change the centre of
        # the next round.
        return centre.clone(), centre
