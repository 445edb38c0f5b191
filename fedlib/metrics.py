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
