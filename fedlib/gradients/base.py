"""The client step: what every client computes in a round, behind one function per regime.

``gradients``
    One stochastic gradient of each client at the broadcast model (centered_clipping,
    clustering_with_outliers).
``local_updates``
    Local epochs of SGD from the broadcast model (residual_reweighting).

Both offer strategies that give the same numbers to float tolerance; ``auto`` takes what won
on the device at hand (``python -m fedlib doctor`` measures it):

``loop``
    One client after the other with autograd. Works for every model: the reference.
``merged``
    One forward and backward pass over all clients' samples, which share the broadcast
    model; only the weight gradients are formed client by client. In local epochs, where
    models differ, each client's passes without autograd. Fastest on a CPU.
``grouped``
    One forward and backward pass over all clients' samples by autograd, through layers that keep
    the clients' weight gradients and batch statistics apart (:mod:`~fedlib.gradients.grouped`). For
    GPUs, which can replay it as one graph. In local epochs, where models differ, as ``vmap``.
``vmap``
    All clients at once through ``torch.func``: for GPUs, and models of any layers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from functools import cache, partial
from itertools import dropwhile
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from fedlib.gradients import grouped
from fedlib.gradients.replay import Graphs
from fedlib.models import ParameterLayout, batch_norms, flatten_parameters
from fedlib.validation import ConfigError, check_name

Batch = tuple[torch.Tensor, torch.Tensor]


# --- one gradient a client ---------------------------------------------------------------


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
        The broadcast model; left as it is.
    x, y
        Batches ``(n_clients, batch, C, H, W)`` and labels ``(n_clients, batch)``.
    out
        Where to write the gradients, ``(n_clients, n_parameters)``; made if None.
    strategy
        ``auto``, ``loop``, ``merged``, ``grouped`` or ``vmap``.
    graphs
        Where the steps of ``grouped`` that a GPU replays are kept; None launches each anew.

    Returns
    -------
    gradients, losses
        ``(n_clients, n_parameters)`` and ``(n_clients,)``.

    Raises
    ------
    ConfigError
        If the strategy is unknown, or cannot serve the model (``merged``, ``grouped``).
    """
    layout = ParameterLayout.of(model)
    if out is None:
        out = x.new_empty(x.shape[0], layout.size)
    chosen = choose_strategy(model, x.device, strategy)
    if chosen == "grouped" and graphs is not None and graphs.serve(x.device):
        step = partial(grouped.client_gradients, model, out=out)
        # The graph has the parameters' place in it, and that of the gradients.
        key = "gradients", model, next(model.parameters()).data_ptr(), out.data_ptr()
        return out, graphs(key, step, x, y).clone()
    return out, _GRADIENTS[chosen](model, layout, x, y, out)


def choose_strategy(model: nn.Module, device: torch.device, strategy: str = "auto") -> str:
    """The strategy that ``auto`` stands for with this model and device, or ``strategy`` itself.

    Raises
    ------
    ConfigError
        If it is unknown, or cannot serve the model.
    """
    if strategy == "auto":
        if device.type != "cpu":
            return "grouped" if grouped.supports(model) else "vmap"
        return "merged" if _supports_merged(model) else "loop"
    check_name("strategy", strategy, _GRADIENTS)
    if strategy == "merged" and not _supports_merged(model):
        raise ConfigError(
            "strategy='merged' needs a Sequential of unpadded Conv2d, MaxPool2d, ReLU, ELU, "
            f"Flatten and Linear layers; allowed for this model: {_serving(model)}."
        )
    if strategy == "grouped" and not grouped.supports(model):
        raise ConfigError(
            "strategy='grouped' needs Conv2d, BatchNorm2d, Linear and plain layers alone; allowed "
            f"for this model: {_serving(model)}."
        )
    return strategy


def _serving(model: nn.Module) -> str:
    """The strategies that can serve the model, in words."""
    fits = {"grouped": grouped.supports(model), "merged": _supports_merged(model)}
    return ", ".join(name for name in sorted(_GRADIENTS) if fits.get(name, True))


def _loop(
    model: nn.Module, layout: ParameterLayout, x: torch.Tensor, y: torch.Tensor, out: torch.Tensor
) -> torch.Tensor:
    parameters = list(model.parameters())
    losses = x.new_empty(x.shape[0])
    for i in range(x.shape[0]):
        loss = F.cross_entropy(model(x[i]), y[i])
        grads = torch.autograd.grad(loss, parameters)
        torch.cat([g.reshape(-1) for g in grads], out=out[i])
        losses[i] = loss.detach()
    return losses


def _vmap(
    model: nn.Module, layout: ParameterLayout, x: torch.Tensor, y: torch.Tensor, out: torch.Tensor
) -> torch.Tensor:
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss_of(parameters: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> Any:
        return F.cross_entropy(torch.func.functional_call(model, parameters, (x,)), y)

    step = torch.func.vmap(
        torch.func.grad_and_value(loss_of), in_dims=(None, 0, 0), randomness="different"
    )
    grads, losses = step(parameters, x, y)
    for name, view in layout.views(out).items():
        view.copy_(grads[name])
    return losses


def _grouped(
    model: nn.Module, layout: ParameterLayout, x: torch.Tensor, y: torch.Tensor, out: torch.Tensor
) -> torch.Tensor:
    return grouped.client_gradients(model, x, y, out)


# Layer rules of ``merged``: what a layer keeps of its forward pass, and its backward pass,
# which writes the weight gradients of each client where they belong.


def _supports_merged(model: nn.Module) -> bool:
    def fits(layer: nn.Module) -> bool:
        # By exact type: a subclass may compute something else.
        if type(layer) is nn.Conv2d:
            plain = (layer.stride, layer.dilation, layer.groups) == ((1, 1), (1, 1), 1)
            return plain and layer.padding == (0, 0) and layer.bias is not None
        if type(layer) is nn.MaxPool2d:
            size, plain = layer.kernel_size, not layer.ceil_mode and not layer.return_indices
            return plain and layer.stride == size and layer.padding == 0 and layer.dilation == 1
        if type(layer) is nn.Linear:
            return layer.bias is not None
        if type(layer) is nn.ELU:
            return layer.alpha == 1
        return type(layer) in (nn.ReLU, nn.Flatten)

    if type(model) is not nn.Sequential or not all(fits(layer) for layer in model):
        return False
    # A Linear before the Flatten works on an image's rows; a layer that stands twice sums its
    # gradients. Neither is provided for.
    after_linear = dropwhile(lambda layer: type(layer) is not nn.Linear, model)
    flat = all(type(layer) in (nn.Linear, nn.ReLU, nn.ELU) for layer in after_linear)
    return flat and len({id(layer) for layer in model}) == len(model)


def _merged(
    model: nn.Module, layout: ParameterLayout, x: torch.Tensor, y: torch.Tensor, out: torch.Tensor
) -> torch.Tensor:
    assert isinstance(model, nn.Sequential)
    k, b = y.shape
    views = layout.views(out)
    with torch.no_grad():
        h, tape = _recorded(model, x.reshape(k * b, *x.shape[2:]))
        log_p = torch.log_softmax(h, dim=1)
        labels = y.reshape(-1, 1)
        losses = -log_p.gather(1, labels).view(k, b).mean(1)
        g = log_p.exp_()
        g.scatter_add_(1, labels, g.new_full(labels.shape, -1.0)).div_(b)
        first = next(i for i, layer in enumerate(model) if any(True for _ in layer.parameters()))
        for i in range(len(model) - 1, first - 1, -1):
            _weight_gradients(model[i], f"{i}.", tape[i][0], g, k, views)
            if i > first:
                g = _input_gradient(model[i], tape[i], g)
    return losses


def _recorded(
    model: nn.Sequential, x: torch.Tensor
) -> tuple[torch.Tensor, list[tuple[torch.Tensor, ...]]]:
    """Outputs for samples ``(n, ...)``, and what each layer keeps of the pass."""
    h = _channels_last(x) if x.dim() == 4 else x
    tape = []
    for layer in model:
        h, kept = _forward(layer, h)
        tape.append(kept)
    return h, tape


def forward(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Outputs of ``model`` for samples ``(n, C, H, W)``, without gradients: for evaluation.

    On a CPU a model that ``merged`` supports is run in that strategy's memory order, which is
    several times faster than ``model(x)`` and equal to float tolerance.
    """
    with torch.no_grad():
        if x.device.type != "cpu" or x.dim() != 4 or not _supports_merged(model):
            return model(x)
        assert isinstance(model, nn.Sequential)
        h = _channels_last(x)
        for layer in model:
            h, _ = _forward(layer, h)
        return h


def saliency_maps(
    model: nn.Module,
    parameters: Iterable[torch.Tensor],
    x: torch.Tensor,
    y: torch.Tensor,
    score: str = "logit",
) -> torch.Tensor:
    """Absolute gradient of the true class's score by each pixel (gradient_guard, section 3.2).

    Parameters
    ----------
    model
        A module of the right form; its parameters are not read.
    parameters
        Of the models to look at, ``(m, n_parameters)`` or m such vectors one after the other.
    x, y
        Samples ``(n, C, H, W)`` and their labels ``(n,)``.
    score
        The true class's ``"logit"``, or its ``"probability"`` (equation 1).

    Returns
    -------
    torch.Tensor
        ``(m, n, H, W)``: of each pixel, the largest value over the channels.
    """
    local = copy.deepcopy(model).requires_grad_(False)
    flat = flatten_parameters(local)
    merged = x.device.type == "cpu" and _supports_merged(local)
    gradient = _merged_pixel_gradient if merged else _pixel_gradient
    maps = []
    for one in parameters:
        flat.copy_(one)
        maps.append(gradient(local, x.detach(), y[:, None], score).abs().amax(1))
    return torch.stack(maps)


def _pixel_gradient(
    model: nn.Module, x: torch.Tensor, labels: torch.Tensor, score: str
) -> torch.Tensor:
    pixels = x.clone().requires_grad_()
    scores = model(pixels)
    if score == "probability":
        scores = scores.softmax(1)
    return torch.autograd.grad(scores.gather(1, labels).sum(), pixels)[0]


def _merged_pixel_gradient(
    model: nn.Module, x: torch.Tensor, labels: torch.Tensor, score: str
) -> torch.Tensor:
    """The same by the passes of ``merged``, which do without autograd."""
    assert isinstance(model, nn.Sequential)
    with torch.no_grad():
        logits, tape = _recorded(model, x)
        g = torch.zeros_like(logits).scatter_(1, labels, 1.0)
        if score == "probability":
            p = logits.softmax(1)
            g = p.gather(1, labels) * (g - p)
        for layer, kept in zip(reversed(model), reversed(tape), strict=True):
            g = _input_gradient(layer, kept, g)
    return g


def _channels_last(h: torch.Tensor) -> torch.Tensor:
    """``h`` with channels-last strides, for one channel too, where torch sees no difference.

    Pooling is several times faster on a CPU in this order, and convolutions keep it.
    """
    _, c, height, width = h.shape
    h = h.contiguous(memory_format=torch.channels_last)
    return h.as_strided(h.shape, (c * height * width, 1, width * c, c))


def _forward(layer: nn.Module, h: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    if isinstance(layer, nn.MaxPool2d):
        pooled, index = F.max_pool2d(h, layer.kernel_size, return_indices=True)
        return pooled, (h, index)
    if isinstance(layer, nn.ReLU):
        h = h.clamp(min=0)
        return h, (h,)
    if isinstance(layer, nn.ELU):
        h = F.elu(h)
        return h, (h,)
    if isinstance(layer, nn.Conv2d):
        # From few channels to many oneDNN is the faster, which computes them side by side.
        if (layer.out_channels <= 8 or layer.in_channels >= 16) and _nnpack_wins(layer, h):
            return _nnpack(h, layer.weight, layer.bias, (0, 0)), (h,)
        weight = layer.weight.contiguous(memory_format=torch.channels_last)
        return F.conv2d(h, weight, layer.bias), (h,)
    return layer(h), (h,)


@cache
def _has_nnpack() -> bool:
    return torch.backends.nnpack.is_available()


def _nnpack_wins(layer: nn.Conv2d, h: torch.Tensor) -> bool:
    """Whether to convolve by NNPACK: in one thread, but not in more, it is faster than oneDNN."""
    alone = h.device.type == "cpu" and torch.get_num_threads() == 1 and len(h) > 0
    known = h.dtype == torch.float32 and layer.kernel_size == (5, 5)  # what was measured
    return alone and known and _has_nnpack()


# What NNPACK makes of so many images stays in the cache.
_NNPACK_IMAGES = 64


def _nnpack(
    h: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, padding: tuple[int, int]
) -> torch.Tensor:
    """Convolution ``(n, C, H, W)`` in channels-last order, by fast transforms."""
    convolve = torch.ops.aten._nnpack_spatial_convolution
    parts = [convolve(part, weight, bias, padding, (1, 1)) for part in h.split(_NNPACK_IMAGES)]
    n, (channels, height, width) = len(h), parts[0].shape[1:]
    out = h.new_empty(n, height, width, channels).permute(0, 3, 1, 2)
    for place, part in zip(out.split(_NNPACK_IMAGES), parts, strict=True):
        place.copy_(part)
    return out


def _weight_gradients(
    layer: nn.Module,
    prefix: str,
    h: torch.Tensor,
    g: torch.Tensor,
    k: int,
    views: dict[str, torch.Tensor],
) -> None:
    """Write those of each of ``k`` clients, where the layer's input is ``h``."""
    b = h.shape[0] // k
    if isinstance(layer, nn.Linear):
        per_client = g.view(k, b, -1)
        torch.bmm(per_client.transpose(1, 2), h.view(k, b, -1), out=views[prefix + "weight"])
        views[prefix + "bias"].copy_(per_client.sum(1))
    if isinstance(layer, nn.Conv2d):
        weight = layer.weight.contiguous(memory_format=torch.channels_last)
        for i in range(k):
            rows = slice(i * b, (i + 1) * b)
            _, dw, db = torch.ops.aten.convolution_backward(
                g[rows], h[rows], weight, [weight.shape[0]], *_PLAIN, [False, True, True]
            )
            views[prefix + "weight"][i].copy_(dw)
            views[prefix + "bias"][i].copy_(db)


def _input_gradient(
    layer: nn.Module, kept: tuple[torch.Tensor, ...], g: torch.Tensor
) -> torch.Tensor:
    h = kept[0]
    if isinstance(layer, nn.Linear):
        return g @ layer.weight
    if isinstance(layer, nn.Conv2d):
        if _nnpack_wins(layer, g):
            # The gradient of a convolution's input is a convolution, by the turned kernel.
            turned = layer.weight.flip(2, 3).transpose(0, 1).contiguous()
            height, width = layer.kernel_size
            return _nnpack(g, turned, None, (height - 1, width - 1))
        weight = layer.weight.contiguous(memory_format=torch.channels_last)
        only = [True, False, False]
        return torch.ops.aten.convolution_backward(g, h, weight, None, *_PLAIN, only)[0]
    if isinstance(layer, nn.MaxPool2d):
        size = [layer.kernel_size] * 2 if isinstance(layer.kernel_size, int) else layer.kernel_size
        return torch.ops.aten.max_pool2d_with_indices_backward(
            g, h, size, size, [0, 0], [1, 1], False, kept[1]
        )
    if isinstance(layer, nn.ReLU):
        return torch.ops.aten.threshold_backward(g, h, 0)
    if isinstance(layer, nn.ELU):
        return torch.ops.aten.elu_backward(g, 1, 1, 1, True, h)
    assert isinstance(layer, nn.Flatten)
    g = g.reshape(h.shape)
    return _channels_last(g) if h.dim() == 4 else g


# Of a convolution: stride, padding, dilation, whether transposed, its output's padding, groups.
_PLAIN = ([1, 1], [0, 0], [1, 1], False, [0, 0], 1)


_GRADIENTS: dict[str, Callable[..., torch.Tensor]] = {
    "loop": _loop,
    "merged": _merged,
    "grouped": _grouped,
    "vmap": _vmap,
}


# --- local epochs ------------------------------------------------------------------------


def local_updates(
    model: nn.Module,
    start: torch.Tensor,
    data: Batch,
    schedule: torch.Tensor,
    *,
    learning_rate: float,
    momentum: float = 0.0,
    optimizer: str = "sgd",
    out: torch.Tensor | None = None,
    strategy: str = "auto",
) -> tuple[torch.Tensor, torch.Tensor]:
    """What each client changes by local SGD from the broadcast model.

    Parameters
    ----------
    model
        A module of the right form; its parameters are not read.
    start
        The broadcast parameters, ``(n_parameters,)``.
    data
        Samples ``(n, C, H, W)`` and labels ``(n,)`` that ``schedule`` points into.
    schedule
        Sample indices ``(n_clients, n_steps, batch)``; -1 marks an empty place. A step without
        any sample leaves the client as it is (clients of unequal size).
    learning_rate, momentum
        Of each client's SGD, whose momentum buffer starts at zero every round.
    optimizer
        ``"sgd"``, or ``"adam"`` (Kingma and Ba, 2015, Algorithm 1), also begun anew every round.
    out
        Where to write, ``(n_clients, n_parameters)``; made if None.
    strategy
        ``auto``, ``loop``, ``merged``, ``grouped`` or ``vmap``.

    Returns
    -------
    updates, losses
        ``start - local``, so that a server step of rate 1 subtracts it, ``(n_clients,
        n_parameters)``; and the mean loss over the client's samples, ``(n_clients,)``.

    Raises
    ------
    ConfigError
        If strategy or optimizer is unknown, or the strategy cannot serve the model. With batch norm
        and empty places in ``schedule`` clients are computed one by one, whatever it is.
    """
    layout = ParameterLayout.of(model)
    if out is None:
        out = start.new_empty(schedule.shape[0], layout.size)
    chosen = choose_strategy(model, start.device, strategy)
    at_once = chosen in ("grouped", "vmap")
    if at_once and batch_norms(model) and bool((schedule < 0).any()):
        # Empty places are masked in the loss, but would count in a batch's statistics.
        chosen = "loop"
    run = _LOCAL[chosen]
    step = _OPTIMIZERS[check_name("optimizer", optimizer, _OPTIMIZERS)](learning_rate, momentum)
    return out, run(model, layout, start, data, schedule, step, out)


class _SGD:
    """Steps of gradient descent with momentum, for one client or a row of them."""

    def __init__(self, learning_rate: float, momentum: float) -> None:
        self.learning_rate, self.momentum = learning_rate, momentum

    def init(self, like: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (torch.zeros_like(like),)

    def change(self, grad: torch.Tensor, state: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """What to subtract; ``state`` is changed in place."""
        (buffer,) = state
        buffer.mul_(self.momentum).add_(grad)
        return buffer * self.learning_rate


class _Adam(_SGD):
    """Steps of Adam: its constants are those that its authors recommend."""

    first, second, least = 0.9, 0.999, 1e-8

    def init(self, like: torch.Tensor) -> tuple[torch.Tensor, ...]:
        # Steps done, of each client: those without a sample do not count.
        return torch.zeros_like(like), torch.zeros_like(like), torch.zeros_like(like[..., :1])

    def change(self, grad: torch.Tensor, state: tuple[torch.Tensor, ...]) -> torch.Tensor:
        mean, square, steps = state
        steps += 1
        mean.lerp_(grad, 1 - self.first)
        square.mul_(self.second).addcmul_(grad, grad, value=1 - self.second)
        scale = (square / (1 - self.second**steps)).sqrt_().add_(self.least)
        return mean / scale.mul_((1 - self.first**steps) / self.learning_rate)


_OPTIMIZERS: dict[str, type[_SGD]] = {"sgd": _SGD, "adam": _Adam}


def _masked_loss(
    model: nn.Module,
    parameters: dict[str, torch.Tensor],
    x: torch.Tensor,
    y: torch.Tensor,
    mask: torch.Tensor,
) -> torch.Tensor:
    logits = torch.func.functional_call(model, parameters, (x,))
    losses = F.cross_entropy(logits, y, reduction="none")
    return (losses * mask).sum() / mask.sum().clamp(min=1)


def _local_loop(
    model: nn.Module,
    layout: ParameterLayout,
    start: torch.Tensor,
    data: Batch,
    schedule: torch.Tensor,
    optimizer: _SGD,
    out: torch.Tensor,
) -> torch.Tensor:
    flat = start.clone().requires_grad_()

    def gradient(x: torch.Tensor, y: torch.Tensor) -> Batch:
        logits = torch.func.functional_call(model, layout.views(flat), (x,))
        loss = F.cross_entropy(logits, y)
        return torch.autograd.grad(loss, flat)[0], loss.detach()

    return _one_by_one(gradient, flat, start, data, schedule, optimizer, out)


def _local_merged(
    model: nn.Module,
    layout: ParameterLayout,
    start: torch.Tensor,
    data: Batch,
    schedule: torch.Tensor,
    optimizer: _SGD,
    out: torch.Tensor,
) -> torch.Tensor:
    local = copy.deepcopy(model)
    flat = flatten_parameters(local)
    grad = torch.empty_like(flat)

    def gradient(x: torch.Tensor, y: torch.Tensor) -> Batch:
        return grad, _merged(local, layout, x[None], y[None], grad[None])[0]

    return _one_by_one(gradient, flat, start, data, schedule, optimizer, out)


def _one_by_one(
    gradient: Callable[[torch.Tensor, torch.Tensor], Batch],
    flat: torch.Tensor,
    start: torch.Tensor,
    data: Batch,
    schedule: torch.Tensor,
    optimizer: _SGD,
    out: torch.Tensor,
) -> torch.Tensor:
    """The clients in turn, each in ``flat``, at which ``gradient`` takes a batch's."""
    losses = start.new_zeros(schedule.shape[0])
    filled = schedule >= 0
    for i in range(schedule.shape[0]):
        flat.data.copy_(start)
        kept = optimizer.init(start)
        for step in range(schedule.shape[1]):
            index = schedule[i, step][filled[i, step]]
            if len(index) == 0:
                continue
            grad, loss = gradient(data[0][index], data[1][index])
            flat.data.sub_(optimizer.change(grad, kept))
            losses[i] += loss * len(index)
        torch.sub(start, flat.data, out=out[i])
    return losses / filled.sum((1, 2)).clamp(min=1)


def _local_vmap(
    model: nn.Module,
    layout: ParameterLayout,
    start: torch.Tensor,
    data: Batch,
    schedule: torch.Tensor,
    optimizer: _SGD,
    out: torch.Tensor,
) -> torch.Tensor:
    def loss_of(flat: torch.Tensor, x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor) -> Any:
        return _masked_loss(model, layout.views(flat), x, y, mask)

    step_all = torch.func.vmap(torch.func.grad_and_value(loss_of), randomness="different")
    flats = start.expand(schedule.shape[0], -1).clone()
    kept = optimizer.init(flats)
    losses = start.new_zeros(schedule.shape[0])
    for step in range(schedule.shape[1]):
        index = schedule[:, step]
        mask = (index >= 0).to(start.dtype)
        # An empty place holds a sample of the same client's: another's might not be finite.
        index = torch.where(index < 0, index.amax(1, keepdim=True), index).clamp(min=0)
        grads, loss = step_all(flats, data[0][index], data[1][index], mask)
        active = mask.amax(1, keepdim=True)
        before = [part.clone() for part in kept]
        change = optimizer.change(grads, kept)
        # A step without a sample is none: the client stays as it was.
        for part, old in zip(kept, before, strict=True):
            torch.where(active > 0, part, old, out=part)
        flats -= change.masked_fill_(active == 0, 0)
        losses += (loss * mask.sum(1)).masked_fill_(active[:, 0] == 0, 0)
    torch.sub(start, flats, out=out)
    return losses / (schedule >= 0).sum((1, 2)).clamp(min=1)


_LOCAL: dict[str, Callable[..., torch.Tensor]] = {
    "loop": _local_loop,
    "merged": _local_merged,
    "grouped": _local_vmap,
    "vmap": _local_vmap,
}
