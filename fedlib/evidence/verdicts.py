"""From the values of a few seeds to a verdict.

Each seed gives evidence for or against a claim: the distance of its value from the limit of what
is needed, in units of the noise. The evidence of the seeds is added up, as in the sequential
probability ratio test of Wald (1945). So a seed that satisfies a claim can only strengthen it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scipy import stats

from fedlib.evidence.ranges import Range

THRESHOLD = 3.0
"""The evidence that decides, in units of the noise, where the noise is known exactly."""
SINGLE = 5.0
"""The evidence that a single seed needs, so that it decides provisionally."""
ENOUGH_SEEDS = 5
"""The number of seeds that is needed where seeds contradict one another."""
MAJORITY = 0.8
"""The share of the seeds that must be on one side where seeds contradict one another."""

HOLDS, FAILS, TIE, UNDECIDED = "holds", "does not hold", "tie", "undecided"


class SeedValue(NamedTuple):
    """The statistic of a claim as one seed gives it.

    Attributes
    ----------
    value
        The statistic.
    noise
        The standard deviation that it would have over seeds of the same cells.
    """

    value: float
    noise: float


@dataclass(frozen=True)
class Verdict:
    """What the seeds say of a claim.

    Attributes
    ----------
    kind
        ``holds``, ``does not hold``, ``tie`` or ``undecided``.
    remark
        What has to be said with it, such as why it is undecided.
    """

    kind: str
    remark: str = ""

    def __str__(self) -> str:
        separator = ": " if self.kind == UNDECIDED else ", "
        return f"{self.kind}{separator}{self.remark}" if self.remark else self.kind


def decide(
    seeds: Sequence[SeedValue], needed: Range, freedom: float, equal: float | None = None
) -> Verdict:
    """Return the verdict on a claim.

    Parameters
    ----------
    seeds
        The statistic of each seed.
    needed
        What the statistic has to be.
    freedom
        The degrees of freedom of the noise. The fewer they are, the more evidence is needed, by
        the quantiles of Student's t.
    equal
        The value of the statistic at which the compared sides are equal. If all seeds are within
        the noise of it, the verdict is a tie. None stands for a claim that compares nothing.

    Raises
    ------
    ValueError
        If there are no seeds.
    """
    if not seeds:
        raise ValueError("seeds=[] is empty: a verdict needs at least one seed.")
    if equal is not None and all(abs(seed.value - equal) <= seed.noise for seed in seeds):
        return Verdict(TIE, "one seed" if len(seeds) == 1 else "")
    scale = _needed_evidence(freedom) / THRESHOLD
    if len(seeds) == 1:
        evidence = _evidence(seeds[0], needed)
        if abs(evidence) < SINGLE * scale:
            return Verdict(UNDECIDED, "one seed, too near the limit")
        return Verdict(HOLDS if evidence > 0 else FAILS, "provisional: one seed")
    most = 2 * THRESHOLD * scale
    evidence_of_each = [max(-most, min(most, _evidence(seed, needed))) for seed in seeds]
    total = math.fsum(evidence_of_each)
    if abs(total) < THRESHOLD * scale:
        return Verdict(UNDECIDED, "the seeds do not decide it")
    kind = HOLDS if total > 0 else FAILS
    side = math.copysign(1.0, total)
    if min(side * value for value in evidence_of_each) > -1:
        return Verdict(kind)
    # At least one seed clearly contradicts the others.
    agreeing = sum(side * value >= 0 for value in evidence_of_each)
    if len(seeds) < ENOUGH_SEEDS or agreeing < MAJORITY * len(seeds):
        return Verdict(UNDECIDED, "the seeds contradict one another")
    return Verdict(kind, f"in {agreeing} of {len(seeds)} seeds")


def _evidence(seed: SeedValue, needed: Range) -> float:
    """Return how far inside the range a value is, in units of its noise; outside it is negative."""
    depth = needed.depth(seed.value)
    if depth == 0:
        return 0.0
    return depth / seed.noise if seed.noise > 0 else math.copysign(math.inf, depth)


def _needed_evidence(freedom: float) -> float:
    """Return the quantile of Student's t that is as rare as the threshold under normal noise."""
    return float(stats.t.isf(stats.norm.sf(THRESHOLD), freedom))
