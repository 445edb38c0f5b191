"""Facts, by name: what a rule may use beside the updates, and what an attack may know.

A rule lists the facts that it ``needs`` and an attack those that it ``knows``. The engine makes
only these facts. It makes each fact with the function that is registered here under the fact's
name. To add a fact, add one function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from fedlib import models
from fedlib.arrays import as_tensor, is_array
from fedlib.federation.federation import Federation, State
from fedlib.federation.samples import Samples
from fedlib.federation.steps import losses_after, maps_after
from fedlib.gradients import Batch
from fedlib.validation import ConfigError, check_kind, check_name


class Facts:
    """The values of facts, as attributes.

    An array of another library becomes a tensor. A fact that is not given has no attribute. But
    some facts may be missing, such as the aggregate of the last round before the first round. If
    such a fact is not given, its attribute is None.

    Raises
    ------
    ConfigError
        If a name is not one of ``FACTS``.

    Examples
    --------
    >>> import torch
    >>> from fedlib import Facts
    >>> Facts(sample_counts=torch.tensor([10, 20])).sample_counts
    tensor([10, 20])
    """

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            check_name("fact", name, FACTS)
            self.__dict__[name] = as_tensor(f"fact {name}", value) if is_array(value) else value

    def __getattr__(self, name: str) -> Any:
        if name in FACTS and FACTS[name].optional:
            return None
        raise AttributeError(f"the fact {name!r} was not given; there are: {', '.join(self)}.")

    def __iter__(self) -> Any:
        return iter(self.__dict__)

    def matched_to(self, updates: torch.Tensor) -> Facts:
        """Return these facts in the precision of some updates, and without autograd graphs.

        Facts with one value for each client keep their precision: in float16 a number of samples
        above 65,504 is infinite.
        """
        changed = {}
        for name, value in self.__dict__.items():
            if isinstance(value, torch.Tensor):
                of_clients = name in FACTS and FACTS[name].shape == ("n_clients",)
                as_is = of_clients or not value.is_floating_point()
                dtype = value.dtype if as_is else updates.dtype
                if value.requires_grad or value.dtype != dtype:
                    changed[name] = value.detach().to(dtype)
        return self.with_(**changed) if changed else self

    def with_(self, **values: Any) -> Facts:
        """Return a copy in which some facts have other values."""
        return Facts(**{**self.__dict__, **values})


@dataclass(frozen=True)
class Moment:
    """When and for whom a fact is made.

    Attributes
    ----------
    federation, state
        The federation and the state of the round, after the clients' step.
    trial
        Whether an attacker tries the rule. If the rule asks clients, they then answer on other
        samples, which are the same in all trials of a round. So the attacker cannot foresee the
        true samples, and these do not depend on the number of trials.
    of_rule
        The facts of the rule, which an attack needs to try the rule.
    """

    federation: Federation
    state: State
    trial: bool = False
    of_rule: Facts | None = None

    def samples(self, purpose: str, clients: Iterable[int]) -> Samples:
        """Return clean samples of some clients, from this purpose's stream or its trials'."""
        stream = self.state.streams(f"trial_{purpose}" if self.trial else purpose)
        return Samples(self.federation, stream, list(clients))


@dataclass(frozen=True)
class Fact:
    """The description of a fact: how it is made, and how it is checked.

    Attributes
    ----------
    make
        A function of the :class:`Moment` that makes the fact. Its docstring says what the fact is.
    shape
        The names of the fact's axes, if it is a tensor. A name is ``n_clients``, ``n_byzantine`` or
        ``n_parameters``.
    function
        Whether the fact is a function.
    of_server
        Whether the server needs samples of its own for the fact.
    asks_clients
        Whether the clients are asked for the fact. It is then made anew for an attacker's trials.
    optional
        Whether the value of the fact may be None.
    """

    make: Callable[[Moment], Any]
    shape: tuple[str, ...] = ()
    function: bool = False
    of_server: bool = False
    asks_clients: bool = False
    optional: bool = False


FACTS: dict[str, Fact] = {}


def _fact(*shape: str, **properties: bool) -> Callable[[Callable[[Moment], Any]], Any]:
    def enter(make: Callable[[Moment], Any]) -> Callable[[Moment], Any]:
        FACTS[make.__name__] = Fact(make, shape, **properties)
        return make

    return enter


def gather(names: Iterable[str], moment: Moment) -> Facts:
    """Make the facts with these names."""
    return Facts(**{name: FACTS[name].make(moment) for name in names})


def gather_for_trials(facts: Facts, moment: Moment) -> Facts:
    """Return the ``facts`` of a rule as an attacker has them when it tries the rule."""
    asked = {name: FACTS[name] for name in facts if FACTS[name].asks_clients}
    trial = Moment(moment.federation, moment.state, trial=True)
    made = {name: fact.make(trial) for name, fact in asked.items()}
    return facts.with_(**made, memory=memory(trial))


def check_facts(whose: str, names: Iterable[str], facts: Facts, sizes: Mapping[str, int]) -> None:
    """Raise ConfigError if a fact is not given, or if it has another shape than it must have.

    Parameters
    ----------
    whose
        Whose facts these are, for the message: ``aggregator='fltrust'``.
    names
        The names of the facts that must be given.
    facts
        The facts that are given.
    sizes
        The length of each axis that a fact may have.
    """
    for name in sorted(names):
        fact, value = FACTS[check_name("fact", name, FACTS)], facts.__dict__.get(name)
        if value is None:
            if fact.optional:
                continue
            raise ConfigError(f"{whose} needs the fact {name!r}, which is not given.")
        wanted = tuple(sizes[axis] for axis in fact.shape)
        if fact.shape and not isinstance(value, torch.Tensor):
            raise ConfigError(
                f"{whose} needs the fact {name!r} as an array of shape ({', '.join(fact.shape)}) = "
                f"{wanted}, but it is of type {type(value).__name__}."
            )
        if fact.shape and tuple(value.shape) != wanted:
            raise ConfigError(
                f"{whose} needs the fact {name!r} of shape ({', '.join(fact.shape)}) = {wanted}, "
                f"but it has the shape {tuple(value.shape)}."
            )
        if fact.function and not callable(value):
            raise ConfigError(
                f"{whose} needs the fact {name!r} as a function, but it is of type "
                f"{type(value).__name__}."
            )


def check_given(state: Any, facts: Any) -> Facts:
    """Return the facts that a rule or an attack is given, which are none if ``facts`` is None.

    Raises
    ------
    ConfigError
        If facts stand in the place of the state, or something else in that of the facts.
    """
    if isinstance(state, Facts):
        raise ConfigError(
            "state is of type Facts: facts must be the third argument, or have their name, as in "
            "facts=Facts(...)."
        )
    check_kind("facts", facts, (Facts, type(None)), "Facts", "Facts(sample_counts=counts)")
    return Facts() if facts is None else facts


# --- what a rule may need ----------------------------------------------------------------


@_fact("n_clients")
def sample_counts(moment: Moment) -> torch.Tensor:
    """The number of training samples of each client, ``(n_clients,)``."""
    return moment.federation.sample_counts


@_fact("n_parameters", of_server=True)
def server_update(moment: Moment) -> torch.Tensor:
    """The update that the server computes on its own clean samples, ``(n_parameters,)``.

    The server computes it as a client does.
    """
    federation, state = moment.federation, moment.state
    client = federation.config.client
    row = state.keep("server_update", lambda: torch.zeros_like(state.parameters))
    memory = state.keep("server_memory", lambda: client.init(federation, len(state.parameters)))
    samples = Samples(federation, state.streams("batches"), [federation.server])
    client.step(samples, state, [row[None]], memory)
    return row


@_fact(asks_clients=True, function=True)
def vote(moment: Moment) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of candidate aggregates that returns the index of each client's choice.

    It takes ``(n_candidates, n_parameters)`` and returns ``(n_clients,)``. An honest client votes
    for the candidate with the smallest loss on its batch, and a Byzantine client for the one with
    the largest loss (clustering_with_outliers, section 5).
    """
    config = moment.federation.config

    size = config.vote_samples or config.client.batch_size

    def batch() -> Batch:
        samples = moment.samples("votes", range(config.n_clients))
        return samples.batch(size, config.client.sampling)

    drawn = cache(batch) if moment.trial else batch

    def votes(candidates: torch.Tensor) -> torch.Tensor:
        losses = losses_after(moment.federation, moment.state, candidates, *drawn())
        chosen = losses.argmin(1)
        n_benign = moment.federation.n_benign
        chosen[n_benign:] = losses[n_benign:].argmax(1)
        return chosen

    return votes


@_fact(of_server=True, function=True)
def saliency(moment: Moment) -> Callable[..., torch.Tensor]:
    """A function of updates that returns saliency maps on the server's samples.

    It takes updates ``(m, n_parameters)`` and returns the maps ``(m, n_samples, H, W)`` of the
    model after each update. With ``raw=True`` the maps are those of models whose parameters are the
    negated updates. ``score`` is as in :func:`~fedlib.gradients.saliency_maps`.
    """
    federation = moment.federation

    def maps(updates: torch.Tensor, raw: bool = False, score: str = "logit") -> torch.Tensor:
        own = torch.from_numpy(federation.shares[federation.server]).to(federation.device)
        x, y = (part.index_select(0, own) for part in federation.train)
        return maps_after(federation, moment.state, updates, raw, score, x, y)

    return maps


@_fact(asks_clients=True, function=True)
def client_saliency(moment: Moment) -> Callable[..., torch.Tensor]:
    """A function like ``saliency`` that takes a client's number first.

    The maps are on a batch of this client's samples.
    """
    client = moment.federation.config.client

    def probe(number: int) -> Batch:
        samples = moment.samples("probes", [number])
        return samples.batch(client.batch_size, client.sampling)

    drawn = cache(probe) if moment.trial else probe

    def maps(
        number: int, updates: torch.Tensor, raw: bool = False, score: str = "logit"
    ) -> torch.Tensor:
        x, y = drawn(number)
        return maps_after(moment.federation, moment.state, updates, raw, score, x[0], y[0])

    return maps


@_fact(optional=True)
def memory(moment: Moment) -> dict[Any, Any] | None:
    """What the rule keeps from one trial of an attacker to the next, an empty dictionary at first.

    An attacker tries the rule many times in a round, and always with the same honest updates. A
    rule may keep here what it has computed for them, so that it computes it once. The memory must
    not change an aggregate, and it belongs to one rule with one set of parameters. It is None if
    the server applies the rule.
    """
    return {} if moment.trial else None


@_fact("n_parameters")
def output_weights(moment: Moment) -> torch.Tensor:
    """Which parameters are weights of the last layer, no bias, ``(n_parameters,)`` of bool."""
    return _mask("output_weights", models.output_weights, moment)


# --- what an attack may know -------------------------------------------------------------


@_fact("n_benign", "n_parameters")
def benign_updates(moment: Moment) -> torch.Tensor:
    """The updates that the honest clients send, ``(n_benign, n_parameters)``."""
    return moment.state.updates[: moment.federation.n_benign]


@_fact("n_byzantine", "n_parameters")
def own_updates(moment: Moment) -> torch.Tensor:
    """The updates that the Byzantine clients would send if honest, ``(n_byzantine, n_parameters)``.

    They are computed on the samples of the Byzantine clients, which may be poisoned.
    """
    return moment.state.own


@_fact("n_parameters", optional=True)
def last_aggregate(moment: Moment) -> torch.Tensor | None:
    """The aggregate of the round before, ``(n_parameters,)``; None in the first round."""
    return moment.state.last_aggregate


@_fact("n_parameters")
def model(moment: Moment) -> torch.Tensor:
    """The broadcast model's parameters, ``(n_parameters,)``."""
    return moment.state.parameters


@_fact(function=True)
def rule(moment: Moment) -> Callable[[torch.Tensor], torch.Tensor]:
    """The server's rule with its present state, as a function of all updates.

    It takes ``(n_clients, n_parameters)`` with the Byzantine updates last, and returns the
    aggregate ``(n_parameters,)``. The random numbers of the rule, such as the buckets of the round,
    are the ones that the server will draw. If the rule asks clients, they answer on batches that
    are drawn for trials.
    """
    aggregator, state = moment.federation.config.aggregator, moment.state
    facts = gather_for_trials(moment.of_rule or Facts(), moment)
    return lambda updates: aggregator.apply(updates, state.aggregator, facts)[0]


@_fact(function=True)
def candidates(moment: Moment) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function like ``rule`` that returns all aggregates on which the clients will vote.

    Their shape is ``(n_candidates, n_parameters)``. A rule without a vote has one candidate.
    """
    aggregator, state = moment.federation.config.aggregator, moment.state
    facts = gather_for_trials(moment.of_rule or Facts(), moment)
    return lambda updates: aggregator.candidates(updates, state.aggregator, facts)


@_fact("n_parameters")
def critical_parameters(moment: Moment) -> torch.Tensor:
    """Which parameters belong to the first or last layer, a normalisation or a bias, of bool."""
    return _mask("critical_parameters", models.critical_parameters, moment)


@_fact("n_parameters")
def output_bias(moment: Moment) -> torch.Tensor:
    """Which parameters are the bias of the last layer, ``(n_parameters,)`` of bool."""
    return _mask("output_bias", models.output_bias, moment)


def _mask(name: str, make: Callable[[Any], torch.Tensor], moment: Moment) -> torch.Tensor:
    """Return a mask of the model's parameters, which is made only once in a run."""
    state, device = moment.state, moment.federation.device
    mask: torch.Tensor = state.keep(name, lambda: make(state.model).to(device))
    return mask
