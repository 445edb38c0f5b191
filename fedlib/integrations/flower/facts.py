"""The facts that follow from a model of PyTorch and some samples, for rules and attacks."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fedlib import models
from fedlib.gradients import saliency_maps
from fedlib.integrations.flower.replies import FlowerRound

MASKS: dict[str, Callable[[nn.Module], torch.Tensor]] = {
    "critical_parameters": models.critical_parameters,
    "output_bias": models.output_bias,
    "output_weights": models.output_weights,
}
"""The facts that mark parameters of a model, ``(n_parameters,)`` of bool."""


def facts_of_model(
    model: nn.Module, x: torch.Tensor | None = None, y: torch.Tensor | None = None
) -> dict[str, Callable[[FlowerRound], Any]]:
    """Return facts for :class:`RuleStrategy` that a model of PyTorch gives.

    They suit arrays that are the model's ``state_dict()``, without buffers of floating-point
    numbers. A model with batch norm must therefore be built with ``track_running_stats=False``.

    Parameters
    ----------
    model
        A model with the layers of the model that is trained. Its parameters are not read.
    x, y
        Samples ``(n, C, H, W)`` of the server and their labels ``(n,)``. They are needed for the
        fact ``saliency``.

    Returns
    -------
    dict
        ``output_weights``, and ``saliency`` if there are samples, each as a function of the round.

    Examples
    --------
    >>> facts = facts_of_model(models.make_model("softmax_regression", (1, 2, 2), 2, seed=1))
    >>> sorted(facts)
    ['output_weights']
    """
    facts: dict[str, Callable[[FlowerRound], Any]] = {
        "output_weights": lambda _: models.output_weights(model)
    }
    if x is not None and y is not None:
        form = copy.deepcopy(model)

        def saliency(played: FlowerRound) -> Callable[..., torch.Tensor]:
            def maps(updates: torch.Tensor, raw: bool = False, score: str = "logit") -> Any:
                looked_at = (-update if raw else played.model - update for update in updates)
                return saliency_maps(form, looked_at, x, y, score)

            return maps

        facts["saliency"] = saliency
    return facts
