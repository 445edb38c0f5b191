"""Test accuracy and loss, and training loss: what every run records."""

from __future__ import annotations

from typing import Any, ClassVar

import torch

from fedlib.federation.federation import Federation, State
from fedlib.metrics import evaluate
from fedlib.trackers.base import TRACKERS, Played, Tracker, mean_of


@TRACKERS.register("accuracy")
class Accuracy(Tracker):
    """Record ``test_accuracy`` (a share) and ``test_loss`` of the model at each evaluation.

    ``train_loss`` is the mean over honest clients and over the rounds since the last evaluation.

    Examples
    --------
    >>> from fedlib import AGGREGATORS, ATTACKS, RunConfig, load_dataset, resolve_source, run
    >>> data = resolve_source("circle")
    >>> config = RunConfig(
    ...     data=data, model="elu_4_2", n_clients=10, n_byzantine=2, rounds=40, eval_every=20,
    ...     aggregator=AGGREGATORS["median"](n_byzantine=2), attack=ATTACKS["ipm"](n_byzantine=2),
    ... )
    >>> metrics = run(config, load_dataset(data))
    >>> sorted(metrics)
    ['rounds', 'test_accuracy', 'test_loss', 'train_loss']
    >>> metrics["rounds"]
    [20, 40]
    """

    always: ClassVar[bool] = True

    def __init__(self, federation: Federation, state: State) -> None:
        super().__init__(federation, state)
        self._losses: list[torch.Tensor] = []

    def watch(self, state: State, played: Played) -> None:
        """Keep the honest clients' mean training loss."""
        self._losses.append(played.losses[: self.federation.n_benign].mean())

    def report(self, state: State) -> dict[str, Any]:
        """Evaluate the model on the test set."""
        accuracy, loss = evaluate(state.model, *self.federation.test)
        trained = mean_of(self._losses)
        self._losses.clear()
        return {"test_accuracy": accuracy, "test_loss": loss, "train_loss": trained}
