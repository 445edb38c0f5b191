"""The rule FLTrust, which trusts updates that resemble an update of the server's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator, replace_non_finite
from fedlib.blocks import inner_products, row_norms, shortened, weighted_sum
from fedlib.federation.facts import Facts


@AGGREGATORS.register("fltrust")
@dataclass(frozen=True)
class FLTrust(Aggregator):
    """Scale the updates to the length of the server's update, and weigh them by their cosine to it.

    The rule is that of Cao et al. (2021), and the aggregate is the weighted mean of the scaled
    updates. A negative cosine counts as zero. The rule needs an update that the server computes on
    clean samples of its own. If no cosine is positive, or if the server's update is not finite, the
    aggregate is zero. The rule accepts ``n_byzantine`` and does not use it.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS, Facts
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> facts = Facts(server_update=torch.tensor([1.0, 2.0, 0.3]))
    >>> rule = AGGREGATORS["fltrust"](n_byzantine=1)
    >>> rule.apply(updates, None, facts)[0].round(decimals=2)
    tensor([1.0200, 1.9800, 0.2900])
    """

    accepts_half: ClassVar[bool] = True
    moves_with_updates: ClassVar[bool] = False
    scales_with_updates: ClassVar[bool] = False
    uses_n_byzantine: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"\frac{\sum_i t_i \frac{\lVert g \rVert}{\lVert x_i \rVert} x_i}{\sum_i t_i}, \quad "
        r"t_i = \max(0, \cos(x_i, g))"
    )
    cost: ClassVar[str] = r"n d"

    needs: ClassVar[frozenset[str]] = frozenset({"server_update"})

    def _max_byzantine(self, n_clients: int) -> int:
        return n_clients

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        own = replace_non_finite(facts.server_update[None])[0].to(updates.dtype)
        (own,), divisor = shortened(own[None])
        updates, _ = shortened(updates)
        length, lengths = row_norms(own[None]), row_norms(updates)
        # A shorter update loses its direction in rounding, and scaling it up could overflow.
        least, largest = torch.finfo(updates.dtype).tiny ** 0.5, torch.finfo(updates.dtype).max
        trust = inner_products(updates, own) / (lengths * length)
        usable = (lengths > least) & (length > least) & trust.isfinite()
        trust = torch.where(usable, trust, 0.0).clamp(0, 1)
        weights = trust * length / lengths / trust.sum()
        weights = torch.where(trust > 0, weights, 0.0) * divisor
        if updates.device.type == "cpu":
            most = torch.maximum(weights.amax(), length * divisor)
            if most <= largest / 2:
                return weighted_sum(updates, weights), state
        # The length comes last, because the mean of the directions cannot overflow. A value beyond
        # the largest float is cut then. On an accelerator this is always done, because asking
        # whether it is necessary would make the host wait for the device.
        weights = torch.where(trust > 0, trust / lengths / trust.sum(), 0.0)
        towards = weighted_sum(updates, weights).double()
        scaled = (towards * length).clamp(-largest, largest) * divisor
        return scaled.clamp(-largest, largest).to(updates.dtype), state
