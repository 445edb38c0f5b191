"""The first stage of two_stage_attack learns the data from gradients."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from fedlib.agents.unrolled import Ascent, moved
from fedlib.models import ParameterLayout
from fedlib.validation import ConfigError, check_int

_TOGETHER = 10_000
"""So many values of samples, over all rounds, are moved together."""


def match_gradients(
    model: nn.Module,
    parameters: torch.Tensor,
    gradients: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    n_iterations: int = 300,
    learning_rate: float = 0.1,
    ascent: Ascent | None = None,
) -> torch.Tensor:
    """Find samples whose mean gradients are those that were seen (deep leakage from gradients).

    The method comes from Zhu et al. (2019). As in two_stage_attack, it starts at the attacker's own
    data and matches several rounds together. The distance is the sum over rounds of the squared
    distances of the gradients. Each is divided by the squared length of the gradient that was seen,
    so that early rounds do not outweigh late ones. The optimiser is Adam. The text names neither
    the distance nor the optimiser.

    Parameters
    ----------
    model
        A module with the layers of the broadcast models. Its own parameters are not read.
    parameters
        The broadcast models of t rounds, ``(t, n_parameters)``.
    gradients
        The mean gradients at these models, ``(t, n_parameters)``.
    x
        The samples at the start, ``(n, C, H, W)``.
    y
        Their labels, ``(n,)``, which do not change.
    n_iterations
        The number of steps of the optimiser.
    learning_rate
        The learning rate of the optimiser.
    ascent
        How the clients moved their samples before they took the gradients that were seen. The
        gradients of the learned samples are then taken at moved points too, and the matching knows
        how a point moves with its sample. With None, the default, samples stay where they are.

    Returns
    -------
    torch.Tensor
        The learned samples, ``(n, C, H, W)``.

    Raises
    ------
    ConfigError
        If models and gradients do not have the same shape, or if they are not matrices.
    """
    check_int("n_iterations", n_iterations, 0)
    if parameters.shape != gradients.shape or parameters.dim() != 2:
        raise ConfigError(
            f"gradients of shape {tuple(gradients.shape)} do not belong to parameters of shape "
            f"{tuple(parameters.shape)}: both must be (rounds, n_parameters)."
        )
    layout = ParameterLayout.of(model)
    scale = gradients.square().sum(1).clamp(min=torch.finfo(gradients.dtype).tiny)
    samples = x.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([samples], lr=learning_rate)
    for _ in range(n_iterations):
        optimizer.zero_grad()
        if ascent is not None:
            _add_moved_gradients(model, parameters, gradients, scale, samples, y, ascent)
            optimizer.step()
            continue
        distance = x.new_zeros(())
        for broadcast, seen, size in zip(parameters, gradients, scale, strict=True):
            grad = _gradient(model, layout, broadcast, samples, y, None)
            distance = distance + (grad - seen).square().sum() / size
        distance.backward()
        optimizer.step()
    return samples.detach()


def _gradient(
    model: nn.Module,
    layout: ParameterLayout,
    parameters: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    ascent: Ascent | None,
) -> torch.Tensor:
    """Return the mean gradient of samples at a model, ``(n_parameters,)``, with its graph."""
    z = x
    if ascent is not None:
        # Clients move their samples against the model, and take the model's gradient afterwards.
        z = moved(model, layout.views(parameters.detach()), x, y, ascent)
    flat = parameters.detach().clone().requires_grad_()
    logits = torch.func.functional_call(model, layout.views(flat), (z,))
    (grad,) = torch.autograd.grad(F.cross_entropy(logits, y), flat, create_graph=True)
    return grad


def _add_moved_gradients(
    model: nn.Module,
    parameters: torch.Tensor,
    gradients: torch.Tensor,
    scale: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    ascent: Ascent,
) -> None:
    """Add the gradient of the distance between moved and seen gradients to that of the samples.

    Several rounds are computed together, as many as the memory for the graph of the ascent allows.
    """
    layout = ParameterLayout.of(model)

    def distance(flat: torch.Tensor, seen: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
        def loss(views: dict[str, torch.Tensor], z: torch.Tensor) -> torch.Tensor:
            return F.cross_entropy(torch.func.functional_call(model, views, (z,)), y)

        views = layout.views(flat)
        z, rate = x, ascent.rate / (2 * ascent.gamma)
        for _ in range(ascent.steps):
            # The loss is a mean, but each sample moves along the gradient of its own.
            pull = len(y) * torch.func.grad(loss, argnums=1)(views, z)
            z = z + rate * (pull - 2 * ascent.gamma * (z - x))
        found = torch.func.grad(loss)(views, z)
        grad = torch.cat([found[name].flatten() for name in views])
        return (grad - seen).square().sum() / size

    together = max(1, _TOGETHER // x.numel())
    parts = (parameters.detach(), gradients, scale)
    for models, seen, sizes in zip(*(part.split(together) for part in parts), strict=True):
        torch.func.vmap(distance)(models, seen, sizes).sum().backward()


def gradient_gap(
    model: nn.Module,
    parameters: torch.Tensor,
    gradients: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    ascent: Ascent | None = None,
) -> float:
    """Return how far the samples' gradients are from those that were seen.

    It is the mean over rounds of the distance that :func:`match_gradients` makes small: the squared
    distance of the two gradients, divided by the squared length of the one that was seen. The
    parameters are those of that function.
    """
    layout, found = ParameterLayout.of(model), []
    for broadcast, seen in zip(parameters, gradients, strict=True):
        grad = _gradient(model, layout, broadcast, x, y, ascent).detach()
        size = seen.square().sum().clamp(min=torch.finfo(seen.dtype).tiny)
        found.append(float((grad - seen).square().sum() / size))
    return float(np.mean(found))


def wasserstein_distance(x: torch.Tensor, z: torch.Tensor) -> float:
    """Return the exact 2-Wasserstein distance of two samples of the same size.

    The function finds the assignment that moves one sample into the other at the least cost. This
    is exact if all elements have equal weight. The time grows with the cube of n. The first stage
    of two_stage_attack ends when two consecutive estimates of the data are nearer than 0.005.

    Parameters
    ----------
    x, z
        The two samples, ``(n, ...)`` each.

    Raises
    ------
    ConfigError
        If the sizes differ, or if they are zero.
    """
    # Imported here, because every start of the library imports this module, and SciPy is slow.
    from scipy.optimize import linear_sum_assignment

    if len(x) != len(z) or len(x) == 0:
        raise ConfigError(
            f"samples of {len(x)} and {len(z)} elements have no distance: both must have the same "
            "number of elements, which must be at least 1."
        )
    cost = torch.cdist(x.flatten(1).double(), z.flatten(1).double()).square().cpu().numpy()
    rows, columns = linear_sum_assignment(cost)
    return float(cost[rows, columns].mean() ** 0.5)


def save_samples(x: torch.Tensor, y: torch.Tensor, start: torch.Tensor) -> bytes:
    """Return the content of an npz file with learned samples.

    Parameters
    ----------
    x
        The learned samples, ``(n, C, H, W)``.
    y
        Their labels, ``(n,)``.
    start
        The samples that learning started from, ``(n, C, H, W)``.
    """
    content = io.BytesIO()
    np.savez_compressed(content, x=x.cpu().numpy(), y=y.cpu().numpy(), start=start.cpu().numpy())
    return content.getvalue()


def load_samples(
    content: bytes, n_classes: int | None = None, source: str = "content"
) -> dict[str, np.ndarray]:
    """Return the arrays of :func:`save_samples` by name, without unpickling any object.

    Parameters
    ----------
    content
        The content of the npz file.
    n_classes
        The number of classes, which labels are smaller than. With None any label from 0 is allowed.
    source
        Where the content comes from, such as the path of the file, for the message.

    Returns
    -------
    dict
        The learned samples ``x`` and the samples at the ``start``, of shape ``(n, C, H, W)`` and
        finite, and the labels ``y``, of shape ``(n,)``.

    Raises
    ------
    ConfigError
        If the content is not that of such a file.
    """
    try:
        with io.BytesIO(content) as file:
            loaded = np.load(file, allow_pickle=False)
            # A file of a single array gives that array instead of a table of arrays.
            arrays = dict(loaded) if isinstance(loaded, Mapping) else {}
    # A foreign or damaged file may raise an error of any kind.
    except Exception as error:
        raise _no_samples(source, f"{type(error).__name__}: {error}") from error
    fault = _fault(arrays, n_classes)
    if fault:
        raise _no_samples(source, fault)
    return arrays


def _no_samples(source: str, fault: str) -> ConfigError:
    return ConfigError(
        f"{source} holds no learned samples; it must be what save_samples() returns: {fault}"
    )


def _fault(arrays: Mapping[str, Any], n_classes: int | None) -> str:
    """Say what is wrong with the arrays of :func:`load_samples`; the text is empty if nothing is.

    Parameters
    ----------
    arrays
        What the file holds, by name. Entries of another format are bytes instead of arrays.
    n_classes
        The number of classes, or None if it is not known.
    """
    if set(arrays) != {"x", "y", "start"}:
        return f"it has {', '.join(map(repr, arrays)) or 'no arrays'}, but must have x, y and start"
    for name, kind, words in (("x", "f", "floats"), ("start", "f", "floats"), ("y", "iu", "ints")):
        if not isinstance(arrays[name], np.ndarray) or arrays[name].dtype.kind not in kind:
            return f"{name} must be an array of {words}"
    x, y, start = arrays["x"], arrays["y"], arrays["start"]
    if x.ndim != 4 or len(x) == 0 or start.shape != x.shape or y.shape != x.shape[:1]:
        return (
            f"x of shape {x.shape}, start of shape {start.shape} and y of shape {y.shape} must be "
            "(n, C, H, W), the same and (n,), with n at least 1"
        )
    if not (np.isfinite(x).all() and np.isfinite(start).all()):
        return "x and start must be finite"
    highest = np.inf if n_classes is None else n_classes - 1
    if y.min() < 0 or y.max() > highest:
        allowed = "at least 0" if n_classes is None else f"from 0 to {highest}"
        return f"y has labels from {y.min()} to {y.max()}, but they must be {allowed}"
    return ""
