"""The rule AutoGM, the auto-weighted geometric median."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib import kernels
from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import pairwise_squared_distances, weighted_sum
from fedlib.federation.facts import Facts
from fedlib.validation import check_int, check_real


@AGGREGATORS.register("autogm")
@dataclass(frozen=True)
class AutoWeightedGeometricMedian(Aggregator):
    """Find a geometric median in which updates that are far away have no weight.

    This is AutoGM of Li et al. (2022), Byzantine-robust aggregation in federated learning empowered
    industrial IoT. It gives each update a weight. It looks for the point and the weights for which
    a sum is smallest: the weighted distances of the updates to the point, plus a penalty for
    unequal weights. This point is the median that the rule returns. The rule begins with equal
    weights. In each turn it first keeps the weights and computes the weighted geometric median.
    Then it keeps the median and computes the best weights.

    The median is a weighted mean of the updates. So its distances to the updates can be computed
    from the distances between the updates. The updates are read to compute these distances, and
    once more to compute the aggregate.

    Parameters
    ----------
    lam
        This is the weight of the penalty, lambda in the paper, in the units of the updates. With a
        large weight the rule is the geometric median. With a small weight a single update gets all
        weight. The code of the paper uses the number of clients. Blades, a later library of the
        same authors, uses 2.
    n_iterations
        This is the largest number of turns, and of Weiszfeld steps in a turn. The steps approach
        the weighted geometric median, as in ``geometric_median``.
    nu
        This is the smallest distance that a Weiszfeld step divides by, as a share of the largest
        distance. Blades uses the same number, but in the units of the updates.
    tolerance
        The turns end when the sum that is minimised changes by a smaller share than this. The steps
        end when no update's share in the median changes by more than this.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["autogm"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0000, 2.0000, 0.3000])
    """

    checks_finite: ClassVar[bool] = True
    scales_with_updates: ClassVar[bool] = False
    uses_n_byzantine: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"\arg\min_z \min_\alpha \sum_i \alpha_i \lVert z - x_i \rVert + \tfrac{\lambda}{2} \lVert "
        r"\alpha \rVert^2, \quad \alpha_i \ge 0, \ \sum_i \alpha_i = 1"
    )
    cost: ClassVar[str] = r"n^2 (d + \text{iterations}^2)"

    lam: float = 2.0
    n_iterations: int = 100
    nu: float = 1e-6
    tolerance: float = 1e-10

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("aggregator.lam", self.lam, 0, open_low=True)
        check_int("aggregator.n_iterations", self.n_iterations, 1)
        check_real("aggregator.nu", self.nu, 0, open_low=True)
        check_real("aggregator.tolerance", self.tolerance, 0)

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        squared = pairwise_squared_distances(updates, check=True)
        # The steps are many small ones, so an accelerator leaves them to the host.
        shares = self._shares(squared.cpu()).to(updates.device)
        return weighted_sum(updates, shares), state

    def _shares(self, squared: torch.Tensor) -> torch.Tensor:
        """Return the updates' shares in the median, ``(n,)`` of sum 1.

        ``squared`` holds the squared distances between all updates, ``(n, n)``.
        """
        if kernels.available() and bool(squared.isfinite().all()):
            from fedlib.kernels.neighbours import auto_weighted_shares

            settings = (float(self.lam), self.n_iterations, float(self.nu), float(self.tolerance))
            return torch.from_numpy(auto_weighted_shares(squared.numpy(), *settings))
        n = len(squared)
        weights = torch.full((n,), 1 / n, dtype=torch.float64)
        shares, before = self._median(squared, weights), torch.inf
        for _ in range(self.n_iterations):
            distances = _to_mean(squared, shares)
            weights = best_weights(distances, self.lam)
            shares = self._median(squared, weights)
            now = float(weights @ _to_mean(squared, shares) + self.lam / 2 * weights @ weights)
            if abs(before - now) <= self.tolerance * now:
                break
            before = now
        return shares

    def _median(self, squared: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Return the shares ``(n,)`` in the geometric median with ``weights`` ``(n,)``."""
        # Updates without weight take no part. They may be so far that their distances overflow.
        kept = weights.nonzero()[:, 0]
        near, weighed = squared[kept][:, kept], weights[kept] / weights.sum()
        near = near / near.max().clamp(min=torch.finfo(near.dtype).tiny)
        shares = weighed
        for _ in range(self.n_iterations):
            pulls = weighed / _to_mean(near, shares).clamp(min=self.nu)
            moved = pulls / pulls.sum()
            rests = bool((moved - shares).abs().max() <= self.tolerance)
            shares = moved
            if rests:
                break
        return torch.zeros_like(weights).index_put((kept,), shares)


def best_weights(distances: torch.Tensor, lam: float) -> torch.Tensor:
    """Return the weights that minimise the objective for given distances to the median.

    They are ``max(0, eta - distance) / lam``, where eta is the number that gives them the sum 1.

    Parameters
    ----------
    distances
        The distances ``(n,)``.
    lam
        The weight of the penalty.

    Returns
    -------
    torch.Tensor
        The weights ``(n,)``.
    """
    # Only differences matter. Large distances would swallow lambda.
    further = distances - distances.min()
    ordered = further.sort().values
    levels = (ordered.cumsum(0) + lam) / torch.arange(1, len(ordered) + 1, dtype=ordered.dtype)
    # As many of the nearest have weight as are nearer than the level that they would share.
    level = levels[(ordered < levels).sum() - 1]
    return (level - further).clamp(min=0) / lam


def _to_mean(squared: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Return the distances ``(n,)`` of points to their weighted mean.

    ``squared`` holds the squared distances between the points, ``(n, n)``, and ``shares`` their
    shares in the mean, ``(n,)`` of sum 1.
    """
    to_points = squared @ shares
    return (to_points - shares @ to_points / 2).clamp(min=0).sqrt()
