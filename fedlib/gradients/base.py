"""Gradients of many clients at one model, by one of several strategies.

The strategies give the same numbers to float tolerance. ``auto`` takes the one that was fastest on
the device at hand (``python -m fedlib doctor`` measures it):

``loop``
    One client after the other with autograd. It works for every model and is the reference.
``merged``
    One forward and backward pass over all clients' samples without autograd, since all clients
    share the broadcast model; only the weight gradients are formed client by client. In local
    epochs, where models differ, each client has passes of its own. It is for CPUs, and serves a
    Sequential of the layers that have a merged form (:mod:`~fedlib.gradients.layers`).
``tiled``
    Compiled passes of small networks over tiles of 16 samples, which stay in the cache from the
    first layer to the last and back (:mod:`~fedlib.gradients.tiled`). It is the fastest on a CPU
    where Numba is installed, and serves float32 networks of convolutions, max pooling by 2, ReLU
    and linear layers. A batch of a few samples, which would leave most of a tile empty, takes
    ``merged`` instead; local epochs do not.
``grouped``
    One forward and backward pass over all clients' samples by autograd, through layers that keep
    the clients' weight gradients and batch statistics apart (:mod:`~fedlib.gradients.grouped`). It
    is meant for GPUs, which can replay it as one graph. In local epochs, where models differ, it is
    the same as ``vmap``.
``vmap``
    All clients at once through ``torch.func``. It is meant for GPUs and models of any layers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from fedlib import kernels
from fedlib.gradients import autograd, grouped, merged, tiled
from fedlib.gradients.replay import Graphs
from fedlib.models import ParameterLayout
from fedlib.validation import ConfigError, check_name

Batch = tuple[torch.Tensor, torch.Tensor]
"""Samples, and their labels."""

Strategy = Callable[
    [nn.Module, ParameterLayout, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor
]
"""A function of model, layout, samples, labels and the matrix to fill; it returns the losses."""

STRATEGIES: dict[str, Strategy] = {
    "loop": autograd.gradients_one_by_one,
    "merged": merged.client_gradients,
    "tiled": tiled.client_gradients,
    "grouped": grouped.client_gradients,
    "vmap": autograd.gradients_at_once,
}


def gradients(
    model: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    *,
    out: torch.Tensor | None = None,
    strategy: str = "auto",
    graphs: Graphs | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradient of each client's mean cross-entropy at the model's parameters.

    Parameters
    ----------
    model
        The broadcast model, which is not changed.
    x, y
        Each client's batch ``(n_clients, batch, C, H, W)`` and its labels ``(n_clients, batch)``.
    out
        The matrix ``(n_clients, n_parameters)`` to write the gradients into; None makes a new one.
    strategy
        ``auto``, ``loop``, ``merged``, ``tiled``, ``grouped`` or ``vmap``.
    graphs
        The store of the graphs that a GPU replays for ``grouped``; without it the GPU launches
        each step anew.

    Returns
    -------
    gradients, losses
        Tensors ``(n_clients, n_parameters)`` and ``(n_clients,)``.

    Raises
    ------
    ConfigError
        If the strategy is unknown, or if it is ``merged``, ``tiled`` or ``grouped`` and cannot
        serve the model.
    """
    layout = ParameterLayout.of(model)
    if out is None:
        out = x.new_empty(x.shape[0], layout.size)
    chosen = choose_strategy(model, x.device, strategy)
    if chosen == "tiled" and not tiled.fits(x, y, out, fewest=tiled.FEWEST):
        chosen = "merged"
    if chosen == "grouped" and graphs is not None and graphs.serve(x.device):
        step = partial(grouped.client_gradients, model, layout, out=out)
        # The graph has the parameters' place in it, and that of the gradients.
        key = "gradients", model, next(model.parameters()).data_ptr(), out.data_ptr()
        return out, graphs(key, step, x, y).clone()
    return out, STRATEGIES[chosen](model, layout, x, y, out)


def choose_strategy(model: nn.Module, device: torch.device, strategy: str = "auto") -> str:
    """The strategy that ``auto`` stands for with this model and device, or ``strategy`` itself.

    Raises
    ------
    ConfigError
        If the strategy is unknown, or if it cannot serve the model.
    """
    if strategy == "auto":
        if device.type != "cpu":
            return "grouped" if grouped.supports(model) else "vmap"
        if tiled.supports(model):
            return "tiled"
        return "merged" if merged.supports(model) else "loop"
    check_name("strategy", strategy, ("auto", *STRATEGIES))
    if strategy == "merged" and not merged.supports(model):
        raise ConfigError(
            "strategy='merged' needs a Sequential of layers that have a merged form in "
            f"fedlib.gradients.layers; allowed for this model: {_names_that_serve(model)}."
        )
    if strategy == "tiled" and not (device.type == "cpu" and tiled.supports(model)):
        raise ConfigError(
            "strategy='tiled' needs a CPU, Numba, and a float32 Sequential of the layers that "
            "fedlib.gradients.tiled names; "
            f"allowed for this model: {_names_that_serve(model)}. {kernels.lack()}".rstrip()
        )
    if strategy == "grouped" and not grouped.supports(model):
        raise ConfigError(
            "strategy='grouped' needs layers that have a grouped form in "
            f"fedlib.gradients.layers; allowed for this model: {_names_that_serve(model)}."
        )
    return strategy


def _names_that_serve(model: nn.Module) -> str:
    fits = {
        "grouped": grouped.supports(model),
        "merged": merged.supports(model),
        "tiled": tiled.supports(model),
    }
    return ", ".join(name for name in sorted(STRATEGIES) if fits.get(name, True))
