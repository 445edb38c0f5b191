"""The round loop: clients -> attack -> aggregator -> server step -> metrics.

A run is :func:`prepare` once, then :func:`play_round` for each round, on a :class:`State` that
holds all that changes. :func:`run` does it for a whole configuration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from fedlib.aggregators import AggregatorContext
from fedlib.aggregators.base import replace_non_finite
from fedlib.aggregators.reputation import ReputationRule
from fedlib.attacks import AttackContext
from fedlib.attacks.base import TrainingAttack
from fedlib.blocks import row_mean
from fedlib.data import Dataset, matched_samples
from fedlib.data.augment import crop_and_flip, draw_moves
from fedlib.data.batches import Batches
from fedlib.gradients import (
    Batch,
    choose_strategy,
    forward,
    gradients,
    local_updates,
    saliency_maps,
)
from fedlib.gradients.replay import Graphs
from fedlib.metrics import CERTIFIED, PRICES, decisions, evaluate, separation
from fedlib.models import (
    batch_norms,
    critical_parameters,
    flatten_parameters,
    make_model,
    output_bias,
    output_weights,
)
from fedlib.robust import certificate, perturbation_curve, transport
from fedlib.runs import LocalSGD, MomentumSGD, RobustSGD, RunConfig
from fedlib.seeds import derived_seed, stream
from fedlib.validation import ConfigError, check_int


@dataclass(frozen=True)
class Federation:
    """What stays the same over a run: the configuration, and the data on the device.

    ``shares`` are the clients' sample indices, and last the server's if it has samples;
    ``poisoned`` are the training samples as the Byzantine clients see them, or, if they poison a
    part of every batch, the training samples and then poisoned twins of theirs: that of sample i is
    sample ``twins[i]``; ``active`` the clients that compute a step, all but those whose attack
    needs none. Byzantine clients are the last ``n_byzantine``. ``triggered`` is what an attack with
    a goal of its own is judged on, None if no test sample is fit for that; ``gamma`` the robust
    clients' price of distance, 0 for others; ``black`` a black pixel.
    """

    config: RunConfig
    device: torch.device
    x: torch.Tensor
    y: torch.Tensor
    poisoned: tuple[torch.Tensor, torch.Tensor]
    twins: torch.Tensor | None
    x_test: torch.Tensor
    y_test: torch.Tensor
    triggered: tuple[torch.Tensor, torch.Tensor] | None
    sample_counts: torch.Tensor
    critical: torch.Tensor
    output_bias: torch.Tensor
    shares: list[np.ndarray]
    active: int
    strategy: str
    gamma: float
    black: tuple[float, ...]

    @property
    def n_benign(self) -> int:
        """Number of honest clients, the first ones."""
        return self.config.n_clients - self.config.n_byzantine


@dataclass
class State:
    """What changes from round to round.

    ``parameters`` ``(d,)`` is the flat vector that the model's parameters are views of.
    ``updates`` ``(n_clients, d)`` holds the round's updates; with momentum, the benign rows are
    the clients' momenta, and ``own`` ``(n_byzantine, d)`` those of Byzantine clients that train;
    ``gradients`` are the clients' where these are not the updates, and ``graphs`` how a GPU
    replays the step that takes them;
    ``server`` ``(d,)`` is the server's own, ``shared`` ``(d,)`` what clients pass on if they share
    one; ``average`` ``(d,)`` the mean of the models broadcast, if tracked. ``trial_votes`` and
    ``trial_probes`` are what the clients vote on and show where the attacker tries the rule.
    """

    model: nn.Module
    parameters: torch.Tensor
    updates: torch.Tensor
    own: torch.Tensor
    gradients: torch.Tensor | None
    graphs: Graphs
    server: torch.Tensor
    shared: torch.Tensor
    batches: Batches
    vote_batches: Batches
    probe_batches: Batches
    trial_votes: Batches
    trial_probes: Batches
    moves: list[np.random.Generator]
    aggregator: Any
    attack: Any
    round: int = 0
    learning_rate: float = 0.0
    last_aggregate: torch.Tensor | None = None
    last_perturbation: torch.Tensor | None = None
    average: torch.Tensor | None = None
    train_losses: list[torch.Tensor] = field(default_factory=list)
    cosines: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    separations: list[torch.Tensor] = field(default_factory=list)


def prepare(
    config: RunConfig,
    dataset: Dataset,
    device: str | torch.device = "cpu",
    strategy: str = "auto",
) -> tuple[Federation, State]:
    """Lay the data on the device, share it out and make the first state.

    Raises
    ------
    ConfigError
        If data and configuration do not go together.
    """
    if dataset.config != config.data:
        raise ConfigError(
            f"data={dataset.config} was loaded, but the run is configured for {config.data}."
        )
    device = torch.device(device)
    if "decision" in config.track and dataset.shape != (1, 1, 2):
        raise ConfigError(
            f"track='decision' is for data with two features, not of shape {dataset.shape}."
        )
    if getattr(config.client, "augment", "none") != "none" and config.data.per_pixel:
        raise ConfigError(
            f"client.augment={config.client.augment!r} moves pixels, and those of "  # type: ignore[union-attr]
            "data.per_pixel=True are standardised each in its own way: must be False."
        )
    if getattr(config.client, "augment", "none") != "none" and min(dataset.shape[1:]) < 8:
        raise ConfigError(
            f"client.augment={config.client.augment!r} is for images, not for data of shape "  # type: ignore[union-attr]
            f"{dataset.shape}."
        )
    n_benign = config.n_clients - config.n_byzantine
    shares = config.partition(
        dataset.y_train.numpy(), config.n_clients, config.seed, dataset.groups
    )

    counts = torch.tensor([len(share) for share in shares], dtype=torch.float64)
    if config.server_samples:
        check_int("server_samples", config.server_samples, 1, len(dataset.y_train))
        chosen_by = stream(config.seed, "server_samples")
        shares = [*shares, chosen_by.permutation(len(dataset.y_train))[: config.server_samples]]

    x, y = dataset.x_train, dataset.y_train
    x_test, y_test = dataset.x_test, dataset.y_test
    if config.test_set != "pooled":
        judged = shares[: n_benign if config.test_set == "benign_clients" else config.n_clients]
        drawn = matched_samples(judged, y.numpy(), y_test.numpy(), config.seed)
        index = torch.from_numpy(np.concatenate(drawn))
        x_test, y_test = x_test[index], y_test[index]
    attack = config.attack.fitted(x)
    poisoned, twins = (x, y), None
    if config.n_byzantine:
        held = torch.from_numpy(np.concatenate(shares[n_benign : config.n_clients]))
        x_held, y_held = attack.poison(x[held], y[held], dataset.n_classes)
        if attack.poisoned_of_batch() is not None:
            poisoned = torch.cat([x, x_held]), torch.cat([y, y_held])
            twins = torch.arange(len(y)).index_copy(0, held, len(y) + torch.arange(len(held)))
        else:
            # The loaded data set is shared between runs: only a copy may be poisoned.
            poisoned = x, y.clone()
            poisoned[1][held] = y_held
            if not torch.equal(x_held, x[held]):
                poisoned = x.clone(), poisoned[1]
                poisoned[0][held] = x_held
    triggered = attack.triggered(x_test, y_test)
    if triggered is not None and len(triggered[1]) == 0:
        triggered = None

    model = make_model(
        config.model, dataset.shape, dataset.n_classes, derived_seed(config.seed, "model")
    ).to(device)
    _check_batch_norm(model, config.model)
    model.train()
    parameters = flatten_parameters(model)
    d = parameters.numel()
    x_there, y_there = x.to(device), y.to(device)
    federation = Federation(
        config=config,
        device=device,
        x=x_there,
        y=y_there,
        poisoned=(
            x_there if poisoned[0] is x else poisoned[0].to(device),
            y_there if poisoned[1] is y else poisoned[1].to(device),
        ),
        twins=twins,
        x_test=x_test.to(device),
        y_test=y_test.to(device),
        triggered=triggered and (triggered[0].to(device), triggered[1].to(device)),
        sample_counts=counts.to(device),
        critical=critical_parameters(model).to(device),
        output_bias=output_bias(model).to(device),
        shares=shares,
        active=config.n_clients if "own_updates" in config.attack.knows else n_benign,
        strategy=choose_strategy(model, device, strategy),
        gamma=_gamma(config, x),
        black=dataset.black,
    )
    state = State(
        model=model,
        parameters=parameters,
        updates=torch.zeros(config.n_clients, d, device=device),
        own=torch.zeros(federation.active - n_benign, d, device=device),
        gradients=None,
        graphs=Graphs(),
        server=torch.zeros(d, device=device),
        shared=torch.zeros(d, device=device),
        batches=Batches(shares, config.seed),
        vote_batches=Batches(shares, config.seed, "votes"),
        probe_batches=Batches(shares, config.seed, "probes"),
        trial_votes=Batches(shares, config.seed, "trial_votes"),
        trial_probes=Batches(shares, config.seed, "trial_probes"),
        moves=[stream(config.seed, "augment", i) for i in range(config.n_clients)],
        aggregator=config.aggregator.init(config.n_clients, d),
        attack=config.attack.init(config.n_clients, d),
        learning_rate=config.learning_rate,
        average=torch.zeros(d, device=device) if "average_iterate" in config.track else None,
    )
    return federation, state


def _gamma(config: RunConfig, x: torch.Tensor) -> float:
    """The price of distance on these training samples."""
    if not isinstance(config.client, RobustSGD):
        return 0.0
    unit = float(x.flatten(1).norm(dim=1).mean()) if config.client.gamma_unit == "norm" else 1.0
    return config.client.gamma * unit


def _check_batch_norm(model: nn.Module, name: str) -> None:
    # Only parameters travel between clients and server. Statistics are each client's batch's in
    # training and the test batch's in evaluation, so there must be no running ones.
    if any(module.track_running_stats for module in batch_norms(model)):
        raise ConfigError(
            f"model={name!r} keeps running batch-norm statistics, which do not travel: must be "
            "built with track_running_stats=False."
        )


def play_round(federation: Federation, state: State) -> State:
    """One communication round; ``state`` is changed in place and returned."""
    config, n_benign = federation.config, federation.n_benign
    if state.average is not None:
        state.average.lerp_(state.parameters, 1 / (state.round + 1))
    losses = _clients_step(federation, state)
    state.train_losses.append(losses[:n_benign].mean())

    context = _aggregator_context(federation, state)
    if config.n_byzantine:
        state.updates[n_benign:] = _byzantine_updates(federation, state, context)
    if "cosines" in config.track:
        _record_cosines(federation, state)

    aggregate, state.aggregator = _aggregated(federation, state, context)
    if "reputation" in config.track and config.n_byzantine:
        state.separations.append(separation(state.aggregator.scores, n_benign))
    if config.server_step == "honest_mean":
        assert isinstance(config.aggregator, ReputationRule)
        aggregate = row_mean(replace_non_finite(state.updates[:n_benign]))
        state.aggregator = config.aggregator.led_by(state.aggregator, aggregate)
    state.parameters.sub_(aggregate, alpha=state.learning_rate)
    state.last_aggregate = aggregate
    state.round += 1
    if state.round in config.milestones:
        state.learning_rate *= config.decay
    return state


def _byzantine_updates(
    federation: Federation, state: State, context: AggregatorContext | None
) -> torch.Tensor:
    """What the Byzantine clients send, ``(n_byzantine, d)``; ``context`` is the rule's."""
    rule, attack = federation.config.aggregator, federation.config.attack
    tried = context and _trial_context(federation, state, context)
    benign = state.updates[: federation.n_benign if "benign_updates" in attack.knows else 0]

    def told(last_aggregate: torch.Tensor | None) -> AttackContext:
        everything = {
            "own_updates": state.own,
            "last_aggregate": last_aggregate,
            "model": state.parameters,
            "rule": lambda updates: rule.apply(updates, state.aggregator, tried)[0],
            "candidates": lambda updates: rule.candidates(updates, state.aggregator, tried),
            "critical_parameters": federation.critical,
            "output_bias": federation.output_bias,
        }
        return AttackContext(**{name: everything[name] for name in attack.knows & {*everything}})  # type: ignore[arg-type]

    if attack.replayable and state.attack is None and _replays(federation, state):
        last = state.last_aggregate if "last_aggregate" in attack.knows else None
        sent: torch.Tensor = state.graphs(
            "attack", lambda last: attack.apply(benign, None, told(last))[0], last
        )
        return sent
    byzantine, state.attack = attack.apply(benign, state.attack, told(state.last_aggregate))
    return byzantine


def _aggregated(
    federation: Federation, state: State, context: AggregatorContext | None
) -> tuple[torch.Tensor, Any]:
    """The aggregate, ``(d,)``, and the rule's next state."""
    rule = federation.config.aggregator
    if rule.replayable and context is None and _replays(federation, state):
        return state.graphs("rule", partial(rule.apply, state.updates), state.aggregator)  # type: ignore[no-any-return]
    return rule.apply(state.updates, state.aggregator, context)


def _replays(federation: Federation, state: State) -> bool:
    # From the second round on, when what is kept from round to round is there.
    return state.round > 0 and state.graphs.serve(federation.device)


def _clients_step(federation: Federation, state: State) -> torch.Tensor:
    """Fill the benign rows of ``updates``, and ``own``; return the active clients' losses."""
    config, active, n_benign = federation.config, federation.active, federation.n_benign
    client, attack = config.client, config.attack
    poisons = config.n_byzantine and attack.poisons(state.round + 1)
    clean = federation.x, federation.y
    data = federation.poisoned if poisons else clean
    if isinstance(client, LocalSGD):
        losses = _local_step(federation, state, range(n_benign), clean, client, state.updates)
        if active > n_benign:
            trained = client
            if poisons and isinstance(attack, TrainingAttack):
                trained = replace(
                    client,
                    epochs=client.epochs + attack.extra_epochs,
                    learning_rate=client.learning_rate * attack.rate_factor,
                )
            byzantine = range(n_benign, active)
            theirs = _local_step(federation, state, byzantine, data, trained, state.own)
            losses = torch.cat([losses, theirs])
        return losses
    x, y = _next_batch(federation, state.batches, range(active), clean, theirs=data)
    if client.augment != "none":
        drawn = np.concatenate([draw_moves(state.moves[i], x.shape[1]) for i in range(active)])
        moves = _sent(torch.from_numpy(drawn), federation.device)
        x = crop_and_flip(x.flatten(0, 1), moves, federation.black).view(x.shape)
    if isinstance(client, RobustSGD):
        x = _moved(federation, state, x, y)
    if client.momentum == 0 and active == n_benign:
        # The gradients are the updates: no second matrix.
        _, losses = gradients(
            state.model,
            x,
            y,
            out=state.updates[:n_benign],
            strategy=federation.strategy,
            graphs=state.graphs,
        )
        return losses
    if state.gradients is None:
        state.gradients = state.updates.new_empty(active, state.updates.shape[1])
    grads, losses = gradients(
        state.model,
        x,
        y,
        out=state.gradients,
        strategy=federation.strategy,
        graphs=state.graphs,
    )
    if client.buffer == "shared":
        # Of the client before; the first goes on from the last client of the round before.
        for grad in grads:
            _into(state.shared, grad, client.momentum)
            grad.copy_(state.shared)
        state.updates[:n_benign] = grads[:n_benign]
        state.own.copy_(grads[n_benign:])
        return losses
    _into(state.updates[:n_benign], grads[:n_benign], client.momentum)
    _into(state.own, grads[n_benign:], client.momentum)
    return losses


def _into(buffer: torch.Tensor, grads: torch.Tensor, momentum: float) -> None:
    """Average gradients into momenta, in place."""
    if momentum == 0:
        # To lerp_, a NaN or an Inf that is in the buffer would stay there.
        buffer.copy_(grads)
    else:
        buffer.lerp_(grads, 1 - momentum)


def _moved(federation: Federation, state: State, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """All clients' samples ``(n, batch, C, H, W)``, moved against the broadcast model at once."""
    client = federation.config.client
    assert isinstance(client, RobustSGD)
    labels = y.flatten()

    def loss(z: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(state.model(z), labels, reduction="none")

    flat = x.flatten(0, 1)
    moved = transport(loss, flat, federation.gamma, client.ascent_steps, client.ascent_rate)
    return moved.view(x.shape)


def _next_batch(
    federation: Federation,
    batches: Batches,
    clients: Sequence[int],
    data: tuple[torch.Tensor, torch.Tensor],
    size: int = 0,
    theirs: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples ``(len(clients), size, C, H, W)`` and labels of some clients' next batches.

    A ``size`` of 0 is the configuration's. ``theirs`` is what the Byzantine clients draw from in
    place of ``data``: an honest client may hold a sample that a Byzantine one has poisoned.
    """
    client = federation.config.client
    size = size or client.batch_size
    sampling = client.sampling if isinstance(client, MomentumSGD) else "shuffle"
    chosen = batches.draw(clients, size, sampling)
    index = _sent(torch.from_numpy(chosen), federation.device).view(-1)
    shape = (len(clients), size)
    x = data[0].index_select(0, index).view(*shape, *data[0].shape[1:])
    y = data[1].index_select(0, index).view(shape)
    if theirs is not None:
        row = sum(i < federation.n_benign for i in clients)
        index = _poisoned_first(federation, chosen[row:], clients[row:], theirs)
        index = _sent(index, federation.device).view(-1)
        for drawn, clean, source in zip((x, y), data, theirs, strict=True):
            if source is not clean:  # an attack may poison labels alone, or nothing
                drawn[row:] = source.index_select(0, index).view_as(drawn[row:])
    return x, y


def _sent(index: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Indices on the device; a GPU is not waited for."""
    if device.type == "cuda":
        return index.pin_memory().to(device, non_blocking=True)
    return index.to(device)


def _poisoned_first(
    federation: Federation,
    drawn: np.ndarray,
    clients: Sequence[int],
    data: tuple[torch.Tensor, torch.Tensor],
) -> torch.Tensor:
    """Batches' indices ``(len(clients), ..., size)``, of ``data``.

    Where a part of every batch is poisoned, the first places of Byzantine clients' batches point to
    the poisoned twins.
    """
    index, attack = torch.from_numpy(drawn), federation.config.attack
    if federation.twins is not None and data is federation.poisoned:
        first = slice(attack.poisoned_of_batch())
        for row, client in enumerate(clients):
            if federation.n_benign <= client < federation.config.n_clients:
                place = index[row, ..., first]
                # An empty place, -1, stays one.
                index[row, ..., first] = torch.where(place < 0, place, federation.twins[place])
    return index


def _local_step(
    federation: Federation,
    state: State,
    clients: Sequence[int],
    data: tuple[torch.Tensor, torch.Tensor],
    client: LocalSGD,
    out: torch.Tensor,
) -> torch.Tensor:
    """Local epochs of some clients into the first rows of ``out``; return their losses."""
    schedule = state.batches.draw_epochs(clients, client.batch_size, client.epochs)
    _, losses = local_updates(
        state.model,
        state.parameters,
        data,
        _sent(_poisoned_first(federation, schedule, clients, data), federation.device),
        learning_rate=client.learning_rate,
        momentum=client.momentum,
        optimizer=client.optimizer,
        out=out[: len(clients)],
        strategy=federation.strategy,
    )
    return losses


def _aggregator_context(federation: Federation, state: State) -> AggregatorContext | None:
    """What the rule needs beside the updates, and no more."""
    needs = federation.config.aggregator.needs
    if not needs:
        return None
    # Samples of the server's are clean, whoever holds them besides.
    clean, server = (federation.x, federation.y), federation.config.n_clients
    client = federation.config.client
    own = None
    if "server_update" in needs:
        if isinstance(client, LocalSGD):
            _local_step(federation, state, [server], clean, client, state.server[None])
        else:
            x, y = _next_batch(federation, state.batches, [server], clean)
            grads, _ = gradients(state.model, x, y, strategy=federation.strategy)
            _into(state.server, grads[0], client.momentum)
        own = state.server

    def saliency(updates: torch.Tensor, raw: bool = False, score: str = "logit") -> torch.Tensor:
        index = torch.from_numpy(federation.shares[server]).to(federation.device)
        x, y = clean[0].index_select(0, index), clean[1].index_select(0, index)
        return _maps(state, updates, raw, score, x, y)

    vote, client_saliency = _asked(
        federation,
        state,
        lambda: _vote_batch(federation, state.vote_batches),
        lambda number: _next_batch(federation, state.probe_batches, [number], clean),
    )
    return AggregatorContext(
        sample_counts=federation.sample_counts if "sample_counts" in needs else None,
        server_update=own,
        vote=vote if "vote" in needs else None,
        saliency=saliency if "saliency" in needs else None,
        client_saliency=client_saliency if "client_saliency" in needs else None,
        output_weights=(
            output_weights(state.model).to(federation.device) if "output_weights" in needs else None
        ),
    )


def _trial_context(
    federation: Federation, state: State, context: AggregatorContext
) -> AggregatorContext:
    """The context in which the attacker tries the rule.

    Clients vote and show their samples on batches drawn for that, the same in all of a round's
    trials: the attacker does not foresee the true ones, nor do they depend on how often it tries.
    """
    clean = federation.x, federation.y

    @cache
    def vote_batch() -> Batch:
        return _vote_batch(federation, state.trial_votes)

    @cache
    def probe(number: int) -> Batch:
        return _next_batch(federation, state.trial_probes, [number], clean)

    vote, client_saliency = _asked(federation, state, vote_batch, probe)
    return replace(
        context,
        vote=context.vote and vote,
        client_saliency=context.client_saliency and client_saliency,
    )


def _asked(
    federation: Federation,
    state: State,
    vote_batch: Callable[[], Batch],
    probe: Callable[[int], Batch],
) -> tuple[Callable[[torch.Tensor], torch.Tensor], Callable[..., torch.Tensor]]:
    """``vote`` and ``client_saliency`` of a context, on the batches that these draw."""

    def vote(candidates: torch.Tensor) -> torch.Tensor:
        return _votes(federation, state, candidates, *vote_batch())

    def client_saliency(
        number: int, updates: torch.Tensor, raw: bool = False, score: str = "logit"
    ) -> torch.Tensor:
        x, y = probe(number)
        return _maps(state, updates, raw, score, x[0], y[0])

    return vote, client_saliency


def _maps(
    state: State, updates: torch.Tensor, raw: bool, score: str, x: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    """Saliency maps of the models after each update on some samples."""
    # One at a time: the models of all clients at once would be as large as all updates.
    rate = state.learning_rate
    models = (-update if raw else state.parameters - rate * update for update in updates)
    return saliency_maps(state.model, models, x, y, score)


def _vote_batch(federation: Federation, batches: Batches) -> Batch:
    """What each client compares candidates on, ``(n_clients, size, C, H, W)``, and labels."""
    config, clean = federation.config, (federation.x, federation.y)
    return _next_batch(federation, batches, range(config.n_clients), clean, config.vote_samples)


def _votes(
    federation: Federation, state: State, candidates: torch.Tensor, x: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    """Each client's vote between server steps, ``(n_clients,)``.

    An honest client votes for the smaller loss on its batch, a Byzantine one for the larger
    (clustering_with_outliers, section 5).
    """
    n = federation.config.n_clients
    losses = []
    before = state.parameters.clone()
    # Batch norm looks at each client's batch alone; without it all go through at once.
    normed = bool(batch_norms(state.model))
    for candidate in candidates:
        state.parameters.copy_(before).sub_(candidate, alpha=state.learning_rate)
        parts = list(x) if normed else [x.flatten(0, 1)]
        logits = torch.cat([forward(state.model, part) for part in parts])
        each = F.cross_entropy(logits, y.flatten(), reduction="none").view(n, -1).mean(1)
        losses.append(each.nan_to_num(nan=torch.inf))
    state.parameters.copy_(before)
    table = torch.stack(losses, dim=1)
    votes = table.argmin(1)
    votes[federation.n_benign :] = table[federation.n_benign :].argmax(1)
    return votes


def _is_evaluated(config: RunConfig, number: int) -> bool:
    """Whether the model is evaluated after round ``number``."""
    return number % config.eval_every == 0 or number == config.rounds


def _record_cosines(federation: Federation, state: State) -> None:
    """Cosines of this round: updates to the last aggregate, perturbation to the one before."""
    n_benign = federation.n_benign
    updates = state.updates

    def record(name: str, value: torch.Tensor) -> None:
        state.cosines.setdefault(name, []).append(value)

    if state.last_aggregate is not None:
        to_last = F.cosine_similarity(updates, state.last_aggregate[None], dim=1)
        record("benign_to_last_aggregate", to_last[:n_benign].mean())
        if n_benign < len(updates):
            record("byzantine_to_last_aggregate", to_last[n_benign:].mean())
    if n_benign < len(updates):
        perturbation = updates[-1] - updates[:n_benign].mean(0)
        if state.last_perturbation is not None:
            cosine = F.cosine_similarity(perturbation, state.last_perturbation, dim=0)
            record("consecutive_perturbations", cosine)
        state.last_perturbation = perturbation


def _record_robustness(federation: Federation, state: State, metrics: dict[str, list[Any]]) -> None:
    """What the model certifies now; after the last round, its error on perturbed test data."""
    client, gamma = federation.config.client, federation.gamma
    assert isinstance(client, RobustSGD)
    ascent = client.ascent_steps, client.ascent_rate
    x, y = federation.x[:CERTIFIED], federation.y[:CERTIFIED]
    found = certificate(state.model, x, y, gamma, *ascent)
    metrics.setdefault("robustness_level", []).append(_rounded(found.level))
    metrics.setdefault("worst_loss", []).append(_rounded(found.worst_loss))
    if state.round == federation.config.rounds:
        x, y = federation.x_test[:CERTIFIED], federation.y_test[:CERTIFIED]
        prices = [gamma * price for price in PRICES]
        curve = perturbation_curve(state.model, x, y, prices, *ascent)
        metrics["perturbation_level"] = [_rounded(level) for level, _ in curve]
        metrics["perturbation_error"] = [_rounded(error) for _, error in curve]


def _of_average(federation: Federation, state: State) -> float | None:
    """Accuracy of the average of all models broadcast."""
    assert state.average is not None
    last = state.parameters.clone()
    state.parameters.copy_(state.average)
    accuracy, _ = evaluate(state.model, federation.x_test, federation.y_test)
    state.parameters.copy_(last)
    return _rounded(accuracy)


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
        Called with the number of rounds done after each.
    before_round
        Called before each round with what it is played on: an agent may set ``state.attack``.

    Returns
    -------
    dict
        ``rounds``: the rounds after which was evaluated; ``test_accuracy`` (a share),
        ``test_loss`` there; ``train_loss``: mean over benign clients and the rounds since the
        last evaluation; tracked cosines likewise; ``attack_success``: the share of the triggered
        test samples that an attack with a goal of its own has where it wants them, if there are
        any;
        ``reputation`` and ``separation`` (the area under the ROC curve of low scores, mean over the
        rounds since the last evaluation) of rules that keep them, if tracked;
        ``robustness_level`` (rho-hat) and ``worst_loss``, if tracked, and after the last round
        ``perturbation_level`` and ``perturbation_error``: of test data moved at falling prices;
        ``decision``, if tracked: classes on a grid of the plane;
        ``test_accuracy_average``: that of the average iterate if tracked, after the last round.
        A value that is not finite, or not asked for, is None.
    """
    federation, state = prepare(config, dataset, device, strategy)
    metrics: dict[str, list[Any]] = {
        "rounds": [],
        "test_accuracy": [],
        "test_loss": [],
        "train_loss": [],
    }
    for number in range(1, config.rounds + 1):
        if before_round is not None:
            before_round(federation, state)
        play_round(federation, state)
        if _is_evaluated(config, number):
            accuracy, loss = evaluate(state.model, federation.x_test, federation.y_test)
            metrics["rounds"].append(number)
            metrics["test_accuracy"].append(_rounded(accuracy))
            metrics["test_loss"].append(_rounded(loss))
            if federation.triggered is not None:
                success, _ = evaluate(state.model, *federation.triggered)
                metrics.setdefault("attack_success", []).append(_rounded(success))
            if state.average is not None:
                # Asked for at the end: on the way it would double the time of evaluation.
                last = number == config.rounds
                of_average = _of_average(federation, state) if last else None
                metrics.setdefault("test_accuracy_average", []).append(of_average)
            if "robustness" in config.track:
                _record_robustness(federation, state, metrics)
            if "decision" in config.track and number == config.rounds:
                metrics["decision"] = decisions(state.model, federation.device)
            if "reputation" in config.track:
                values = state.aggregator.reputation.tolist()
                metrics.setdefault("reputation", []).append([_rounded(v) for v in values])
                metrics.setdefault("separation", []).append(_mean(state.separations))
                state.separations.clear()
            metrics["train_loss"].append(_mean(state.train_losses))
            state.train_losses.clear()
            for name, values in state.cosines.items():
                series = metrics.setdefault(f"cosine_{name}", [])
                series += [None] * (len(metrics["rounds"]) - 1 - len(series))
                series.append(_mean(values))
                values.clear()
        if on_round is not None:
            on_round(number)
    return metrics


def _mean(values: list[torch.Tensor]) -> float | None:
    return _rounded(float(torch.stack(values).double().mean())) if values else None


def _rounded(value: float) -> float | None:
    """Six significant digits keep a record short; JSON has no word for NaN or Inf."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
