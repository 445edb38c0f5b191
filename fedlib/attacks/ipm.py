"""Inner product manipulation (IPM), also called Fall of Empires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.blocks import row_mean
from fedlib.federation.facts import Facts
from fedlib.validation import check_real


@ATTACKS.register("ipm")
@dataclass(frozen=True)
class InnerProductManipulation(Attack):
    """Send ``-epsilon`` times the benign mean (Xie et al., 2020).

    This is inner product manipulation (IPM).

    Parameters
    ----------
    epsilon
        The strength of the attack. Section VI-B of centered_clipping takes 0.2.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> attack = ATTACKS["ipm"](n_byzantine=1, epsilon=0.2)
    >>> attack.apply(benign)[0].round(decimals=2)
    tensor([[-0.2100, -0.4100, -0.0600]])
    """

    alike: ClassVar[bool] = True
    formula: ClassVar[str] = r"b = -\epsilon \, \bar x"

    knows: ClassVar[frozenset[str]] = frozenset({"benign_updates"})

    epsilon: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.epsilon", self.epsilon, 0)

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        return self._everywhere(row_mean(updates).mul_(-self.epsilon)), state
