"""The rule SignGuard, which groups updates by how many of their values are positive."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.aggregators.norms import clipping_factors, median_length, update_lengths
from fedlib.aggregators.states import Rounds
from fedlib.blocks import require_finite, weighted_sum
from fedlib.federation.facts import Facts
from fedlib.seeds import stream
from fedlib.validation import check_int, check_real


@AGGREGATORS.register("signguard")
@dataclass(frozen=True)
class SignGuard(Aggregator):
    """Average the updates with a usual length and usual signs, shortened to the median length.

    The rule is SignGuard of Xu et al. (2022), Byzantine-robust federated learning through
    collaborative malicious gradient filtering. It keeps an update if its length is between
    ``lower`` and ``upper`` times the median length, and if its signs are usual. To judge the signs,
    the rule draws some coordinates. In these coordinates it computes the shares of positive, zero
    and negative values of each update. It clusters the updates by these three shares, with the
    algorithm mean shift. The signs of the updates in the largest cluster are usual.

    If no update meets both conditions, all updates of the largest cluster are kept. The text also
    has variants that look at cosines or distances, and the library does not have them. The state is
    the number of past rounds.

    The authors' code differs in three ways. First, the coordinates that it draws are next to each
    other. Second, it divides each of the three shares by the largest value that a client has.
    Third, a client may be in no cluster. Mean shift moves points to the centres of clusters, and a
    client may be farther from every centre than the width of the clusters. Here such a client is in
    the cluster of the nearest centre.

    Parameters
    ----------
    lower, upper
        These are the shortest and the longest length that is kept, in units of the median length. L
        and R in the paper are 0.1 and 3.
    share
        This is the share of the coordinates that is drawn, anew in every round.
    quantile
        This decides the width of the clusters. For each client, the distances to all clients are
        sorted, and the distance at this quantile is taken. The width is the mean of these
        distances. The authors' code has 0.5.
    seed
        This is the seed from which coordinates are drawn.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["signguard"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0500, 2.0400, 0.3000])
    """

    checks_finite: ClassVar[bool] = True
    moves_with_updates: ClassVar[bool] = False
    uses_n_byzantine: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"\frac{1}{|S|} \sum_{i \in S} x_i \min\!\left(1, \frac{m}{\lVert x_i \rVert}\right), "
        r"\quad m = \operatorname{median}_i \lVert x_i \rVert, \quad S = \{i : L m \le \lVert x_i "
        r"\rVert \le R m\} \cap \text{the largest cluster of signs}"
    )
    cost: ClassVar[str] = r"n d + n^2"

    lower: float = 0.1
    upper: float = 3.0
    share: float = 0.1
    quantile: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("aggregator.lower", self.lower, 0, 1)
        check_real("aggregator.upper", self.upper, 1)
        check_real("aggregator.share", self.share, 0, 1, open_low=True)
        check_real("aggregator.quantile", self.quantile, 0, 1, open_low=True)
        check_int("aggregator.seed", self.seed, 0)

    def init(self, n_clients: int, n_parameters: int) -> Rounds:
        super().init(n_clients, n_parameters)
        return Rounds(0)

    def _aggregate(
        self, updates: torch.Tensor, state: Rounds | None, facts: Facts
    ) -> tuple[torch.Tensor, Rounds]:
        require_finite(updates)
        d, rounds = updates.shape[1], state.past if state else 0
        lengths = update_lengths(updates)
        median = median_length(lengths)
        count = max(int(self.share * d), 1)
        # In ascending order the coordinates are read faster.
        drawn = np.sort(stream(self.seed, self.name, rounds).choice(d, count, replace=False))
        signs = updates[:, torch.from_numpy(drawn).to(updates.device)].sign()
        shares = torch.stack([(signs == sign).sum(1) for sign in (1, 0, -1)], dim=1) / count
        width = _width(shares.double().cpu().numpy(), self.quantile)
        group = torch.from_numpy(largest_cluster(shares.double().cpu().numpy(), width))
        group = group.to(updates.device)
        usual = group & (lengths >= self.lower * median) & (lengths <= self.upper * median)
        kept = torch.where(usual.any(), usual, group)
        weights = clipping_factors(lengths, median) * kept / kept.sum()
        return weighted_sum(updates, weights), Rounds(rounds + 1)


def _width(points: np.ndarray, quantile: float) -> float:
    """Return the mean distance of a point to its neighbour at a quantile of all points."""
    distances = np.sort(np.linalg.norm(points[:, None] - points[None], axis=2), axis=1)
    # A point is its own nearest neighbour, and counts as the first.
    return float(distances[:, max(int(quantile * len(points)), 1) - 1].mean())


def largest_cluster(points: np.ndarray, width: float, *, most: int = 300) -> np.ndarray:
    """Find the largest cluster of points by mean shift with a flat kernel.

    From each point a centre moves to the mean of the points within ``width`` of it, until it rests.
    Of resting places within ``width`` of each other, the one with more points around it stays. A
    point belongs to the nearest place.

    Parameters
    ----------
    points
        The points ``(n, k)``.
    width
        The radius within which a centre sees points. With 0 a cluster is points that are equal.
    most
        The largest number of moves.

    Returns
    -------
    numpy.ndarray
        Which points are in the cluster, ``(n,)`` of bool.
    """
    # A distance is often the width itself, of which rounding must not decide.
    reach = width * (1 + 1e-9) + 1e-12

    def seen(centres: np.ndarray) -> np.ndarray:
        return np.linalg.norm(centres[:, None] - points[None], axis=2) <= reach

    centres = points
    for _ in range(most):
        inside = seen(centres)
        moved = inside @ points / inside.sum(1, keepdims=True)
        rests = np.abs(moved - centres).max() <= 1e-3 * width
        centres = moved
        if rests:
            break
    # The most crowded places come first. If they are even, their coordinates decide.
    crowd = seen(centres).sum(1)
    rounded = centres.round(9)
    order = np.lexsort((*rounded.T[::-1], -crowd))
    places: list[np.ndarray] = []
    for centre in centres[order]:
        if all(math.dist(centre, place) > reach for place in places):
            places.append(centre)
    apart = np.linalg.norm(points[:, None] - np.array(places)[None], axis=2)
    nearest = apart.round(9).argmin(1)
    return np.asarray(nearest == np.bincount(nearest).argmax())
