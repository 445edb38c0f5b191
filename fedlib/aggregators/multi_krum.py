"""The rule Multi-Krum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import krum_scores, pairwise_squared_distances, selected_mean
from fedlib.federation.facts import Facts
from fedlib.validation import ConfigError, check_int


@AGGREGATORS.register("multi_krum")
@dataclass(frozen=True)
class MultiKrum(Aggregator):
    """Average the updates with the best Krum scores (Blanchard et al., 2017, section 4).

    The score of an update is the sum of its squared distances to its ``n - f - 2`` nearest
    neighbours. The smallest scores are the best.

    Parameters
    ----------
    n_selected
        This is the number of updates that are averaged, m in the paper. None takes ``n - f``.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["multi_krum"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0500, 2.0500, 0.3000])
    """

    checks_finite: ClassVar[bool] = True
    by_distances: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"\frac{1}{m} \sum_{i \in S} x_i, \quad S \text{: the } m \text{ least Krum scores}"
    )
    cost: ClassVar[str] = r"n^2 d"

    n_selected: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_selected is not None:
            check_int("aggregator.n_selected", self.n_selected, 1)

    def check(self, n_clients: int) -> None:
        super().check(n_clients)
        if self.n_selected is not None and self.n_selected > n_clients:
            raise ConfigError(
                f"aggregator.n_selected={self.n_selected} is out of range: must be from 1 to "
                f"n_clients={n_clients}."
            )

    def _max_byzantine(self, n_clients: int) -> int:
        return (n_clients - 3) // 2

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        n = updates.shape[0]
        scores = krum_scores(pairwise_squared_distances(updates, check=True), self.n_byzantine)
        selected = scores.argsort(stable=True)[: self.n_selected or n - self.n_byzantine]
        return selected_mean(updates, selected), state
