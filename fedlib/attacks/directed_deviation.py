"""Directed deviation attacks move the aggregate against the direction of the benign updates.

Full-trim aims at the trimmed mean and the median, and full-Krum aims at Krum. Both come from Fang
et al. (2020), with updates in place of models. The aggregate shall move against the direction in
which the benign updates would change the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.blocks import (
    inner_products,
    krum_scores,
    pairwise_squared_distances,
    row_mean,
    row_norms,
    row_std,
)
from fedlib.federation.facts import Facts
from fedlib.seeds import derived_seed
from fedlib.validation import check_int, check_name, check_real


@dataclass(frozen=True)
class DirectedDeviation(Attack):
    """This is the base class of the attacks of Fang et al. (2020).

    Parameters
    ----------
    knowledge
        The updates that the attacker knows. With ``"full"``, the default, it knows all benign
        updates. With ``"partial"`` it knows the updates that its own clients would send if they
        were honest, and it estimates the updates of the others from these.
    """

    knowledge: str = "full"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("attack.knowledge", self.knowledge, ("full", "partial"))
        self._set_knows("benign_updates" if self.knowledge == "full" else "own_updates")

    def _known(self, updates: torch.Tensor, facts: Facts) -> torch.Tensor:
        """Return the honest updates that the attacker knows, ``(n_known, n_parameters)``."""
        if self.knowledge == "full":
            return updates
        return facts.own_updates


@ATTACKS.register("full_trim")
@dataclass(frozen=True)
class FullTrim(DirectedDeviation):
    """Send values just beyond the benign ones, on the side that opposes the benign mean.

    The attack comes from Fang et al. (2020). Each value is drawn from a uniform distribution. With
    full knowledge this distribution starts at the extreme benign value. It ends at ``b`` times that
    value or at that value divided by ``b``, whichever is further out. With partial knowledge it
    lies between 3 and 4 standard deviations from the mean. The state is the number of past rounds.

    Parameters
    ----------
    b
        The factor that decides how far out the values are drawn with full knowledge. It must be
        greater than 1. The default, 2, comes from the paper.
    seed
        The seed of the random draws.
    """

    formula: ClassVar[str] = (
        r"b_{jk} \sim \mathcal U(x_{(n - f) k}, b \, x_{(n - f) k}) \text{ if } \bar x_k < 0, "
        r"\text{ else beyond } x_{(1) k}"
    )

    b: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.b", self.b, 1, open_low=True)
        check_int("attack.seed", self.seed, 0)

    def init(self, n_clients: int, n_parameters: int) -> int:
        super().init(n_clients, n_parameters)
        return 0

    def _attack(
        self, updates: torch.Tensor, state: int | None, facts: Facts
    ) -> tuple[torch.Tensor, int]:
        known, rounds = self._known(updates, facts), state or 0
        if self.n_byzantine == 0:
            return updates[:0], rounds + 1
        mean = row_mean(known)
        upwards = mean < 0  # The aggregate is pushed up where the benign mean is negative.
        if self.knowledge == "full":
            lowest, highest = known.amin(0), known.amax(0)
            above = torch.where(highest > 0, self.b * highest, highest / self.b)
            below = torch.where(lowest > 0, lowest / self.b, self.b * lowest)
            near, far = torch.where(upwards, highest, lowest), torch.where(upwards, above, below)
        else:
            away = torch.where(upwards, 1.0, -1.0).to(mean.dtype) * row_std(known, mean)
            near, far = mean + 3 * away, mean + 4 * away
        # The numbers are drawn on the CPU, so that a run has the same draws on every device.
        generator = torch.Generator().manual_seed(derived_seed(self.seed, self.name, rounds))
        draw = torch.rand(self.n_byzantine, len(mean), generator=generator).to(mean)
        return near + draw * (far - near), rounds + 1


@ATTACKS.register("full_krum")
@dataclass(frozen=True)
class FullKrum(DirectedDeviation):
    """Send ``-lambda sign(mean)`` with the largest lambda that was tried and that Krum accepts.

    The attack comes from Fang et al. (2020). Lambda starts at its upper bound. It is halved until
    Krum would select a Byzantine update, or until lambda is below ``least``. All Byzantine clients
    send the same update.

    With partial knowledge the attacker's own honest updates stand for the benign updates. The
    attacker first tries one Byzantine update among them, and it adds more, one by one, as long as
    it finds no lambda. If it tried as many Byzantine updates as there are honest ones at once, the
    equal updates would be each other's neighbours, and Krum would accept any lambda.

    The same happens with full knowledge where ``2 f >= n - 1``, for which the attack is not
    defined. The ``n - f - 2`` nearest neighbours of a Byzantine update are then its copies, so that
    its score in the attacker's Krum is 0. Lambda stays at its upper bound, and this bound takes
    ``n - 2 f - 1`` as 1.

    Parameters
    ----------
    least
        The lambda below which the attacker gives up. The default, 1e-5, comes from the paper.
    """

    formula: ClassVar[str] = (
        r"b = -\lambda \operatorname{sgn} \bar x, \quad \lambda \text{ the largest tried with "
        r"} b = \operatorname{Krum}(x, b, \dots, b)"
    )

    least: float = 1e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.least", self.least, 0, open_low=True)

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        known, f = self._known(updates, facts), self.n_byzantine
        if f == 0:
            return updates[:0], state
        sign = row_mean(known).sign()
        squared, along = pairwise_squared_distances(known), inner_products(known, sign)
        lengths, changed = row_norms(known), float(sign.abs().sum())

        def distances(lam: float) -> torch.Tensor:
            """Return the squared distances ``(n_known,)`` of the updates to ``-lam sign``."""
            return lengths.square() + 2 * lam * along + lam**2 * changed

        lam, root = 0.0, known.shape[1] ** 0.5
        for copies in (f,) if self.knowledge == "full" else range(1, f + 1):
            lam = self._largest(squared, distances, float(lengths.max()) / root, root, copies)
            if lam >= self.least:
                break
        return self._everywhere(-lam * sign), state

    def _largest(
        self,
        squared: torch.Tensor,
        distances: Callable[[float], torch.Tensor],
        extent: float,
        root: float,
        copies: int,
    ) -> float:
        """Return the largest tried lambda that Krum accepts, or a lambda below ``least``.

        Parameters
        ----------
        squared
            The squared distances between the known updates, ``(n_known, n_known)``.
        distances
            The function that maps a lambda to the squared distances ``(n_known,)`` between the
            known updates and the Byzantine update.
        extent
            The length of the longest known update, divided by ``root``.
        root
            The square root of the number of parameters.
        copies
            The number of equal Byzantine updates that are tried.
        """
        benign = len(squared)
        n = benign + copies
        # Krum needs at least one neighbour to compute a score.
        f = max(min(copies, n - 3), 0)
        others = squared.sqrt().sort(dim=1).values[:, 1 : n - f - 1].sum(1)
        lam = float(others.min()) / (max(n - 2 * f - 1, 1) * root) + extent
        table = squared.new_zeros(n, n)
        table[:benign, :benign] = squared
        while lam >= self.least:
            away = distances(lam)
            table[:benign, benign:] = away[:, None]
            table[benign:, :benign] = away
            scores = krum_scores(table, f)
            if bool(scores[benign] < scores[:benign].min()):
                break
            lam /= 2
        return lam
