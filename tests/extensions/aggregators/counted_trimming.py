"""A rule that needs a fact, for the test that adding a rule touches one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.federation import Facts


@AGGREGATORS.register("counted_trimming")
@dataclass(frozen=True)
class CountedTrimming(Aggregator):
    """Trimmed mean in which the kept values are weighted by the clients' numbers of samples.

    Parameters
    ----------
    power
        The power of the number of samples that a value is weighted by.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"sample_counts"})
    knows_clients: ClassVar[bool] = True
    formula: ClassVar[str] = r"\frac{\sum_i c_i x_{(i)}}{\sum_i c_i}"
    cost: ClassVar[str] = r"d n \log n"

    power: float = 1.0

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        n, f = len(updates), self.n_byzantine
        values, order = updates.double().sort(dim=0)
        counts = facts.sample_counts.double() ** self.power
        kept = counts[order][f : n - f]
        return ((values[f : n - f] * kept).sum(0) / kept.sum(0)).to(updates.dtype), state
