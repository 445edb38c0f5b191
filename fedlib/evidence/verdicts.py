"""From the values of a few seeds to a verdict.

Each seed gives evidence for or against a claim: the distance of its value from the limit of what
is needed, in units of the noise. The evidence of the seeds is added up, as in the sequential
probability ratio test of Wald (1945). So a seed that satisfies a claim can only strengthen it.

Seeds that disagree far beyond the noise are *unstable*. As long as there are fewer than five of
them, the one that is nearest to the limit must then be beyond it as a single seed must be, with the
seeds' own spread as the noise. Of five unstable seeds or more, four fifths must be on the side of
the verdict, so that one seed far away does not decide against the others. A seed that agrees never
undoes the verdict of two seeds or more that are not unstable. It can undo the verdict of one seed,
which is provisional for this reason, and that of unstable seeds if it is nearer to the limit than
all of them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from scipy import special

from fedlib.evidence.noise import stable_limit
from fedlib.evidence.ranges import Range

THRESHOLD = 3.0
"""The evidence that decides, in units of the noise, where the noise is known exactly."""
SINGLE = 5.0
"""The evidence that a single seed needs, so that it decides provisionally."""
ENOUGH_SEEDS = 5
"""The number of seeds that is needed where seeds contradict one another or are unstable."""
MAJORITY = 0.8
"""The share of the seeds that must be on one side where seeds contradict one another."""

_MOST_TRIED = 12
"""The number of seeds up to which all choices among them are tried. They double with each seed."""

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
        the noise of it, the verdict is a tie. A ratio whose noise is larger than equality itself
        ties with nothing. None stands for a claim that compares nothing.

    Raises
    ------
    ValueError
        If there are no seeds.
    """
    if not seeds:
        raise ValueError("seeds=[] is empty: a verdict needs at least one seed.")
    if equal is not None and all(_ties(seed, equal) for seed in seeds):
        return Verdict(TIE, "one seed" if len(seeds) == 1 else "")
    verdict = _by_evidence(seeds, needed, freedom)
    if verdict.kind not in (HOLDS, FAILS) or _stands(verdict.kind, seeds, needed, freedom):
        return verdict
    if len(seeds) < ENOUGH_SEEDS:
        return Verdict(UNDECIDED, said_of_unstable(len(seeds)))
    # One seed that is far away must not decide against most of the others.
    return _of_most(verdict.kind, [is_on_side(verdict.kind, seed.value, needed) for seed in seeds])


def is_on_side(kind: str, value: float, needed: Range) -> bool:
    """Return whether a value satisfies a claim that holds, or misses one that does not hold.

    Parameters
    ----------
    kind
        ``HOLDS`` or ``FAILS``.
    value
        The statistic of a seed.
    needed
        What the statistic has to be.
    """
    return (value in needed) == (kind == HOLDS)


def _ties(seed: SeedValue, equal: float) -> bool:
    """Return whether a seed's value is equality, as far as a noise that tells anything can say."""
    return abs(seed.value - equal) <= seed.noise and (equal == 0 or seed.noise <= abs(equal))


def said_of_unstable(count: int) -> str:
    """Say that seeds are unstable, and how many there are of those that are needed.

    Parameters
    ----------
    count
        The number of seeds.
    """
    return f"unstable, {count} of {ENOUGH_SEEDS} seeds"


def _stands(kind: str, seeds: Sequence[SeedValue], needed: Range, freedom: float) -> bool:
    """Return whether a verdict stands although the seeds may disagree.

    It stands if two of the seeds or more give it without being unstable, and all the others agree
    with it. Otherwise the seed that is nearest to the limit must give it alone, with the spread
    of this seed and of some of the others as the noise. One seed has no spread, and its verdict
    stands. Of very many seeds only all together are tried.
    """
    if len(seeds) == 1 or not unstable(seeds):
        return True
    if len(seeds) > _MOST_TRIED:
        return False
    side = 1 if kind == HOLDS else -1
    nearest = min(seeds, key=lambda seed: side * needed.depth(seed.value))
    against = {i for i, seed in enumerate(seeds) if not is_on_side(kind, seed.value, needed)}
    for size in range(len(seeds), 1, -1):
        for places in combinations(range(len(seeds)), size):
            chosen = [seeds[place] for place in places]
            if not unstable(chosen):
                if against.issubset(places) and _by_evidence(chosen, needed, freedom).kind == kind:
                    return True
            elif nearest in chosen:
                own = statistics.stdev(seed.value for seed in chosen)
                alone = SeedValue(nearest.value, max(nearest.noise, own))
                if _by_evidence([alone], needed, freedom).kind == kind:
                    return True
    return False


def unstable(seeds: Sequence[SeedValue]) -> bool:
    """Whether two seeds or more disagree far beyond their noise.

    Parameters
    ----------
    seeds
        The statistic of each seed.
    """
    expected = math.fsum(seed.noise**2 for seed in seeds) / len(seeds)
    squares = (len(seeds) - 1) * statistics.variance(seed.value for seed in seeds)
    return squares > expected * stable_limit(len(seeds) - 1)


def _by_evidence(seeds: Sequence[SeedValue], needed: Range, freedom: float) -> Verdict:
    """Return the verdict that the evidence of the seeds adds up to."""
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
    return _of_most(kind, [is_on_side(kind, seed.value, needed) for seed in seeds])


def _of_most(kind: str, agree: Sequence[bool]) -> Verdict:
    """Return the verdict of seeds of which some may be on the other side of the limit."""
    count, agreeing = len(agree), sum(agree)
    if agreeing == count:
        return Verdict(kind)
    if count < ENOUGH_SEEDS or agreeing < MAJORITY * count:
        return Verdict(UNDECIDED, "the seeds contradict one another")
    return Verdict(kind, f"in {agreeing} of {count} seeds")


def _evidence(seed: SeedValue, needed: Range) -> float:
    """Return how far inside the range a value is, in units of its noise; outside it is negative."""
    depth = needed.depth(seed.value)
    if depth == 0:
        return 0.0
    return depth / seed.noise if seed.noise > 0 else math.copysign(math.inf, depth)


def _needed_evidence(freedom: float) -> float:
    """Return the value of Student's t whose tail probability is that of the normal threshold."""
    return float(-special.stdtrit(freedom, special.ndtr(-THRESHOLD)))
