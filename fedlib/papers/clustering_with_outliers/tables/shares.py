"""Accuracies written as shares of 1, which the paper's tables have in place of percent."""

from __future__ import annotations

from collections.abc import Sequence

from fedlib.evidence.report import CellResult


def share(percent: float) -> str:
    """An accuracy in percent, as a share with two digits."""
    return f"{percent / 100:.2f}"


def least_share(results: Sequence[CellResult]) -> str:
    """The least mean accuracy of results at one scale, with that and the numbers of seeds."""
    counts = sorted({result.accuracy.n for result in results})
    seeds = "–".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    least = min(result.accuracy.mean for result in results)
    return f"{share(least)}\n{results[0].scale} ×{seeds}"
