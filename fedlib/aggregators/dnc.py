"""The rule DnC, divide and conquer, which filters by the first singular vector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from fedlib.aggregators.base import AGGREGATORS, Aggregator
from fedlib.aggregators.states import Rounds
from fedlib.blocks import pairwise_squared_distances, require_finite, selected_mean
from fedlib.federation.facts import Facts
from fedlib.seeds import stream
from fedlib.validation import ConfigError, check_int, check_real


@AGGREGATORS.register("dnc")
@dataclass(frozen=True)
class DivideAndConquer(Aggregator):
    """Leave out the updates that are farthest out in the direction in which all vary most.

    The rule is divide and conquer (DnC), Algorithm 2 of Shejwalkar and Houmansadr (2021). It draws
    some coordinates, and subtracts the mean of the updates there. An update's score is its squared
    inner product with the first right singular vector, which is the direction in which the updates
    vary most. The ``c f`` updates with the largest scores are left out, where ``c`` is
    ``filtered``. All this is done several times. The mean of the updates that were never left out
    is the aggregate. The text does not say what the aggregate is if there are no such updates. Here
    it is the mean of the updates that were left out least often.

    An update that is far away, but in another direction, is not left out. The state is the number
    of past rounds.

    Parameters
    ----------
    n_iterations
        This is the number of times that coordinates are drawn. Public code uses 1 or 5.
    n_coordinates
        This is the number of coordinates that are drawn, b in the paper. If an update has fewer
        coordinates, all of them are taken. Public code uses 1,000, 10,000 or a fifth of all.
    filtered
        This is how many updates are left out each time, as a multiple of ``n_byzantine``. If the
        product is not a whole number, it is rounded up. Public code uses 1 or ``(n - 1) / n``, and
        some of it rounds down.
    seed
        This is the seed from which the coordinates are drawn, anew in every round.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS
    >>> updates = torch.tensor(
    ...     [[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1], [9.0, -9.0, 9.0]]
    ... )
    >>> rule = AGGREGATORS["dnc"](n_byzantine=1)
    >>> rule.apply(updates)[0].round(decimals=2)
    tensor([1.0500, 2.0500, 0.3000])
    """

    checks_finite: ClassVar[bool] = True
    bounds_far_rows: ClassVar[bool] = False
    formula: ClassVar[str] = (
        r"\frac{1}{|S|} \sum_{i \in S} x_i, \quad S \text{: the } n - c f \text{ least } "
        r"\langle v, x_i - \bar x \rangle^2, \quad v = \arg\max_{\lVert v \rVert = 1} \sum_i "
        r"\langle v, x_i - \bar x \rangle^2"
    )
    cost: ClassVar[str] = r"(n^2 b + n^3) \cdot \text{iterations} + n d"

    n_iterations: int = 1
    n_coordinates: int = 10_000
    filtered: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("aggregator.n_iterations", self.n_iterations, 1)
        check_int("aggregator.n_coordinates", self.n_coordinates, 1)
        check_real("aggregator.filtered", self.filtered, 0, open_low=True)
        check_int("aggregator.seed", self.seed, 0)

    def check(self, n_clients: int) -> None:
        super().check(n_clients)
        if self._left_out() >= n_clients:
            raise ConfigError(
                f"aggregator.filtered={self.filtered} leaves out {self._left_out()} updates: must "
                f"leave out fewer than n_clients={n_clients}."
            )

    def init(self, n_clients: int, n_parameters: int) -> Rounds:
        super().init(n_clients, n_parameters)
        return Rounds(0)

    def _left_out(self) -> int:
        """Return how many updates are left out each time."""
        return math.ceil(self.filtered * self.n_byzantine)

    def _aggregate(
        self, updates: torch.Tensor, state: Rounds | None, facts: Facts
    ) -> tuple[torch.Tensor, Rounds]:
        require_finite(updates)
        (n, d), rounds = updates.shape, state.past if state else 0
        drawn = stream(self.seed, self.name, rounds)
        times = torch.zeros(n, dtype=torch.int64, device=updates.device)
        for _ in range(self.n_iterations):
            part = updates
            if d > self.n_coordinates:
                # In ascending order they are read faster.
                chosen = np.sort(drawn.choice(d, self.n_coordinates, replace=False))
                part = updates[:, torch.from_numpy(chosen).to(updates.device)]
            order = _scores(pairwise_squared_distances(part)).argsort(stable=True)
            times[order[n - self._left_out() :]] += 1
        return selected_mean(updates, (times == times.min()).nonzero()[:, 0]), Rounds(rounds + 1)


def _scores(squared: torch.Tensor) -> torch.Tensor:
    """Return each point's squared inner product with the first right singular vector.

    The vector is that of the points less their mean. It need not be computed, because the inner
    products are the first left singular vector times its singular value.

    Parameters
    ----------
    squared
        The squared distances between all points, ``(n, n)``.

    Returns
    -------
    torch.Tensor
        The scores ``(n,)``, up to a factor.
    """
    distances = squared / squared.max().clamp(min=torch.finfo(squared.dtype).tiny)
    to_mean = distances.mean(1)
    # These are the inner products of the points less their mean, by double centring.
    products = (to_mean[:, None] + to_mean - distances - to_mean.mean()) / 2
    return torch.linalg.eigh(products).eigenvectors[:, -1].square()
