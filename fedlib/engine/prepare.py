"""Before the first round: lay the data on the device, share them out, make the model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from fedlib.attacks import Attack
from fedlib.data import Dataset, matched_samples
from fedlib.federation.federation import Federation, State, Streams
from fedlib.gradients import Batch, choose_strategy
from fedlib.hardware import check_device
from fedlib.models import batch_norms, flatten_parameters, make_model
from fedlib.runs.config import RunConfig
from fedlib.seeds import derived_seed, stream
from fedlib.validation import ConfigError, check_int


def prepare(
    config: RunConfig,
    dataset: Dataset,
    device: str | torch.device = "cpu",
    strategy: str = "auto",
) -> tuple[Federation, State]:
    """Prepare everything that a run needs before its first round.

    Parameters
    ----------
    config
        The run.
    dataset
        The data that ``config.data`` describes.
    device
        The device on which the model is trained.
    strategy
        The way in which the clients' gradients are computed (see :mod:`fedlib.gradients`).

    Returns
    -------
    federation, state
        The federation has what stays the same over the run. The state has what changes from round
        to round.

    Raises
    ------
    ConfigError
        If the data and the configuration do not fit together.
    """
    if dataset.config != config.data:
        raise ConfigError(
            f"data={dataset.config} was loaded, but the run is configured for {config.data}."
        )
    config.client.check_data(config.data, dataset.shape)
    device = check_device(device) if isinstance(device, str) else device
    n_benign = config.n_clients - config.n_byzantine
    shares = _shares(config, dataset)
    attack = config.attack.fitted(dataset.x_train)
    held = shares[n_benign : config.n_clients]
    poisoned = _poisoned(attack, dataset, held)
    test = _test_set(config, dataset, shares)
    triggered = attack.triggered(*test)

    model = make_model(
        config.model, dataset.shape, dataset.n_classes, derived_seed(config.seed, "model")
    ).to(device)
    _check_batch_norm(model, config.model)
    model.train()
    parameters = flatten_parameters(model)
    train = _on_device((dataset.x_train, dataset.y_train), device)
    active = config.n_clients if "own_updates" in config.attack.knows else n_benign
    federation = Federation(
        config=config,
        device=device,
        train=train,
        test=_on_device(test, device),
        # What is not poisoned is not laid out a second time.
        poisoned=(
            train[0] if poisoned.x is dataset.x_train else poisoned.x.to(device),
            train[1] if poisoned.y is dataset.y_train else poisoned.y.to(device),
        ),
        twins=poisoned.twins,
        triggered=_on_device(triggered, device) if triggered and len(triggered[1]) else None,
        shares=shares,
        active=active,
        strategy=choose_strategy(model, device, strategy),
        black=dataset.black,
    )
    d = parameters.numel()
    state = State(
        model=model,
        parameters=parameters,
        updates=torch.zeros(config.n_clients, d, device=device),
        own=torch.zeros(active - n_benign, d, device=device),
        streams=Streams(shares, config.seed),
        client=config.client.init(federation, d),
        aggregator=config.aggregator.init(config.n_clients, d),
        attack=config.attack.init(config.n_clients, d),
        learning_rate=config.learning_rate,
    )
    return federation, state


def _on_device(batch: Batch, device: torch.device) -> Batch:
    return batch[0].to(device), batch[1].to(device)


def _shares(config: RunConfig, dataset: Dataset) -> list[np.ndarray]:
    """Return the sample indices of the clients, and then of the server if it has samples."""
    shares: list[np.ndarray] = config.partition(
        dataset.y_train.numpy(), config.n_clients, config.seed, dataset.groups
    )
    if config.server_samples:
        check_int("server_samples", config.server_samples, 1, len(dataset.y_train))
        order = stream(config.seed, "server_samples").permutation(len(dataset.y_train))
        shares = [*shares, order[: config.server_samples]]
    return shares


def _test_set(config: RunConfig, dataset: Dataset, shares: list[np.ndarray]) -> Batch:
    """Return the samples and labels on which the model is tested."""
    if config.test_set == "pooled":
        return dataset.x_test, dataset.y_test
    judged = config.n_clients
    if config.test_set == "benign_clients":
        judged -= config.n_byzantine
    drawn = matched_samples(
        shares[:judged], dataset.y_train.numpy(), dataset.y_test.numpy(), config.seed
    )
    index = torch.from_numpy(np.concatenate(drawn))
    return dataset.x_test[index], dataset.y_test[index]


class _Poisoned(NamedTuple):
    """The training samples as Byzantine clients see them, as in :class:`Federation`."""

    x: torch.Tensor
    y: torch.Tensor
    twins: torch.Tensor | None = None


def _poisoned(attack: Attack, dataset: Dataset, held_by: list[np.ndarray]) -> _Poisoned:
    """Poison the samples of Byzantine clients. ``held_by`` has the indices of each."""
    x, y = dataset.x_train, dataset.y_train
    if not held_by:
        return _Poisoned(x, y)
    held = torch.from_numpy(np.concatenate(held_by))
    x_held, y_held = attack.poison(x[held], y[held], dataset.n_classes)
    if attack.poisoned_of_batch() is not None:
        twins = torch.arange(len(y)).index_copy(0, held, len(y) + torch.arange(len(held)))
        return _Poisoned(torch.cat([x, x_held]), torch.cat([y, y_held]), twins)
    # The loaded data set is shared between runs: only a copy may be poisoned.
    y = y.clone()
    y[held] = y_held
    if not torch.equal(x_held, x[held]):
        x = x.clone()
        x[held] = x_held
    return _Poisoned(x, y)


def _check_batch_norm(model: nn.Module, name: str) -> None:
    # Only parameters travel between clients and server. Statistics are each client's batch's in
    # training and the test batch's in evaluation, so there must be no running ones.
    if any(module.track_running_stats for module in batch_norms(model)):
        raise ConfigError(
            f"model={name!r} keeps running batch-norm statistics, which do not travel: must be "
            "built with track_running_stats=False."
        )
