"""From the values of a few seeds to a verdict.

Each seed gives evidence for or against a claim: the distance of its value from the limit of what
is needed, in units of the noise. The evidence of the seeds is added up, as in the sequential
probability ratio test of Wald (1945). So a seed that satisfies a claim can only strengthen it.

Seeds that disagree far beyond the noise are *unstable*. As long as there are fewer than five of
them, the one that is nearest to the limit must then be beyond it as a single seed must be, with the
seeds' own spread as the noise. Of five unstable seeds or more, four must be clearly on the side of
the verdict for each one on the other side, so that one seed far away does not decide against the
others.

A seed that agrees never undoes the verdict of two to twelve seeds that are not unstable. It can
undo the verdict of one seed, which is provisional for this reason, and that of unstable seeds if it
is nearer to the limit than all of them.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from fedlib.evidence.noise import stable_limit
from fedlib.evidence.ranges import Range

THRESHOLD = 3.0
"""The evidence that decides, in units of the noise, where the noise is known exactly."""
CLEAR = 2.0
"""The standard errors that the mean of the seeds must be beyond the limit, as for ``THRESHOLD``.

The evidence of many seeds without any effect adds up to the threshold now and then: for five seeds
in one case of six. With this second condition it is one in seventeen. Whoever looks after each seed
from the second to the fifth sees a verdict at some time in one case of nine.
"""
SINGLE = 5.0
"""The evidence that a single seed needs, so that it decides provisionally."""
ENOUGH_SEEDS = 5
"""The number of seeds that is needed where seeds contradict one another or are unstable."""
MAJORITY = 0.8
"""The share of the seeds that must be on one side where seeds contradict one another.

Those count that are on this side by their noise or more, and those that are on the other side.
"""

_MOST_TRIED = 12
"""The number of seeds up to which all choices among them are tried. They double with each seed."""

_NOT_ENOUGH = "the seeds do not decide it"

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
        The value of the statistic at which the compared sides are equal. The verdict is a tie if
        all seeds are within the noise of it. It is also a tie if the seeds decide nothing, are not
        unstable, none is further from it than three times its noise, and their mean is no further
        from it than the mean's own standard error. A ratio whose noise is larger than equality
        itself ties with nothing. None stands for a claim that compares nothing.

    Raises
    ------
    ValueError
        If there are no seeds, or if a value is not finite.
    """
    if not seeds:
        raise ValueError("seeds=[] is empty: a verdict needs at least one seed.")
    if not all(math.isfinite(seed.value) for seed in seeds):
        raise ValueError(f"seeds={list(seeds)} has a value that is not finite: it tells nothing.")
    tie = Verdict(TIE, "one seed" if len(seeds) == 1 else "")
    if equal is not None and all(_ties(seed, equal) for seed in seeds):
        return tie
    verdict = _by_evidence(seeds, needed, freedom)
    if verdict.kind not in (HOLDS, FAILS):
        # The more seeds there are, the less likely all of them are within the noise.
        if equal is not None and _tie_together(seeds, equal):
            return tie
        return _unclear(seeds, needed) if verdict.remark == _NOT_ENOUGH else verdict
    if _stands(verdict.kind, seeds, needed, freedom):
        return verdict
    if len(seeds) < ENOUGH_SEEDS:
        return Verdict(UNDECIDED, said_of_unstable(len(seeds)))
    # One seed that is far away must not decide against most of the others.
    return _of_most(verdict.kind, seeds, needed)


def count_answers(seeds: Sequence[SeedValue], needed: Range) -> Verdict:
    """Return the verdict on a question that each seed answers with yes or no.

    Five seeds are needed, and all must give the same answer. Of five tossed coins all are equal in
    one case of sixteen, and four or more are in three cases of eight.

    Parameters
    ----------
    seeds
        The statistic of each seed.
    needed
        What the statistic has to be.
    """
    count = len(seeds)
    if count < ENOUGH_SEEDS:
        one = "one has" if count == 1 else f"{count} have"
        said = f"{ENOUGH_SEEDS} seeds must answer a question of yes or no, and {one} an answer"
        return Verdict(UNDECIDED, said)
    yes = sum(seed.value in needed for seed in seeds)
    for kind, number in ((HOLDS, yes), (FAILS, count - yes)):
        if number == count:
            return Verdict(kind)
    return Verdict(UNDECIDED, "the seeds contradict one another")


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
    return abs(seed.value - equal) <= seed.noise and _tells(seed, equal)


def _tells(seed: SeedValue, equal: float) -> bool:
    """Return whether the noise of a seed is small enough that not everything ties with it."""
    return equal == 0 or seed.noise <= abs(equal)


def _tie_together(seeds: Sequence[SeedValue], equal: float) -> bool:
    """Return whether the mean of stable seeds is within its standard error of equality.

    No seed may be clearly different by itself.
    """
    if len(seeds) == 1 or unstable(seeds) or not all(_tells(seed, equal) for seed in seeds):
        return False
    if any(abs(seed.value - equal) > THRESHOLD * seed.noise for seed in seeds):
        return False
    error = math.sqrt(math.fsum(seed.noise**2 for seed in seeds))
    return abs(math.fsum(seed.value - equal for seed in seeds)) <= error


def said_of_unstable(count: int) -> str:
    """Say that seeds are unstable, and if there are too few, how many of those that are needed.

    Parameters
    ----------
    count
        The number of seeds.
    """
    if count < ENOUGH_SEEDS:
        return f"unstable, {count} of {ENOUGH_SEEDS} seeds"
    return "some seeds are far from the others, and too few are clearly on one side"


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
        return Verdict(UNDECIDED, _NOT_ENOUGH)
    kind = HOLDS if total > 0 else FAILS
    side = math.copysign(1.0, total)
    found = [
        _Depth(side * needed.depth(seed.value), seed.noise, is_on_side(kind, seed.value, needed))
        for seed in seeds
    ]
    if _standard_errors(found) < CLEAR * scale and not _clear_by_themselves(found):
        return Verdict(UNDECIDED, _NOT_ENOUGH)
    if min(side * value for value in evidence_of_each) > -1:
        return Verdict(kind)
    # At least one seed clearly contradicts the others.
    return _of_most(kind, seeds, needed)


class _Depth(NamedTuple):
    """How far a seed is beyond the limit, with its noise, and whether it is for the verdict."""

    depth: float
    noise: float
    agrees: bool


def _standard_errors(seeds: Sequence[_Depth]) -> float:
    """Return how many standard errors the mean of the seeds is beyond the limit.

    A seed that agrees a little makes the mean smaller. It must not undo a verdict, so that the
    mean is over all seeds that contradict and over those of the others that make it clearest.
    """
    kept = [seed for seed in seeds if not seed.agrees]
    total = math.fsum(seed.depth for seed in kept)
    square = math.fsum(seed.noise**2 for seed in kept)
    most = -math.inf
    for seed in sorted((seed for seed in seeds if seed.agrees), key=_worth, reverse=True):
        total, square = total + seed.depth, square + seed.noise**2
        most = max(most, total / math.sqrt(square) if square else math.copysign(math.inf, total))
    return most


def _worth(seed: _Depth) -> float:
    """Return how much clearer a seed makes the mean, so that the clearest can be taken first."""
    return seed.depth / seed.noise**2 if seed.noise else math.inf


def _clear_by_themselves(seeds: Sequence[_Depth]) -> bool:
    """Return whether five seeds or more are clearly beyond the limit by their own spread.

    The noise is that of all cells of a protocol, and some of them vary less than others. As above,
    seeds that agree may be left out, so that no seed that agrees undoes a verdict.
    """
    against = [seed.depth for seed in seeds if not seed.agrees]
    agreeing = [seed.depth for seed in seeds if seed.agrees]
    if len(seeds) > _MOST_TRIED:
        return False
    for size in range(max(ENOUGH_SEEDS - len(against), 0), len(agreeing) + 1):
        for chosen in combinations(agreeing, size):
            tried = [*against, *chosen]
            mean = math.fsum(tried) / len(tried)
            error = statistics.stdev(tried) / math.sqrt(len(tried))
            if mean > 0 and mean >= CLEAR * _needed_evidence(len(tried) - 1) / THRESHOLD * error:
                return True
    return False


def _of_most(kind: str, seeds: Sequence[SeedValue], needed: Range) -> Verdict:
    """Return the verdict of seeds of which some may be on the other side of the limit.

    A seed that is nearer to the limit than its noise does not count for the verdict, because by
    chance alone four of five seeds are often on one side.
    """
    agree = [is_on_side(kind, seed.value, needed) for seed in seeds]
    count, agreeing = len(agree), sum(agree)
    if agreeing == count:
        return Verdict(kind)
    side = 1 if kind == HOLDS else -1
    clear = sum(side * _evidence(seed, needed) >= 1 for seed in seeds)
    against = count - agreeing
    if count < ENOUGH_SEEDS or clear < MAJORITY * (clear + against):
        return _unclear(seeds, needed)
    return Verdict(kind, f"in {agreeing} of {count} seeds")


def _unclear(seeds: Sequence[SeedValue], needed: Range) -> Verdict:
    """Return an undecided verdict, and whether seeds that disagree are why."""
    evidence = [_evidence(seed, needed) for seed in seeds]
    if min(evidence) <= -1 and max(evidence) >= 1:
        return Verdict(UNDECIDED, "the seeds contradict one another")
    if len(seeds) > 1 and unstable(seeds):
        return Verdict(UNDECIDED, said_of_unstable(len(seeds)))
    return Verdict(UNDECIDED, _NOT_ENOUGH)


def _evidence(seed: SeedValue, needed: Range) -> float:
    """Return how far inside the range a value is, in units of its noise; outside it is negative."""
    depth = needed.depth(seed.value)
    if depth == 0:
        return 0.0
    return depth / seed.noise if seed.noise > 0 else math.copysign(math.inf, depth)


def _needed_evidence(freedom: float) -> float:
    """Return the value of Student's t whose tail probability is that of the normal threshold."""
    from scipy import special  # not above: every command would wait for it

    return float(-special.stdtrit(freedom, special.ndtr(-THRESHOLD)))
