"""MPAF, in which fake clients pull the model towards one that is useless."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.federation.facts import Facts
from fedlib.seeds import derived_seed
from fedlib.validation import check_int, check_name, check_real


@ATTACKS.register("mpaf")
@dataclass(frozen=True)
class ModelPoisoningByFakeClients(Attack):
    """Send a very long step towards a base model that the attacker has chosen once.

    This is the model poisoning attack based on fake clients (MPAF) of Cao and Gong (2022). The
    attacker needs no data and sees no other update. It knows only the broadcast model.

    Parameters
    ----------
    scale
        The step is multiplied by this number, lambda in the text. The text takes a million.
    base
        The base model. With ``"random"`` its parameters are drawn from a normal distribution, once
        for all rounds. With ``"zero"`` all its parameters are zero.
    std
        The standard deviation of the drawn parameters. In the text the parameters are drawn like
        those of a new network, whose standard deviation differs from layer to layer.
    seed
        The seed of the drawn parameters.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> facts = Facts(model=torch.tensor([0.5, -0.5, 0.1]))
    >>> attack = ATTACKS["mpaf"](n_byzantine=1, scale=10.0, base="zero")
    >>> attack.apply(benign, None, facts)[0].round(decimals=2)
    tensor([[ 5., -5.,  1.]])
    """

    alike: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"b = \lambda (\theta - \theta'), \quad \theta' \sim \mathcal N(0, \sigma^2 I) \text{ once}"
    )

    knows: ClassVar[frozenset[str]] = frozenset({"model"})

    scale: float = 1e6
    base: str = "random"
    std: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.scale", self.scale, 0, open_low=True)
        check_name("attack.base", self.base, ("random", "zero"))
        check_real("attack.std", self.std, 0)
        check_int("attack.seed", self.seed, 0)

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        model = facts.model
        base = torch.zeros_like(model)
        if self.base == "random":
            # Drawn on the CPU, so that a run has the same base model on every device.
            generator = torch.Generator().manual_seed(derived_seed(self.seed, self.name))
            base = (self.std * torch.randn(len(model), generator=generator)).to(model)
        # The server subtracts what it is sent from the model.
        return self._everywhere(self.scale * (model - base)), state
