"""Which runs a claim needs next."""

from __future__ import annotations

import math

from fedlib.evidence.claim import Claim
from fedlib.evidence.report import Archive
from fedlib.evidence.verdicts import ENOUGH_SEEDS


def next_runs(archive: Archive, claim: Claim) -> list[tuple[str, int]]:
    """Return the runs that a claim needs next, as keys of cells with their seed.

    They complete the first seed that not all of the claim's cells have, at the paper's scale and on
    real data. A seed is left out if the stored runs of it already leave the claim nothing to judge,
    such as a model that has diverged. The list is empty if more seeds than ``ENOUGH_SEEDS`` would
    be needed, or if no run can decide the claim.

    Parameters
    ----------
    archive
        The stored runs.
    claim
        The claim.
    """
    if not claim.needed.tells:
        return []
    held = {cell: set(archive.seeds(cell, "paper")) for cell in claim.cells}
    seeds = range(1, ENOUGH_SEEDS + 1)
    open_ones = [seed for seed in seeds if not _is_void(archive, claim, seed, held)]
    if claim.yes_or_no and len(open_ones) < ENOUGH_SEEDS:
        return []  # Each of the seeds would have to answer.
    common = set.intersection(*held.values())
    for seed in open_ones:
        if seed not in common:
            return [(cell, seed) for cell, of_cell in held.items() if seed not in of_cell]
    return []


def _is_void(archive: Archive, claim: Claim, seed: int, held: dict[str, set[int]]) -> bool:
    """Return whether the stored runs of a seed leave a claim nothing to judge.

    This is so if one of them has no number, or if the statistic has no value when the largest of
    the stored numbers stands for each missing one.
    """
    if claim.measure is None or claim.jointly is not None:
        return False
    runs = [archive.at(cell, "paper") if seed in held[cell] else None for cell in claim.cells]
    found = [claim.measure(run.of_seed(seed)) if run else None for run in runs]
    known = [number for number in found if number is not None]
    if any(map(math.isnan, known)):
        return True
    if not known:
        return False
    return math.isnan(claim.statistic([max(known) if one is None else one for one in found]))
