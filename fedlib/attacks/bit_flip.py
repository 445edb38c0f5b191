"""Bit flipping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack, AttackContext


@ATTACKS.register("bit_flip")
@dataclass(frozen=True)
class BitFlip(Attack):
    """Send one's own honest update with its sign flipped (centered_clipping, section VI-B)."""

    replayable: ClassVar[bool] = True
    formula: ClassVar[str] = r"b_j = -o_j"

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates"})

    def _attack(
        self, updates: torch.Tensor, state: Any, context: AttackContext
    ) -> tuple[torch.Tensor, Any]:
        assert context.own_updates is not None
        return -context.own_updates, state
