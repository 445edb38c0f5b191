"""Reputations, and how well a rule's scores tell Byzantine clients from honest ones."""

from __future__ import annotations

from typing import Any

import torch

from fedlib.federation.federation import Federation, State
from fedlib.parts import Configured
from fedlib.trackers.base import TRACKERS, Played, Tracker, mean_of
from fedlib.validation import ConfigError


@TRACKERS.register("reputation")
class Reputation(Tracker):
    """Record the ``reputation`` of every client at each evaluation, and the ``separation``.

    The separation says how well the rule's scores tell Byzantine clients from honest ones. It is
    the probability that a Byzantine client has a lower score than an honest one (the area under the
    ROC curve), averaged over the rounds since the last evaluation. It is None in a run without
    Byzantine clients.

    Examples
    --------
    >>> from fedlib import AGGREGATORS, ATTACKS, RunConfig, load_dataset, resolve_source, run
    >>> data = resolve_source("circle")
    >>> config = RunConfig(
    ...     data=data, model="elu_4_2", n_clients=10, n_byzantine=2, rounds=40, eval_every=20,
    ...     aggregator=AGGREGATORS["flair"](n_byzantine=2), attack=ATTACKS["ipm"](n_byzantine=2),
    ...     track=("reputation",),
    ... )
    >>> metrics = run(config, load_dataset(data))
    >>> len(metrics["reputation"][-1])  # one of each client
    10
    >>> 0 <= metrics["separation"][-1] <= 1
    True
    """

    def __init__(self, federation: Federation, state: State) -> None:
        super().__init__(federation, state)
        self._separations: list[torch.Tensor] = []

    @classmethod
    def check(cls, run: Configured) -> None:
        """Raise ConfigError if the rule keeps no reputations."""
        if not run.aggregator.keeps_reputations:
            raise ConfigError(
                "track='reputation' is for rules that keep reputations, which "
                f"aggregator={run.aggregator.name!r} does not."
            )

    def watch(self, state: State, played: Played) -> None:
        """Keep the separation of this round."""
        if self.federation.config.n_byzantine:
            found = separation(state.aggregator.scores, self.federation.n_benign)
            self._separations.append(found)

    def report(self, state: State) -> dict[str, Any]:
        """Return the present reputations and the mean separation."""
        found = mean_of(self._separations)
        self._separations.clear()
        return {"reputation": state.aggregator.reputation.tolist(), "separation": found}


def separation(scores: torch.Tensor, n_benign: int) -> torch.Tensor:
    """Return the probability that the score of a Byzantine client is below that of an honest one.

    Parameters
    ----------
    scores
        The scores of all clients, ``(n_clients,)``. Honest clients come first.
    n_benign
        The number of honest clients.

    Returns
    -------
    torch.Tensor
        A number from 0 to 1. Two equal scores count as one half.
    """
    gap = scores[:n_benign, None] - scores[None, n_benign:]
    return ((gap > 0).double() + (gap == 0).double() / 2).mean()
