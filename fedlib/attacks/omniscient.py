"""The omniscient attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.blocks import row_mean
from fedlib.federation.facts import Facts
from fedlib.validation import check_name


@ATTACKS.register("omniscient")
@dataclass(frozen=True)
class Omniscient(Attack):
    """Know all updates, and send one that gives the plain average the opposite sign.

    This is the attack of Blanchard et al. (2017) in the form of clustering_with_outliers, appendix
    D.2. All Byzantine clients send the same update.

    Parameters
    ----------
    version
        The formula of the sent update. Let m be the mean of the updates that all clients would send
        if they were honest. Let o be the mean of those that the attacker's own clients would send.
        ``"text"`` sends ``m - (2 n / f) o``. ``"code"`` sends ``o - (2 n / f) m``, as the authors'
        code does. With ``"code"`` the average is exactly ``-m``.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> facts = Facts(own_updates=torch.tensor([[1.0, 2.1, 0.4]]))
    >>> attack = ATTACKS["omniscient"](n_byzantine=1)
    >>> attack.apply(benign, None, facts)[0].round(decimals=2)
    tensor([[ -8.9600, -18.9400,  -3.6800]])
    """

    alike: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"b = m - \tfrac{2n}{f} \bar o, \quad m = \tfrac{1}{n} \Big(\sum_i x_i + \sum_j "
        r"o_j\Big)"
    )

    knows: ClassVar[frozenset[str]] = frozenset({"benign_updates", "own_updates"})

    version: str = "text"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("attack.version", self.version, ("text", "code"))

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        f, n = self.n_byzantine, len(updates) + self.n_byzantine
        if f == 0:
            return self._everywhere(updates[0]), state
        own = row_mean(facts.own_updates)
        everyone = row_mean(updates) * ((n - f) / n) + own * (f / n)
        first, second = (everyone, own) if self.version == "text" else (own, everyone)
        return self._everywhere(first - (2 * n / f) * second), state
