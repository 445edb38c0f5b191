"""Saliency maps of a small federation, which is trained when the figure is drawn."""

from __future__ import annotations

from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
from torch import nn

from fedlib import engine
from fedlib.aggregators.ssim import structural_similarity
from fedlib.data import Dataset, load_dataset
from fedlib.evidence.chapter import data_of_a_figure
from fedlib.evidence.pictures import Picture
from fedlib.evidence.plots import STYLE
from fedlib.gradients import saliency_maps
from fedlib.papers.gradient_guard.grid import config
from fedlib.papers.gradient_guard.keys import Comparison
from fedlib.runs import RunConfig

_CHOSEN = {"honest 1": 0, "honest 2": 1, "malicious 1": -2, "malicious 2": -1}
"""The clients whose maps are shown. The malicious ones are the last."""


class _Round(NamedTuple):
    """The last round of a federation.

    ``parameters`` and ``direction``, of shape ``(d,)``, are the model that was broadcast and the
    signs of the aggregate before it; ``updates``, of shape ``(n_clients, d)``, is what the clients
    sent.
    """

    model: nn.Module
    parameters: torch.Tensor
    direction: torch.Tensor
    updates: torch.Tensor


def gallery(data: str = "auto", rounds: int = 60) -> Picture:
    """Saliency maps after honest and after malicious updates, with their similarity.

    A small federation is trained for a few rounds when the figure is drawn. Six of its 20 clients
    send full-trim, and the maps of two honest and two malicious clients are shown on three images.
    The server aggregates by the median.

    Parameters
    ----------
    data
        ``auto``, ``real`` or ``embedded``.
    rounds
        How many rounds the federation is trained. The maps are those of the last one.
    """
    key = Comparison("mnist", "full_trim", "30", "median")
    run = config(key, "quick", 1, lambda name: data_of_a_figure(name, data))
    run = run.with_(model="mlp_100")
    dataset = load_dataset(run.data)
    last = _last_round(run, dataset, rounds)
    length = last.updates.norm(dim=1).median()
    steps = [last.direction * (length / last.direction.norm().clamp(min=1))]
    steps += [last.updates[i] for i in _CHOSEN.values()]
    images = dataset.x_test[:3]
    models = last.parameters - run.learning_rate * torch.stack(steps)
    maps = saliency_maps(last.model, models, images, dataset.y_test[:3]).double()
    span = maps[0].max() - maps[0].min()
    scores = structural_similarity(maps[1:], maps[:1], span)
    title = (
        f"{dataset.label}, full-trim against the median, round {rounds}: "
        "similarity to the reference below"
    )
    return _drawn(images, maps, scores, title)


def _last_round(run: RunConfig, dataset: Dataset, rounds: int) -> _Round:
    """Play some rounds, at least one, and return the last."""
    federation, state = engine.prepare(run, dataset)
    for _ in range(rounds):
        before = state.parameters.clone()
        direction = (
            torch.zeros_like(before)
            if state.last_aggregate is None
            else state.last_aggregate.sign()
        )
        engine.play_round(federation, state)
    return _Round(state.model, before, direction, state.updates)


def _drawn(images: torch.Tensor, maps: torch.Tensor, scores: torch.Tensor, title: str) -> Picture:
    """Draw a row for each image: the image, the reference's map, and the clients' maps.

    Parameters
    ----------
    images
        The images, of shape ``(3, C, H, W)``. The first channel is shown.
    maps
        The reference's maps and then each client's, of shape ``(1 + clients, 3, H, W)``.
    scores
        The similarity of each client's maps to the reference's, of shape ``(clients, 3)``.
    title
        The title of the figure.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            3, 6, figsize=(8.4, 4.6), layout="constrained", FigureClass=Picture
        )
        for row in range(3):
            axes[row, 0].imshow(images[row, 0].numpy(), cmap="gray")
            for column, image in enumerate(maps[:, row], 1):
                axes[row, column].imshow(image.numpy(), cmap="magma")
                if column > 1:
                    axes[row, column].set_xlabel(f"{scores[column - 2, row]:.3f}", fontsize=8)
        for axis, name in zip(axes[0], ("image", "reference", *_CHOSEN), strict=True):
            axis.set_title(name)
        for axis in axes.flat:
            axis.set(xticks=[], yticks=[])
            for spine in axis.spines.values():
                spine.set_visible(False)
        figure.suptitle(title, fontsize=9)
    return figure.saying(
        f"Three images, the saliency map of the reference for each, and the maps after the updates "
        f"of these clients: {', '.join(_CHOSEN)}. Below each map stands its similarity to the "
        f"reference. {title}",
        vector=False,
    )
