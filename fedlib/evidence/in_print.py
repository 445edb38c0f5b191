"""What the numbers that a paper prints say of its own claims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np

from fedlib.evidence.claim import OWN, Claim, Printed, PrintedNumber
from fedlib.evidence.sensitivity import propagated
from fedlib.evidence.statistics import ROUNDING, WIDEST_MARGIN

_AGAINST = ": not as claimed"
"""The end of a paper's own number that does not support the claim."""
_NOT_SO = ": not so in print"
"""The same for a question of this book, which nobody has claimed."""
_MOST_TRIED = 512
"""How many combinations of numbers that the paper does not print are tried."""


def in_print(claim: Claim, lookup: Printed | None) -> tuple[str, bool]:
    """Say what the paper's own numbers give, and whether they contradict the claim.

    They contradict it if the statistic of the printed numbers is outside the needed range, even if
    it is no farther outside than their printed spread. A table that gives a sentence no support is
    the paper's disagreement with itself, and not ours with the paper. But within a spread of more
    than ``WIDEST_MARGIN`` the printed numbers tell nothing. A range with a margin takes
    the spread in already. Of some numbers only the bounds may be known. Then the claim is
    contradicted if no numbers within the bounds satisfy it, by more than the printed spread.

    Parameters
    ----------
    claim
        The claim.
    lookup
        The numbers that the paper prints. None if it prints none.
    """
    numbers = claim.printed(lookup) if lookup is not None else None
    if numbers is None:
        return "–", False
    bounded = any(number.least is not None for number in numbers)
    tried = [value for value in map(claim.statistic, _possible(numbers)) if not math.isnan(value)]
    if not tried:
        return "–", False
    value = max(tried, key=claim.needed.depth)
    shown = claim.in_words(value)
    if value in claim.needed:
        return ("–" if bounded else shown), False
    values = [number.value for number in numbers]
    spread = propagated(claim.statistic, values, [number.spread for number in numbers])
    against = _NOT_SO if claim.place == OWN else _AGAINST
    outside = -claim.needed.depth(value)
    within = not claim.needed.margin and outside < spread
    if bounded:
        return ("–", False) if within else (f"{shown} at best{against}", True)
    if outside <= ROUNDING:
        return f"{shown}: equal in print", False
    if within and spread > WIDEST_MARGIN:
        return f"{shown}: the printed spread is too wide to tell", False
    return shown + against + (", within the printed spread" if within else ""), True


def _possible(numbers: Sequence[PrintedNumber]) -> list[list[float]]:
    """Return the combinations of numbers that are tried, of those that may stand in the paper."""
    open_ones = sum(number.least is not None for number in numbers)
    each = int(_MOST_TRIED ** (1 / open_ones)) if open_ones else 1
    if each < 2:
        each = 2 if 2**open_ones <= 2 * _MOST_TRIED else 0
    if not each:
        return []
    axes = [
        [number.value] if number.least is None else np.linspace(number.least, number.value, each)
        for number in numbers
    ]
    return [list(map(float, values)) for values in product(*axes)]
