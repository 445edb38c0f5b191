"""The bit-flipping attack sends each update with its sign flipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.federation.facts import Facts


@ATTACKS.register("bit_flip")
@dataclass(frozen=True)
class BitFlip(Attack):
    """Send the client's own honest update with its sign flipped.

    The attack is described in centered_clipping, section VI-B.
    """

    formula: ClassVar[str] = r"b_j = -o_j"

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates"})

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        return -facts.own_updates, state
