"""Clients that compute one gradient in each round and average it into a momentum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from fedlib.clients.base import CLIENTS, Client
from fedlib.data import DataConfig
from fedlib.data.augment import crop_and_flip, draw_moves
from fedlib.federation.federation import Federation, State
from fedlib.federation.samples import Samples
from fedlib.gradients import gradients
from fedlib.parts import Revision
from fedlib.seeds import stream
from fedlib.validation import ConfigError, check_name, check_real


@dataclass
class Memory:
    """The values that the clients keep from round to round, apart from the momenta that they send.

    Attributes
    ----------
    shared
        The momentum that passes from client to client if they share one, ``(n_parameters,)``.
    moves
        A generator of random image moves for each client.
    gradients
        The memory for gradients that are not sent themselves, ``(clients, n_parameters)``. None
        until it is needed.
    """

    shared: torch.Tensor
    moves: list[np.random.Generator]
    gradients: torch.Tensor | None = None


def _alters_server_samples(client: Any, run: Any) -> bool:
    return client.alters_samples and "server_update" in run.aggregator.needs


@CLIENTS.register("momentum_sgd")
@dataclass(frozen=True)
class MomentumSGD(Client):
    """Compute one gradient in each round, average it into a momentum, and send the momentum.

    The momentum is ``m_t = (1 - momentum) g_t + momentum m_{t-1}`` with ``m_0 = 0``
    (centered_clipping, Algorithm 1, line 9). As the formula says, a gradient with a NaN or an Inf
    stays in the momentum. From then on the client sends what is not finite, which a server takes as
    zeros. With a shared buffer this is so for all clients. It happens after a model has overflowed.

    Parameters
    ----------
    batch_size
        The number of samples that a client draws in a round.
    momentum
        The share of the last momentum, beta in the papers. With 0 a client sends the gradient
        itself.
    sampling
        The way in which a client draws its samples. With ``"shuffle"`` a client goes through its
        data in a random order, and then in a new random order. A batch may reach from one order
        into the next. With ``"fresh"`` a client takes the first samples of a new random order in
        every round, as in the code of centered_clipping. If it has fewer samples than a batch, it
        takes some of them again. With ``"replacement"`` each sample is drawn independently.
    buffer
        Who has a momentum. With ``"own"`` each client has its own. With ``"shared"`` one momentum
        passes from client to client within a round, and then on to the next round. This is so in
        the code of clustering_with_outliers.
    augment
        The augmentation of images. ``"none"`` leaves them as they are. With ``"crop_flip"`` each
        image of a batch is cropped and flipped at random, as CIFAR's images are in the code of
        centered_clipping (see :func:`fedlib.data.augment.crop_and_flip`).

    Examples
    --------
    >>> from fedlib import CLIENTS, DataConfig, RunConfig, load_dataset, run
    >>> data = DataConfig("circle", "real", "canonical", train_samples=200, test_samples=100)
    >>> client = CLIENTS["momentum_sgd"](momentum=0.9, batch_size=16)
    >>> config = RunConfig(
    ...     data=data, model="elu_4_2", n_clients=5, rounds=4, learning_rate=1.0, client=client
    ... )
    >>> metrics = run(config, load_dataset(data))
    >>> metrics["test_accuracy"][-1] > 0.8
    True
    """

    revisions: ClassVar[tuple[Revision, ...]] = (
        Revision(
            2,
            "The server took its own gradient on its samples as they are.",
            of="server_samples_altered",
            concerns=_alters_server_samples,
        ),
    )

    momentum: float = 0.0
    sampling: str = "shuffle"
    buffer: str = "own"
    augment: str = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("client.momentum", self.momentum, 0, 1, open_high=True)
        check_name("client.sampling", self.sampling, ("shuffle", "fresh", "replacement"))
        check_name("client.buffer", self.buffer, ("own", "shared"))
        check_name("client.augment", self.augment, ("none", "crop_flip"))

    @property
    def alters_samples(self) -> bool:
        """Whether a client changes the samples that it draws before it learns from them."""
        return self.augment != "none"

    def check_data(self, data: DataConfig, shape: tuple[int, int, int]) -> None:
        """Raise ConfigError if images are to be moved, and the data are not fit for it."""
        if self.augment == "none":
            return
        if data.per_pixel:
            raise ConfigError(
                f"client.augment={self.augment!r} moves pixels, but data.per_pixel=True gives each "
                "pixel its own scale: data.per_pixel must be False."
            )
        if min(shape[1:]) < 8:
            raise ConfigError(
                f"client.augment={self.augment!r} is for images, not for data of shape {shape}."
            )

    def init(self, federation: Federation, n_parameters: int) -> Memory:
        """Return a memory without momentum, with generators of moves for all clients."""
        seed, count = federation.config.seed, len(federation.shares)
        return Memory(
            shared=torch.zeros(n_parameters, device=federation.device),
            moves=[stream(seed, "augment", i) for i in range(count)],
        )

    def step(
        self, samples: Samples, state: State, out: Sequence[torch.Tensor], memory: Memory
    ) -> torch.Tensor:
        """Average one gradient of each client into its momentum; see :meth:`Client.step`."""
        x, y = samples.batch(self.batch_size, self.sampling)
        x = self._altered(x, y, samples, state, memory)
        strategy, graphs = samples.federation.strategy, state.graphs
        if self.momentum == 0 and len(out) == 1:
            # The gradients are the updates: no second matrix is needed.
            _, losses = gradients(state.model, x, y, out=out[0], strategy=strategy, graphs=graphs)
            return losses
        if memory.gradients is None:
            memory.gradients = out[0].new_empty(len(samples.clients), out[0].shape[1])
        grads, losses = gradients(
            state.model, x, y, out=memory.gradients, strategy=strategy, graphs=graphs
        )
        sizes = [len(rows) for rows in out]
        if self.buffer == "shared":
            # A client goes on from the client before it, the first one from the last of all.
            for grad in grads:
                average_into(memory.shared, grad, self.momentum)
                grad.copy_(memory.shared)
        for rows, part in zip(out, grads.split(sizes), strict=True):
            if self.buffer == "shared":
                rows.copy_(part)
            else:
                average_into(rows, part, self.momentum)
        return losses

    def _altered(
        self, x: torch.Tensor, y: torch.Tensor, samples: Samples, state: State, memory: Memory
    ) -> torch.Tensor:
        """Return the samples ``(clients, batch, C, H, W)`` as the clients learn from them."""
        if self.augment == "none":
            return x
        drawn = [draw_moves(memory.moves[client], x.shape[1]) for client in samples.clients]
        moves = samples.federation.on_device(torch.from_numpy(np.concatenate(drawn)))
        return crop_and_flip(x.flatten(0, 1), moves, samples.federation.black).view(x.shape)


def average_into(momenta: torch.Tensor, grads: torch.Tensor, momentum: float) -> None:
    """Average gradients into momenta of the same shape, in place."""
    if momentum == 0:
        # lerp_ would keep a NaN or an Inf that is in the momenta.
        momenta.copy_(grads)
    else:
        momenta.lerp_(grads, 1 - momentum)
