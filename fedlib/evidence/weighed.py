"""What the seeds of a claim say, with the noise of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fedlib.evidence.claim import Claim
from fedlib.evidence.noise import Noise
from fedlib.evidence.verdicts import SeedValue, decide


class WeighedSeed(NamedTuple):
    """The statistic of a seed as it is shown, and what its evidence is computed from."""

    shown: float
    weighed: SeedValue


class Weighed(NamedTuple):
    """What the seeds of a claim say.

    Attributes
    ----------
    seeds
        The seeds that have something to judge.
    noises
        The noise of each cell, None if it is not known.
    chance
        Whether all models of these seeds have learned nothing.
    unstable
        Whether a number that decides is of a cell whose other seeds are unstable.
    wide
        Whether the noise of a number that decides is too wide for a tie.
    in_print
        Whether the noise of a number that decides is the spread that the paper prints.
    """

    seeds: tuple[WeighedSeed, ...]
    noises: tuple[Noise | None, ...]
    chance: bool
    unstable: bool
    wide: bool
    in_print: bool


def verdicts_alone(claim: Claim, seeds: Sequence[SeedValue], noise: Noise, ties: bool) -> list[str]:
    """Return the kind of the verdict that each seed would give if it were the only one.

    The list is empty if there is one seed alone.

    Parameters
    ----------
    claim
        The claim.
    seeds
        The statistic of each seed.
    noise
        The noise that decides how much evidence is needed.
    ties
        Whether the verdict may be a tie.
    """
    equal = claim.equality if ties else None
    if len(seeds) < 2:
        return []
    return [decide([seed], claim.needed, noise.freedom, equal).kind for seed in seeds]
