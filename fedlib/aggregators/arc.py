"""Adaptive robust clipping (ARC), which shortens the longest updates before another rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS
from fedlib.aggregators.norms import clipping_factors, update_lengths
from fedlib.aggregators.preaggregation import PreAggregation
from fedlib.blocks import require_finite


@AGGREGATORS.register("arc")
@dataclass(frozen=True)
class AdaptiveRobustClipping(PreAggregation):
    """Shorten the longest updates to the length of the next longest, then apply another rule.

    This is adaptive robust clipping (ARC) of Allouah et al. (2024), Adaptive gradient clipping for
    robust federated learning. It shortens ``k`` updates, where ``k`` is the whole part of
    ``2 f (n - f) / n``. Their new length is that of the longest of the other updates. A shortened
    update still belongs to one client. So the other rule may use what it knows of a client, such as
    the number of its samples.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["arc"](n_byzantine=1, rule={"name": "median"})
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.1000, 2.0000, 0.4000])
    """

    moves_with_updates: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"F(y_1, \dots, y_n), \quad y_i = x_i \min\!\left(1, \frac{C}{\lVert x_i \rVert}\right), "
        r"\quad C \text{: the } (k + 1)\text{-th largest length}, \ k = \lfloor 2 f (n - f) / n "
        r"\rfloor"
    )
    cost: ClassVar[str] = r"n d + n \log n"

    def _mixing(self, updates: torch.Tensor, rounds: int) -> torch.Tensor:
        require_finite(updates)
        n, f = len(updates), self.n_byzantine
        lengths = update_lengths(updates)
        limit = lengths.sort(descending=True).values[2 * f * (n - f) // n]
        return clipping_factors(lengths, limit).diag()
