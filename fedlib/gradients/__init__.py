"""How the gradients of many clients are taken: one function a regime, several strategies each."""

from fedlib.gradients.base import (
    Batch,
    choose_strategy,
    forward,
    gradients,
    local_updates,
    saliency_maps,
)

__all__ = [
    "Batch",
    "choose_strategy",
    "forward",
    "gradients",
    "local_updates",
    "saliency_maps",
]
