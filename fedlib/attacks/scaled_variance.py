"""Scaled variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.blocks import row_mean, row_std
from fedlib.federation.facts import Facts
from fedlib.validation import check_real


@ATTACKS.register("scaled_variance")
@dataclass(frozen=True)
class ScaledVariance(Attack):
    """Send the mean of all clients' honest updates plus ``z`` standard deviations.

    This is the attack "SV" of clustering_with_outliers, appendix D.2. The standard deviation is
    that of each coordinate. The attack is like ALIE with a large z, but the mean and the standard
    deviations are those of all clients.

    Parameters
    ----------
    z
        The number of standard deviations. The appendix uses 20. The authors' code corresponds to
        about 0.57.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> facts = Facts(own_updates=torch.tensor([[1.0, 2.1, 0.4]]))
    >>> attack = ATTACKS["scaled_variance"](n_byzantine=1, z=2.0)
    >>> attack.apply(benign, None, facts)[0].round(decimals=2)
    tensor([[1.2700, 2.2900, 0.5800]])
    """

    alike: ClassVar[bool] = True
    formula: ClassVar[str] = r"b = m + z \operatorname{std}(x, o)"

    knows: ClassVar[frozenset[str]] = frozenset({"benign_updates", "own_updates"})

    z: float = 20.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.z", self.z)

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        everyone = torch.cat([updates, facts.own_updates])
        mean = row_mean(everyone)
        return self._everywhere(torch.add(mean, row_std(everyone, mean), alpha=self.z)), state
