"""The rule FLAIR, whose reputations depend on how much of an update changes its sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS
from fedlib.aggregators.reputation import ReputationRule
from fedlib.blocks import column_blocks
from fedlib.federation.facts import Facts


@AGGREGATORS.register("flair")
@dataclass(frozen=True)
class FLAIR(ReputationRule):
    """Weigh the updates by reputations that come from their flip scores (Sharma et al., 2023).

    The flip score of an update is the sum of the squares of its values whose sign differs from that
    of the last aggregate. Where the last aggregate is zero, half of the square counts. In the
    formula ``d`` is the sign of the last aggregate, ``s`` are the scores and ``r`` the reputations.
    A value can be so large that the sum of the squares would overflow. It then counts as the
    largest value with which the sum does not overflow.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["flair"](n_byzantine=1)
    >>> state = None
    >>> for _ in range(5):
    ...     aggregate, state = rule.apply(updates, state)
    >>> aggregate.round(decimals=2)
    tensor([1.1100, 1.9900, 0.3500])
    """

    accepts_half: ClassVar[bool] = True
    bounds_far_rows: ClassVar[bool] = False
    moves_with_updates: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"\sum_i \operatorname{softmax}(r)_i \, x_i, \quad r_i \leftarrow \mu r_i + "
        r"\begin{cases} \frac{2f}{n} - 1 & \text{penalised} \\ \frac{2f}{n} & \text{else} "
        r"\end{cases}, \quad s_i = \sum_k x_{ik}^2 \tfrac12 |\operatorname{sgn} x_{ik} - d_k|"
    )
    cost: ClassVar[str] = r"n d"

    def scores(self, updates: torch.Tensor, direction: torch.Tensor, facts: Facts) -> torch.Tensor:
        n, d = updates.shape
        scores = updates.new_zeros(n, dtype=torch.float64)
        largest = (torch.finfo(torch.float64).max / (2 * d)) ** 0.5
        for columns in column_blocks(updates):
            block = updates[:, columns].double()
            if updates.dtype == torch.float64:  # The squares of other dtypes cannot overflow.
                block = block.clamp(-largest, largest)
            flipped = (block.sign() - direction[columns]).abs() / 2
            scores += (block.square() * flipped).sum(1)
        return scores
