"""Attacks that send noise. The noise of a round depends only on the seed and on its number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.blocks import row_norms, shortened
from fedlib.federation.facts import Facts
from fedlib.seeds import derived_seed
from fedlib.validation import check_int, check_name, check_real


@dataclass(frozen=True)
class NoiseAttack(Attack):
    """Base of the attacks that draw noise. The state is the number of past rounds.

    Parameters
    ----------
    seed
        The seed of the draws.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("attack.seed", self.seed, 0)

    def init(self, n_clients: int, n_parameters: int) -> int:
        super().init(n_clients, n_parameters)
        return 0

    def _normal(self, rounds: int, like: torch.Tensor, columns: int) -> torch.Tensor:
        """Return standard normal values ``(n_byzantine, columns)``."""
        # Drawn on the CPU, so that a run has the same noise on every device.
        generator = torch.Generator().manual_seed(derived_seed(self.seed, self.name, rounds))
        return torch.randn(self.n_byzantine, columns, generator=generator).to(like)


@ATTACKS.register("gaussian_noise")
@dataclass(frozen=True)
class GaussianNoise(NoiseAttack):
    """Multiply one's own model by Gaussian noise of mean 1 (residual_reweighting, section 4.4).

    Parameters
    ----------
    std
        The standard deviation of the noise. It is 1, 2 or 3 in Table 4.
    each
        What gets a random number of its own. With ``"parameter"`` a number is drawn for each
        parameter. With ``"client"`` one number is drawn for all parameters of a client. The text,
        "each parameter by a scale", can be read both ways.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> facts = Facts(
    ...     model=torch.tensor([0.5, 0.5, 0.5]), own_updates=torch.tensor([[1.0, 2.1, 0.4]])
    ... )
    >>> attack = ATTACKS["gaussian_noise"](n_byzantine=1, std=0.5)
    >>> attack.apply(benign, None, facts)[0].round(decimals=2)
    tensor([[1.1500, 0.7000, 0.4300]])
    """

    formula: ClassVar[str] = (
        r"b_j = \theta - (\theta - o_j) \odot \epsilon, \quad \epsilon \sim \mathcal N(1, "
        r"\sigma^2)"
    )

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates", "model"})

    std: float = 1.0
    each: str = "parameter"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.std", self.std, 0)
        check_name("attack.each", self.each, ("parameter", "client"))

    def _attack(
        self, updates: torch.Tensor, state: int | None, facts: Facts
    ) -> tuple[torch.Tensor, int]:
        own, model, rounds = facts.own_updates, facts.model, state or 0
        scale = 1 + self.std * self._normal(
            rounds, own, own.shape[1] if self.each == "parameter" else 1
        )
        return model - (model - own) * scale, rounds + 1


@ATTACKS.register("norm_matched_gaussian")
@dataclass(frozen=True)
class NormMatchedGaussian(NoiseAttack):
    """Send a Gaussian vector that is as long as the client's own honest update.

    This is the attack "Gauss" of clustering_with_outliers, appendix D.2.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> facts = Facts(own_updates=torch.tensor([[1.0, 2.1, 0.4]]))
    >>> attack = ATTACKS["norm_matched_gaussian"](n_byzantine=1)
    >>> attack.apply(benign, None, facts)[0].round(decimals=2)
    tensor([[ 2.1900,  0.0400, -0.8700]])
    """

    formula: ClassVar[str] = (
        r"b_j = \lVert o_j \rVert \frac{\epsilon_j}{\lVert \epsilon_j \rVert}, \quad "
        r"\epsilon_j \sim \mathcal N(0, I)"
    )

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates"})

    def _attack(
        self, updates: torch.Tensor, state: int | None, facts: Facts
    ) -> tuple[torch.Tensor, int]:
        own, rounds = facts.own_updates, state or 0
        noise = self._normal(rounds, own, own.shape[1])
        shorter, divisors = shortened(own)
        length = row_norms(shorter) / row_norms(noise).clamp(min=torch.finfo(own.dtype).tiny)
        return noise * (length * divisors).to(own.dtype)[:, None], rounds + 1


@ATTACKS.register("random")
@dataclass(frozen=True)
class Random(NoiseAttack):
    """Send Gaussian vectors without any knowledge of the other updates.

    This is the random attack of two_stage_attack, section 4, which does not give its scale.

    Parameters
    ----------
    scale
        The standard deviation of each value.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> attack = ATTACKS["random"](n_byzantine=1)
    >>> attack.apply(benign)[0].round(decimals=2)
    tensor([[ 0.1600, -2.3300,  1.7300]])
    """

    formula: ClassVar[str] = r"b_j \sim \mathcal N(0, s^2 I)"

    scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.scale", self.scale, 0)

    def _attack(
        self, updates: torch.Tensor, state: int | None, facts: Facts
    ) -> tuple[torch.Tensor, int]:
        rounds = state or 0
        return self.scale * self._normal(rounds, updates, updates.shape[1]), rounds + 1
