"""Accuracy of the average of all models that were broadcast."""

from __future__ import annotations

from typing import Any

import torch

from fedlib.federation.federation import Federation, State
from fedlib.metrics import evaluate
from fedlib.trackers.base import TRACKERS, Played, Tracker


@TRACKERS.register("average_iterate")
class AverageIterate(Tracker):
    """Record ``test_accuracy_average``, the accuracy of the mean of all broadcast models.

    It is evaluated only after the last round, because each evaluation takes as long as that of the
    model itself. It is None before.

    Examples
    --------
    >>> from fedlib import AGGREGATORS, ATTACKS, RunConfig, load_dataset, resolve_source, run
    >>> data = resolve_source("circle")
    >>> config = RunConfig(
    ...     data=data, model="elu_4_2", n_clients=10, n_byzantine=2, rounds=40, eval_every=20,
    ...     aggregator=AGGREGATORS["median"](n_byzantine=2), attack=ATTACKS["ipm"](n_byzantine=2),
    ...     track=("average_iterate",),
    ... )
    >>> metrics = run(config, load_dataset(data))
    >>> before, after = metrics["test_accuracy_average"]
    >>> before is None, after > 0.8
    (True, True)
    """

    def __init__(self, federation: Federation, state: State) -> None:
        super().__init__(federation, state)
        self._average = torch.zeros_like(state.parameters)

    def watch(self, state: State, played: Played) -> None:
        """Add the broadcast model to the average."""
        self._average.lerp_(state.parameters, 1 / (state.round + 1))

    def report(self, state: State) -> dict[str, Any]:
        """Evaluate the average after the last round."""
        if not self.is_last(state):
            return {"test_accuracy_average": None}
        last = state.parameters.clone()
        state.parameters.copy_(self._average)
        accuracy, _ = evaluate(state.model, *self.federation.test)
        state.parameters.copy_(last)
        return {"test_accuracy_average": accuracy}
