"""The camouflage attack hides a common shift in the spread of the honest updates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.blocks import distances_to, row_mean
from fedlib.federation.facts import Facts
from fedlib.validation import check_name, check_real


@ATTACKS.register("camouflage")
@dataclass(frozen=True)
class Camouflage(Attack):
    """Send honest updates, all shifted against the benign mean as far as the server follows.

    This book invented the attack as a probe. It aims at rules that propose an Inner and an Outer
    aggregate and let the clients vote (2PRASHB, clustering_with_outliers, Algorithm 3). Outer would
    leave out vectors that agree with each other, and Inner would leave out vectors that are far
    away. Shifted copies of honest updates have the spread of honest updates, so both aggregates
    contain them. The length of the shift is ``gamma``, in units of the spread of the benign
    updates. In each round the attack tries the last gamma, that gamma times ``factor``, and that
    gamma divided by ``factor``. It keeps the gamma that pushes the aggregate farthest. The state is
    this gamma.

    Parameters
    ----------
    aim
        The aggregate that the attack watches if the rule has a vote. With ``"elected"``, the
        default, it is the candidate that wins an election held for the trial, in which the
        Byzantine clients vote for the worse candidate. With ``"least"`` it is the candidate that is
        pushed least.
    direction
        The direction p of the shift. ``"against"``, the default, is the opposite of the direction
        of the benign mean. ``"sign"`` takes the opposite signs of the benign mean.
    start
        The first gamma. The defaults of this attack are choices of this book.
    factor
        The ratio between neighbouring gammas that are tried. It must be greater than 1.
    """

    formula: ClassVar[str] = (
        r"b_j = o_j + \gamma s p, \quad \gamma = \arg\max_\gamma \langle F(x, b) - \bar x, p "
        r"\rangle, \quad p = -\frac{\bar x}{\lVert \bar x \rVert}, \quad s^2 = \tfrac{1}{n - f} "
        r"\sum_i \lVert x_i - \bar x \rVert^2"
    )

    knows: ClassVar[frozenset[str]] = frozenset({"benign_updates", "own_updates", "rule"})

    aim: str = "elected"
    direction: str = "against"
    start: float = 1.0
    factor: float = 1.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("attack.aim", self.aim, ("elected", "least"))
        if self.aim == "least":
            self._set_knows("benign_updates", "own_updates", "candidates")
        check_name("attack.direction", self.direction, ("against", "sign"))
        check_real("attack.start", self.start, 0, open_low=True)
        check_real("attack.factor", self.factor, 1, open_low=True)

    def _attack(
        self, updates: torch.Tensor, state: torch.Tensor | None, facts: Facts
    ) -> tuple[torch.Tensor, torch.Tensor]:
        own = facts.own_updates
        follow = facts.rule if self.aim == "elected" else facts.candidates
        mean = row_mean(updates)
        direction = -mean if self.direction == "against" else -mean.sign()
        direction = direction / direction.norm().clamp(min=torch.finfo(mean.dtype).tiny)
        spread = distances_to(updates, mean).square().mean().sqrt()
        last = mean.new_full((), self.start) if state is None else state
        if self.n_byzantine == 0:
            return own, last
        everyone = torch.cat([updates, own])
        best, furthest = last, torch.full_like(last, -torch.inf)
        for gamma in (last, last * self.factor, last / self.factor):
            everyone[len(updates) :] = own + gamma * spread * direction
            pushed = ((follow(everyone) - mean) @ direction).amin()
            best = torch.where(pushed > furthest, gamma, best)
            furthest = torch.maximum(pushed, furthest)
        return own + best * spread * direction, best
