"""An attack whose update is chosen outside: what a simulated federation is played with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack, AttackContext


@ATTACKS.register("dictated")
@dataclass(frozen=True)
class Dictated(Attack):
    """Send what its state says, from every Byzantine client; zero as long as it says nothing.

    For :class:`fedlib.environment.FederationEnvironment`, where a policy chooses each round's
    update (two_stage_attack, section 3).
    """

    formula: ClassVar[str] = r"b = a"

    def _attack(
        self, updates: torch.Tensor, state: torch.Tensor | None, context: AttackContext
    ) -> tuple[torch.Tensor, torch.Tensor]:
        chosen = updates.new_zeros(updates.shape[1]) if state is None else state
        return self._everywhere(chosen), chosen
