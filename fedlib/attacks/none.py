"""Without an attack the clients that could be Byzantine are honest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.federation.facts import Facts


@ATTACKS.register("none")
@dataclass(frozen=True)
class NoAttack(Attack):
    """Send honest updates, which are the baseline of every comparison."""

    formula: ClassVar[str] = r"b_j = o_j"

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates"})

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        return facts.own_updates, state
