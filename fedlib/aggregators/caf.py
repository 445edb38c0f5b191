"""The rule CAF, the covariance-bound agnostic filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.blocks import pairwise_squared_distances, weighted_sum
from fedlib.federation.facts import Facts


@AGGREGATORS.register("caf")
@dataclass(frozen=True)
class CovarianceAgnosticFilter(Aggregator):
    """Take weight from updates that are far out in the direction in which the updates vary most.

    This is the covariance-bound agnostic filter (CAF) of Allouah et al. (2025), Towards trustworthy
    federated learning with untrusted participants. All updates begin with the weight 1. Each step
    looks at one direction: the eigenvector of the weighted covariance with the largest eigenvalue.
    The update that is farthest from the weighted mean in this direction loses all its weight. The
    others lose weight in proportion to their squared distance in this direction. The steps end when
    the sum of the weights is at most ``n - 2 f``. The aggregate is the weighted mean of the step
    whose largest eigenvalue is smallest.

    An update without weight takes no part in the later steps. If it did, an update that is far away
    would keep the others from losing weight. The eigenvector is computed exactly, from the matrix
    of squared distances, which has one row and one column for each client.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["caf"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0500, 2.0500, 0.3000])
    """

    checks_finite: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"\mu_c = \frac{\sum_i c_i x_i}{\sum_i c_i} \text{ of the least } "
        r"\lambda_{\max}(\Sigma_c), \quad c_i \leftarrow c_i "
        r"\left(1 - \frac{\tau_i}{\max_j \tau_j}\right), "
        r"\quad \tau_i = \langle v, x_i - \mu_c \rangle^2"
    )
    cost: ClassVar[str] = r"n^2 d + n^4"

    def _aggregate(
        self, updates: torch.Tensor, state: Any, facts: Facts
    ) -> tuple[torch.Tensor, Any]:
        squared = pairwise_squared_distances(updates, check=True)
        # The steps are many small ones, so an accelerator leaves them to the host.
        weights = self._weights(squared.cpu()).to(updates.device)
        return weighted_sum(updates, weights), state

    def _weights(self, squared: torch.Tensor) -> torch.Tensor:
        """Return the weights ``(n,)`` of the aggregate, of sum 1.

        ``squared`` holds the squared distances between all updates, ``(n, n)``.
        """
        n = len(squared)
        left, least = torch.ones(n, dtype=torch.float64), torch.inf
        best = left / n
        while least == torch.inf or left.sum() > n - 2 * self.n_byzantine:
            shares = left / left.sum()
            kept = left.nonzero()[:, 0]
            eigenvalue, along = _spread(squared[kept][:, kept], shares[kept])
            if eigenvalue < least:
                least, best = eigenvalue, shares
            farthest = along.max()
            if not farthest > 0:  # The updates that are left are equal.
                break
            left = left.index_put((kept,), left[kept] * (1 - along / farthest))
        return best


def _spread(squared: torch.Tensor, shares: torch.Tensor) -> tuple[float, torch.Tensor]:
    """Return how far points spread along the direction in which they vary most.

    Parameters
    ----------
    squared
        The squared distances between all points, ``(m, m)``.
    shares
        The weights of the points, ``(m,)`` of sum 1. None is zero.

    Returns
    -------
    eigenvalue : float
        The largest eigenvalue of the points' covariance.
    along : torch.Tensor
        Each point's squared distance to the mean along the direction, ``(m,)``, up to a factor.
    """
    scale = squared.max()
    if not scale > 0:
        return 0.0, torch.zeros_like(shares)
    distances = squared / scale
    to_mean = distances @ shares
    # These are the inner products of the points less their mean, by double centring.
    products = (to_mean[:, None] + to_mean - distances - shares @ to_mean) / 2
    roots = shares.sqrt()
    values, vectors = torch.linalg.eigh(roots[:, None] * products * roots)
    along = (products @ (roots * vectors[:, -1])).square()
    return float(values[-1] * scale), along
