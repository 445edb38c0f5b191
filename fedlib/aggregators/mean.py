"""The plain average of the updates: FedAvg's server step, and no defence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import row_mean, weighted_mean
from fedlib.federation.facts import Facts
from fedlib.validation import ConfigError, check_name


@AGGREGATORS.register("mean")
@dataclass(frozen=True)
class Mean(Aggregator):
    """Average of the rows (McMahan et al., 2017). ``n_byzantine`` is accepted and not used.

    Parameters
    ----------
    weights
        ``"equal"``: every client has the same weight. ``"samples"``: a client's weight is its
        number of training samples, which the server takes from the client's word.
    """

    shows_non_finite: ClassVar[bool] = True
    accepts_half: ClassVar[bool] = True
    bounds_far_rows: ClassVar[bool] = False
    formula: ClassVar[str] = r"\frac{1}{n} \sum_i x_i"
    cost: ClassVar[str] = r"n d"

    weights: str = "equal"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("aggregator.weights", self.weights, ("equal", "samples"))
        if self.weights == "samples":
            self._set_needs("sample_counts")

    def _max_byzantine(self, n_clients: int) -> int:
        return n_clients

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        if self.weights == "samples":
            counts = facts.sample_counts
            # On an accelerator the question would wait for the device every round.
            if counts.device.type == "cpu" and not (counts.min() >= 0 and counts.any()):
                raise ConfigError(
                    f"facts.sample_counts={counts.tolist()} must be at least 0, and not all 0."
                )
            return weighted_mean(updates, counts.double()), state
        return row_mean(updates), state
