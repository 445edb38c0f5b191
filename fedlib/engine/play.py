"""The round loop: clients -> attack -> aggregator -> server step -> trackers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import torch

from fedlib.aggregators.base import replace_non_finite
from fedlib.blocks import row_mean
from fedlib.data import Dataset
from fedlib.engine.prepare import prepare
from fedlib.federation.facts import Facts, Moment, gather
from fedlib.federation.federation import Federation, State
from fedlib.federation.samples import Samples
from fedlib.federation.steps import project
from fedlib.runs.config import RunConfig
from fedlib.trackers import TRACKERS, Played, Tracker
from fedlib.validation import ConfigError


def play_round(federation: Federation, state: State, trackers: Sequence[Tracker] = ()) -> State:
    """Play one communication round. ``state`` is changed in place and returned."""
    config, n_benign = federation.config, federation.n_benign
    rule = config.aggregator

    losses = clients_step(federation, state)
    facts = gather(rule.needs, Moment(federation, state))
    if config.n_byzantine:
        state.updates[n_benign:] = byzantine_updates(federation, state, facts)
    aggregate, state.aggregator = rule.apply(state.updates, state.aggregator, facts)
    if config.server_step == "honest_mean":
        aggregate = row_mean(replace_non_finite(state.updates[:n_benign]))
        state.aggregator = rule.led_by(state.aggregator, aggregate)
    for tracker in trackers:
        tracker.watch(state, Played(losses, aggregate))

    state.parameters.sub_(aggregate, alpha=state.learning_rate)
    project(state.parameters, config.projection_radius)
    state.last_aggregate = aggregate
    state.round += 1
    if state.round in config.milestones:
        state.learning_rate *= config.decay
    return state


def clients_step(federation: Federation, state: State) -> torch.Tensor:
    """Fill ``own`` and the honest rows of ``updates``, and return the losses of active clients."""
    config, n_benign, active = federation.config, federation.n_benign, federation.active
    poisons = bool(config.n_byzantine) and config.attack.poisons(state.round + 1)

    def step(client: Any, numbers: range, *out: torch.Tensor) -> torch.Tensor:
        samples = Samples(federation, state.streams("batches"), numbers, poisons)
        losses: torch.Tensor = client.step(samples, state, out, state.client)
        return losses

    honest, client = state.updates[:n_benign], config.client
    if active == n_benign:
        return step(client, range(n_benign), honest)
    byzantine_client = config.attack.trains(client) if poisons else client
    if byzantine_client == client:
        return step(client, range(active), honest, state.own)
    losses = step(client, range(n_benign), honest)
    return torch.cat([losses, step(byzantine_client, range(n_benign, active), state.own)])


def byzantine_updates(federation: Federation, state: State, facts: Facts) -> torch.Tensor:
    """Return what Byzantine clients send, ``(n_byzantine, d)``. ``facts`` are the rule's.

    An attack sees the honest updates as they are sent. If one of them is not finite, which happens
    after a model has overflowed, what many attacks make of it is not finite either. The server then
    takes it as zeros.
    """
    attack = federation.config.attack
    known = gather(attack.knows, Moment(federation, state, of_rule=facts))
    benign = state.updates[: federation.n_benign if "benign_updates" in attack.knows else 0]
    byzantine, state.attack = attack.apply(benign, state.attack, known)
    return byzantine  # type: ignore[no-any-return]


def run(
    config: RunConfig,
    dataset: Dataset,
    device: str | torch.device = "cpu",
    strategy: str = "auto",
    on_round: Callable[[int], None] | None = None,
    before_round: Callable[[Federation, State], None] | None = None,
) -> dict[str, Any]:
    """Play all rounds of ``config`` and return its metrics.

    Parameters
    ----------
    config, dataset, device, strategy
        As for :func:`prepare`.
    on_round
        A function that is called after each round with the number of rounds done.
    before_round
        A function that is called before each round with the federation and the state. An agent may
        set ``state.attack`` in it.

    Returns
    -------
    dict
        The metrics by name. ``rounds`` has the rounds after which the model was evaluated. The
        other entries are what the trackers of the run record (see :mod:`fedlib.trackers`). A number
        that is not finite becomes None.

    Raises
    ------
    ConfigError
        If the data and the configuration do not fit together.

    Examples
    --------
    >>> from fedlib import AGGREGATORS, ATTACKS, RunConfig, load_dataset, resolve_source, run
    >>> data = resolve_source("circle")
    >>> config = RunConfig(
    ...     data=data, model="elu_4_2", n_clients=10, n_byzantine=2, rounds=40, eval_every=20,
    ...     aggregator=AGGREGATORS["median"](n_byzantine=2), attack=ATTACKS["ipm"](n_byzantine=2),
    ... )
    >>> metrics = run(config, load_dataset(data))
    >>> metrics["rounds"]
    [20, 40]
    >>> metrics["test_accuracy"][-1] > 0.8
    True
    """
    federation, state = prepare(config, dataset, device, strategy)
    trackers = start_trackers(federation, state)
    metrics: dict[str, list[Any]] = {"rounds": []}
    for number in range(1, config.rounds + 1):
        if before_round is not None:
            before_round(federation, state)
        play_round(federation, state, trackers)
        if number % config.eval_every == 0 or number == config.rounds:
            _report(metrics, trackers, state)
        if on_round is not None:
            on_round(number)
    for tracker in trackers:
        for name, value in tracker.final(state).items():
            _check_new(tracker, name, metrics)
            metrics[name] = _recorded_of(tracker, name, value)
    return metrics


def start_trackers(federation: Federation, state: State) -> list[Tracker]:
    """Make the trackers that every run has, and those that the configuration names."""
    named = federation.config.track
    names = [name for name in TRACKERS if TRACKERS[name].always or name in named]
    return [TRACKERS[name](federation, state) for name in names]


def _report(metrics: dict[str, list[Any]], trackers: Sequence[Tracker], state: State) -> None:
    """Add an evaluation to the series. A series that begins late has None before."""
    before = len(metrics["rounds"])
    metrics["rounds"].append(state.round)
    reported = {"rounds"}
    for tracker in trackers:
        for name, value in tracker.report(state).items():
            _check_new(tracker, name, reported)
            reported.add(name)
            series = metrics.setdefault(name, [])
            series += [None] * (before - len(series))
            series.append(_recorded_of(tracker, name, value))


def _check_new(tracker: Tracker, name: str, known: Collection[str]) -> None:
    """Check that no other tracker records a quantity of this name."""
    if name in known:
        raise ConfigError(
            f"tracker={tracker.name!r} reports {name!r}, which is recorded already: must have "
            "another name."
        )


def _recorded_of(tracker: Tracker, name: str, value: Any) -> Any:
    """Return a value of a tracker as a record keeps it, or say that no record can keep it."""
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        value = value.tolist()
    kept = recorded(value)
    try:
        json.dumps(kept)
    except TypeError as error:
        raise ConfigError(
            f"tracker={tracker.name!r} reports {name!r} of type {type(value).__name__}: must be a "
            "number, a text, None, or lists and dictionaries of these."
        ) from error
    return kept


def recorded(value: Any) -> Any:
    """Return a value as a record keeps it: with six significant digits, and None if not finite.

    JSON has no word for NaN or Inf, and shorter numbers keep a record short.
    """
    if isinstance(value, list | tuple):
        return [recorded(one) for one in value]
    if isinstance(value, dict):
        return {name: recorded(one) for name, one in value.items()}
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
