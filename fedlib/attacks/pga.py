"""Projected gradient ascent (STAT-OPT) is an attack that is tailored to the server's rule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.blocks import row_mean, row_std
from fedlib.federation.facts import Facts
from fedlib.parts import Revision
from fedlib.validation import check_name, check_real

# The ratio between neighbouring gammas of a scan, and the ratio between the last and the first.
_FACTOR, _FURTHEST = 1.4, 1000.0


@ATTACKS.register("pga")
@dataclass(frozen=True)
class ProjectedGradientAscent(Attack):
    """Push the benign mean along a direction as far as makes the server's rule err most.

    All Byzantine clients send ``mean + gamma p``. The attack comes from Shejwalkar and Houmansadr
    (2021), and clustering_with_outliers describes it in appendix D.2, too. Gamma starts at
    ``start``. Each step is half as long as the last one. It goes up if the distance of the
    aggregate to the benign mean has grown, and down if it has not. This search is local. It may
    miss the worst gamma of a rule that errs most at a small gamma only, as Krum does.

    Parameters
    ----------
    perturbation
        The direction p. ``"sign"``, the default, is the opposite of the sign of the benign mean.
        ``"unit"`` is the opposite of its direction. ``"std"`` is minus the standard deviation of
        each coordinate.
    outward
        Whether p has the other sign, as appendix D.2 of clustering_with_outliers prints it. The
        default is False.
    start
        The first gamma that is tried.
    tolerance
        The step of gamma at which the search ends. It ends when a step is not longer than this.
    search
        The way in which gamma is searched. ``"halving"``, the default, is the search described
        above. ``"scan"`` tries ``start``, and then gammas that are each 1.4 times the last one, up
        to a thousand times ``start``, as in the code of clustering_with_outliers.
    aim
        The aggregate that the attack watches if the rule has a vote. With ``"elected"``, the
        default, it is the candidate that wins an election held for the trial. With ``"least"`` it
        is the candidate that errs least, as in the code of clustering_with_outliers.
    """

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
            direction = -mean / mean.norm().clamp(min=torch.finfo(mean.dtype).tiny)
        else:
            direction = -row_std(updates, mean)
        if self.outward:
            direction = -direction
        everyone = torch.cat([updates, self._everywhere(mean)])

        def error(gamma: torch.Tensor) -> torch.Tensor:
            """Return the least distance of an aggregate to the benign mean at ``gamma``."""
            everyone[len(updates) :] = mean + gamma * direction
            # The result of follow() is one aggregate, or a matrix of all candidates.
            return (follow(everyone) - mean).view(-1, len(mean)).norm(dim=1).amin()

        if self.n_byzantine == 0:
            return self._everywhere(mean), state
        # All values stay tensors, so that Python need not wait for an accelerator.
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
        """Return the number of gammas that are tried."""
        if self.search == "scan":
            return 1 + math.floor(math.log(_FURTHEST) / math.log(_FACTOR))
        # One trial is the first gamma, and one follows each step longer than the tolerance.
        return max(math.ceil(math.log2(self.start / self.tolerance)), 1)
