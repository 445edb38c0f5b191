"""An adaptive attack that saliency maps do not show."""

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

    This attack was made for this book, to test gradient_guard. The attack changes only the bias of
    a class's score. So the gradient of the score with respect to the pixels, which is the saliency
    map, is exactly that of an honest update.

    Parameters
    ----------
    target
        The class that the model is to give to every sample.
    strength
        The amount by which the bias of that class grows and the biases of the other classes shrink.
        The server multiplies it by its learning rate.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> own, bias = torch.tensor([[1.0, 2.1, 0.4]]), torch.tensor([False, True, True])
    >>> facts = Facts(own_updates=own, output_bias=bias)
    >>> attack = ATTACKS["saliency_matching"](n_byzantine=1, target=0, strength=10.0)
    >>> attack.apply(benign, None, facts)[0].round(decimals=2)
    tensor([[ 1.0000, -7.9000, 10.4000]])
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
        # The server subtracts: what is to grow is sent negative.
        pull = torch.full((len(where),), self.strength, dtype=own.dtype, device=own.device)
        pull[self.target] = -self.strength
        return own.index_add(1, where, pull.expand(len(own), -1)), state
