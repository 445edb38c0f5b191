"""What every attack shares: the contract, and the bounds of what it knows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch

from fedlib.registry import Registry
from fedlib.validation import ConfigError, check_int

ATTACKS = Registry("attack", "fedlib.attacks")


@dataclass(frozen=True)
class AttackContext:
    """What an attack may be told beside the benign updates; a field it does not name is None.

    Attributes
    ----------
    own_updates
        What the Byzantine clients would send if they were honest, ``(n_byzantine,
        n_parameters)``, computed on their own, perhaps poisoned, data.
    last_aggregate
        The aggregate of the round before, ``(n_parameters,)``; None in the first round.
    """

    own_updates: torch.Tensor | None = None
    last_aggregate: torch.Tensor | None = None


@dataclass(frozen=True)
class Attack(ABC):
    """Base of the attacks. One that acts on updates defines ``_attack``, on data ``poison``.

    Parameters
    ----------
    n_byzantine
        How many clients the attacker controls, f in the papers.
    """

    name: ClassVar[str]
    knows: ClassVar[frozenset[str]] = frozenset()
    """Of ``benign_updates``, ``own_updates``, ``last_aggregate``: the engine gives no more."""

    n_byzantine: int = 0

    def __post_init__(self) -> None:
        check_int("attack.n_byzantine", self.n_byzantine, 0)

    def to_dict(self) -> dict[str, Any]:
        """Name and hyperparameters, as JSON values."""
        return {"name": self.name, **asdict(self)}

    def init(self, n_clients: int, n_parameters: int) -> Any:
        """The state before the first round: None where the attack keeps nothing.

        Raises
        ------
        ConfigError
            If there are not more clients than Byzantine ones.
        """
        check_int("n_clients", n_clients, 1)
        check_int("n_parameters", n_parameters, 1)
        check_int("attack.n_byzantine", self.n_byzantine, 0, n_clients - 1)
        return None

    def poison(
        self, x: torch.Tensor, y: torch.Tensor, n_classes: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The Byzantine clients' samples ``(n, C, H, W)`` and labels ``(n,)``, poisoned.

        The arguments are left as they are. The default changes nothing.
        """
        return x, y

    def apply(
        self, updates: torch.Tensor, state: Any = None, context: AttackContext | None = None
    ) -> tuple[torch.Tensor, Any]:
        """The updates that the Byzantine clients send this round.

        Parameters
        ----------
        updates
            The benign updates, ``(n_clients - n_byzantine, n_parameters)``; left as they are.
            Without rows if the attack does not know them.
        state
            From ``init`` or the round before.
        context
            What else the attack knows.

        Returns
        -------
        byzantine_updates, state
            ``(n_byzantine, n_parameters)``; the state to pass on.

        Raises
        ------
        ConfigError
            If the attack is not told something it needs.
        """
        context = context or AttackContext()
        if "benign_updates" in self.knows and updates.shape[0] == 0:
            raise ConfigError(f"attack={self.name!r} needs benign updates, but there are none.")
        if "own_updates" in self.knows:
            own = context.own_updates
            if own is None or own.shape[0] != self.n_byzantine:
                given = "none" if own is None else f"{own.shape[0]} rows"
                raise ConfigError(
                    f"attack={self.name!r} needs context.own_updates with n_byzantine="
                    f"{self.n_byzantine} rows, but was given {given}."
                )
        return self._attack(updates, state, context)

    @abstractmethod
    def _attack(
        self, updates: torch.Tensor, state: Any, context: AttackContext
    ) -> tuple[torch.Tensor, Any]:
        """:meth:`apply` with what the attack needs at hand."""

    def _everywhere(self, update: torch.Tensor) -> torch.Tensor:
        """The same update from every Byzantine client."""
        return update.expand(self.n_byzantine, -1)


def make_attack(spec: dict[str, Any] | Attack) -> Attack:
    """The attack that ``spec`` (as from ``to_dict``) describes."""
    if isinstance(spec, Attack):
        return spec
    parameters = dict(spec)
    return ATTACKS[parameters.pop("name")](**parameters)
