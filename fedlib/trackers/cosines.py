"""Cosines between updates, perturbations and aggregates."""

from __future__ import annotations

from typing import Any

import torch

from fedlib.blocks.distances import cosines
from fedlib.federation.federation import Federation, State
from fedlib.trackers.base import TRACKERS, Played, Tracker, mean_of


@TRACKERS.register("cosines")
class Cosines(Tracker):
    """Record mean cosines of the rounds since the last evaluation.

    They are those of centered_clipping, Tables II and III.

    ``cosine_benign_to_last_aggregate`` and ``cosine_byzantine_to_last_aggregate`` are the cosines
    between the updates and the aggregate of the round before. The perturbation is what the attack
    adds to the benign mean. ``cosine_consecutive_perturbations`` is the cosine between it and the
    perturbation of the round before.

    Examples
    --------
    The attack IPM sends the negative of what honest clients agree on:

    >>> from fedlib import AGGREGATORS, ATTACKS, RunConfig, load_dataset, resolve_source, run
    >>> data = resolve_source("circle")
    >>> config = RunConfig(
    ...     data=data, model="elu_4_2", n_clients=10, n_byzantine=2, rounds=40, eval_every=20,
    ...     aggregator=AGGREGATORS["median"](n_byzantine=2), attack=ATTACKS["ipm"](n_byzantine=2),
    ...     track=("cosines",),
    ... )
    >>> metrics = run(config, load_dataset(data))
    >>> metrics["cosine_byzantine_to_last_aggregate"][0] < -0.9
    True
    """

    def __init__(self, federation: Federation, state: State) -> None:
        super().__init__(federation, state)
        self._cosines: dict[str, list[torch.Tensor]] = {}
        self._last_perturbation: torch.Tensor | None = None

    def watch(self, state: State, played: Played) -> None:
        """Keep the cosines of this round."""
        updates, n_benign = state.updates, self.federation.n_benign
        attacked = n_benign < len(updates)
        if state.last_aggregate is not None:
            to_last = cosines(updates, state.last_aggregate)
            self._keep("benign_to_last_aggregate", to_last[:n_benign].mean())
            if attacked:
                self._keep("byzantine_to_last_aggregate", to_last[n_benign:].mean())
        if attacked:
            perturbation = updates[-1] - updates[:n_benign].mean(0)
            if self._last_perturbation is not None:
                cosine = cosines(perturbation[None], self._last_perturbation)
                self._keep("consecutive_perturbations", cosine[0])
            self._last_perturbation = perturbation

    def report(self, state: State) -> dict[str, Any]:
        """Return the means since the last evaluation."""
        found = {f"cosine_{name}": mean_of(values) for name, values in self._cosines.items()}
        for values in self._cosines.values():
            values.clear()
        return found

    def _keep(self, name: str, cosine: torch.Tensor) -> None:
        self._cosines.setdefault(name, []).append(cosine)
