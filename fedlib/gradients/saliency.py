"""Saliency maps: how much each pixel of an image matters to a model's score of its class."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import nn

from fedlib.gradients import merged, tiled
from fedlib.models import flatten_parameters


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
        The parameters of the models to look at: a matrix ``(m, n_parameters)``, or m such vectors
        one after the other.
    x, y
        Samples ``(n, C, H, W)`` and their labels ``(n,)``.
    score
        The score of the true class that is differentiated: its ``"logit"``, or its
        ``"probability"`` (equation 1).

    Returns
    -------
    torch.Tensor
        For each model, image and pixel the largest value over the channels, ``(m, n, H, W)``.
    """
    return SaliencyModel(model).maps(parameters, x, y, score)


class SaliencyModel:
    """A copy of a model whose saliency maps are taken for one set of parameters after the other.

    It takes longer to copy a small model than to take its maps. If maps are taken in every round,
    one copy serves them all.

    Parameters
    ----------
    model
        As in :func:`saliency_maps`.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = copy.deepcopy(model).requires_grad_(False)
        self._flat = flatten_parameters(self._model)

    def maps(
        self,
        parameters: Iterable[torch.Tensor],
        x: torch.Tensor,
        y: torch.Tensor,
        score: str = "logit",
    ) -> torch.Tensor:
        """Return the maps as :func:`saliency_maps` does."""
        gradient = _gradient_by_autograd
        if tiled.supports(self._model) and tiled.fits(x, y, fewest=tiled.FEWEST):
            gradient = _gradient_by_tiles
        elif x.device.type == "cpu" and merged.supports(self._model):
            gradient = _gradient_by_merged
        maps = []
        for one in parameters:
            self._flat.copy_(one)
            maps.append(gradient(self._model, x.detach(), y[:, None], score).abs().amax(1))
        return torch.stack(maps)


def _gradient_by_autograd(
    model: nn.Module, x: torch.Tensor, labels: torch.Tensor, score: str
) -> torch.Tensor:
    pixels = x.clone().requires_grad_()
    scores = model(pixels)
    if score == "probability":
        scores = scores.softmax(1)
    return torch.autograd.grad(scores.gather(1, labels).sum(), pixels)[0]


def _gradient_by_merged(
    model: nn.Module, x: torch.Tensor, labels: torch.Tensor, score: str
) -> torch.Tensor:
    assert isinstance(model, nn.Sequential)
    with torch.no_grad():
        logits, tape = merged.record(model, x)
        g = torch.zeros_like(logits).scatter_(1, labels, 1.0)
        if score == "probability":
            p = logits.softmax(1)
            g = p.gather(1, labels) * (g - p)
        return merged.input_gradient(model, tape, g)


def _gradient_by_tiles(
    model: nn.Module, x: torch.Tensor, labels: torch.Tensor, score: str
) -> torch.Tensor:
    assert isinstance(model, nn.Sequential)
    return tiled.input_gradients(model, x, labels[:, 0], score == "probability")
