"""What the paper leaves open, taken another way than this book takes it."""

from __future__ import annotations

from fedlib.grids import Variant, with_changes
from fedlib.papers.gradient_guard.keys import Comparison, Watched

_ATTACKED, _ALONE = (str(Comparison.of("mnist", "full_krum", share, "gradient_guard"))
                     for share in ("10", "0"))  # fmt: skip

BATCH = Variant(
    "batch",
    "samples from which a client computes its gradient in a round",
    "32",
    "256",
    with_changes("client", batch_size=256),
    (
        _ATTACKED,
        str(Comparison.of("mnist", "full_krum", "10", "fedsgd")),
        str(Watched(_ATTACKED)),
        _ALONE,
    ),
)
"""Gradients of more samples, which have less noise."""

VARIANTS = (BATCH,)
