"""What a rule keeps from round to round while not every client takes part in each of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import torch

from fedlib.aggregators.base import Aggregator


class Numbers:
    """The numbers of the clients. A client gets one when it is first heard of, and keeps it."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def know(self, clients: Iterable[Hashable]) -> None:
        """Number the clients that are new, in ascending order."""
        new: list[Any] = [client for client in clients if client not in self._numbers]
        try:
            new.sort()
        except TypeError:  # Names of different types have no order but that of their texts.
            new.sort(key=repr)
        for client in new:
            self._numbers[client] = len(self._numbers)

    @property
    def clients(self) -> list[Hashable]:
        """All clients that are known, by their numbers."""
        return list(self._numbers)

    def in_order(self, clients: Iterable[Hashable]) -> list[Hashable]:
        """Return clients in the order of their numbers. Those that are new get one first."""
        clients = list(clients)
        self.know(clients)
        return sorted(clients, key=self._numbers.__getitem__)

    def of(self, clients: Iterable[Hashable]) -> list[int]:
        """Return the numbers of known clients."""
        return [self._numbers[client] for client in clients]


class Memory:
    """The state of a rule for all clients that have numbers.

    A client that has not taken part yet stands in the state as at the beginning, with zeros.

    Parameters
    ----------
    rule
        The rule.
    numbers
        The numbers of the clients. More may be added at any time.
    """

    def __init__(self, rule: Aggregator, numbers: Numbers) -> None:
        self._rule = rule
        self._numbers = numbers
        self.state: Any = None

    def of(self, clients: Sequence[Hashable]) -> tuple[Aggregator, Any]:
        """Return the rule and its state for a round in which these clients take part, in order."""
        if not self._rule.knows_clients:
            return self._rule, self.state
        present = self._numbers.of(clients)
        rule = self._rule.among(present)
        if self.state is None:
            return rule, None
        return rule, rule.with_clients(self.state, lambda kept: self._grown(kept)[present])

    def keep(self, clients: Sequence[Hashable], state: Any) -> None:
        """Keep the state that the rule returned for a round of these clients.

        Of the clients that did not take part, what was kept before stays.
        """
        if not self._rule.knows_clients or state is None:
            self.state = state
            return
        present = self._numbers.of(clients)
        before: list[torch.Tensor] = []
        if self.state is not None:
            self._rule.with_clients(self.state, lambda kept: _noted(kept, before))
        parts = iter(before)

        def merged(now: torch.Tensor) -> torch.Tensor:
            all_clients = self._grown(next(parts, now.new_zeros(0, *now.shape[1:]))).clone()
            all_clients[present] = now
            return all_clients

        self.state = self._rule.with_clients(state, merged)

    def _grown(self, kept: torch.Tensor) -> torch.Tensor:
        """Return what is kept with zeros for clients that are newer, ``(n_clients, ...)``."""
        missing = len(self._numbers.clients) - len(kept)
        return torch.cat([kept, kept.new_zeros(missing, *kept.shape[1:])])


def _noted(kept: torch.Tensor, into: list[torch.Tensor]) -> torch.Tensor:
    into.append(kept)
    return kept
