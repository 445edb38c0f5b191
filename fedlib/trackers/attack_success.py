"""How often an attack with a goal of its own has what it wants."""

from __future__ import annotations

from typing import Any, ClassVar

from fedlib.federation.federation import State
from fedlib.metrics import evaluate
from fedlib.trackers.base import TRACKERS, Tracker


@TRACKERS.register("attack_success")
class AttackSuccess(Tracker):
    """The share of the triggered test samples to which the model gives the label the attack wants.

    A run records nothing if its attack has no such goal, or if no test sample is fit for it.
    """

    always: ClassVar[bool] = True

    def report(self, state: State) -> dict[str, Any]:
        """Evaluate the model on the triggered test samples."""
        if self.federation.triggered is None:
            return {}
        success, _ = evaluate(state.model, *self.federation.triggered)
        return {"attack_success": success}
