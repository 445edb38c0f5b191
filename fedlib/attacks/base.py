"""What every attack shares: the contract, and the bounds of what it knows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch

from fedlib.registry import Registry
from fedlib.validation import ConfigError, check_int, check_matrix, check_real

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
    model
        The broadcast model's parameters, ``(n_parameters,)``.
    rule
        The server's rule as it stands: takes all updates ``(n_clients, n_parameters)``, the
        Byzantine ones last, and gives the aggregate ``(n_parameters,)``. What the rule draws
        itself is drawn as the server will, such as the round's buckets; what clients are asked is
        on batches of their own, the same in all of a round's trials and not those of the server's.
    candidates
        Likewise, but gives all aggregates that the clients will vote on, ``(n_candidates,
        n_parameters)``; of a rule without a vote its one.
    critical_parameters
        Where the first and last layers, normalisation and biases are, ``(n_parameters,)``
        of bool.
    output_bias
        Where the last layer's bias is, ``(n_parameters,)`` of bool.
    """

    own_updates: torch.Tensor | None = None
    last_aggregate: torch.Tensor | None = None
    model: torch.Tensor | None = None
    rule: Callable[[torch.Tensor], torch.Tensor] | None = None
    candidates: Callable[[torch.Tensor], torch.Tensor] | None = None
    critical_parameters: torch.Tensor | None = None
    output_bias: torch.Tensor | None = None


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
    """``benign_updates`` and fields of :class:`AttackContext`: the engine gives no more."""
    agent: ClassVar[str] = ""
    """Module whose ``run`` plays runs with this attack in place of the engine's; "" for none."""
    revision: ClassVar[int] = 1
    """Part of a run's identity. Raised when the same fields would give other numbers."""
    replayable: ClassVar[bool] = False
    """Whether nothing is drawn or decided on the CPU: a GPU may then replay the attack
    (:class:`~fedlib.gradients.replay.Graphs`) in a run in which its state is None."""
    formula: ClassVar[str] = ""
    """What is sent, in LaTeX: b_j, of benign updates x_i and the attacker's own o_j."""

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

    def fitted(self, x: torch.Tensor) -> Attack:
        """This attack with what it takes from the training samples ``(n, C, H, W)``: by default
        nothing.
        """
        return self

    def poisoned_of_batch(self) -> int | None:
        """How many samples of each of their batches Byzantine clients poison, the first ones.

        None, the default: those of all their samples that :meth:`poison` changes, fixed for good.
        """
        return None

    def poisons(self, number: int) -> bool:
        """Whether Byzantine clients train on their poisoned samples in round ``number``, from 1."""
        return True

    def triggered(
        self, x: torch.Tensor, y: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Test samples on which the attack succeeds if the model gives these labels.

        None, the default, for an attack without a goal of its own. If there are none among these,
        the run has no ``attack_success``.
        """
        return None

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
            If ``updates`` is no floating-point matrix, or the attack is not told something it
            needs.
        """
        check_matrix("updates", updates, "(n_clients - n_byzantine, n_parameters)")
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
        for name in ("model", "rule", "candidates", "critical_parameters", "output_bias"):
            if name in self.knows and getattr(context, name) is None:
                raise ConfigError(f"attack={self.name!r} needs context.{name}, which is None.")
        return self._attack(updates, state, context)

    @abstractmethod
    def _attack(
        self, updates: torch.Tensor, state: Any, context: AttackContext
    ) -> tuple[torch.Tensor, Any]:
        """:meth:`apply` with what the attack needs at hand."""

    def _set_knows(self, *names: str) -> None:
        """Of this object alone: where a hyperparameter decides what the attack is told."""
        object.__setattr__(self, "knows", frozenset(names))

    def _everywhere(self, update: torch.Tensor) -> torch.Tensor:
        """The same update from every Byzantine client."""
        return update.expand(self.n_byzantine, -1)


@dataclass(frozen=True)
class TrainingAttack(Attack):
    """Base of the attacks that train: on poisoned data, and longer or faster if local epochs are.

    What was trained is sent, unless the attack says otherwise.

    Parameters
    ----------
    extra_epochs
        Local epochs that a Byzantine client trains more than the others.
    rate_factor
        By how much its local learning rate is larger.
    """

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates"})

    extra_epochs: int = 0
    rate_factor: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("attack.extra_epochs", self.extra_epochs, 0)
        check_real("attack.rate_factor", self.rate_factor, 0, open_low=True)

    def _attack(
        self, updates: torch.Tensor, state: Any, context: AttackContext
    ) -> tuple[torch.Tensor, Any]:
        assert context.own_updates is not None
        return context.own_updates, state


def make_attack(spec: dict[str, Any] | Attack) -> Attack:
    """The attack that ``spec`` (as from ``to_dict``) describes."""
    if isinstance(spec, Attack):
        return spec
    made: Attack = ATTACKS.make(spec)
    return made
