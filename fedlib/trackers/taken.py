"""How often the server takes the update of a Byzantine client."""

from __future__ import annotations

from typing import Any

import torch

from fedlib.federation.federation import Federation, State
from fedlib.trackers.base import TRACKERS, Played, Tracker, mean_of


@TRACKERS.register("taken")
class Taken(Tracker):
    """Record ``byzantine_taken``: how often the server stepped along a Byzantine client's update.

    It is the share of the rounds since the last evaluation in which the aggregate is equal to what
    a Byzantine client sent. A rule that selects one update can have any share. A rule that mixes
    updates has 0, unless they are equal.

    Examples
    --------
    >>> from fedlib import AGGREGATORS, ATTACKS, RunConfig, load_dataset, resolve_source, run
    >>> data = resolve_source("circle")
    >>> config = RunConfig(
    ...     data=data, model="elu_4_2", n_clients=10, n_byzantine=2, rounds=40, eval_every=20,
    ...     aggregator=AGGREGATORS["krum"](n_byzantine=2), attack=ATTACKS["ipm"](n_byzantine=2),
    ...     track=("taken",),
    ... )
    >>> metrics = run(config, load_dataset(data))
    >>> all(0 <= share <= 1 for share in metrics["byzantine_taken"])
    True
    """

    def __init__(self, federation: Federation, state: State) -> None:
        super().__init__(federation, state)
        self._taken: list[torch.Tensor] = []

    def watch(self, state: State, played: Played) -> None:
        """Keep whether the aggregate of this round is a Byzantine client's update."""
        sent = state.updates[self.federation.n_benign :]
        self._taken.append((sent == played.aggregate).all(1).any())

    def report(self, state: State) -> dict[str, Any]:
        """The share since the last evaluation."""
        found = mean_of(self._taken)
        self._taken.clear()
        return {"byzantine_taken": found}
