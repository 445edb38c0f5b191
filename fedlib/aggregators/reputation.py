"""The reputations of clients from their history, which FLAIR and Gradient Guard share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch

from fedlib.aggregators.base import Aggregator
from fedlib.aggregators.states import Kept
from fedlib.blocks import weighted_sum
from fedlib.federation.facts import Facts
from fedlib.parts import Revision
from fedlib.validation import check_name, check_real


class State(NamedTuple):
    """The reputations and the round's scores, ``(n,)`` each, and the direction ``(n_parameters,)``.

    The direction is the sign of the last aggregate.
    """

    reputation: torch.Tensor
    direction: torch.Tensor
    scores: torch.Tensor


@dataclass(frozen=True)
class ReputationRule(Aggregator):
    """Base class of the rules in which the softmax of reputations weighs the updates.

    The scores of a round lower or raise the reputations. The rule is Algorithm 1, lines 5 to 9, of
    gradient_guard. These lines are FLAIR's (Sharma et al., 2023). A penalty is ``-(1 - 2 f / n)``,
    and a reward is ``2 f / n``. The state is a :class:`State`, whose direction is the sign of the
    last aggregate. If several clients have the score at the limit, they share the rest of the
    penalties. So their order does not matter, and colluders that send the same update do not
    escape.

    At most half of the clients may be Byzantine. With ``"both"`` fewer than half of the clients may
    be Byzantine. Otherwise every client would get a penalty.

    Parameters
    ----------
    decay
        This is the share of the last reputation that stays in a round, mu_d in the text of
        gradient_guard.
    penalised
        This says whose scores are penalised. ``"lowest"`` penalises the ``n_byzantine`` lowest
        scores, ``"highest"`` penalises as many of the highest, and ``"both"`` penalises both.
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

    def _state_like(self, updates: torch.Tensor, facts: Facts) -> Any:
        n, d = updates.shape
        of_clients = Kept((n,), torch.float64)
        like: Any = (of_clients, Kept((d,), updates.dtype), of_clients)
        return State(*like)

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
        """Return ``state`` with the direction of ``aggregate``, along which the server steps.

        Parameters
        ----------
        state
            The state that the watched rule returned in this round.
        aggregate
            The aggregate ``(n_parameters,)`` along which the server steps instead of the rule's.

        Returns
        -------
        State
            The state for the next round.
        """
        return state._replace(direction=aggregate.sign())

    def with_clients(self, state: State, change: Callable[[torch.Tensor], torch.Tensor]) -> State:
        return state._replace(reputation=change(state.reputation), scores=change(state.scores))

    def _penalties(self, scores: torch.Tensor) -> torch.Tensor:
        """Return how much of a penalty each client gets, ``(n,)``, from its score ``(n,)``.

        A client's share is from 0 to 1 for each penalised end. The shares of an end have the sum
        ``n_byzantine``.
        """
        f = self.n_byzantine
        ends = {"lowest": (scores,), "highest": (-scores,), "both": (scores, -scores)}
        penalty = torch.zeros_like(scores)
        for values in ends[self.penalised] if f else ():
            limit = values.sort().values[f - 1]
            below, level = values < limit, values == limit
            penalty += below + level * ((f - below.sum()) / level.sum())
        return penalty

    def _judged(self, updates: torch.Tensor, direction: torch.Tensor, facts: Facts) -> torch.Tensor:
        """Return the scores ``(n,)``, by the last direction unless a rule has another reference."""
        return self.scores(updates, direction, facts)

    @abstractmethod
    def scores(self, updates: torch.Tensor, direction: torch.Tensor, facts: Facts) -> torch.Tensor:
        """Compute the score of each client.

        Parameters
        ----------
        updates
            The updates ``(n, d)``, without NaN or Inf.
        direction
            The sign of the last aggregate, ``(d,)``. It is zero if there was no aggregate.
        facts
            The facts that the rule ``needs``.

        Returns
        -------
        torch.Tensor
            The scores ``(n,)`` in float64.
        """
