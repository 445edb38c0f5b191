"""How often an attack that wants certain labels gets them."""

from __future__ import annotations

from typing import Any, ClassVar

from fedlib.federation.federation import State
from fedlib.metrics import evaluate
from fedlib.trackers.base import TRACKERS, Tracker


@TRACKERS.register("attack_success")
class AttackSuccess(Tracker):
    """Record the share of test samples with a trigger that get the label that the attack wants.

    A run records nothing if its attack wants no certain labels, or if no test sample can be used.

    Examples
    --------
    >>> from fedlib import AGGREGATORS, ATTACKS, DataConfig, RunConfig, load_dataset, run
    >>> data = DataConfig("mnist", "embedded", "glyphs-1", train_samples=400, test_samples=200)
    >>> config = RunConfig(
    ...     data=data, model="softmax_regression", n_clients=5, n_byzantine=2, rounds=4,
    ...     eval_every=2, aggregator=AGGREGATORS["mean"](),
    ...     attack=ATTACKS["model_replacement"](n_byzantine=2),
    ... )
    >>> metrics = run(config, load_dataset(data))
    >>> len(metrics["attack_success"])
    2
    """

    always: ClassVar[bool] = True

    def report(self, state: State) -> dict[str, Any]:
        """Evaluate the model on the triggered test samples."""
        if self.federation.triggered is None:
            return {}
        # A model that has diverged does not do what the attacker wants, whatever class that is.
        success, _ = evaluate(state.model, *self.federation.triggered, nan_decides=False)
        return {"attack_success": success}
