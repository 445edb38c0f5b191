"""Min-Max and Min-Sum, which keep to the distances that benign updates have among themselves."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.attacks.lengths import unit
from fedlib.blocks import inner_products, pairwise_squared_distances, row_mean, row_std
from fedlib.federation.facts import Facts
from fedlib.validation import check_name


@dataclass(frozen=True)
class MinDistances(Attack):
    """Base of Min-Max and Min-Sum. These attacks do not need to know the server's rule.

    The text searches for gamma with steps that are halved, beginning at 10. Here it is the exact
    solution of a quadratic equation. An update with a NaN or an Inf counts as the zero update.

    Parameters
    ----------
    perturbation
        The direction p. ``"unit"`` takes minus the direction of the benign mean. ``"sign"`` takes
        minus the signs of the benign mean. ``"std"`` takes minus the standard deviation of each
        coordinate. The text tries all three.
    knowledge
        What the attacker knows. With ``"full"`` it knows all benign updates. With ``"partial"`` it
        knows only the updates that its own clients would send if they were honest, and it uses them
        in place of the benign updates.
    """

    perturbation: str = "unit"
    knowledge: str = "full"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("attack.perturbation", self.perturbation, ("unit", "sign", "std"))
        check_name("attack.knowledge", self.knowledge, ("full", "partial"))
        self._set_knows("benign_updates" if self.knowledge == "full" else "own_updates")

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        known = updates if self.knowledge == "full" else facts.own_updates
        if self.n_byzantine == 0:
            return updates[:0], state
        known = torch.where(known.isfinite().all(1, keepdim=True), known, 0.0)
        # The squares of extreme values would overflow or vanish, so the values are scaled first.
        scale = known.abs().amax().clamp(min=torch.finfo(known.dtype).tiny)
        known = known / scale
        mean = row_mean(known)
        if self.perturbation == "unit":
            direction = -unit(mean)
        elif self.perturbation == "sign":
            direction = -mean.sign()
        else:
            direction = -row_std(known, mean)
        squared = pairwise_squared_distances(known)
        along = inner_products(torch.cat([known, mean[None]]), direction)
        length = direction.double().square().sum()
        gamma = self._gamma(squared, along[:-1] - along[-1], length)
        # Without a direction there is nowhere to go.
        gamma = torch.where(length > 0, gamma, 0.0).to(mean.dtype)
        return self._everywhere((mean + gamma * direction) * scale), state

    @abstractmethod
    def _gamma(
        self, squared: torch.Tensor, along: torch.Tensor, length: torch.Tensor
    ) -> torch.Tensor:
        """Return the largest gamma that keeps to the distances, a tensor without axes.

        Parameters
        ----------
        squared
            The squared distances between the benign updates, ``(n, n)``.
        along
            The inner product of the direction and each update less the mean, ``(n,)``.
        length
            The squared length of the direction, a tensor without axes.
        """


@ATTACKS.register("min_max")
@dataclass(frozen=True)
class MinMax(MinDistances):
    """Move away from the benign mean until the distances are as large as between benign updates.

    All Byzantine clients send ``mean + gamma p``. The largest distance of this update to a benign
    update is at most the largest distance between two benign updates (Shejwalkar and Houmansadr,
    2021).

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> attack = ATTACKS["min_max"](n_byzantine=1)
    >>> attack.apply(benign)[0].round(decimals=2)
    tensor([[0.9200, 1.8000, 0.2600]])
    """

    alike: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"b = \bar x + \gamma p, \quad \gamma = \max \{\gamma : \max_i \lVert b - x_i \rVert \le "
        r"\max_{i, j} \lVert x_i - x_j \rVert\}, \quad p = -\frac{\bar x}{\lVert \bar x \rVert}"
    )

    def _gamma(
        self, squared: torch.Tensor, along: torch.Tensor, length: torch.Tensor
    ) -> torch.Tensor:
        # Of the mean: what is left of the bound is above zero but for rounding.
        left = (squared.max() - _to_mean(squared)).clamp(min=0)
        # The distance to each update is a quadratic function of gamma, and reaches the bound here.
        return ((along + (along.square() + length * left).sqrt()) / length).amin()


@ATTACKS.register("min_sum")
@dataclass(frozen=True)
class MinSum(MinDistances):
    """Move away from the benign mean until the sum of distances is as large as for benign updates.

    All Byzantine clients send ``mean + gamma p``. The sum of this update's squared distances to the
    benign updates is at most the largest such sum of a benign update (Shejwalkar and Houmansadr,
    2021). Others describe the bound of the text in this way, and use it in their code. The authors'
    own code takes the smallest such sum, which gives a smaller gamma.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> attack = ATTACKS["min_sum"](n_byzantine=1)
    >>> attack.apply(benign)[0].round(decimals=2)
    tensor([[0.9400, 1.8400, 0.2700]])
    """

    alike: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"b = \bar x + \gamma p, \quad \gamma = \max \{\gamma : \sum_i \lVert b - x_i \rVert^2 \le "
        r"\max_i \sum_j \lVert x_i - x_j \rVert^2\}, \quad p = -\frac{\bar x}{\lVert \bar x \rVert}"
    )

    def _gamma(
        self, squared: torch.Tensor, along: torch.Tensor, length: torch.Tensor
    ) -> torch.Tensor:
        left = (squared.sum(1).max() - _to_mean(squared).sum()).clamp(min=0)
        # The inner products with the direction have the sum zero.
        return (left / (len(squared) * length)).sqrt()


def _to_mean(squared: torch.Tensor) -> torch.Tensor:
    """Return the squared distances ``(n,)`` to the mean, from those between points ``(n, n)``."""
    return squared.mean(1) - squared.mean() / 2
