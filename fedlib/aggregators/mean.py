"""The plain average of the updates, which is FedAvg's server step and no defence."""

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
    """Average the updates (McMahan et al., 2017).

    The rule accepts ``n_byzantine`` and does not use it.

    Parameters
    ----------
    weights
        This says how the clients are weighted. ``"equal"`` gives every client the same weight.
        ``"samples"`` weighs a client by its number of training samples. The server believes what
        the client says about this number.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS, Facts
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["mean"]()
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([ 2.6400, -0.1600,  2.0400])
    >>> rule = AGGREGATORS["mean"](weights="samples")
    >>> facts = Facts(sample_counts=torch.tensor([30, 30, 30, 30, 0]))
    >>> rule.apply(updates, None, facts)[0].round(decimals=2)
    tensor([1.0500, 2.0500, 0.3000])
    """

    shows_non_finite: ClassVar[bool] = True
    accepts_half: ClassVar[bool] = True
    bounds_far_rows: ClassVar[bool] = False
    uses_n_byzantine: ClassVar[bool] = False
    formula: ClassVar[str] = r"\frac{1}{n} \sum_i x_i"
    cost: ClassVar[str] = r"n d"

    weights: str = "equal"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("aggregator.weights", self.weights, ("equal", "samples"))
        if self.weights == "samples":
            self._set_needs("sample_counts")

    def fixed_weights(self, n_clients: int) -> torch.Tensor | None:
        if self.weights == "samples":
            return None
        return torch.full((n_clients,), 1 / n_clients, dtype=torch.float64)

    def _max_byzantine(self, n_clients: int) -> int:
        return n_clients

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        if self.weights == "samples":
            counts = facts.sample_counts
            # On an accelerator this check would make the host wait for the device in every round.
            if counts.device.type == "cpu" and not (counts.min() >= 0 and counts.any()):
                raise ConfigError(
                    f"facts.sample_counts={counts.tolist()} must each be at least 0, and not all 0."
                )
            return weighted_mean(updates, counts.double()), state
        return row_mean(updates), state
