"""The configuration of a run, which cannot be changed and is identified by its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

from fedlib.aggregators import Aggregator, make_aggregator
from fedlib.attacks import Attack, make_attack
from fedlib.clients.base import Client, make_client
from fedlib.data import DataConfig, Partition, make_partition
from fedlib.federation.facts import FACTS
from fedlib.models import MODELS
from fedlib.parts import Revisions, fields_of, identity_of, revisions_of
from fedlib.runs.plain import plain_values
from fedlib.trackers import TRACKERS
from fedlib.validation import (
    ConfigError,
    check_int,
    check_kind,
    check_name,
    check_real,
    construct,
)

# Part of every identity. Raised when the same configuration would give other numbers.
NUMERICS = 1
Made = dict[tuple[str, str], Any]
"""Parts of runs, by the field that they stand in and the text of the values they are made from."""
TEST_SETS = ("pooled", "clients", "benign_clients")


_EXAMPLES: dict[str, tuple[type, str, str]] = {
    "data": (DataConfig, "a DataConfig", "DataConfig('mnist')"),
    "partition": (Partition, "a Partition", "PARTITIONS['iid']()"),
    "client": (Client, "a client algorithm", "CLIENTS['momentum_sgd'](momentum=0.9)"),
    "aggregator": (Aggregator, "an Aggregator", "AGGREGATORS['krum'](n_byzantine=1)"),
    "attack": (Attack, "an Attack", "ATTACKS['ipm'](n_byzantine=1)"),
}


@dataclass(frozen=True)
class RunConfig:
    """Everything that the numbers of a run depend on, apart from rounding on a device.

    Parameters
    ----------
    data
        The data set.
    partition
        The way in which the training samples are shared out to the clients.
    model
        The network, one of ``fedlib.models.MODELS``.
    n_clients
        The number of clients.
    n_byzantine
        The number of clients that the attacker controls. They are the last ones.
    client
        The client algorithm, which says what a client does in a round.
    aggregator
        The server's rule. Its ``n_byzantine`` may differ from that of the run. An example is a run
        without attackers in which the rule still trims.
    attack
        The attack. Its ``n_byzantine`` must be the same as that of the run.
    rounds
        The number of rounds.
    learning_rate
        The server subtracts ``learning_rate * aggregate`` from the model in each round.
    milestones
        After each of these rounds the learning rate is multiplied by ``decay``. They must increase.
    decay
        The learning rate is multiplied by this number at each milestone.
    eval_every
        The number of rounds from one evaluation to the next. The model is also evaluated after the
        last round.
    seed
        The seed of the partition, the initialisation and the batches. The clients' batches depend
        on nothing else, so runs with the same seed differ only in the rule and the attack.
    track
        The quantities that are recorded besides accuracy and losses, as names of
        ``fedlib.trackers.TRACKERS``, each at most once.
    server_samples
        The number of clean training samples that the server has for itself, for the rules that
        need them. They are drawn from all samples, whether a client holds them or not.
    test_set
        The samples on which the model is tested. ``"pooled"`` takes the whole test set. With
        ``"clients"`` each client tests the model on the same number of test samples, which have the
        class distribution of the client's training samples. With ``"benign_clients"`` only the
        honest clients do this.
    vote_samples
        The number of samples on which a client compares the models that it votes on. 0 takes as
        many samples as a batch has.
    server_step
        The direction of the server's step. With ``"aggregate"`` the server steps along the rule's
        aggregate. With ``"honest_mean"`` it steps along the mean of the honest clients' updates,
        which no real server knows. Then the rule must be one that keeps reputations, and it is only
        watched. It judges every update by the last such mean, on a model that no attacker has
        influenced.
    projection_radius
        After each step the server moves the model to the nearest one whose parameters have at most
        this Euclidean norm. With None, the default, the model may be any.

    Raises
    ------
    ConfigError
        If a field cannot be used.

    Examples
    --------
    >>> from fedlib import AGGREGATORS, ATTACKS, RunConfig, load_dataset, resolve_source, run
    >>> data = resolve_source("circle")
    >>> config = RunConfig(
    ...     data=data, model="elu_4_2", n_clients=10, n_byzantine=2, rounds=40, eval_every=20,
    ...     aggregator=AGGREGATORS["median"](n_byzantine=2), attack=ATTACKS["ipm"](n_byzantine=2),
    ... )
    >>> config.rounds, config.aggregator.name, config.client.name
    (40, 'median', 'momentum_sgd')
    """

    data: DataConfig = field(default_factory=DataConfig)
    partition: Partition = field(default_factory=lambda: make_partition({"name": "iid"}))
    model: str = "cnn_4_8"
    n_clients: int = 25
    n_byzantine: int = 0
    client: Client = field(default_factory=lambda: make_client({"name": "momentum_sgd"}))
    aggregator: Aggregator = field(default_factory=lambda: make_aggregator({"name": "mean"}))
    attack: Attack = field(default_factory=lambda: make_attack({"name": "none"}))
    rounds: int = 100
    learning_rate: float = 0.1
    milestones: tuple[int, ...] = ()
    decay: float = 0.1
    eval_every: int = 10
    seed: int = 1
    track: tuple[str, ...] = ()
    server_samples: int = 0
    test_set: str = "pooled"
    vote_samples: int = 0
    server_step: str = "aggregate"
    projection_radius: float | None = None

    def __post_init__(self) -> None:
        for name, (kind, allowed, example) in _EXAMPLES.items():
            check_kind(name, getattr(self, name), kind, allowed, example)
        for name, what, example in (
            ("milestones", "whole numbers", "(30, 60)"),
            ("track", "names", "('cosines',)"),
        ):
            check_kind(name, getattr(self, name), (tuple, list), f"a tuple of {what}", example)
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, value in plain_values(self).items():
            object.__setattr__(self, name, value)
        check_name("model", self.model, MODELS)
        check_int("n_clients", self.n_clients, 1)
        check_int("n_byzantine", self.n_byzantine, 0, self.n_clients - 1)
        check_int("rounds", self.rounds, 1)
        check_real("learning_rate", self.learning_rate, 0, open_low=True)
        check_real("decay", self.decay, 0, open_low=True)
        check_int("eval_every", self.eval_every, 1)
        check_int("seed", self.seed, 0)
        check_int("server_samples", self.server_samples, 0)
        check_name("test_set", self.test_set, TEST_SETS)
        check_int("vote_samples", self.vote_samples, 0)
        check_name("server_step", self.server_step, ("aggregate", "honest_mean"))
        if self.projection_radius is not None:
            check_real("projection_radius", self.projection_radius, 0, open_low=True)
        if self.server_samples == 0 and any(FACTS[one].of_server for one in self.aggregator.needs):
            raise ConfigError(
                f"server_samples=0 is too few for aggregator={self.aggregator.name!r}, whose "
                "server needs samples of its own: must be at least 1."
            )
        for milestone in self.milestones:
            check_int("milestones", milestone, 1)
        if any(later <= earlier for earlier, later in pairwise(self.milestones)):
            raise ConfigError(f"milestones={self.milestones!r} must increase.")
        if len(set(self.track)) < len(self.track):
            raise ConfigError(f"track={self.track!r} must name each quantity once.")
        for quantity in self.track:
            check_name("track", quantity, (name for name in TRACKERS if not TRACKERS[name].always))
            TRACKERS[quantity].check(self)
        if self.server_step == "honest_mean" and not self.aggregator.keeps_reputations:
            raise ConfigError(
                "server_step='honest_mean' is for rules that keep reputations, which "
                f"aggregator={self.aggregator.name!r} does not."
            )
        if self.attack.n_byzantine != self.n_byzantine:
            raise ConfigError(
                f"attack.n_byzantine={self.attack.n_byzantine} must be the run's "
                f"n_byzantine={self.n_byzantine}."
            )
        self.aggregator.init(self.n_clients, 1)
        self.attack.init(self.n_clients, 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as JSON values, from which :meth:`from_dict` makes it again."""
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "data": self.data.to_dict(),
            "partition": self.partition.to_dict(),
            "client": self.client.to_dict(),
            "aggregator": self.aggregator.to_dict(),
            "attack": self.attack.to_dict(),
            "milestones": list(self.milestones),
            "track": list(self.track),
        }

    @classmethod
    def from_dict(
        cls,
        values: dict[str, Any],
        *,
        check: bool = True,
        made: Made | None = None,
    ) -> RunConfig:
        """Return the configuration that a dictionary from ``to_dict`` describes.

        Parameters
        ----------
        values
            The dictionary that ``to_dict`` returned.
        check
            False leaves out the checks whether the parts fit together. A run may have been stored
            before such a check was added. It cannot be computed any more, but it still has its
            identity.
        made
            The parts that were made from dictionaries of JSON values before, by field and text.
            They are not made again, and new ones are added. Many records have the same parts.

        Raises
        ------
        ConfigError
            If a field is unknown or cannot be used.
        """
        check_kind("run configuration", values, dict, "a dictionary", "RunConfig().to_dict()")
        plain = (*_PLAIN, "milestones", "track")
        known = (*plain, *_EXAMPLES)
        if not values.keys() <= {*known}:
            for name in values:
                check_name("run configuration field", name, known)
        missing = [name for name in _EXAMPLES if name not in values]
        if missing:
            raise ConfigError(
                f"run configuration has no {missing[0]!r}: must have {', '.join(_EXAMPLES)}."
            )
        given = {name: values[name] for name in plain if name in values}
        for name, make in _MAKERS.items():
            spec = values[name]
            if made is None:
                given[name] = make(spec)
                continue
            text = repr(spec)
            if (name, text) not in made:
                made[name, text] = make(spec)
            given[name] = made[name, text]
        if check:
            return cls(**given)
        unchecked = object.__new__(cls)
        for field_ in fields_of(cls):  # type: ignore[arg-type]
            value = given.get(field_.name, field_.default)
            value = tuple(value) if isinstance(value, list) else value
            object.__setattr__(unchecked, field_.name, value)
        return unchecked

    @cached_property
    def id(self) -> str:
        """The identity of the run: 16 hexadecimal digits of the sha256 of its canonical JSON.

        Options that have their defaults do not enter it (:func:`fedlib.parts.identity_of`).
        """
        return self.identity()

    def identity(self, revisions: Revisions = revisions_of) -> str:
        """Return the identity that the run has with certain revisions of its parts.

        Parameters
        ----------
        revisions
            As for :func:`fedlib.parts.identity_of`. By default they are those of today, which give
            :attr:`id`.
        """
        parts = {name: getattr(self, name) for name in _EXAMPLES}
        revised = {id(part): revisions(part, self) for part in parts.values()}

        def known(part: Any, run: Any) -> dict[str, int]:
            # A part may hold another one, which is not in the dictionary.
            return revised[id(part)] if id(part) in revised else revisions(part, run)

        text = json.dumps(
            {
                "numerics": NUMERICS,
                **identity_of(self, self),
                **{name: identity_of(part, self, known) for name, part in parts.items()},
                **{of: number for found in revised.values() for of, number in found.items() if of},
            },
            sort_keys=True,
            separators=(",", ":"),
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def with_(self, **changes: Any) -> RunConfig:
        """Return a copy in which some fields are changed."""
        return replace(self, **changes)


_MAKERS: dict[str, Callable[[Any], Any]] = {
    "data": partial(construct, "data", DataConfig),
    "partition": make_partition,
    "client": make_client,
    "aggregator": make_aggregator,
    "attack": make_attack,
}
_PLAIN = (
    "model",
    "n_clients",
    "n_byzantine",
    "rounds",
    "learning_rate",
    "decay",
    "eval_every",
    "seed",
    "server_samples",
    "test_set",
    "vote_samples",
    "server_step",
    "projection_radius",
)
