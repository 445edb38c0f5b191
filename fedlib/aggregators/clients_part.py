"""What a rule that knows clients does when not all of them take part in a round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import torch


class ClientsPart:
    """What a rule says of the clients, for federations whose clients come and go."""

    keeps_reputations: ClassVar[bool] = False
    """If true, the state has the clients' ``reputation`` and ``scores``, ``(n_clients,)`` each."""
    knows_clients: ClassVar[bool] = False
    """If true, the state keeps something for each client. A row must then belong to the same client
    in every round."""

    def among(self, present: Sequence[int]) -> Self:
        """Return the rule for a round in which the updates of some clients alone have arrived.

        Parameters
        ----------
        present
            The numbers of these clients in ascending order, one for each row of the updates.

        Returns
        -------
        Aggregator
            The rule. By default it is this rule itself. A rule that knows a client by its number
            returns one that finds this client's row.

        Raises
        ------
        ConfigError
            If the rule cannot do without a client that is not among them.
        """
        return self

    def with_clients(self, state: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
        """Return a state of this rule in which what it keeps of each client is changed.

        Parameters
        ----------
        state
            A state that the rule returned, not None.
        change
            A function of a tensor ``(n_clients, ...)``. It may return another number of rows.

        Returns
        -------
        Any
            The state after the change. It is ``state`` if the rule keeps nothing of each client.
        """
        return state
