"""What a verdict rests on: how exactly its numbers are known, and whether its runs are alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from fedlib.evidence.claim import Claim, Printed
from fedlib.evidence.judgement import DECIDED
from fedlib.evidence.noise import Noise, resolution
from fedlib.evidence.results import CellResult
from fedlib.evidence.verdicts import SINGLE, THRESHOLD, TIE, SeedValue, Verdict


def known_to(claim: Claim, result: CellResult, number: float) -> float:
    """Return how exactly a number of a cell can be known at all, whatever the noise of seeds is."""
    if claim.in_time:
        config = result.records[0]["config"]
        return 100.0 * config["eval_every"] / config["rounds"]
    return resolution(result, number) if claim.accuracies else 0.0


def too_wide_to_tie(claim: Claim, number: float, noise: float, seeds: int) -> bool:
    """Return whether a number's noise is so wide that it would tie with too much.

    Two numbers can tie only if these seeds would tell numbers apart that differ by a half of one of
    them, or by 10 points if they are accuracies in percent.
    """
    apart = _APART_POINTS if claim.accuracies else _APART * abs(number)
    needed = SINGLE if seeds == 1 else THRESHOLD / seeds
    return needed * math.sqrt(2) * noise > apart


_APART = 0.5
_APART_POINTS = 10.0


def least_known(noises: Iterable[Noise | None]) -> Noise | None:
    """Return the noise with the fewest degrees of freedom, and where any of them comes from."""
    known = [noise for noise in noises if noise]
    if not known:
        return None
    origin = next((noise.origin for noise in known if noise.origin), "")
    return replace(min(known, key=lambda noise: noise.freedom), origin=origin)


def mixes_copies(known: Sequence[CellResult]) -> bool:
    """Return whether the cells of one data set have their runs on different copies of it."""
    copies: dict[str, set[tuple[str, str]]] = {}
    for result in known:
        data = result.records[0]["config"]["data"]
        copies.setdefault(data["name"], set()).add((data["source"], data["variant"]))
    return any(len(found) > 1 for found in copies.values())


def obstacle(claim: Claim, known: Sequence[CellResult], chance: bool) -> str:
    """Return what keeps runs from deciding a claim, whatever their numbers are, or nothing."""
    if not all(result.real for result in known):
        return "embedded data"
    if known[0].scale != "paper":
        return "reduced scale"
    if not claim.needed.tells:
        return "the printed spread is too wide to tell"
    if len({result.reduced for result in known}) > 1:
        return "some runs are shorter than others"
    if mixes_copies(known):
        return "the runs are on different copies of the data"
    if chance:
        tied = claim.equality is not None
        where = "near chance" if claim.near_chance else "at chance"
        return f"a tie {where}" if tied else f"all {where}"
    return ""


def noted(claim: Claim, known: Sequence[CellResult], verdict: Verdict) -> Verdict:
    """Return a verdict with all that has to be said of its runs."""
    notes = [verdict.remark, claim.tie_means if verdict.kind == TIE else ""]
    notes = [note for note in notes if note]
    if verdict.kind in DECIDED:
        if not all(result.canonical for result in known):
            notes.append("other data than the paper's")
        for said in ("reduced", "caveat"):
            notes.extend(sorted({getattr(result, said) for result in known} - {""}))
    return Verdict(verdict.kind, "; ".join(notes))


def printed_spreads(
    claim: Claim, lookup: Printed | None, noises: Sequence[Noise | None]
) -> list[float]:
    """Return the printed spread of each cell whose noise is that of another protocol, and else 0.

    How far seeds are apart depends on the protocol, so the paper may know more of it than runs of
    another one do.
    """
    numbers = claim.printed(lookup) if lookup is not None else None
    if numbers is None:
        return [0.0] * len(noises)
    return [
        number.spread if noise is not None and noise.origin else 0.0
        for number, noise in zip(numbers, noises, strict=True)
    ]


def noise_in_words(noise: Noise, found: Sequence[SeedValue]) -> str:
    """Say the noise of the statistic and what it rests on."""
    sd = max(seed.noise for seed in found)
    origin = f" {noise.origin}" if noise.origin else ""
    two_digits = float(f"{sd:.2g}")  # 440 in place of 4.4e+02
    return f"noise {two_digits:g} ({noise.freedom} df{origin})"


def statistic_in_words(claim: Claim, values: Sequence[float]) -> str:
    """Say the mean of the statistic, and the values of the seeds if there are several."""
    return claim.in_words(math.fsum(values) / len(values), values if len(values) > 1 else ())
