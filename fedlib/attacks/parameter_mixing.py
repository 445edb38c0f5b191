"""The parameter-mixing attack mixes adversarial parameters into an honest model."""

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

    The attack is described in the appendix of residual_reweighting, Table 8. The i-th Byzantine
    client takes the i-th benign update. With probability ``mix_rate`` each parameter of this update
    is replaced by the parameter of the client's own adversarial update. The state is the number of
    past rounds.

    Parameters
    ----------
    mix_rate
        The probability that a parameter is replaced, in [0, 1].
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
