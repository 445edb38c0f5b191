"""The accuracy and the loss of a model, which the engine records."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from fedlib.gradients import forward
from fedlib.models import batch_norms

_EVALUATION_BATCH = 500
# An accelerator takes this size if no result depends on the other samples of the batch.
_LARGE_BATCH = 5000


def evaluate(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, nan_decides: bool = True
) -> tuple[float, float]:
    """Return the accuracy and the mean cross-entropy of a model on labelled samples.

    The samples are evaluated in batches of 500. On an accelerator, a network without batch norm
    takes batches of 5000. A network with batch norm uses the statistics of the test batch of 500,
    as in the code of the authors of centered_clipping.

    Parameters
    ----------
    model
        A module that maps samples to logits.
    x
        The samples, ``(n, C, H, W)``.
    y
        Their labels, ``(n,)``.
    nan_decides
        Whether logits with a NaN name a class, which is the first one with a NaN. With False they
        name none, so that a model that has diverged is right nowhere.

    Returns
    -------
    accuracy, loss
        The share of samples that are classified correctly, in [0, 1], and the mean cross-entropy.
    """
    correct = torch.zeros((), dtype=torch.int64, device=x.device)
    loss = torch.zeros((), dtype=torch.float64, device=x.device)
    alone = x.device.type != "cpu" and not batch_norms(model)
    size = _LARGE_BATCH if alone else _EVALUATION_BATCH
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        logits = forward(model, x[rows])
        right = logits.argmax(1) == y[rows]
        correct += (right if nan_decides else right & ~logits.isnan().any(1)).sum()
        loss += F.cross_entropy(logits, y[rows], reduction="sum").double()
    return float(correct) / len(x), float(loss) / len(x)
