"""Reputation from history: what FLAIR and Gradient Guard share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from fedlib.aggregators.base import Aggregator, AggregatorContext
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
    direction is the sign of the last aggregate. Clients that tie across the
    limit are not penalised. At most half of the clients may be Byzantine.

    Parameters
    ----------
    decay
        Share of the last reputation that stays, mu_d in the papers.
    penalised
        Whose scores are: the ``n_byzantine`` ``"lowest"``, as many ``"highest"``, or ``"both"``.
    """

    keeps_reputations: ClassVar[bool] = True

    decay: float = 0.99
    penalised: str = "both"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("aggregator.decay", self.decay, 0, 1)
        check_name("aggregator.penalised", self.penalised, ("lowest", "highest", "both"))

    def _max_byzantine(self, n_clients: int) -> int:
        return n_clients // 2

    def _aggregate(
        self, updates: torch.Tensor, state: State | None, context: AggregatorContext | None
    ) -> tuple[torch.Tensor, State]:
        n, share = len(updates), 2 * self.n_byzantine / len(updates)
        zero = updates.new_zeros(n, dtype=torch.float64)
        before = State(zero, torch.zeros_like(updates[0]), zero) if state is None else state
        scores = self._scores(updates, before.direction, context)
        suspect = self._suspects(scores)
        reputation = self.decay * before.reputation + torch.where(suspect, share - 1, share)
        aggregate = reputation.softmax(0).to(updates.dtype) @ updates
        return aggregate, State(reputation, aggregate.sign(), scores)

    def _suspects(self, scores: torch.Tensor) -> torch.Tensor:
        """Who is penalised, ``(n,)`` of bool."""
        f = self.n_byzantine
        ordered = scores.sort().values
        if f == 0:
            return torch.zeros_like(scores, dtype=torch.bool)
        low, high = scores < ordered[f], scores > ordered[-f - 1]
        return {"lowest": low, "highest": high, "both": low | high}[self.penalised]

    @abstractmethod
    def _scores(
        self, updates: torch.Tensor, direction: torch.Tensor, context: AggregatorContext | None
    ) -> torch.Tensor:
        """A number for each client, ``(n,)`` in float64."""
