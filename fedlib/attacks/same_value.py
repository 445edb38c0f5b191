"""The same-value attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.federation.facts import Facts
from fedlib.validation import check_real


@ATTACKS.register("same_value")
@dataclass(frozen=True)
class SameValue(Attack):
    """Send the same number in every coordinate, without any knowledge of the other updates.

    This is the same-value attack of Li et al. (2019), RSA, section "Numerical experiments".

    Parameters
    ----------
    value
        The number, which is c in the text. The text takes 100.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> attack = ATTACKS["same_value"](n_byzantine=1, value=100.0)
    >>> attack.apply(benign)[0].round(decimals=2)
    tensor([[100., 100., 100.]])
    """

    alike: ClassVar[bool] = True
    formula: ClassVar[str] = r"b = c \, \mathbf 1"

    value: float = 100.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.value", self.value)

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        return updates.new_full((self.n_byzantine, updates.shape[1]), self.value), state
