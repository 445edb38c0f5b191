"""An adaptive attack that hides a common shift in the spread of honest updates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.attacks.lengths import unit
from fedlib.blocks import distances_to, row_mean
from fedlib.federation.facts import Facts
from fedlib.validation import check_name, check_real


@ATTACKS.register("camouflage")
@dataclass(frozen=True)
class Camouflage(Attack):
    """Shift honest updates against the benign mean, by the length that moves the rule most.

    This attack was made for this book, to test rules that compute an Inner and an Outer aggregate
    and let clients vote (clustering_with_outliers, Algorithm 3). Outer leaves out updates that are
    close to each other, and Inner leaves out updates that are far away. Shifted copies of
    honest updates have the spread of honest updates, so neither leaves them out. The length of the
    shift is ``gamma`` times the spread of the benign updates. In each round the attacker tries
    three values: the last gamma, and this gamma multiplied and divided by ``factor``. It keeps the
    gamma that pushes the aggregate farthest.

    Parameters
    ----------
    aim
        The candidate that is pushed if the clients vote on candidates. ``"elected"`` pushes the
        candidate that wins an election held for the trial. In this election the Byzantine clients
        vote for the worse candidate. ``"least"`` pushes the candidate that suffers least.
    direction
        The direction p of the shift. ``"against"`` takes minus the direction of the benign mean.
        ``"sign"`` takes minus its signs.
    start
        The first gamma.
    factor
        The factor between the gammas that are tried.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS, ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> rule = AGGREGATORS["trimmed_mean"](n_byzantine=1)
    >>> own = torch.tensor([[1.0, 2.1, 0.4]])
    >>> facts = Facts(own_updates=own, rule=lambda rows: rule.apply(rows)[0])
    >>> attack = ATTACKS["camouflage"](n_byzantine=1)
    >>> attack.apply(benign, None, facts)[0].round(decimals=2)
    tensor([[0.8600, 1.8400, 0.3600]])
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
        direction, spread = unit(direction), _spread(updates, mean)
        last = mean.new_full((), self.start) if state is None else state
        if self.n_byzantine == 0:
            return own, last
        largest = torch.finfo(mean.dtype).max

        def shifted(gamma: torch.Tensor) -> torch.Tensor:
            # An infinite length times a direction's zero would be NaN.
            return (gamma * spread).clamp(max=largest) * direction

        everyone = torch.cat([updates, own])
        best, furthest = last, torch.full_like(last, -torch.inf)
        for gamma in (last, last * self.factor, last / self.factor):
            everyone[len(updates) :] = own + shifted(gamma)
            pushed = ((follow(everyone) - mean) @ direction).amin()
            best = torch.where(pushed > furthest, gamma, best)
            furthest = torch.maximum(pushed, furthest)
        return own + shifted(best), best


def _spread(updates: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    """Return the root of the mean squared distance of the updates ``(n, d)`` to their mean."""
    spread = distances_to(updates, mean).square().mean().sqrt()
    if bool(spread.isfinite()):
        return spread
    # The squares overflowed, so the values are scaled first.
    largest = updates.abs().amax()
    return distances_to(updates / largest, mean / largest).square().mean().sqrt() * largest
