"""Mimic, which copies one honest client and so makes the others count for less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.attacks.lengths import unit
from fedlib.blocks import inner_products, row_mean, weighted_sum
from fedlib.federation.facts import Facts
from fedlib.seeds import derived_seed
from fedlib.validation import ConfigError, check_int


class State(NamedTuple):
    """What the attack has learned."""

    rounds: int
    """The number of rounds past."""
    mean: torch.Tensor
    """The mean of the benign updates over the rounds of the warm-up, ``(n_parameters,)``."""
    direction: torch.Tensor
    """The direction in which the benign updates vary most, ``(n_parameters,)`` of length 1."""
    victim: torch.Tensor
    """The number of the client that is copied, an integer without axes."""


@ATTACKS.register("mimic")
@dataclass(frozen=True)
class Mimic(Attack):
    """Send a copy of the update of one honest client.

    The attack is that of Karimireddy et al. (2022), section 3.2 and appendix B. A Byzantine client
    looks exactly like an honest client. The attack does harm if the clients have different data.
    During the warm-up the attacker learns, by Oja's rule, the direction in which honest updates
    vary most. It copies the client that is farthest along this direction. After the warm-up it
    always copies the last such client.

    An update with a NaN or an Inf counts as the zero update.

    Parameters
    ----------
    victim
        The number of the client that is copied, from 0. None lets the attacker choose it.
    warmup
        The number of rounds in which the attacker learns. In the text the attacker learns for one
        epoch.
    seed
        The seed of the direction from which learning begins.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> attack = ATTACKS["mimic"](n_byzantine=1, victim=2)
    >>> attack.apply(benign)[0].round(decimals=2)
    tensor([[0.9000, 2.2000, 0.4000]])
    """

    alike: ClassVar[bool] = True
    formula: ClassVar[str] = (
        r"b = x_{i^*}, \quad i^* = \arg\max_i \langle z, x_i \rangle, \quad z = "
        r"\arg\max_{\lVert z \rVert = 1} \sum_{t, i} \langle z, x_i^t - \mu \rangle^2"
    )

    knows: ClassVar[frozenset[str]] = frozenset({"benign_updates"})

    victim: int | None = None
    warmup: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.victim is not None:
            check_int("attack.victim", self.victim, 0)
        check_int("attack.warmup", self.warmup, 1)
        check_int("attack.seed", self.seed, 0)

    def init(self, n_clients: int, n_parameters: int) -> None:
        super().init(n_clients, n_parameters)
        self._check_victim(n_clients - self.n_byzantine)

    def _attack(
        self, updates: torch.Tensor, state: State | None, facts: Facts
    ) -> tuple[torch.Tensor, State | None]:
        self._check_victim(len(updates))
        if self.victim is not None:
            return self._everywhere(updates[self.victim]), state
        if state is None or state.rounds < self.warmup:
            state = self._learned(updates, state)
        else:
            state = state._replace(rounds=state.rounds + 1)
        copied = updates.index_select(0, state.victim.view(1))[0]
        return self._everywhere(copied), state

    def _check_victim(self, n_benign: int) -> None:
        if self.victim is not None and self.victim >= n_benign:
            raise ConfigError(
                f"attack.victim={self.victim} is out of range: must be from 0 to {n_benign - 1}, "
                f"with {n_benign} benign clients."
            )

    def _learned(self, updates: torch.Tensor, state: State | None) -> State:
        """Return what is known after another round of the warm-up, with ``updates`` ``(n, d)``."""
        updates = torch.where(updates.isfinite().all(1, keepdim=True), updates, 0.0)
        now, d = row_mean(updates), updates.shape[1]
        if state is None:
            generator = torch.Generator().manual_seed(derived_seed(self.seed, self.name))
            start = unit(torch.randn(d, generator=generator).to(updates))
            rounds, mean, before = 0, now, start
        else:
            rounds, before = state.rounds, state.direction
            mean = torch.lerp(state.mean, now, 1 / (rounds + 1))
        # Squares of extreme values would overflow, and the direction does not depend on the scale.
        scale = torch.maximum(updates.abs().amax(), mean.abs().amax())
        scale = scale.clamp(min=torch.finfo(updates.dtype).tiny)
        rows, centre = updates / scale, mean / scale
        products = inner_products(torch.cat([rows, centre[None]]), before)
        along = products[:-1] - products[-1]
        along = along / along.abs().amax().clamp(min=torch.finfo(torch.float64).tiny)
        found = weighted_sum(rows, along) - along.sum().to(centre.dtype) * centre
        # One step of Oja's rule. Updates that are all alike show no direction.
        if state is None:
            direction = torch.where(found.any(), unit(found), before)
        else:
            direction = unit(torch.lerp(before, unit(found), 1 / (rounds + 1)))
        victim = inner_products(rows, direction).argmax()
        return State(rounds + 1, mean, direction, victim)
