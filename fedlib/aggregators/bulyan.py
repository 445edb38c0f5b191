"""The rule Bulyan, which selects updates by Krum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib import kernels
from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import mean_around_median, pairwise_squared_distances
from fedlib.federation.facts import Facts
from fedlib.parts import Revision


@AGGREGATORS.register("bulyan")
@dataclass(frozen=True)
class Bulyan(Aggregator):
    """Select ``n - 2 f`` updates by Krum, one after the other, and then trim each coordinate.

    The rule is that of El Mhamdi et al. (2018), section 4. In each coordinate it averages the
    ``n - 4 f`` selected values that are closest to their median. It needs ``n >= 4 f + 3``.

    With ``f = 1`` three updates are left for the last pick, and Krum would ask for none of their
    neighbours. One is taken then. So two updates that are each other's nearest neighbour always
    tie, and the one with the smaller sum of squared distances to all that are left is picked. The
    paper does not say what happens here.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [1.0, 1.8, 0.5],
    ...      [0.8, 2.0, 0.4], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["bulyan"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0300, 2.0300, 0.3700])
    """

    checks_finite: ClassVar[bool] = True
    by_distances: ClassVar[bool] = True
    revisions: ClassVar[tuple[Revision, ...]] = (
        Revision(
            2,
            "Where several selected values were equal and the farthest from the median, more of "
            "them were averaged than are closest to it.",
            concerns=lambda rule, run: run.attack.alike and run.n_byzantine > 1,
        ),
    )
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
        chosen = self._select(pairwise_squared_distances(updates, check=True))
        return mean_around_median(updates, n - 4 * f, chosen), state

    def _select(self, squared: torch.Tensor) -> torch.Tensor:
        """Return the indices ``(n - 2 f,)`` of the rows that Krum picks, each without the last.

        ``squared`` holds the squared distances between all rows, ``(n, n)``. A row that is picked
        is taken out before the next pick.
        """
        n, f = squared.shape[0], self.n_byzantine
        if squared.device.type == "cpu" and kernels.available():
            from fedlib.kernels.neighbours import krum_picks

            return torch.from_numpy(krum_picks(squared.numpy(), f, n - 2 * f))
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
