"""Sign flipping."""

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
    """Send the negative of the client's own honest update (clustering_with_outliers, appendix D.2).

    Parameters
    ----------
    scale
        The length of the sent update, as a multiple of the length of the honest update.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> facts = Facts(own_updates=torch.tensor([[1.0, 2.1, 0.4]]))
    >>> attack = ATTACKS["sign_flip"](n_byzantine=1, scale=2.0)
    >>> attack.apply(benign, None, facts)[0].round(decimals=2)
    tensor([[-2.0000, -4.2000, -0.8000]])
    """

    formula: ClassVar[str] = r"b_j = -s \, o_j"

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates"})

    scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.scale", self.scale, 0)

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        return -self.scale * facts.own_updates, state
