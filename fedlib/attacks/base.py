"""The base of every attack: its contract, and the limits of what it knows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch

from fedlib.arrays import ArrayT, as_tensor, in_kind, json_value
from fedlib.clients.base import Client
from fedlib.federation.facts import FACTS, Facts, check_facts, check_given
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
    """Base class of the attacks. They change updates by ``_attack``, or data by ``poison``.

    Parameters
    ----------
    n_byzantine
        The number of clients that the attacker controls, f in the papers.

    Examples
    --------
    An attack is told the benign updates and nothing else, unless it lists more in ``knows``. Its
    state goes from round to round.

    >>> import torch
    >>> from fedlib import ATTACKS
    >>> attack = ATTACKS["alie"](n_byzantine=2, alternating=True, z=1.0)
    >>> sorted(attack.knows)
    ['benign_updates']
    >>> benign = torch.tensor([[1.0, 2.0], [1.2, 1.8], [0.8, 2.2]])
    >>> state = attack.init(n_clients=5, n_parameters=2)
    >>> sent, state = attack.apply(benign, state)
    >>> sent.round(decimals=2)
    tensor([[0.8000, 1.8000],
            [0.8000, 1.8000]])
    >>> sent, state = attack.apply(benign, state)
    >>> sent[0].round(decimals=2)
    tensor([1.2000, 2.2000])
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
    shown_with: ClassVar[Mapping[str, Any]] = {}
    """The options of the example in the catalogue, if the defaults would show nothing there."""

    n_byzantine: int = 0

    def __post_init__(self) -> None:
        check_int("attack.n_byzantine", self.n_byzantine, 0)
        self._set_knows(*self.knows)

    def to_dict(self) -> dict[str, Any]:
        """Return the name and the hyperparameters of the attack as JSON values."""
        return {"name": self.name, **{k: json_value(v) for k, v in asdict(self).items()}}

    def init(self, n_clients: int, n_parameters: int) -> Any:
        """Make the state before the first round. It is None if the attack keeps nothing.

        Raises
        ------
        ConfigError
            If ``n_clients`` is not larger than ``n_byzantine``.
        """
        check_int("n_clients", n_clients, 1)
        check_int("n_parameters", n_parameters, 1)
        check_int("attack.n_byzantine", self.n_byzantine, 0, n_clients - 1)
        return None

    def poison(
        self, x: torch.Tensor, y: torch.Tensor, n_classes: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the Byzantine clients' samples ``(n, C, H, W)`` and labels ``(n,)``, poisoned.

        The arguments are not changed. By default nothing is poisoned.
        """
        return x, y

    def fitted(self, x: torch.Tensor) -> Attack:
        """Return this attack, fitted to the training samples ``(n, C, H, W)``.

        An attack may need something that is computed from these samples. By default it needs
        nothing from them.
        """
        return self

    def poisoned_of_batch(self) -> int | None:
        """Return how many samples at the beginning of each batch Byzantine clients poison.

        The default is None. With None they poison the samples that :meth:`poison` changes, and
        these are the same samples in all rounds.
        """
        return None

    def trains(self, client: Client) -> Client:
        """Return how Byzantine clients train in rounds in which they poison.

        The others train as ``client`` says. By default the Byzantine clients do the same.
        """
        return client

    def poisons(self, number: int) -> bool:
        """Return whether Byzantine clients poison their samples in round ``number``, from 1."""
        return True

    def triggered(
        self, x: torch.Tensor, y: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Return test samples with the trigger, and the labels that the attack wants for them.

        The default is None, for an attack that does not want certain labels. If no sample can have
        the trigger, the run has no ``attack_success``.
        """
        return None

    def apply(
        self, updates: ArrayT, state: Any = None, facts: Facts | None = None
    ) -> tuple[ArrayT, Any]:
        """Make the updates that the Byzantine clients send in this round.

        Parameters
        ----------
        updates
            The benign updates, ``(n_clients - n_byzantine, n_parameters)``. They are a tensor, a
            NumPy array or another array with ``__dlpack__`` or ``__array__``, and are not changed.
            They have no rows if the attack does not know them.
        state
            The state that ``init`` or the round before returned.
        facts
            The facts that the attack ``knows`` besides the benign updates.

        Returns
        -------
        byzantine_updates
            The updates that the Byzantine clients send, ``(n_byzantine, n_parameters)``, of the
            same kind as ``updates``.
        state
            The state for the next round.

        Raises
        ------
        ConfigError
            If ``updates`` is not a floating-point matrix, or if the attack is not told something
            that it needs.
        """
        sent, state = self._apply(as_tensor("updates", updates), state, facts)
        return in_kind(sent, updates), state

    def _apply(
        self, updates: torch.Tensor, state: Any, facts: Facts | None
    ) -> tuple[torch.Tensor, Any]:
        """Do what :meth:`apply` does, for updates of any values and shape in a tensor."""
        check_matrix("updates", updates, "(n_clients - n_byzantine, n_parameters)")
        # An update that carries a graph must not carry it into the state, and on from there.
        updates, facts = updates.detach(), check_given(state, facts).matched_to(updates)
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
        """Do what :meth:`apply` does, for checked updates and facts."""

    def _set_knows(self, *names: str) -> None:
        """Set what this object is told, for attacks in which a hyperparameter decides it."""
        for name in names:
            check_name("attack.knows", name, FACTS)
        object.__setattr__(self, "knows", frozenset(names))

    def _everywhere(self, update: torch.Tensor) -> torch.Tensor:
        """Return the same update for every Byzantine client."""
        return update.expand(self.n_byzantine, -1)


@dataclass(frozen=True)
class TrainingAttack(Attack):
    """Base of the attacks that train on poisoned data, and perhaps longer or faster than others.

    A Byzantine client sends the update that it has trained, unless the attack changes it.

    Parameters
    ----------
    extra_epochs
        The number of local epochs that a Byzantine client trains in addition.
    rate_factor
        The local learning rate of a Byzantine client is multiplied by this number.
    """

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates"})

    extra_epochs: int = 0
    rate_factor: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("attack.extra_epochs", self.extra_epochs, 0)
        check_real("attack.rate_factor", self.rate_factor, 0, open_low=True)

    def trains(self, client: Client) -> Client:
        """Return a client that trains longer and faster, if it has local epochs."""
        return client.train_harder(self.extra_epochs, self.rate_factor)

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        return facts.own_updates, state


def make_attack(spec: dict[str, Any] | Attack) -> Attack:
    """Make the attack that ``spec`` describes.

    Parameters
    ----------
    spec
        A dictionary such as ``to_dict`` returns, or an attack, which is returned as it is.

    Raises
    ------
    ConfigError
        If the name or a parameter in the dictionary is unknown, or a value is not allowed.

    Examples
    --------
    >>> make_attack({"name": "ipm", "n_byzantine": 2, "epsilon": 0.5}).epsilon
    0.5
    """
    if isinstance(spec, Attack):
        return spec
    made: Attack = ATTACKS.make(spec)
    return made
