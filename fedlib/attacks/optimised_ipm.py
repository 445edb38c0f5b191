"""Inner product manipulation (IPM) with the factor that harms the server's rule most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.attacks.base import ATTACKS
from fedlib.attacks.line_search import OptimisedAttack


@ATTACKS.register("optimised_ipm")
@dataclass(frozen=True)
class OptimisedInnerProductManipulation(OptimisedAttack):
    """Send ``-epsilon`` times the benign mean, with the epsilon that makes the rule err most.

    The update is that of Xie et al. (2020). The attacker finds epsilon by trying the server's rule,
    as in byzfl. Allouah et al. (2023) do so too, with another search.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS, ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> rule = AGGREGATORS["mean"]()
    >>> facts = Facts(rule=lambda rows: rule.apply(rows)[0])
    >>> attack = ATTACKS["optimised_ipm"](n_byzantine=1, step=1.0, n_trials=3)
    >>> attack.apply(benign, None, facts)[0].round(decimals=2)
    tensor([[-3.1500, -6.1500, -0.9000]])
    """

    formula: ClassVar[str] = (
        r"b = -\epsilon \, \bar x, \quad \epsilon = \arg\max_\epsilon \lVert F(x, b) - \bar x "
        r"\rVert"
    )

    def _family(
        self, updates: torch.Tensor, mean: torch.Tensor
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda epsilon: -epsilon * mean
