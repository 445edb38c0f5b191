"""What the claims take of a cell's runs in place of the accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable

from fedlib.evidence.claims import Claim, Range
from fedlib.evidence.class_counts import majority
from fedlib.evidence.report import CellResult


def success(result: CellResult) -> float:
    """The attack's final success in %."""
    return result.final("attack_success").mean


def success_lag(result: CellResult) -> float:
    """By how much of the run, in %, 90 % of the final success come after 90 % of the accuracy.

    The lag is NaN for an attack that fails, with a final success of at most 50 %, because such an
    attack has nothing to reach.

    Parameters
    ----------
    result
        One seed's run.
    """
    rounds, (accuracy,) = result.curve("test_accuracy")
    _, (attack_success,) = result.curve("attack_success")
    if not attack_success[-1] > 0.5:
        return math.nan
    return _share_until(rounds, attack_success) - _share_until(rounds, accuracy)


def _share_until(rounds: list[int], curve: list[float]) -> float:
    """Share of the rounds, in %, after which a curve first has 90 % of its last value."""
    return next(
        100 * number / rounds[-1]
        for number, value in zip(rounds, curve, strict=True)
        if value >= 0.9 * curve[-1]
    )


def over_majority(result: CellResult) -> float:
    """Accuracy above that of a model that knows the largest class alone, in points."""
    return result.accuracy.mean - majority(result.records[0])


def success_claim(
    place: str,
    text: str,
    cells: tuple[str, ...],
    statistic: Callable[[list[float]], float],
    needed: Range,
    shown: str,
) -> Claim:
    """A claim on the attack's success, which the paper prints; see :class:`Claim`."""
    return Claim(
        place,
        text,
        cells,
        statistic,
        needed,
        shown,
        measure=success,
        quantity="attack_success",
    )
