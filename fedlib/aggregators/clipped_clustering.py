"""The rule ClippedClustering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.aggregators.norms import (
    clipping_factors,
    cosine_distances,
    median_length,
    update_lengths,
)
from fedlib.aggregators.states import Kept
from fedlib.blocks import require_finite, weighted_sum
from fedlib.federation.facts import Facts
from fedlib.validation import check_name, check_real


@AGGREGATORS.register("clipped_clustering")
@dataclass(frozen=True)
class ClippedClustering(Aggregator):
    """Average the larger of two clusters of updates, each shortened to the median length.

    The rule is that of Li et al. (2023), An experimental study of Byzantine-robust aggregation
    schemes in federated learning. The updates are shortened to the median length of all updates of
    this and of the past rounds. Then they are clustered by the cosines of their angles.

    The state is a vector with the lengths of all past updates. After t rounds its shape is ``(t *
    n,)``. If both clusters are equally large, the one whose members are closer to each other is
    taken. The authors' code takes the cluster that its clustering algorithm numbers 0.

    Parameters
    ----------
    join
        This says how the distance of two clusters is measured. ``"average"`` takes the mean
        distance of their members, as in the text. ``"single"`` takes the smallest distance.
    largest
        Updates are shortened to this length if the median length is larger. The authors' code uses
        100,000.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["clipped_clustering"](n_byzantine=1)
    >>> state = None
    >>> for _ in range(2):
    ...     aggregate, state = rule.apply(updates, state)
    >>> aggregate.round(decimals=2)
    tensor([1.0500, 2.0400, 0.3000])
    """

    checks_finite: ClassVar[bool] = True
    moves_with_updates: ClassVar[bool] = False
    uses_n_byzantine: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"\frac{1}{|S|} \sum_{i \in S} x_i \min\!\left(1, \frac{m}{\lVert x_i \rVert}\right), "
        r"\quad m = \operatorname{median}_{i, t} \lVert x_i^t \rVert, \quad S \text{: the larger "
        r"of two clusters by } \cos(x_i, x_j)"
    )
    cost: ClassVar[str] = r"n^2 d"

    join: str = "average"
    largest: float = 1e5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("aggregator.join", self.join, ("average", "single"))
        check_real("aggregator.largest", self.largest, 0, open_low=True)

    def _state_like(self, updates: torch.Tensor, facts: Facts) -> Kept:
        return Kept((len(updates),), torch.float64)

    def _check_state(self, updates: torch.Tensor, state: Any, facts: Facts) -> None:
        # The lengths of all rounds belong to no client, so that rounds may have other clients. The
        # state is checked as if it had one length for each of today's.
        if isinstance(state, torch.Tensor) and state.dim() == 1:
            state = state.new_empty(len(updates))
        super()._check_state(updates, state, facts)

    def _aggregate(
        self, updates: torch.Tensor, state: torch.Tensor | None, facts: Facts
    ) -> tuple[torch.Tensor, torch.Tensor]:
        require_finite(updates)
        lengths = update_lengths(updates)
        history = lengths if state is None else torch.cat([state, lengths])
        factors = clipping_factors(lengths, median_length(history).clamp(max=self.largest))
        # SciPy clusters on the host. Shortening an update does not change its direction.
        cluster = torch.from_numpy(self._larger(cosine_distances(updates).cpu().numpy()))
        cluster = cluster.to(updates.device)
        return weighted_sum(updates, factors * cluster / cluster.sum()), history

    def _larger(self, distances: np.ndarray) -> np.ndarray:
        """Return who is in the larger of two clusters, ``(n,)`` of bool.

        ``distances`` are those between all clients, ``(n, n)``.
        """
        # Imported here, because every start of the library imports this module, and SciPy is slow.
        from scipy.cluster.hierarchy import linkage, to_tree
        from scipy.spatial.distance import squareform

        if len(distances) == 1:
            return np.ones(1, dtype=bool)
        joins = linkage(squareform(distances), method=self.join)
        # The last join is that of the two clusters.
        members = to_tree(joins).left.pre_order()
        first = np.isin(np.arange(len(distances)), members)
        # If the clusters are alike in all, the first client's is taken.
        sides = [first == first[0], first != first[0]]
        return max(sides, key=lambda side: (side.sum(), -distances[side][:, side].mean()))
