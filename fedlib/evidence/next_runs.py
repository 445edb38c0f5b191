"""Which runs a claim needs next."""

from __future__ import annotations

import math

from fedlib.evidence.claim import Claim
from fedlib.evidence.report import Archive
from fedlib.evidence.verdicts import ENOUGH_SEEDS


def next_runs(archive: Archive, claim: Claim) -> list[tuple[str, int]]:
    """Return the runs that a claim needs next, as keys of cells with their seed.

    They complete the first seed that not all of the claim's cells have, at the paper's scale and on
    real data. A seed is left out if a stored run of it has no number for the claim, such as a model
    that has diverged. The list is empty if more seeds than ``ENOUGH_SEEDS`` would be needed, or if
    no run can decide the claim.

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
    common = set.intersection(*held.values())
    for seed in range(1, ENOUGH_SEEDS + 1):
        if seed not in common and not _is_void(archive, claim, seed, held):
            return [(cell, seed) for cell, seeds in held.items() if seed not in seeds]
    return []


def _is_void(archive: Archive, claim: Claim, seed: int, held: dict[str, set[int]]) -> bool:
    """Return whether a stored run of a seed has no number for a claim that measures something."""
    if claim.measure is None or claim.jointly is not None:
        return False
    runs = (archive.at(cell, "paper") for cell, seeds in held.items() if seed in seeds)
    return any(run and math.isnan(claim.measure(run.of_seed(seed))) for run in runs)
