"""The rule norm clipping."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import row_norms, shortened, weighted_sum
from fedlib.federation.facts import Facts
from fedlib.validation import check_real


@AGGREGATORS.register("norm_clipping")
@dataclass(frozen=True)
class NormClipping(Aggregator):
    """Average the updates after scaling each one down to a norm of at most ``threshold``.

    This is the "norm thresholding of updates" of Sun et al. (2019), section 4.

    Parameters
    ----------
    threshold
        This is the largest norm that an update keeps, in the units of the updates. The paper calls
        it M.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["norm_clipping"](n_byzantine=1, threshold=2.0)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([0.9500, 1.1800, 0.4400])
    """

    shows_non_finite: ClassVar[bool] = True
    moves_with_updates: ClassVar[bool] = False
    scales_with_updates: ClassVar[bool] = False
    uses_n_byzantine: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"\frac{1}{n} \sum_i x_i \min\!\left(1, \frac{M}{\lVert x_i \rVert}\right)"
    )
    cost: ClassVar[str] = r"n d"

    threshold: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("aggregator.threshold", self.threshold, 0, open_low=True)

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        norms = row_norms(updates)
        if updates.device.type == "cpu" and math.isinf(norms.max()):
            far = norms.isinf()
            updates = updates.clone()
            updates[far] = self._clipped(updates[far])
            norms = norms.masked_fill(far, 0)
        weights = (self.threshold / norms).clamp(max=1.0) / len(updates)
        return weighted_sum(updates, weights), state

    def _clipped(self, rows: torch.Tensor) -> torch.Tensor:
        """Scale down rows ``(m, n_parameters)`` whose norms are too large for their dtype."""
        shorter, divisors = shortened(rows)
        factors = torch.minimum(divisors, self.threshold / row_norms(shorter))
        return (shorter.double() * factors[:, None]).to(rows.dtype)
