"""The base classes of the attacks define their interface and limit what an attack knows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch

from fedlib.clients.base import Client
from fedlib.federation.facts import FACTS, Facts, check_facts
from fedlib.parts import Revision
from fedlib.registry import Registry
from fedlib.validation import ConfigError, check_int, check_matrix, check_name, check_real

ATTACKS: Registry[Any] = Registry("attack", "fedlib.attacks")


def _asks_clients_in_trials(attack: Any, run: Any) -> bool:
    """Return whether the attack of a run tries a rule that asks the clients for a fact."""
    rule = run.aggregator
    asks = any(FACTS[name].asks_clients for name in rule.needs)
    tries = attack.knows & ({"rule", "candidates"} if rule.candidates_ask else {"rule"})
    return bool(run.n_byzantine and asks and tries)


@dataclass(frozen=True)
class Attack(ABC):
    """This is the base class of all attacks.

    An attack that changes updates defines ``_attack``. An attack that changes data defines
    ``poison``.

    Parameters
    ----------
    n_byzantine
        The number of clients that the attacker controls, which the papers call f.
    """

    name: ClassVar[str]
    knows: ClassVar[frozenset[str]] = frozenset()
    """The names of the facts that the attack is told. It is told no other facts.

    The module :mod:`fedlib.federation.facts` defines the facts.
    """
    agent: ClassVar[str] = ""
    """The name of the module whose ``run`` plays runs with this attack instead of the engine's.

    It is empty if the engine plays them.
    """
    revisions: ClassVar[tuple[Revision, ...]] = (
        Revision(
            2,
            "An attacker that tried the rule asked the clients on the server's own batches.",
            of="trials",
            concerns=_asks_clients_in_trials,
        ),
    )
    """The changes of the code after which runs with this attack give other numbers."""
    formula: ClassVar[str] = ""
    """The LaTeX formula of the updates b_j that are sent.

    The benign updates are x_i, and the attacker's own honest updates are o_j.
    """

    n_byzantine: int = 0

    def __post_init__(self) -> None:
        check_int("attack.n_byzantine", self.n_byzantine, 0)
        self._set_knows(*self.knows)

    def to_dict(self) -> dict[str, Any]:
        """Return the name and the hyperparameters as JSON values."""
        return {"name": self.name, **asdict(self)}

    def init(self, n_clients: int, n_parameters: int) -> Any:
        """Return the state before the first round, which is None if the attack keeps nothing.

        Parameters
        ----------
        n_clients
            The number of all clients, with the Byzantine ones.
        n_parameters
            The number of parameters of the model.

        Raises
        ------
        ConfigError
            If a number is not positive, or if ``n_byzantine`` is not less than ``n_clients``.
        """
        check_int("n_clients", n_clients, 1)
        check_int("n_parameters", n_parameters, 1)
        check_int("attack.n_byzantine", self.n_byzantine, 0, n_clients - 1)
        return None

    def poison(
        self, x: torch.Tensor, y: torch.Tensor, n_classes: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return poisoned samples and labels for the Byzantine clients.

        The method does not change its arguments. By default it poisons nothing.

        Parameters
        ----------
        x
            The samples of the Byzantine clients, ``(n, C, H, W)``.
        y
            Their labels, ``(n,)``.
        n_classes
            The number of classes.

        Returns
        -------
        x, y
            The poisoned samples and labels, in the same shapes.
        """
        return x, y

    def fitted(self, x: torch.Tensor) -> Attack:
        """Return this attack with the values that it takes from the samples ``(n, C, H, W)``.

        The samples are those of the training set. By default the attack takes nothing from them.
        """
        return self

    def poisoned_of_batch(self) -> int | None:
        """Return how many samples Byzantine clients poison at the start of each of their batches.

        None, the default, means that :meth:`poison` is given all their samples once, and that the
        samples that it changes stay the same in all rounds.
        """
        return None

    def trains(self, client: Client) -> Client:
        """Return the client algorithm of Byzantine clients in rounds in which they poison.

        The honest clients use ``client``. By default the Byzantine clients use it, too.
        """
        return client

    def poisons(self, number: int) -> bool:
        """Return whether Byzantine clients train on their poisoned samples in round ``number``.

        The rounds are counted from 1.
        """
        return True

    def triggered(
        self, x: torch.Tensor, y: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Return test samples, and the labels that the model must give if the attack succeeds.

        Parameters
        ----------
        x
            The test samples, ``(n, C, H, W)``.
        y
            Their labels, ``(n,)``.

        Returns
        -------
        x, y
            The ``m`` samples that the attack aims at, ``(m, C, H, W)``, and the labels that the
            attacker wants, ``(m,)``. If ``m`` is 0, the run has no ``attack_success``. The default
            is None, which stands for an attack without a goal of its own.
        """
        return None

    def apply(
        self, updates: torch.Tensor, state: Any = None, facts: Facts | None = None
    ) -> tuple[torch.Tensor, Any]:
        """Return the updates that the Byzantine clients send in this round.

        Parameters
        ----------
        updates
            The benign updates, ``(n_clients - n_byzantine, n_parameters)``. They are not changed.
            The matrix has no rows if the attack does not know the benign updates.
        state
            The state that ``init`` or the round before returned.
        facts
            The other facts that the attack ``knows``.

        Returns
        -------
        byzantine_updates, state
            The updates that are sent, ``(n_byzantine, n_parameters)``, and the state for the next
            round.

        Raises
        ------
        ConfigError
            If ``updates`` is not a floating-point matrix, or if a fact that the attack needs is
            not given.
        """
        check_matrix("updates", updates, "(n_clients - n_byzantine, n_parameters)")
        facts = facts or Facts()
        if "benign_updates" in self.knows and updates.shape[0] == 0:
            raise ConfigError(
                f"attack={self.name!r} needs benign updates, but updates has the shape "
                f"{tuple(updates.shape)}: it must have at least one row."
            )
        sizes = {"n_byzantine": self.n_byzantine, "n_parameters": updates.shape[1]}
        told = self.knows - {"benign_updates"}
        check_facts(f"attack={self.name!r}", told, facts, sizes)
        return self._attack(updates, state, facts)

    @abstractmethod
    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        """Do the work of :meth:`apply`, which has checked the arguments."""

    def _set_knows(self, *names: str) -> None:
        """Set the facts that this object is told, which may depend on a hyperparameter."""
        for name in names:
            check_name("attack.knows", name, FACTS)
        object.__setattr__(self, "knows", frozenset(names))

    def _everywhere(self, update: torch.Tensor) -> torch.Tensor:
        """Return one update ``(n_parameters,)`` as ``(n_byzantine, n_parameters)``."""
        return update.expand(self.n_byzantine, -1)


@dataclass(frozen=True)
class TrainingAttack(Attack):
    """Train on poisoned data, and also longer or faster if the clients train in local epochs.

    This is the base class of the attacks that train. The trained update is sent, unless the attack
    says otherwise.

    Parameters
    ----------
    extra_epochs
        The number of local epochs that a Byzantine client trains in addition to those of the other
        clients.
    rate_factor
        The factor that the local learning rate of a Byzantine client is multiplied by.
    """

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates"})

    extra_epochs: int = 0
    rate_factor: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("attack.extra_epochs", self.extra_epochs, 0)
        check_real("attack.rate_factor", self.rate_factor, 0, open_low=True)

    def trains(self, client: Client) -> Client:
        """Return a client that trains longer and faster, if ``client`` has local epochs."""
        return client.train_harder(self.extra_epochs, self.rate_factor)

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        return facts.own_updates, state


def make_attack(spec: dict[str, Any] | Attack) -> Attack:
    """Return the attack that ``spec`` describes.

    Parameters
    ----------
    spec
        A dictionary as :meth:`Attack.to_dict` returns it, or an attack, which is returned as it is.

    Raises
    ------
    ConfigError
        If the name or a parameter is unknown, or if a parameter is not allowed.
    """
    if isinstance(spec, Attack):
        return spec
    made: Attack = ATTACKS.make(spec)
    return made
