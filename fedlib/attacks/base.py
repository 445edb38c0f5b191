"""What every attack shares: the contract, and the bounds of what it knows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch

from fedlib.arrays import ArrayT, as_tensor, in_kind
from fedlib.clients.base import Client
from fedlib.federation.facts import FACTS, Facts, check_facts
from fedlib.parts import Revision
from fedlib.registry import Registry
from fedlib.validation import ConfigError, check_int, check_matrix, check_name, check_real

ATTACKS: Registry[Any] = Registry("attack", "fedlib.attacks")


def _asks_clients_in_trials(attack: Any, run: Any) -> bool:
    rule = run.aggregator
    asks = any(FACTS[name].asks_clients for name in rule.needs)
    tries = attack.knows & ({"rule", "candidates"} if rule.candidates_ask else {"rule"})
    return bool(run.n_byzantine and asks and tries)


@dataclass(frozen=True)
class Attack(ABC):
    """Base of the attacks. They act on updates by ``_attack``, or on data by ``poison``.

    Parameters
    ----------
    n_byzantine
        How many clients the attacker controls, f in the papers.
    """

    name: ClassVar[str]
    knows: ClassVar[frozenset[str]] = frozenset()
    """The facts (see :mod:`fedlib.federation.facts`) that the attack is told; it is told no others.
    """
    alike: ClassVar[bool] = False
    """If true, all Byzantine clients send the same update."""
    agent: ClassVar[str] = ""
    """The module whose ``run`` plays runs with this attack instead of the engine's. "" for none."""
    revisions: ClassVar[tuple[Revision, ...]] = (
        Revision(
            2,
            "An attacker that tried the rule asked the clients on the server's own batches.",
            of="trials",
            concerns=_asks_clients_in_trials,
        ),
    )
    """Changes of the code after which runs give other numbers."""
    formula: ClassVar[str] = ""
    """What is sent, in LaTeX: b_j, of benign updates x_i and the attacker's own o_j."""

    n_byzantine: int = 0

    def __post_init__(self) -> None:
        check_int("attack.n_byzantine", self.n_byzantine, 0)
        self._set_knows(*self.knows)

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

    def trains(self, client: Client) -> Client:
        """How Byzantine clients train in rounds in which they poison, where others do ``client``.

        By default they train alike.
        """
        return client

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
        self, updates: ArrayT, state: Any = None, facts: Facts | None = None
    ) -> tuple[ArrayT, Any]:
        """The updates that the Byzantine clients send this round.

        Parameters
        ----------
        updates
            The benign updates, ``(n_clients - n_byzantine, n_parameters)``; left as they are. They
            are a tensor, a NumPy array or another array with ``__dlpack__`` or ``__array__``.
            Without rows if the attack does not know them.
        state
            From ``init`` or the round before.
        facts
            What else the attack ``knows``.

        Returns
        -------
        byzantine_updates, state
            ``(n_byzantine, n_parameters)``, of the same kind as ``updates``; the state to pass on.

        Raises
        ------
        ConfigError
            If ``updates`` is no floating-point matrix, or the attack is not told something it
            needs.
        """
        sent, state = self._apply(as_tensor("updates", updates), state, facts)
        return in_kind(sent, updates), state

    def _apply(
        self, updates: torch.Tensor, state: Any, facts: Facts | None
    ) -> tuple[torch.Tensor, Any]:
        """Do what :meth:`apply` does, for updates of any values and shape in a tensor."""
        check_matrix("updates", updates, "(n_clients - n_byzantine, n_parameters)")
        # An update that carries a graph must not carry it into the state, and on from there.
        updates, facts = updates.detach(), (facts or Facts()).detached()
        if "benign_updates" in self.knows and updates.shape[0] == 0:
            raise ConfigError(f"attack={self.name!r} needs benign updates, but there are none.")
        sizes = {"n_byzantine": self.n_byzantine, "n_parameters": updates.shape[1]}
        told = self.knows - {"benign_updates"}
        check_facts(f"attack={self.name!r}", told, facts, sizes)
        sent, after = self._attack(updates, state, facts)
        # A rule that an attacker tries may be anybody's function, and carry a graph.
        return sent.detach(), after.detach() if isinstance(after, torch.Tensor) else after

    @abstractmethod
    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        """:meth:`apply` with what the attack needs at hand."""

    def _set_knows(self, *names: str) -> None:
        """Set what this object is told, where a hyperparameter decides it."""
        for name in names:
            check_name("attack.knows", name, FACTS)
        object.__setattr__(self, "knows", frozenset(names))

    def _everywhere(self, update: torch.Tensor) -> torch.Tensor:
        """The same update from every Byzantine client."""
        return update.expand(self.n_byzantine, -1)


@dataclass(frozen=True)
class TrainingAttack(Attack):
    """Base of the attacks that train on poisoned data, and perhaps longer or faster than others.

    What was trained is sent, unless the attack says otherwise.

    Parameters
    ----------
    extra_epochs
        How many more local epochs a Byzantine client trains than the others.
    rate_factor
        What the local learning rate of a Byzantine client is multiplied by.
    """

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates"})

    extra_epochs: int = 0
    rate_factor: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("attack.extra_epochs", self.extra_epochs, 0)
        check_real("attack.rate_factor", self.rate_factor, 0, open_low=True)

    def trains(self, client: Client) -> Client:
        """Longer and faster, if the client algorithm has local epochs."""
        return client.train_harder(self.extra_epochs, self.rate_factor)

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        return facts.own_updates, state


def make_attack(spec: dict[str, Any] | Attack) -> Attack:
    """The attack that ``spec`` (as from ``to_dict``) describes."""
    if isinstance(spec, Attack):
        return spec
    made: Attack = ATTACKS.make(spec)
    return made
