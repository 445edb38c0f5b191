"""Projected gradient ascent tailored to the server's rule (STAT-OPT)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack, AttackContext
from fedlib.blocks import row_mean, row_std
from fedlib.validation import check_int, check_name, check_real


@ATTACKS.register("pga")
@dataclass(frozen=True)
class ProjectedGradientAscent(Attack):
    """Push the benign mean as far along a direction as makes the server's rule err most.

    All Byzantine clients send ``mean + gamma p`` (Shejwalkar and Houmansadr, 2021; also in
    clustering_with_outliers, appendix D.2). Gamma starts at ``start`` and is moved by half the last
    step, up if the aggregate's distance to the benign mean has grown, else down.

    Parameters
    ----------
    perturbation
        p: ``"sign"``, minus the sign of the benign mean; ``"unit"``, minus its direction;
        ``"std"``, minus the deviation of each coordinate.
    outward
        With True, p has the other sign, as that appendix prints it.
    start
        First gamma.
    n_steps
        How often the rule is tried.
    """

    formula: ClassVar[str] = (
        r"b = \bar x + \gamma p, \quad \gamma = \arg\max_\gamma \lVert F(x, b) - \bar x "
        r"\rVert, \quad p = -\operatorname{sgn} \bar x"
    )

    knows: ClassVar[frozenset[str]] = frozenset({"benign_updates", "rule"})

    perturbation: str = "sign"
    outward: bool = False
    start: float = 10.0
    n_steps: int = 12

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("attack.perturbation", self.perturbation, ("sign", "unit", "std"))
        check_real("attack.start", self.start, 0, open_low=True)
        check_int("attack.n_steps", self.n_steps, 1)

    def _attack(
        self, updates: torch.Tensor, state: Any, context: AttackContext
    ) -> tuple[torch.Tensor, Any]:
        rule = context.rule
        assert rule is not None
        mean = row_mean(updates)
        if self.perturbation == "sign":
            direction = -mean.sign()
        elif self.perturbation == "unit":
            direction = -mean / mean.norm().clamp(min=torch.finfo(mean.dtype).tiny)
        else:
            direction = -row_std(updates, mean)
        if self.outward:
            direction = -direction
        n_benign = len(updates)
        everyone = torch.cat([updates, self._everywhere(mean)])
        # Tensors throughout: an accelerator need not be waited for.
        gamma = torch.full((), self.start, dtype=mean.dtype, device=mean.device)
        best, furthest, step = torch.zeros_like(gamma), torch.zeros_like(gamma), self.start
        for _ in range(self.n_steps if self.n_byzantine else 0):
            everyone[n_benign:] = mean + gamma * direction
            distance = (rule(everyone) - mean).norm()
            better = distance > furthest
            best = torch.where(better, gamma, best)
            furthest = torch.where(better, distance, furthest)
            step /= 2
            gamma = torch.where(better, gamma + step, gamma - step)
        return self._everywhere(mean + best * direction), state
