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
    """

    always: ClassVar[bool] = True

    def report(self, state: State) -> dict[str, Any]:
        """Evaluate the model on the triggered test samples."""
        if self.federation.triggered is None:
            return {}
        success, _ = evaluate(state.model, *self.federation.triggered)
        return {"attack_success": success}
