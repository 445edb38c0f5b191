"""Reputation from history: what FLAIR and Gradient Guard share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from fedlib.aggregators.base import Aggregator
from fedlib.blocks import weighted_sum
from fedlib.federation.facts import Facts
from fedlib.parts import Revision
from fedlib.validation import check_name, check_real


class State(NamedTuple):
    """Reputations and the round's scores ``(n,)``, and the direction ``(n_parameters,)``."""

    reputation: torch.Tensor
    direction: torch.Tensor
    scores: torch.Tensor


@dataclass(frozen=True)
class ReputationRule(Aggregator):
    """Base: a round's scores lower or raise reputations; their softmax weighs the updates.

    gradient_guard, Algorithm 1, lines 5 to 9, which are FLAIR's (Sharma et al., 2023). A penalty is
    ``-(1 - 2 f / n)``, a reward ``2 f / n``. The state is a :class:`State`, whose
    direction is the sign of the last aggregate. Clients that tie across the limit share what is
    left of the penalties among them, so that neither their order matters nor colluders who send
    the same escape. At most half of the clients may be Byzantine, less than half with ``"both"``,
    where half of them would penalise everyone alike.

    Parameters
    ----------
    decay
        Share of the last reputation that stays, mu_d in the papers.
    penalised
        Whose scores are: the ``n_byzantine`` ``"lowest"``, as many ``"highest"``, or ``"both"``.
    """

    keeps_reputations: ClassVar[bool] = True
    knows_clients: ClassVar[bool] = True
    revisions: ClassVar[tuple[Revision, ...]] = (
        Revision(2, "Clients that tied across the limit were not penalised at all."),
    )

    decay: float = 0.99
    penalised: str = "both"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("aggregator.decay", self.decay, 0, 1)
        check_name("aggregator.penalised", self.penalised, ("lowest", "highest", "both"))

    def _max_byzantine(self, n_clients: int) -> int:
        return (n_clients - 1) // 2 if self.penalised == "both" else n_clients // 2

    def _aggregate(
        self, updates: torch.Tensor, state: State | None, facts: Facts
    ) -> tuple[torch.Tensor, State]:
        n, share = len(updates), 2 * self.n_byzantine / len(updates)
        zero = updates.new_zeros(n, dtype=torch.float64)
        before = State(zero, torch.zeros_like(updates[0]), zero) if state is None else state
        scores = self._judged(updates, before.direction, facts)
        reputation = self.decay * before.reputation + share - self._penalties(scores)
        aggregate = weighted_sum(updates, reputation.softmax(0))
        return aggregate, State(reputation, aggregate.sign(), scores)

    def led_by(self, state: State, aggregate: torch.Tensor) -> State:
        """``state`` where the server goes along ``aggregate`` ``(d,)``, not the rule's own."""
        return state._replace(direction=aggregate.sign())

    def _penalties(self, scores: torch.Tensor) -> torch.Tensor:
        """Each client's share of a penalty, ``(n,)`` from 0 to 1; ``n_byzantine`` in all an end."""
        f = self.n_byzantine
        ends = {"lowest": (scores,), "highest": (-scores,), "both": (scores, -scores)}
        penalty = torch.zeros_like(scores)
        for values in ends[self.penalised] if f else ():
            limit = values.sort().values[f - 1]
            below, level = values < limit, values == limit
            penalty += below + level * ((f - below.sum()) / level.sum())
        return penalty

    def _judged(self, updates: torch.Tensor, direction: torch.Tensor, facts: Facts) -> torch.Tensor:
        """The round's scores: by the last direction, unless a rule has another reference."""
        return self.scores(updates, direction, facts)

    @abstractmethod
    def scores(self, updates: torch.Tensor, direction: torch.Tensor, facts: Facts) -> torch.Tensor:
        """A number for each client, ``(n,)`` in float64; updates ``(n, d)`` without NaN or Inf.

        ``direction`` ``(d,)`` is the sign of an aggregate, or zero where there was none.
        """
