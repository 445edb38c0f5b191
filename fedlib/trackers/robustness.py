"""The certificate of a model of robust clients, and its error on perturbed test data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from fedlib.clients.robust import RobustSGD, transport
from fedlib.federation.federation import Federation, State
from fedlib.parts import Configured
from fedlib.trackers.base import TRACKERS, Tracker
from fedlib.validation import ConfigError

CERTIFIED = 2000
"""At most so many samples stand for all of a set when robustness is certified."""
PRICES = (32.0, 16.0, 8.0, 4.0, 2.0, 1.0, 0.5, 0.25)
"""Prices of distance at which test data are perturbed, in units of the clients' price."""


@TRACKERS.register("robustness")
class Robustness(Tracker):
    """Record the model's certificate on the training data (two_stage_attack, section 4).

    ``robustness_level`` (rho-hat) and ``worst_loss`` are recorded at each evaluation. After the
    last round, the test data are moved to where the loss is larger. This is done several times,
    with a lower and lower price of distance. ``perturbation_level`` is the mean squared distance
    that they are moved by, and ``perturbation_error`` is the model's error on them.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from fedlib import CLIENTS, RunConfig, load_dataset, resolve_source, run
    >>> data = replace(resolve_source("circle"), train_samples=200, test_samples=50)
    >>> config = RunConfig(
    ...     data=data, model="elu_4_2", n_clients=4, rounds=2, eval_every=1,
    ...     client=CLIENTS["robust_sgd"](), track=("robustness",),
    ... )
    >>> metrics = run(config, load_dataset(data))
    >>> len(metrics["robustness_level"]), len(metrics["perturbation_error"])
    (2, 8)
    """

    def __init__(self, federation: Federation, state: State) -> None:
        super().__init__(federation, state)
        client = federation.config.client
        self._gamma = state.client.gamma
        self._ascent = client.ascent_steps, client.ascent_rate

    @classmethod
    def check(cls, run: Configured) -> None:
        """Raise ConfigError if the clients are not robust."""
        if not isinstance(run.client, RobustSGD):
            raise ConfigError(
                f"track='robustness' is for client='robust_sgd', not {run.client.name!r}."
            )

    def report(self, state: State) -> dict[str, Any]:
        """Return the certificate of the present model."""
        x, y = (part[:CERTIFIED] for part in self.federation.train)
        found = certificate(state.model, x, y, self._gamma, *self._ascent)
        return {"robustness_level": found.level, "worst_loss": found.worst_loss}

    def final(self, state: State) -> dict[str, Any]:
        """Return the error of the last model on perturbed test data."""
        x, y = (part[:CERTIFIED] for part in self.federation.test)
        prices = [self._gamma * price for price in PRICES]
        curve = perturbation_curve(state.model, x, y, prices, *self._ascent)
        levels, errors = zip(*curve, strict=True)
        return {"perturbation_level": list(levels), "perturbation_error": list(errors)}


def squared_distances(z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return ``||z - x||^2`` of each sample, ``(n,)``, where both arguments are ``(n, ...)``."""
    return (z - x).flatten(1).square().sum(1)


@dataclass(frozen=True)
class Certificate:
    """A certificate says how robust a model is on a sample of data (Sinha et al., 2018, section 3).

    Attributes
    ----------
    level
        The mean squared distance that the samples were moved by, which is called rho-hat.
    worst_loss
        The mean loss of the moved samples. It bounds the mean loss under every shift of up to
        ``level``.
    surrogate
        The value ``worst_loss - gamma * level``.
    """

    level: float
    worst_loss: float
    surrogate: float


def certificate(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, gamma: float, steps: int, rate: float
) -> Certificate:
    """Return the certificate of a model on labelled samples.

    Parameters
    ----------
    model
        A module that maps samples to logits.
    x
        The samples, ``(n, C, H, W)``.
    y
        Their labels, ``(n,)``.
    gamma
        The price of a squared unit of distance.
    steps, rate
        The number of steps and the step size of the ascent, as in
        :func:`~fedlib.clients.robust.transport`.
    """

    def loss(z: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(z), y, reduction="none")

    moved = transport(loss, x, gamma, steps, rate)
    with torch.no_grad():
        level = float(squared_distances(moved, x).mean())
        worst = float(loss(moved).mean())
    return Certificate(level, worst, worst - gamma * level)


def perturbation_curve(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    gammas: Sequence[float],
    steps: int = 15,
    rate: float = 0.5,
) -> list[tuple[float, float]]:
    """Return how wrong a model is on test data that are moved against it.

    This is the curve of Figure 3 of two_stage_attack.

    Parameters
    ----------
    model
        A module that maps samples to logits.
    x
        The test samples, ``(n, C, H, W)``.
    y
        Their labels, ``(n,)``.
    gammas
        The prices of a squared unit of distance.
    steps, rate
        The number of steps and the step size of the ascent, as in
        :func:`~fedlib.clients.robust.transport`.

    Returns
    -------
    list
        A pair for each price, in the order of ``gammas``. The pair holds the mean squared distance
        that the samples were moved by, and the share of the moved samples that the model
        misclassifies.
    """
    found = []
    for gamma in gammas:

        def loss(z: torch.Tensor) -> torch.Tensor:
            return F.cross_entropy(model(z), y, reduction="none")

        moved = transport(loss, x, gamma, steps, rate)
        with torch.no_grad():
            wrong = (model(moved).argmax(1) != y).double().mean()
        found.append((float(squared_distances(moved, x).mean()), float(wrong)))
    return found
