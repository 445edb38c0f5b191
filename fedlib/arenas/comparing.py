"""Which of two cells of an arena has more accuracy, beyond the noise between seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fedlib.evidence.class_counts import binomial_error, chance_level, test_size
from fedlib.evidence.noise import Noise, NoiseBook
from fedlib.evidence.ranges import above
from fedlib.evidence.results import CellResult
from fedlib.evidence.verdicts import HOLDS, SeedValue, decide

_USUAL_TEST_SET = 10_000
"""The number of test samples that is assumed for a run of unknown data."""
_EXACT = 1000.0
"""The degrees of freedom of an error that is known exactly and not estimated."""


def leaves_more(one: CellResult, other: CellResult, noise: NoiseBook) -> bool:
    """Return whether the accuracy of one cell is larger than that of another beyond the noise.

    The same seeds are compared. All accuracies that a model has by chance count as equal.

    Parameters
    ----------
    one, other
        The stored runs of two cells.
    noise
        The spread of the accuracies between seeds.
    """
    if one.accuracy.mean <= other.accuracy.mean:
        return False  # It is quicker to see than to decide.
    chance = chance_level(one.records[0])
    values, freedoms = [], [_EXACT]
    for seed in sorted(set(one.seeds) & set(other.seeds)):
        runs = (one.of_seed(seed), other.of_seed(seed))
        pooled = [noise.of(run) for run in runs]
        freedoms += [pool.freedom for pool in pooled if pool]
        error = math.hypot(*(_error(run, pool) for run, pool in zip(runs, pooled, strict=True)))
        first, second = (max(run.accuracy.mean, chance) for run in runs)
        values.append(SeedValue(first - second, error))
    if not values:
        return False
    return decide(values, above(0), min(freedoms), 0.0).kind == HOLDS


def leaves_less(pairs: Sequence[tuple[CellResult, CellResult]], noise: NoiseBook) -> bool:
    """Return whether one attack leaves less than another, on average over rules, beyond the noise.

    Parameters
    ----------
    pairs
        For each rule, the stored runs under the one attack and under the other.
    noise
        The spread of the accuracies between seeds.
    """
    seeds = set.intersection(*({*a.seeds} & {*b.seeds} for a, b in pairs))
    values, freedoms = [], [_EXACT]
    for seed in sorted(seeds):
        runs = [(a.of_seed(seed), b.of_seed(seed)) for a, b in pairs]
        pooled = [[noise.of(run) for run in pair] for pair in runs]
        freedoms += [pool.freedom for pools in pooled for pool in pools if pool]
        errors = [
            _error(run, pool)
            for pair, pools in zip(runs, pooled, strict=True)
            for run, pool in zip(pair, pools, strict=True)
        ]
        more = math.fsum(b.accuracy.mean - a.accuracy.mean for a, b in runs)
        values.append(SeedValue(more / len(runs), math.hypot(*errors) / len(runs)))
    return bool(values) and decide(values, above(0), min(freedoms), 0.0).kind == HOLDS


def _error(run: CellResult, pooled: Noise | None) -> float:
    """Return the standard error of a run's accuracy in points.

    It is the larger one of the error between seeds and the error of a finite test set.
    """
    size = test_size(run.records[0]) or _USUAL_TEST_SET
    resolution = binomial_error(run.accuracy.mean, size)
    return max(resolution, pooled.sd if pooled else 0.0)
