"""The rule Aksel, the mean of the updates nearest to the median."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.aggregators.median import Median
from fedlib.blocks import distances_to, selected_mean
from fedlib.federation.facts import Facts
from fedlib.validation import check_name


@AGGREGATORS.register("aksel")
@dataclass(frozen=True)
class Aksel(Aggregator):
    """Average the updates that are nearest to the coordinate-wise median of all.

    The rule is that of Boussetta et al. (2021), AKSEL: fast Byzantine SGD. If the number of clients
    is even, the median is the mean of the two middle values. The code of one of the authors takes
    the lower one of these values.

    Parameters
    ----------
    kept
        This says how many updates are averaged. ``"half"`` takes the ``(n + 1) // 2`` updates that
        are no farther away than the median distance. ``"all_but_f"`` takes the ``n - f`` nearest
        updates, which the author's code can do as well.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["aksel"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0300, 2.0300, 0.3700])
    """

    checks_finite: ClassVar[bool] = True
    by_distances: ClassVar[bool] = True
    uses_n_byzantine: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"\frac{1}{|S|} \sum_{i \in S} x_i, \quad S \text{: the } \lceil n / 2 \rceil \text{ "
        r"nearest to } \operatorname{median}(x_1, \dots, x_n)"
    )
    cost: ClassVar[str] = r"n d \log n"

    kept: str = "half"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("aggregator.kept", self.kept, ("half", "all_but_f"))
        object.__setattr__(self, "uses_n_byzantine", self.kept == "all_but_f")

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        n = len(updates)
        median, _ = Median()._aggregate(updates, None, facts)
        kept = (n + 1) // 2 if self.kept == "half" else n - self.n_byzantine
        nearest = distances_to(updates, median).argsort(stable=True)[:kept]
        return selected_mean(updates, nearest), state
