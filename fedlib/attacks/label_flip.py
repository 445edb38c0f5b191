"""Label flipping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack, AttackContext


@ATTACKS.register("label_flip")
@dataclass(frozen=True)
class LabelFlip(Attack):
    """Train honestly on labels ``C - 1 - y`` (centered_clipping, section VI-B)."""

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates"})

    def poison(
        self, x: torch.Tensor, y: torch.Tensor, n_classes: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return x, n_classes - 1 - y

    def _attack(
        self, updates: torch.Tensor, state: Any, context: AttackContext
    ) -> tuple[torch.Tensor, Any]:
        assert context.own_updates is not None
        return context.own_updates, state
