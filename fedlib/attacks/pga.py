"""Projected gradient ascent tailored to the server's rule (STAT-OPT)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.attacks.lengths import length, unit
from fedlib.blocks import row_mean, row_std
from fedlib.federation.facts import Facts
from fedlib.parts import Revision
from fedlib.validation import check_name, check_real

# Of the scan: between two gammas, and from the first to the last.
_FACTOR, _FURTHEST = 1.4, 1000.0


@ATTACKS.register("pga")
@dataclass(frozen=True)
class ProjectedGradientAscent(Attack):
    """Shift the benign mean along a direction, by the length that harms the server's rule most.

    All Byzantine clients send ``mean + gamma p``. This is the attack that clustering_with_outliers,
    appendix D.2, calls PGA (projected gradient ascent) after Shejwalkar et al. (2022). Here it is
    the variant STAT-OPT: the direction is fixed, and only gamma is searched. Gamma starts at
    ``start``. In each trial gamma is changed by half of the last step. It is raised if the
    aggregate's distance to the benign mean has grown, and lowered otherwise. Some rules, such as
    Krum, err most at a small gamma. The search may miss this gamma.

    Parameters
    ----------
    perturbation
        The direction p. ``"sign"`` takes minus the sign of the benign mean. ``"unit"`` takes minus
        its direction. ``"std"`` takes minus the standard deviation of each coordinate.
    outward
        If true, p has the opposite sign, as in that appendix.
    start
        The first gamma.
    tolerance
        The search ends when its step is no longer than this.
    search
        How gamma is found. ``"halving"`` is the search above. ``"scan"`` tries ``start`` and then
        always 1.4 times the last gamma, up to a thousand times ``start``, as in the code of
        clustering_with_outliers.
    aim
        The candidate that is pushed if the clients vote on candidates, as with ``side="vote"`` of
        ``mean_with_outliers``. ``"elected"`` is the candidate that wins an election held for the
        trial. ``"least"`` is the candidate that errs least, as in the code of
        clustering_with_outliers.

    Examples
    --------
    >>> import torch
    >>> from fedlib import AGGREGATORS, ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> rule = AGGREGATORS["trimmed_mean"](n_byzantine=1)
    >>> facts = Facts(rule=lambda rows: rule.apply(rows)[0])
    >>> attack = ATTACKS["pga"](n_byzantine=1)
    >>> attack.apply(benign, None, facts)[0].round(decimals=2)
    tensor([[-8.9500, -7.9500, -9.7000]])
    """

    alike: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"b = \bar x + \gamma p, \quad \gamma = \arg\max_\gamma \lVert F(x, b) - \bar x "
        r"\rVert, \quad p = -\operatorname{sgn} \bar x"
    )

    knows: ClassVar[frozenset[str]] = frozenset({"benign_updates", "rule"})
    revisions: ClassVar[tuple[Revision, ...]] = (
        Revision(2, "The search ended after twelve trials, and took any error for a growth."),
    )

    perturbation: str = "sign"
    outward: bool = False
    start: float = 10.0
    tolerance: float = 1e-5
    search: str = "halving"
    aim: str = "elected"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("attack.perturbation", self.perturbation, ("sign", "unit", "std"))
        check_real("attack.start", self.start, 0, open_low=True)
        check_real("attack.tolerance", self.tolerance, 0, open_low=True)
        check_name("attack.search", self.search, ("halving", "scan"))
        check_name("attack.aim", self.aim, ("elected", "least"))
        if self.aim == "least":
            self._set_knows("benign_updates", "candidates")

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        follow = facts.rule if self.aim == "elected" else facts.candidates
        mean = row_mean(updates)
        if self.perturbation == "sign":
            direction = -mean.sign()
        elif self.perturbation == "unit":
            direction = -unit(mean)
        else:
            direction = -row_std(updates, mean)
        if self.outward:
            direction = -direction
        everyone = torch.cat([updates, self._everywhere(mean)])

        def error(gamma: torch.Tensor) -> torch.Tensor:
            everyone[len(updates) :] = mean + gamma * direction
            # One aggregate, or all candidates.
            return length((follow(everyone) - mean).view(-1, len(mean))).amin()

        if self.n_byzantine == 0:
            return self._everywhere(mean), state
        # Tensors throughout: an accelerator need not be waited for.
        best = torch.zeros((), dtype=mean.dtype, device=mean.device)
        gamma, furthest = best + self.start, error(best)
        step = self.start
        for number in range(self._n_trials()):
            distance = error(gamma)
            better = distance > furthest
            best = torch.where(better, gamma, best)
            furthest = torch.where(better, distance, furthest)
            step /= 2
            if self.search == "scan":
                gamma = best.new_full((), self.start * _FACTOR ** (number + 1))
            else:
                gamma = torch.where(better, gamma + step, gamma - step)
        return self._everywhere(mean + best * direction), state

    def _n_trials(self) -> int:
        if self.search == "scan":
            return 1 + math.floor(math.log(_FURTHEST) / math.log(_FACTOR))
        # The first, and one after each step longer than the tolerance. The logarithms are taken
        # apart if the quotient is too large for a float.
        quotient = self.start / self.tolerance
        if math.isinf(quotient):
            return math.ceil(math.log2(self.start) - math.log2(self.tolerance))
        return max(math.ceil(math.log2(quotient)), 1) if quotient else 1
