"""The sign-flipping attack sends the negative of an honest update, with any length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.federation.facts import Facts
from fedlib.validation import check_real


@ATTACKS.register("sign_flip")
@dataclass(frozen=True)
class SignFlip(Attack):
    """Send the negative of the client's own honest update.

    The attack is described in clustering_with_outliers, appendix D.2.

    Parameters
    ----------
    scale
        The length of the update that is sent, divided by the length of the honest update.
    """

    formula: ClassVar[str] = r"b_j = -s \, o_j"

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates"})

    scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.scale", self.scale, 0)

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        return -self.scale * facts.own_updates, state
