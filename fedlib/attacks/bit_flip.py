"""Bit flipping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.federation.facts import Facts


@ATTACKS.register("bit_flip")
@dataclass(frozen=True)
class BitFlip(Attack):
    """Send the client's own honest update with its sign flipped (centered_clipping, section VI-B).

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> facts = Facts(own_updates=torch.tensor([[1.0, 2.1, 0.4]]))
    >>> attack = ATTACKS["bit_flip"](n_byzantine=1)
    >>> attack.apply(benign, None, facts)[0].round(decimals=2)
    tensor([[-1.0000, -2.1000, -0.4000]])
    """

    formula: ClassVar[str] = r"b_j = -o_j"

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates"})

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        return -facts.own_updates, state
