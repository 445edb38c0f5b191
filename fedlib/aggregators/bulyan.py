"""The rule Bulyan, which selects updates by Krum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import of_sorted, pairwise_squared_distances
from fedlib.federation.facts import Facts


@AGGREGATORS.register("bulyan")
@dataclass(frozen=True)
class Bulyan(Aggregator):
    """Select ``n - 2 f`` updates by Krum, one after the other, and then trim each coordinate.

    The rule is that of El Mhamdi et al. (2018), section 4. In each coordinate it averages the
    ``n - 4 f`` selected values that are closest to their median. It needs ``n >= 4 f + 3``.
    """

    by_distances: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"\frac{1}{n - 4f} \sum_{k} s_{(k)} \text{ nearest to } \operatorname{median}(s), "
        r"\quad s \text{: the } n - 2f \text{ picks of Krum}"
    )
    cost: ClassVar[str] = r"n^2 d + n^3 \log n"

    def _max_byzantine(self, n_clients: int) -> int:
        return (n_clients - 3) // 4

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        n, f = updates.shape[0], self.n_byzantine
        chosen = updates.index_select(0, self._select(pairwise_squared_distances(updates)))
        kept, windows = n - 4 * f, 2 * f + 1

        def central(ordered: torch.Tensor) -> torch.Tensor:
            count = ordered.shape[1]
            median = ordered[:, (count - 1) // 2] / 2 + ordered[:, count // 2] / 2
            # The values closest to the median are neighbours in the order, so they form a window.
            below = median[:, None] - ordered[:, :windows]
            above = ordered[:, kept - 1 :] - median[:, None]
            start = torch.maximum(below, above).argmin(dim=1, keepdim=True)
            places = start + torch.arange(kept, device=updates.device)
            return (ordered.gather(1, places) / kept).sum(1)

        return of_sorted(chosen, central), state

    def _select(self, squared: torch.Tensor) -> torch.Tensor:
        """Return the indices ``(n - 2 f,)`` of the rows that Krum picks, each without the last.

        ``squared`` holds the squared distances between all rows, ``(n, n)``. A row that is picked
        is taken out before the next pick.
        """
        n, f = squared.shape[0], self.n_byzantine
        left = torch.ones(n, dtype=torch.bool, device=squared.device)
        apart = ~torch.eye(n, dtype=torch.bool, device=squared.device)
        picks = []
        for step in range(n - 2 * f):
            others = squared.masked_fill(~(apart & left), torch.inf)
            # The last picks have fewer neighbours than Krum asks for, down to none.
            neighbours = min(max(n - step - f - 2, 1), n - step - 1)
            scores = others.sort(dim=1).values[:, :neighbours].sum(1)
            # Two rows that are each other's only neighbour tie. The more central one is taken.
            best = scores == scores.masked_fill(~left, torch.inf).amin()
            total = (squared * left).sum(1).masked_fill(~(best & left), torch.inf)
            pick = total.argmin()
            picks.append(pick)
            left = left & (torch.arange(n, device=squared.device) != pick)
        return torch.stack(picks)
