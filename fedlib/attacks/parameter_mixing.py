"""Adversarial parameters mixed into an honest model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.attacks.base import ATTACKS
from fedlib.attacks.label_flip import LabelFlip
from fedlib.federation.facts import Facts
from fedlib.seeds import derived_seed
from fedlib.validation import check_real


@ATTACKS.register("parameter_mixing")
@dataclass(frozen=True)
class ParameterMixing(LabelFlip):
    """Train on flipped labels, then send an honest client's update with some parameters replaced.

    This is the attack of Table 8 in the appendix of residual_reweighting. The i-th Byzantine client
    takes the i-th benign update. With probability ``mix_rate`` it replaces a parameter of this
    update by the parameter of its own adversarial update. The state is the number of past rounds.

    Parameters
    ----------
    mix_rate
        The share of parameters that are adversarial.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> facts = Facts(own_updates=torch.tensor([[7.0, 7.0, 7.0]]))
    >>> attack = ATTACKS["parameter_mixing"](n_byzantine=1, mix_rate=0.5, seed=1)
    >>> attack.apply(benign, None, facts)[0].round(decimals=2)
    tensor([[1., 7., 7.]])
    """

    formula: ClassVar[str] = (
        r"b_{jk} = \begin{cases} o_{jk} & \text{with probability } \rho \\ x_{jk} & "
        r"\text{else} \end{cases}"
    )

    knows: ClassVar[frozenset[str]] = frozenset({"benign_updates", "own_updates"})

    mix_rate: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.mix_rate", self.mix_rate, 0, 1)

    def init(self, n_clients: int, n_parameters: int) -> int:
        super().init(n_clients, n_parameters)
        return 0

    def _attack(
        self, updates: torch.Tensor, state: int | None, facts: Facts
    ) -> tuple[torch.Tensor, int]:
        own, rounds = facts.own_updates, state or 0
        generator = torch.Generator().manual_seed(derived_seed(self.seed, self.name, rounds))
        replaced = torch.rand(own.shape, generator=generator).to(own.device) < self.mix_rate
        honest = updates[torch.arange(len(own), device=own.device) % len(updates)]
        return torch.where(replaced, own, honest), rounds + 1
