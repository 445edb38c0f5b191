"""Directed deviation: full-trim against the trimmed mean and median, full-Krum against Krum.

The attacks are those of Fang et al. (2020), with updates in place of models. The aggregate is to
move against the direction in which the benign updates would change the model. Here this is the
direction of their mean. In the text it is the direction of the aggregate without the attack. Public
code uses one or the other.
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

# No lambda below the smallest float is tried, however small the updates are.
_LEAST = torch.finfo(torch.float64).tiny


@dataclass(frozen=True)
class DirectedDeviation(Attack):
    """Base.

    Parameters
    ----------
    knowledge
        What the attacker knows. With ``"full"`` it knows all benign updates. With ``"partial"`` it
        knows only the updates that its own clients would send if they were honest. It estimates the
        other updates from these.
    """

    knowledge: str = "full"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("attack.knowledge", self.knowledge, ("full", "partial"))
        self._set_knows("benign_updates" if self.knowledge == "full" else "own_updates")

    def _known(self, updates: torch.Tensor, facts: Facts) -> torch.Tensor:
        if self.knowledge == "full":
            return updates
        return facts.own_updates


@ATTACKS.register("full_trim")
@dataclass(frozen=True)
class FullTrim(DirectedDeviation):
    """Send values just beyond the benign ones, on the side that opposes the benign mean.

    The attack is that of Fang et al. (2020). With full knowledge each value is drawn uniformly
    beyond the benign extreme. The range ends at ``b`` times the extreme or at the extreme divided
    by ``b``, whichever is further out. With partial knowledge each value is drawn between 3 and 4
    standard deviations from the mean. The standard deviation is that of a sample (n - 1), and
    public code divides by n. The direction is that of the benign mean. In the text it is that of
    the aggregate without the attack. The state is the number of past rounds.

    Parameters
    ----------
    b
        This number says how far out the values are drawn. It is 2 in the paper.
    seed
        The seed of the draws.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> attack = ATTACKS["full_trim"](n_byzantine=1)
    >>> attack.apply(benign)[0].round(decimals=2)
    tensor([[0.8300, 1.3400, 0.0900]])
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
        upwards = mean < 0  # where the benign updates are negative, push the aggregate up
        if self.knowledge == "full":
            lowest, highest = known.amin(0), known.amax(0)
            above = torch.where(highest > 0, self.b * highest, highest / self.b)
            below = torch.where(lowest > 0, lowest / self.b, self.b * lowest)
            near, far = torch.where(upwards, highest, lowest), torch.where(upwards, above, below)
        else:
            away = torch.where(upwards, 1.0, -1.0).to(mean.dtype) * row_std(known, mean)
            near, far = mean + 3 * away, mean + 4 * away
        # Both ends are finite, because the difference of two infinite ends would be NaN.
        largest = torch.finfo(mean.dtype).max
        near, far = near.clamp(-largest, largest), far.clamp(-largest, largest)
        # On the CPU, so that a run has the same draws on every device.
        generator = torch.Generator().manual_seed(derived_seed(self.seed, self.name, rounds))
        draw = torch.rand(self.n_byzantine, len(mean), generator=generator).to(mean)
        return near + draw * (far - near), rounds + 1


@ATTACKS.register("full_krum")
@dataclass(frozen=True)
class FullKrum(DirectedDeviation):
    """Send ``-lambda sign(mean)`` with the largest lambda with which Krum chooses this update.

    The attack is that of Fang et al. (2020). Lambda starts at its upper bound. It is halved until
    Krum would take a Byzantine update, or until it is below ``least``. All Byzantine clients send
    the same update, but the text lets the updates differ a little. The signs are those of the
    benign mean. In the text they are those of the aggregate without the attack.

    With partial knowledge the attacker's own honest updates stand for the benign ones. The attacker
    first tries one Byzantine update together with them. If it finds no lambda, it tries two, and so
    on. It does not begin with as many Byzantine updates as it has clients, because these equal
    updates would be each other's neighbours. Krum would then choose them with any lambda.

    With full knowledge the attack is not defined if ``2 f >= n - 1``. The ``n - f - 2`` nearest
    neighbours of a Byzantine update are then the other Byzantine updates, which are equal to it. So
    its Krum score is 0 with every lambda. Lambda stays at its upper bound. In the formula of this
    bound, ``n - 2 f - 1`` is then taken as 1.

    An update with a NaN or an Inf counts as the zero update, which the server takes it for. Lambda
    is at most the largest float of the updates' dtype.

    Parameters
    ----------
    least
        The search gives up below this lambda. It is 1e-5 in the paper.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS
    >>> benign = torch.tensor([[2.0, -1, 1], [-1, 2, 1], [1, 1, -2], [-1, -1, 1]])
    >>> attack = ATTACKS["full_krum"](n_byzantine=1)
    >>> attack.apply(benign)[0].round(decimals=2)
    tensor([[-0.7900, -0.7900, -0.7900]])
    """

    alike: ClassVar[bool] = True
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
        known = torch.where(known.isfinite().all(1, keepdim=True), known, 0.0)
        sign, lengths, scale = row_mean(known).sign(), row_norms(known), 1.0
        if bool(lengths.isinf().any()):
            # The squares of the lengths overflow, so the search is one among shorter updates.
            scale = float(known.abs().amax())
            known = known / scale
            lengths = row_norms(known)
        squared, along = pairwise_squared_distances(known), inner_products(known, sign)
        changed, least = float(sign.abs().sum()), max(self.least / scale, _LEAST)
        furthest = torch.finfo(known.dtype).max / scale

        def distances(lam: float) -> torch.Tensor:
            """Squared, of the known updates to ``-lam sign``."""
            return lengths.square() + 2 * lam * along + lam**2 * changed

        lam, root = 0.0, known.shape[1] ** 0.5
        for copies in (f,) if self.knowledge == "full" else range(1, f + 1):
            bound = _bound(squared, float(lengths.max()) / root, root, copies)
            lam = _largest(squared, distances, min(bound, furthest), least, copies)
            if lam >= least:
                break
        return self._everywhere(-(lam * scale) * sign), state


def _assumed(copies: int, benign: int) -> int:
    """Return how many Byzantine clients the attacker's Krum assumes. It needs a neighbour."""
    return max(min(copies, benign + copies - 3), 0)


def _bound(squared: torch.Tensor, extent: float, root: float, copies: int) -> float:
    """Return the upper bound of lambda, where ``copies`` Byzantine updates are sent.

    ``squared`` holds the squared distances between the known updates. ``extent`` is the length of
    the longest of them over ``root``, which is the root of the number of parameters.
    """
    n, f = len(squared) + copies, _assumed(copies, len(squared))
    others = squared.sqrt().sort(dim=1).values[:, 1 : n - f - 1].sum(1)
    return float(others.min()) / (max(n - 2 * f - 1, 1) * root) + extent


def _largest(
    squared: torch.Tensor,
    distances: Callable[[float], torch.Tensor],
    bound: float,
    least: float,
    copies: int,
) -> float:
    """Return the largest lambda with which Krum takes a copy, or a lambda below ``least``.

    ``squared`` holds the squared distances between the known updates, and ``distances`` gives those
    to the copies. The search begins at ``bound``.
    """
    benign, lam = len(squared), bound
    f = _assumed(copies, benign)
    table = squared.new_zeros(benign + copies, benign + copies)
    table[:benign, :benign] = squared
    while lam >= least:
        away = distances(lam)
        table[:benign, benign:] = away[:, None]
        table[benign:, :benign] = away
        scores = krum_scores(table, f)
        if bool(scores[benign] < scores[:benign].min()):
            break
        lam /= 2
    return lam
