"""Clients that train local epochs, beginning with the broadcast model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from fedlib.clients.base import CLIENTS, Client
from fedlib.federation.federation import State
from fedlib.federation.samples import Samples
from fedlib.gradients import local_updates
from fedlib.validation import check_int, check_name, check_real

Adjustment = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


@CLIENTS.register("local_sgd")
@dataclass(frozen=True)
class LocalSGD(Client):
    """Train local epochs of SGD from the broadcast model, and send ``broadcast - local``.

    With a server's ``learning_rate`` of 1 this is federated averaging (residual_reweighting).

    Parameters
    ----------
    batch_size
        The number of samples in a local step.
    learning_rate, momentum
        The learning rate and the momentum of the client's SGD. The momentum starts at zero in every
        round.
    epochs
        The number of passes over the client's data in a round, each in a new random order.
    optimizer
        The optimizer of the local steps. It is ``"sgd"``, or ``"adam"`` with its usual constants
        (residual_reweighting, appendix A.2). Adam does not use ``momentum``.
    gradient_rate
        None lets a client send the change that its steps have made. With a number a client sends
        another update: the sum of the gradients of all its local steps, times this number. This is
        for a server that takes a step of SGD with this learning rate. An attacker that trains with
        a higher learning rate then sends no larger gradients. FoolsGold's clients do this in the
        code of residual_reweighting.

    Examples
    --------
    >>> from fedlib import CLIENTS, DataConfig, RunConfig, load_dataset, run
    >>> data = DataConfig("circle", "real", "canonical", train_samples=200, test_samples=100)
    >>> client = CLIENTS["local_sgd"](epochs=2, batch_size=16)
    >>> config = RunConfig(
    ...     data=data, model="elu_4_2", n_clients=5, rounds=4, learning_rate=1.0, client=client
    ... )
    >>> metrics = run(config, load_dataset(data))
    >>> metrics["test_accuracy"][-1] > 0.8
    True
    """

    learning_rate: float = 0.1
    momentum: float = 0.0
    epochs: int = 1
    optimizer: str = "sgd"
    gradient_rate: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("client.epochs", self.epochs, 1)
        check_real("client.learning_rate", self.learning_rate, 0, open_low=True)
        check_real("client.momentum", self.momentum, 0, 1, open_high=True)
        check_name("client.optimizer", self.optimizer, ("sgd", "adam"))
        if self.gradient_rate is not None:
            check_real("client.gradient_rate", self.gradient_rate, 0, open_low=True)

    def step(
        self, samples: Samples, state: State, out: Sequence[torch.Tensor], memory: Any
    ) -> torch.Tensor:
        """Train the local epochs of some clients; see :meth:`Client.step`."""
        losses = []
        for rows, passes in zip(out, samples.passes(self.batch_size, self.epochs), strict=True):
            _, of_rows = local_updates(
                state.model,
                state.parameters,
                passes.data,
                passes.schedule,
                learning_rate=self.learning_rate,
                momentum=self.momentum,
                optimizer=self.optimizer,
                gradient_rate=self.gradient_rate,
                out=rows,
                strategy=samples.federation.strategy,
                adjust=self.adjustment(),
            )
            losses.append(of_rows)
        return torch.cat(losses)

    def adjustment(self) -> Adjustment | None:
        """Return how a local gradient is changed before a step, for derived algorithms.

        Returns
        -------
        callable or None
            A function of the gradient, the client's parameters and the broadcast parameters, which
            returns the changed gradient. All have the parameters on the last axis. None changes
            nothing.
        """
        return None

    def train_harder(self, extra_epochs: int, rate_factor: float) -> LocalSGD:
        """Return this algorithm with more epochs and a higher rate."""
        return replace(
            self,
            epochs=self.epochs + extra_epochs,
            learning_rate=self.learning_rate * rate_factor,
        )
