"""What is measured of a model and of a round; the engine records it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from fedlib.gradients import forward
from fedlib.models import batch_norms

_EVALUATION_BATCH = 500
# Of an accelerator, where nothing depends on what else is in the batch.
_LARGE_BATCH = 5000
CERTIFIED = 2000
"""At most so many samples stand for all of a set when robustness is certified."""
PRICES = (32.0, 16.0, 8.0, 4.0, 2.0, 1.0, 0.5, 0.25)
"""Prices of distance at which test data are perturbed, in units of the training's."""


def evaluate(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Accuracy and mean cross-entropy on samples ``(n, C, H, W)`` with labels ``(n,)``.

    In batches of 500, or 5000 on an accelerator without batch norm; a network with batch norm uses
    the statistics of the test batch of 500, as in the centered_clipping authors' code.
    """
    correct = torch.zeros((), dtype=torch.int64, device=x.device)
    loss = torch.zeros((), dtype=torch.float64, device=x.device)
    alone = x.device.type != "cpu" and not batch_norms(model)
    size = _LARGE_BATCH if alone else _EVALUATION_BATCH
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        logits = forward(model, x[rows])
        correct += (logits.argmax(1) == y[rows]).sum()
        loss += F.cross_entropy(logits, y[rows], reduction="sum").double()
    return float(correct) / len(x), float(loss) / len(x)


def decisions(model: nn.Module, device: torch.device) -> list[str]:
    """The classes of points of a 61 x 61 grid over [-4, 4], a string of digits for each ordinate.

    The lowest ordinate comes first.
    """
    place = torch.linspace(-4, 4, 61, device=device)
    points = torch.cartesian_prod(place, place).flip(1).view(-1, 1, 1, 2)
    with torch.no_grad():
        classes = model(points).argmax(1).view(61, 61).tolist()
    return ["".join(map(str, row)) for row in classes]


def separation(scores: torch.Tensor, n_benign: int) -> torch.Tensor:
    """How probably a Byzantine client's score is below an honest one's; ties count half."""
    gap = scores[:n_benign, None] - scores[None, n_benign:]
    return ((gap > 0).double() + (gap == 0).double() / 2).mean()
