"""Saliency matching is an adaptive attack that saliency maps cannot see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.federation.facts import Facts
from fedlib.validation import ConfigError, check_int, check_real


@ATTACKS.register("saliency_matching")
@dataclass(frozen=True)
class SaliencyMatching(Attack):
    """Send the client's own honest update, but pull the output bias towards one class.

    This book invented the attack as a probe, and it aims at gradient_guard. The attack does not
    change the score of a class minus its bias. The saliency map is the gradient of the score with
    respect to the pixels. It is therefore exactly the map of an honest update.

    Parameters
    ----------
    target
        The class that the model shall give to every sample.
    strength
        The amount that is added to the bias of this class and subtracted from the biases of the
        other classes, before it is multiplied by the server's learning rate.
    """

    formula: ClassVar[str] = (
        r"b_{jk} = o_{jk} \mp c \text{ where } k \text{ is an output bias, of the target or not}"
    )

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates", "output_bias"})

    target: int = 0
    strength: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("attack.target", self.target, 0)
        check_real("attack.strength", self.strength, 0, open_low=True)

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        own, place = facts.own_updates, facts.output_bias
        (where,) = place.nonzero(as_tuple=True)
        if len(where) == 0:
            raise ConfigError("attack='saliency_matching' needs a model with an output bias.")
        check_int("attack.target", self.target, 0, len(where) - 1)
        # The server subtracts the update, so a bias that shall grow is sent with a minus sign.
        pull = torch.full((len(where),), self.strength, dtype=own.dtype, device=own.device)
        pull[self.target] = -self.strength
        return own.index_add(1, where, pull.expand(len(own), -1)), state
