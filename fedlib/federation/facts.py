"""Facts: what a rule may use beside the updates, and what an attack may know, by name.

A rule lists the facts that it ``needs`` and an attack those that it ``knows``. The engine makes
these and no others, each by the function that is entered here under its name. To add a fact, add
one function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F

from fedlib import models
from fedlib.arrays import as_tensor, is_array
from fedlib.federation.federation import Federation, State
from fedlib.federation.samples import Samples
from fedlib.gradients import Batch, forward, saliency_maps
from fedlib.validation import ConfigError, check_name


class Facts:
    """Values of facts, as attributes. A fact that was not given has no attribute.

    An array of another library becomes a tensor.

    One that may be missing, such as the aggregate of the round before, is None then.

    Raises
    ------
    ConfigError
        If a name is none of ``FACTS``.

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

    def detached(self) -> Facts:
        """These facts without the graphs that their tensors may carry."""
        tensors = {k: v for k, v in self.__dict__.items() if isinstance(v, torch.Tensor)}
        if not any(value.requires_grad for value in tensors.values()):
            return self
        return self.with_(**{name: value.detach() for name, value in tensors.items()})

    def with_(self, **values: Any) -> Facts:
        """A copy in which some facts have other values."""
        return Facts(**{**self.__dict__, **values})


@dataclass(frozen=True)
class Moment:
    """When and for whom a fact is made.

    Attributes
    ----------
    federation, state
        What the round is played on, after the clients' step.
    trial
        Whether an attacker tries the rule. What is asked of clients is then asked on samples drawn
        for that, the same in all of a round's trials: the attacker does not foresee the true ones,
        and these do not depend on how often it tries.
    of_rule
        The facts of the rule, for facts by which an attack tries it.
    """

    federation: Federation
    state: State
    trial: bool = False
    of_rule: Facts | None = None

    def samples(self, purpose: str, clients: Iterable[int]) -> Samples:
        """Clean samples of some clients, from the stream of this purpose or that of its trials."""
        stream = self.state.streams(f"trial_{purpose}" if self.trial else purpose)
        return Samples(self.federation, stream, list(clients))


@dataclass(frozen=True)
class Fact:
    """How a fact is made, and what it is checked against.

    Attributes
    ----------
    make
        A function of the :class:`Moment`. Its docstring says what the fact is.
    shape
        Names of the fact's axes, if it is a tensor: ``n_clients``, ``n_byzantine``,
        ``n_parameters``.
    of_server
        Whether the server needs samples of its own for it.
    asks_clients
        Whether clients are asked for it, so that it is made anew for an attacker's trials.
    optional
        Whether its value may be None.
    """

    make: Callable[[Moment], Any]
    shape: tuple[str, ...] = ()
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
    """The facts of these names."""
    return Facts(**{name: FACTS[name].make(moment) for name in names})


def gather_for_trials(facts: Facts, moment: Moment) -> Facts:
    """A rule's ``facts`` as an attacker has them that tries the rule."""
    asked = {name: FACTS[name] for name in facts if FACTS[name].asks_clients}
    trial = Moment(moment.federation, moment.state, trial=True)
    return facts.with_(**{name: fact.make(trial) for name, fact in asked.items()})


def check_facts(whose: str, names: Iterable[str], facts: Facts, sizes: Mapping[str, int]) -> None:
    """Raise ConfigError if a fact is not given, or if it has another shape than it must have.

    Parameters
    ----------
    whose
        Whose facts these are, for the message: ``aggregator='fltrust'``.
    names
        The facts that must be there.
    facts
        Those that are given.
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
        if fact.shape and tuple(value.shape) != wanted:
            raise ConfigError(
                f"{whose} needs the fact {name!r} of shape ({', '.join(fact.shape)}) = {wanted}, "
                f"but it has the shape {tuple(value.shape)}."
            )


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


@_fact(asks_clients=True)
def vote(moment: Moment) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of candidate aggregates that gives the index of each client's choice.

    It takes ``(n_candidates, n_parameters)`` and gives ``(n_clients,)``. An honest client votes for
    the smallest loss on its batch, and a Byzantine one for the largest (clustering_with_outliers,
    section 5).
    """
    config = moment.federation.config

    size = config.vote_samples or config.client.batch_size

    def batch() -> Batch:
        samples = moment.samples("votes", range(config.n_clients))
        return samples.batch(size, config.client.sampling)

    drawn = cache(batch) if moment.trial else batch

    def votes(candidates: torch.Tensor) -> torch.Tensor:
        losses = _losses_after(moment.state, candidates, *drawn())
        chosen = losses.argmin(1)
        n_benign = moment.federation.n_benign
        chosen[n_benign:] = losses[n_benign:].argmax(1)
        return chosen

    return votes


def _losses_after(
    state: State, candidates: torch.Tensor, x: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    """Each client's loss after a server step along each candidate, ``(n_clients, n_candidates)``.

    A loss that is not a number counts as infinite.
    """
    losses = []
    before = state.parameters.clone()
    # Batch norm looks at each client's batch alone; without it all samples go through at once.
    normed = bool(models.batch_norms(state.model))
    for candidate in candidates:
        state.parameters.copy_(before).sub_(candidate, alpha=state.learning_rate)
        parts = list(x) if normed else [x.flatten(0, 1)]
        logits = torch.cat([forward(state.model, part) for part in parts])
        each = F.cross_entropy(logits, y.flatten(), reduction="none").view(len(y), -1).mean(1)
        losses.append(each.nan_to_num(nan=torch.inf))
    state.parameters.copy_(before)
    return torch.stack(losses, dim=1)


@_fact(of_server=True)
def saliency(moment: Moment) -> Callable[..., torch.Tensor]:
    """A function of updates that gives saliency maps on the server's samples.

    It takes updates ``(m, n_parameters)`` and gives the maps ``(m, n_samples, H, W)`` of the models
    after each of them. With ``raw=True`` the maps are those of models that have the negated updates
    for parameters. ``score`` is as in :func:`~fedlib.gradients.saliency_maps`.
    """
    federation = moment.federation

    def maps(updates: torch.Tensor, raw: bool = False, score: str = "logit") -> torch.Tensor:
        own = torch.from_numpy(federation.shares[federation.server]).to(federation.device)
        x, y = (part.index_select(0, own) for part in federation.train)
        return _maps_after(moment.state, updates, raw, score, x, y)

    return maps


@_fact(asks_clients=True)
def client_saliency(moment: Moment) -> Callable[..., torch.Tensor]:
    """Like ``saliency``, but it takes a client's number first, and looks at that client's samples.

    The samples are a batch of the client's.
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
        return _maps_after(moment.state, updates, raw, score, x[0], y[0])

    return maps


def _maps_after(
    state: State, updates: torch.Tensor, raw: bool, score: str, x: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    # One model at a time: those of all clients at once would be as large as all updates.
    rate = state.learning_rate
    models = (-update if raw else state.parameters - rate * update for update in updates)
    return saliency_maps(state.model, models, x, y, score)


@_fact("n_parameters")
def output_weights(moment: Moment) -> torch.Tensor:
    """Where the last layer's weights are, without its bias, ``(n_parameters,)`` of bool."""
    return _mask("output_weights", models.output_weights, moment)


# --- what an attack may know -------------------------------------------------------------


@_fact("n_benign", "n_parameters")
def benign_updates(moment: Moment) -> torch.Tensor:
    """What the honest clients send, ``(n_benign, n_parameters)``."""
    return moment.state.updates[: moment.federation.n_benign]


@_fact("n_byzantine", "n_parameters")
def own_updates(moment: Moment) -> torch.Tensor:
    """What the Byzantine clients would send if they were honest, ``(n_byzantine, n_parameters)``.

    It is computed on their own, perhaps poisoned, samples.
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


@_fact()
def rule(moment: Moment) -> Callable[[torch.Tensor], torch.Tensor]:
    """The server's rule as it stands: a function of all updates that gives the aggregate.

    It takes ``(n_clients, n_parameters)``, the Byzantine updates last, and gives
    ``(n_parameters,)``. What the rule draws itself is drawn as the server will draw it, such as the
    round's buckets. What clients are asked is asked on batches drawn for trials.
    """
    aggregator, state = moment.federation.config.aggregator, moment.state
    facts = gather_for_trials(moment.of_rule or Facts(), moment)
    return lambda updates: aggregator.apply(updates, state.aggregator, facts)[0]


@_fact()
def candidates(moment: Moment) -> Callable[[torch.Tensor], torch.Tensor]:
    """Like ``rule``, but it gives all aggregates that the clients will vote on.

    Their shape is ``(n_candidates, n_parameters)``. A rule without a vote has one candidate.
    """
    aggregator, state = moment.federation.config.aggregator, moment.state
    facts = gather_for_trials(moment.of_rule or Facts(), moment)
    return lambda updates: aggregator.candidates(updates, state.aggregator, facts)


@_fact("n_parameters")
def critical_parameters(moment: Moment) -> torch.Tensor:
    """Where the first and last layers, normalisation and biases are, of bool."""
    return _mask("critical_parameters", models.critical_parameters, moment)


@_fact("n_parameters")
def output_bias(moment: Moment) -> torch.Tensor:
    """Where the last layer's bias is, ``(n_parameters,)`` of bool."""
    return _mask("output_bias", models.output_bias, moment)


def _mask(name: str, make: Callable[[Any], torch.Tensor], moment: Moment) -> torch.Tensor:
    """A mask of the model's parameters, which is made once in a run."""
    state, device = moment.state, moment.federation.device
    mask: torch.Tensor = state.keep(name, lambda: make(state.model).to(device))
    return mask
