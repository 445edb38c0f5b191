"""A run's configuration: frozen, serialisable, and identified by its hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any, ClassVar

from fedlib.aggregators import Aggregator, make_aggregator
from fedlib.aggregators.clustering import ClusteringRule
from fedlib.attacks import Attack, make_attack
from fedlib.data import DataConfig, Partition, make_partition
from fedlib.data.partition import IID
from fedlib.models import MODELS
from fedlib.validation import (
    ConfigError,
    check_int,
    check_kind,
    check_name,
    check_real,
    construct,
    make_part,
)

# Part of every identity. Raised when the same configuration would give other numbers.
NUMERICS = 1
TRACKED = ("cosines", "average_iterate", "reputation", "robustness", "decision")
TEST_SETS = ("pooled", "clients", "benign_clients")


@dataclass(frozen=True)
class MomentumSGD:
    """One stochastic gradient a round, averaged into a worker momentum that is sent.

    ``m_t = (1 - momentum) g_t + momentum m_{t-1}`` with ``m_0 = 0`` (centered_clipping,
    Algorithm 1, line 9).

    Parameters
    ----------
    batch_size
        Samples a client draws a round.
    momentum
        Share of the last momentum, beta in the papers; 0 sends the gradient itself.
    sampling
        ``"shuffle"``: through the client's data in random order, then in a new one, batches
        reaching over the end; ``"fresh"``: the first samples of a new random order every round, as
        in the code of centered_clipping (a client with fewer than a batch starts over within it);
        ``"replacement"``: each sample independently.
    buffer
        ``"own"``: each client has its momentum; ``"shared"``: one passes from client to client
        within a round, and on to the next round, as in the code of clustering_with_outliers.
    augment
        ``"none"``, or ``"crop_flip"``: each image of a batch is cropped and flipped at random, see
        :func:`fedlib.data.augment.crop_and_flip` (CIFAR in the code of centered_clipping).
    """

    name: ClassVar[str] = "momentum_sgd"
    batch_size: int = 32
    momentum: float = 0.0
    sampling: str = "shuffle"
    buffer: str = "own"
    augment: str = "none"

    def __post_init__(self) -> None:
        check_int("client.batch_size", self.batch_size, 1)
        check_real("client.momentum", self.momentum, 0, 1, open_high=True)
        check_name("client.sampling", self.sampling, ("shuffle", "fresh", "replacement"))
        check_name("client.buffer", self.buffer, ("own", "shared"))
        check_name("client.augment", self.augment, ("none", "crop_flip"))


@dataclass(frozen=True)
class RobustSGD(MomentumSGD):
    """The gradient on samples that were moved where they hurt most (two_stage_attack, Algorithm 1).

    Each sample of the batch is replaced by ``argmax_z loss(z) - gamma ||z - x||^2``; see
    :func:`fedlib.robust.transport`. The text leaves the ascent open.

    Parameters
    ----------
    gamma
        Price of a squared unit of distance: 2 on the synthetic data.
    gamma_unit
        ``"one"``, or ``"norm"``: ``gamma`` is in units of the training samples' mean norm (0.04 on
        MNIST).
    ascent_steps, ascent_rate
        Of the inner maximisation; a rate of 1 is ``1 / (2 gamma)``.
    """

    name: ClassVar[str] = "robust_sgd"
    gamma: float = 2.0
    gamma_unit: str = "one"
    ascent_steps: int = 15
    ascent_rate: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("client.gamma", self.gamma, 0, open_low=True)
        check_name("client.gamma_unit", self.gamma_unit, ("one", "norm"))
        check_int("client.ascent_steps", self.ascent_steps, 1)
        check_real("client.ascent_rate", self.ascent_rate, 0, 2, open_low=True, open_high=True)


@dataclass(frozen=True)
class LocalSGD:
    """Local epochs of SGD from the broadcast model; what is sent is ``broadcast - local``.

    The server's ``learning_rate`` of 1 then is federated averaging (residual_reweighting).

    Parameters
    ----------
    batch_size, learning_rate, momentum
        Of the client's SGD; its momentum starts at zero every round.
    epochs
        Passes over the client's data a round, each in a new random order.
    optimizer
        ``"sgd"``, or ``"adam"`` with its usual constants (residual_reweighting, appendix A.2),
        which has no use for ``momentum``.
    """

    name: ClassVar[str] = "local_sgd"
    batch_size: int = 32
    learning_rate: float = 0.1
    momentum: float = 0.0
    epochs: int = 1
    optimizer: str = "sgd"

    def __post_init__(self) -> None:
        check_int("client.batch_size", self.batch_size, 1)
        check_int("client.epochs", self.epochs, 1)
        check_real("client.learning_rate", self.learning_rate, 0, open_low=True)
        check_real("client.momentum", self.momentum, 0, 1, open_high=True)
        check_name("client.optimizer", self.optimizer, ("sgd", "adam"))


def _told_apart(part: Any) -> dict[str, Any]:
    """Name and those fields of a dataclass that differ from their defaults."""
    values = {
        field.name: getattr(part, field.name)
        for field in fields(part)
        if field.default is MISSING or getattr(part, field.name) != field.default
        if field.default_factory is MISSING
    }
    if isinstance(getattr(part, "rule", None), Aggregator):
        values["rule"] = _told_apart(part.rule)
    if getattr(part, "revision", 1) > 1:
        values["revision"] = part.revision
    return {"name": part.name, **values} if hasattr(part, "name") else values


Client = MomentumSGD | LocalSGD
_CLIENTS: dict[str, type[MomentumSGD | LocalSGD]] = {
    "momentum_sgd": MomentumSGD,
    "robust_sgd": RobustSGD,
    "local_sgd": LocalSGD,
}
_EXAMPLES: dict[str, tuple[type | tuple[type, ...], str, str]] = {
    "data": (DataConfig, "a DataConfig", "DataConfig('mnist')"),
    "partition": (Partition, "a Partition", "PARTITIONS['iid']()"),
    "client": ((MomentumSGD, LocalSGD), "a client's configuration", "MomentumSGD(momentum=0.9)"),
    "aggregator": (Aggregator, "an Aggregator", "AGGREGATORS['krum'](n_byzantine=1)"),
    "attack": (Attack, "an Attack", "ATTACKS['ipm'](n_byzantine=1)"),
}


@dataclass(frozen=True)
class RunConfig:
    """Everything that a run's numbers depend on, down to float tolerance between devices.

    Parameters
    ----------
    data, partition, model
        What is learned, from which shares, by which network of ``MODELS``.
    n_clients, n_byzantine
        Clients, and how many of them (the last ones) the attacker controls.
    client
        What a client does in a round.
    aggregator, attack
        The rule and the attack. The rule's ``n_byzantine`` may differ from the run's, as in
        a baseline without attackers under a trimming rule; the attack's may not.
    rounds, learning_rate, milestones, decay
        The server subtracts ``learning_rate * aggregate`` in each round; after each round of
        ``milestones`` the rate is multiplied by ``decay``.
    eval_every
        Rounds between evaluations on the full test set; the last round is always one.
    seed
        Of partition, initialisation and batches. The clients' batches depend on nothing
        else, so that runs of one seed differ by rule and attack alone.
    track
        What is recorded besides accuracy and losses: ``"cosines"``; ``"average_iterate"``, the
        accuracy of the mean of all models broadcast; ``"reputation"``, of rules that keep them:
        those of all clients, and how well the scores separate Byzantine clients from others;
        ``"robustness"``, of robust clients: what the model certifies on the training data, and at
        the end its error on test data that are moved against it; ``"decision"``, of data with two
        features: what the last model says on a grid of the plane.
    server_samples
        Clean training samples that the server has for itself, for the rules that need them; drawn
        from all, besides the clients' shares.
    test_set
        ``"pooled"``: the whole test set; ``"clients"``: of each client as many test samples, drawn
        from the class distribution of its training samples; ``"benign_clients"``: the same of the
        honest ones alone.
    vote_samples
        Samples on which a client compares the models it votes on; 0 is as many as a batch has.
    server_step
        ``"aggregate"``: along the rule's aggregate. ``"honest_mean"``: along the mean of the honest
        clients' updates, which no server knows. The rule, one that keeps reputations, is only
        watched: it judges every update, by the last such mean, on a model that no attacker has
        touched.

    Raises
    ------
    ConfigError
        If a field cannot be used.
    """

    data: DataConfig = field(default_factory=DataConfig)
    partition: Partition = field(default_factory=IID)
    model: str = "cnn_4_8"
    n_clients: int = 25
    n_byzantine: int = 0
    client: Client = field(default_factory=MomentumSGD)
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

    def __post_init__(self) -> None:
        for name, (kind, allowed, example) in _EXAMPLES.items():
            check_kind(name, getattr(self, name), kind, allowed, example)
        for name, what, example in (
            ("milestones", "whole numbers", "(30, 60)"),
            ("track", "names", "('cosines',)"),
        ):
            check_kind(name, getattr(self, name), (tuple, list), f"a tuple of {what}", example)
            object.__setattr__(self, name, tuple(getattr(self, name)))
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
        of_server = self.aggregator.needs & {"server_update", "saliency"}
        if of_server and self.server_samples == 0:
            raise ConfigError(
                f"server_samples=0 is too few for aggregator={self.aggregator.name!r}, whose "
                "server needs samples of its own: must be at least 1."
            )
        for milestone in self.milestones:
            check_int("milestones", milestone, 1)
        for quantity in self.track:
            check_name("track", quantity, TRACKED)
        if "robustness" in self.track and not isinstance(self.client, RobustSGD):
            raise ConfigError(
                f"track='robustness' is for client='robust_sgd', not {self.client.name!r}."
            )
        for asked, why in (
            ("reputation" in self.track, "track='reputation'"),
            (self.server_step == "honest_mean", "server_step='honest_mean'"),
        ):
            if asked and not self.aggregator.keeps_reputations:
                raise ConfigError(
                    f"{why} is for rules that keep reputations, which "
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
        """The configuration as JSON values; :meth:`from_dict` takes it back."""
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "data": self.data.to_dict(),
            "partition": self.partition.to_dict(),
            "client": {"name": self.client.name, **asdict(self.client)},
            "aggregator": self.aggregator.to_dict(),
            "attack": self.attack.to_dict(),
            "milestones": list(self.milestones),
            "track": list(self.track),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunConfig:
        """The configuration that ``to_dict`` wrote.

        Raises
        ------
        ConfigError
            If a field is unknown or cannot be used.
        """
        check_kind("run configuration", values, dict, "a dictionary", "RunConfig().to_dict()")
        plain = (*_PLAIN, "milestones", "track")
        for name in values:
            check_name("run configuration field", name, {*plain, *_EXAMPLES})
        missing = [name for name in _EXAMPLES if name not in values]
        if missing:
            raise ConfigError(
                f"run configuration has no {missing[0]!r}: must have {', '.join(_EXAMPLES)}."
            )
        return cls(
            **{name: values[name] for name in plain if name in values},
            data=construct("data", DataConfig, values["data"]),
            partition=make_partition(values["partition"]),
            client=make_part("client", _CLIENTS, values["client"]),
            aggregator=make_aggregator(values["aggregator"]),
            attack=make_attack(values["attack"]),
        )

    @cached_property
    def id(self) -> str:
        """The run's identity: 16 hexadecimal digits of the canonical JSON's sha256.

        A field that has its default stays out, so that a new option, whose default is what was
        done before, leaves the identities of stored runs as they are. A default must therefore
        never change.
        """
        parts = {
            name: _told_apart(getattr(self, name))
            for name in ("data", "partition", "client", "aggregator", "attack")
        }
        text = json.dumps(
            {"numerics": NUMERICS, **_told_apart(self), **parts, **self._revised()},
            sort_keys=True,
            separators=(",", ":"),
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _revised(self) -> dict[str, int]:
        """What of this combination of parts is done otherwise than it once was."""
        found = {}
        asks = self.aggregator.needs & {"vote", "client_saliency"}
        # The candidates of such a rule are named without a vote.
        named = isinstance(self.aggregator, ClusteringRule)
        tries = self.attack.knows & ({"rule"} if named else {"rule", "candidates"})
        if self.n_byzantine and asks and tries:
            found["trials"] = 2  # 1 asked the clients on the server's own batches
        if self.attack.agent and self.milestones:
            found["rates"] = 2  # 1 took a step that a milestone follows for one of the next rate
        return found

    def with_(self, **changes: Any) -> RunConfig:
        """A copy with some fields changed."""
        return replace(self, **changes)


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
)
