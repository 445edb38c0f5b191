"""The plain average of the updates: FedAvg's server step, and no defence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator, AggregatorContext
from fedlib.blocks import row_mean, weighted_mean
from fedlib.validation import check_name


@AGGREGATORS.register("mean")
@dataclass(frozen=True)
class Mean(Aggregator):
    """Average of the rows (McMahan et al., 2017). ``n_byzantine`` is accepted and not used.

    Parameters
    ----------
    weights
        ``"equal"``, or ``"samples"``: by the numbers of training samples, which the server takes
        from the clients' word.
    """

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

    def apply(
        self, updates: torch.Tensor, state: Any = None, context: AggregatorContext | None = None
    ) -> tuple[torch.Tensor, Any]:
        """As for every aggregator; a NaN or an Inf in a row would show in the plain mean."""
        if (
            isinstance(updates, torch.Tensor)
            and self.weights == "equal"
            and updates.device.type == "cpu"
            and updates.dim() == 2
            and updates.is_floating_point()
        ):
            self.check(updates.shape[0])
            plain = row_mean(updates)
            if bool(torch.isfinite(plain.sum())):
                return plain, state
        return super().apply(updates, state, context)

    def _aggregate(
        self, updates: torch.Tensor, state: Any, context: AggregatorContext | None
    ) -> tuple[torch.Tensor, Any]:
        if self.weights == "samples":
            assert context is not None and context.sample_counts is not None
            return weighted_mean(updates, context.sample_counts.double()), state
        return row_mean(updates), state
