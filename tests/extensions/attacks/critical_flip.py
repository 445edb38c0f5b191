"""An attack that knows a fact, for the test that adding an attack touches one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.federation import Facts


@ATTACKS.register("critical_flip")
@dataclass(frozen=True)
class CriticalFlip(Attack):
    """Send one's own update, turned round where the critical parameters are."""

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates", "critical_parameters"})
    formula: ClassVar[str] = r"b_{jk} = \mp o_{jk}"

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        own: torch.Tensor = facts.own_updates
        return torch.where(facts.critical_parameters, -own, own), state
