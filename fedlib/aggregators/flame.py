"""The rule FLAME, without its noise."""

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
from fedlib.blocks import require_finite, weighted_sum
from fedlib.federation.facts import Facts


@AGGREGATORS.register("flame")
@dataclass(frozen=True)
class Flame(Aggregator):
    """Average the largest group of updates with similar directions, shortened to the median length.

    The rule is Algorithm 1 of Nguyen et al. (2022), FLAME: taming backdoors in federated learning,
    without the noise that the server adds at the end. The text compares the clients' models by
    their cosines. Here the cosines are those of their updates, which say more about the clients.

    The text groups the clients by the algorithm HDBSCAN. Each group must have more than half of the
    clients, and one neighbour is enough for a client to belong to a group. So there can be only one
    group, and public code sets an option that allows a single group. Here clients are joined into
    groups in the order of their distances. The first group that has more than half of the clients
    is taken. The median length is that of all updates.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["flame"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0000, 2.0900, 0.2600])
    """

    checks_finite: ClassVar[bool] = True
    moves_with_updates: ClassVar[bool] = False
    uses_n_byzantine: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"\frac{1}{|S|} \sum_{i \in S} x_i \min\!\left(1, \frac{m}{\lVert x_i \rVert}\right), "
        r"\quad m = \operatorname{median}_i \lVert x_i \rVert, \quad S \text{: joined by } "
        r"\cos(x_i, x_j), \ |S| > n / 2"
    )
    cost: ClassVar[str] = r"n^2 d"

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        require_finite(updates)
        # SciPy clusters on the host.
        group = torch.from_numpy(_majority(cosine_distances(updates).cpu().numpy()))
        group = group.to(updates.device)
        lengths = update_lengths(updates)
        factors = clipping_factors(lengths, median_length(lengths))
        return weighted_sum(updates, factors * group / group.sum()), state


def _majority(distances: np.ndarray) -> np.ndarray:
    """Return who is in the first group of more than half that comes about, ``(n,)`` of bool.

    ``distances`` are those between all clients, ``(n, n)``. At each distance all clients that are
    no farther apart are joined.
    """
    # Imported here, because every start of the library imports this module, and SciPy is slow.
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    n = len(distances)
    if n == 1:
        return np.ones(1, dtype=bool)
    joins = linkage(squareform(distances), method="single")
    first = np.argmax(joins[:, 3] > n // 2)
    groups = fcluster(joins, joins[first, 2], criterion="distance")
    return np.asarray(groups == np.bincount(groups).argmax())
