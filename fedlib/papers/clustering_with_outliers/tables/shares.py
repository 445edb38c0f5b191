"""Accuracies written as shares of 1, which the paper's tables have in place of percent."""

from __future__ import annotations

from collections.abc import Sequence

from fedlib.evidence.report import CellResult
from fedlib.evidence.results import seeds_in_words


def share(percent: float) -> str:
    """An accuracy in percent, as a share with two digits."""
    return f"{percent / 100:.2f}"


def least_share(results: Sequence[CellResult]) -> str:
    """The least mean accuracy of results at one scale, with that and the numbers of seeds."""
    counts = sorted({result.accuracy.n for result in results})
    number = counts[0] if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"
    least = min(result.accuracy.mean for result in results)
    return f"{share(least)}\n{seeds_in_words(results[0].scale, number)}"
