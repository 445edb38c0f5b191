"""A little is enough (ALIE) with the factor that harms the server's rule most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.attacks.base import ATTACKS
from fedlib.attacks.line_search import OptimisedAttack
from fedlib.blocks import row_std


@ATTACKS.register("optimised_alie")
@dataclass(frozen=True)
class OptimisedALittleIsEnough(OptimisedAttack):
    """Send ``mean - z std`` of the benign updates, with the z that makes the rule err most.

    The update is that of Baruch et al. (2019). The attacker finds z by trying the server's rule, as
    in byzfl. Allouah et al. (2023) do so too, with another search. The standard deviation is that
    of a sample (n - 1). byzfl adds ``z std``. A negative ``step`` has the same effect here.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS, ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> rule = AGGREGATORS["trimmed_mean"](n_byzantine=1)
    >>> facts = Facts(rule=lambda rows: rule.apply(rows)[0])
    >>> attack = ATTACKS["optimised_alie"](n_byzantine=1)
    >>> attack.apply(benign, None, facts)[0].round(decimals=2)
    tensor([[-0.2400,  0.7600, -1.1100]])
    """

    formula: ClassVar[str] = (
        r"b = \bar x - z \operatorname{std}(x), \quad z = \arg\max_z \lVert F(x, b) - \bar x \rVert"
    )

    def _family(
        self, updates: torch.Tensor, mean: torch.Tensor
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        deviation = row_std(updates, mean)
        return lambda z: mean - z * deviation
