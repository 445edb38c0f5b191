"""Gradient Guard: reputation from saliency maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.aggregators.base import AGGREGATORS, AggregatorContext
from fedlib.aggregators.reputation import ReputationRule
from fedlib.blocks import row_norms
from fedlib.validation import ConfigError, check_int


@AGGREGATORS.register("gradient_guard")
@dataclass(frozen=True)
class GradientGuard(ReputationRule):
    """Reputations by the likeness of saliency maps (gradient_guard, Algorithm 1).

    A client's score is the structural similarity of two saliency maps on the server's samples,
    averaged over these: of the model after its update, and of the model after a step along the
    last direction, which is as long as the median update. The text leaves open what the map
    of a direction is, on which inputs, and with which window and constants; it says both that
    low similarity is suspect (section 2.2) and that either end is penalised (line 5).

    Parameters
    ----------
    window
        Side of the windows of the similarity, odd. None takes the whole map as one, which is
        equation (2) to the letter.
    penalised
        As in :class:`ReputationRule`; here ``"lowest"`` by default.
    """

    formula: ClassVar[str] = (
        r"\sum_i \operatorname{softmax}(r)_i \, x_i, \quad r_i \text{ as in FLAIR}, \quad s_i "
        r"= \operatorname{SSIM}(M(\theta - \eta x_i), M(\theta - \eta \ell d))"
    )
    cost: ClassVar[str] = r"n \cdot \text{a gradient on the server's samples}"

    needs: ClassVar[frozenset[str]] = frozenset({"saliency"})

    penalised: str = "lowest"
    window: int | None = 7

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window is not None:
            check_int("aggregator.window", self.window, 3)
            if self.window % 2 == 0:
                raise ConfigError(f"aggregator.window={self.window} must be odd.")

    def _scores(
        self, updates: torch.Tensor, direction: torch.Tensor, context: AggregatorContext | None
    ) -> torch.Tensor:
        assert context is not None and context.saliency is not None
        length = row_norms(updates).median().to(updates.dtype)
        step = direction * (length / direction.norm().clamp(min=1))
        reference = context.saliency(step[None])[0].double().cpu()
        # Client by client: all maps at once would be n copies of the model.
        scores = [
            _similarity(context.saliency(update[None])[0].double().cpu(), reference, self.window)
            for update in updates
        ]
        return torch.tensor(scores, dtype=torch.float64, device=updates.device)


def _similarity(maps: torch.Tensor, reference: torch.Tensor, window: int | None) -> float:
    """Mean structural similarity of saliency maps ``(n, H, W)`` to ``reference``; -1 if not finite.

    Constants as in Wang et al. (2004) for the range of the reference's values.
    """
    if not bool(torch.isfinite(maps).all() and torch.isfinite(reference).all()):
        return -1.0
    span = max(float(reference.max() - reference.min()), torch.finfo(torch.float32).tiny)
    if window is not None:
        # Loaded here, because no other rule needs it.
        from skimage.metrics import structural_similarity

        return float(
            structural_similarity(
                maps.numpy(),
                reference.numpy(),
                win_size=min(window, *((side - 1) // 2 * 2 + 1 for side in maps.shape[1:])),
                data_range=span,
                channel_axis=0,
            )
        )
    x, y = maps.flatten(1), reference.flatten(1)
    mean_x, mean_y = x.mean(1), y.mean(1)
    covariance = ((x - mean_x[:, None]) * (y - mean_y[:, None])).mean(1)
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    contrast = (2 * covariance + c2) / (x.var(1, correction=0) + y.var(1, correction=0) + c2)
    return float((luminance * contrast).mean())
