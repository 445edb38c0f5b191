"""The omniscient attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack, AttackContext
from fedlib.blocks import row_mean
from fedlib.validation import check_name


@ATTACKS.register("omniscient")
@dataclass(frozen=True)
class Omniscient(Attack):
    """Knowing all updates, send one that turns the plain average round.

    Blanchard et al. (2017), as clustering_with_outliers has it. With the mean m of what all
    clients would send if honest and the mean o of the attacker's own among them, ``formula`` is

    * ``"text"``: ``m - (2 n / f) o`` (appendix D.2);
    * ``"code"``: ``o - (2 n / f) m`` (the authors' code), with which the average is exactly ``-m``.
    """

    knows: ClassVar[frozenset[str]] = frozenset({"benign_updates", "own_updates"})

    formula: str = "text"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("attack.formula", self.formula, ("text", "code"))

    def _attack(
        self, updates: torch.Tensor, state: Any, context: AttackContext
    ) -> tuple[torch.Tensor, Any]:
        assert context.own_updates is not None
        f, n = self.n_byzantine, len(updates) + self.n_byzantine
        if f == 0:
            return self._everywhere(updates[0]), state
        own = row_mean(context.own_updates)
        everyone = row_mean(updates) * ((n - f) / n) + own * (f / n)
        first, second = (everyone, own) if self.formula == "text" else (own, everyone)
        return self._everywhere(first - (2 * n / f) * second), state
