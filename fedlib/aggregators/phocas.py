"""The rule Phocas, the mean around the trimmed mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import mean_of_nearest, of_sorted, require_finite
from fedlib.federation.facts import Facts


@AGGREGATORS.register("phocas")
@dataclass(frozen=True)
class Phocas(Aggregator):
    """Average the ``n - f`` values of each coordinate that are closest to their trimmed mean.

    The rule is that of Xie et al. (2018), Phocas: dimensional Byzantine-resilient stochastic
    gradient descent. The trimmed mean leaves out the f smallest and the f largest values. If two
    values are equally close, the smaller one is taken.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["phocas"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0500, 2.0500, 0.3000])
    """

    by_columns: ClassVar[bool] = True
    checks_finite: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"\frac{1}{n - f} \sum_{k} x_{(k)} \text{ nearest to } \frac{1}{n - 2f} "
        r"\sum_{k = f + 1}^{n - f} x_{(k)}, \text{ of each coordinate}"
    )
    cost: ClassVar[str] = r"n d \log n"

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        require_finite(updates)
        return of_sorted(updates, self._of_ordered), state

    def _of_ordered(self, ordered: torch.Tensor) -> torch.Tensor:
        """Return the aggregate of each row of values in ascending order, ``(m, n)`` to ``(m,)``."""
        n, f = ordered.shape[1], self.n_byzantine
        # Each value is scaled first, because their sum could overflow.
        centre = (ordered[:, f : n - f] / (n - 2 * f)).sum(1)
        return mean_of_nearest(ordered, centre, n - f)
