"""The claims that runs of 10 of the 100 epochs on CIFAR-10 can decide, with the texts they have.

A short run can say which attack or rule does better than another one, and whether it learns at all.
It cannot say how many points something costs after 100 epochs, so that no claim about a number of
points is here. What a claim is tested with stands in its reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from fedlib.evidence.claims import Claim
from fedlib.papers.centered_clipping.claims import (
    across_settings,
    appendices,
    perturbations,
    statistics,
)
from fedlib.papers.centered_clipping.claims.makers import all_clean_and_attacked
from fedlib.papers.centered_clipping.keys import Key, table_iv
from fedlib.papers.centered_clipping.settings import CLIPPING
from fedlib.papers.centered_clipping.ten_epochs import (
    ATTACKS,
    MOMENTA,
    REDUCED,
    SETTING,
    short_key,
)

OTHERS = tuple(attack for attack in ATTACKS if attack not in ("none", "rop"))
"""The attacks of the short runs beside ROP."""


def _shown_by_short_runs(claim: Claim, said: str = "", **changes: object) -> Claim:
    """Return a claim about the short runs in place of the long ones.

    Parameters
    ----------
    claim
        The claim about the long runs.
    said
        The reading without the length of the runs, if it is another one than that of the claim.
    changes
        Other fields to change, such as ``cells``, which are then keys of long runs.
    """
    changed = replace(claim, **changes)  # type: ignore[arg-type]
    keys = [short_key(Key.parse(cell)) for cell in changed.cells]
    former = changed.former
    if former is not None and former.reading is not None:
        former = former._replace(reading=_after(said or former.reading))
    return replace(
        changed,
        cells=tuple(map(str, keys)),
        reading=_after(said or claim.reading),
        former=former,
    )


def _after(reading: str) -> str:
    """Return a reading with the length of the runs."""
    return "; ".join(filter(None, (reading, f"after {REDUCED}")))


def _about(claims: Iterable[Claim]) -> list[Claim]:
    """Return the claims about the setting of the short runs alone."""
    return [
        claim for claim in claims if {Key.parse(cell).setting for cell in claim.cells} == {SETTING}
    ]


def _texts(cells: Iterable[Key]) -> tuple[str, ...]:
    return tuple(map(str, cells))


def _with_short_cells(claims: Iterable[Claim], said: str = "") -> list[tuple[Claim, Claim]]:
    """Return the claims of which some cells have short runs, each with that about these.

    A claim about cells at another momentum than those of the short runs is left out.
    """
    found = []
    for claim in _about(claims):
        keys = [Key.parse(cell) for cell in claim.cells]
        if any(key.momentum not in MOMENTA for key in keys):
            continue
        cells = tuple(str(key) for key in keys if short_key(key) is not None)
        found.append((claim, _shown_by_short_runs(claim, said, cells=cells)))
    return found


def _one(
    claims: Sequence[Claim],
    cells: Iterable[Key],
    said: str = "",
    statistic: Callable[[list[float]], float] | None = None,
) -> tuple[Claim, Claim]:
    """Return the only claim about CIFAR-10 alone, with that about some of its cells."""
    (claim,) = _about(claims)
    chosen = statistic or claim.statistic
    return claim, _shown_by_short_runs(claim, said, cells=_texts(cells), statistic=chosen)


_AT_MOMENTA = "at β = " + " and ".join(f"{momentum:g}" for momentum in MOMENTA)
_UNDER_ROP = ("rop",)

PAIRS = (
    *_with_short_cells(across_settings.ROP_STRONGEST, "of ROP, ALIE and IPM"),
    _one(
        across_settings.CONVERGES_BUT_UNDER_ROP,
        all_clean_and_attacked(SETTING, "cc_tau1", MOMENTA, OTHERS),
        "under ALIE and IPM",
    ),
    _one(
        across_settings.ROP_ALONE_PREVENTS,
        (
            table_iv(SETTING, attack, "cc_tau1", momentum)
            for momentum in MOMENTA
            for attack in ATTACKS
        ),
        "of ROP, ALIE and IPM, ROP leaves the least, and both others at least half of the clean "
        "accuracy",
        statistics.only_the_first_prevents(1 + len(OTHERS)),
    ),
    _one(
        across_settings.ROP_OVERCOMES_CLIPPING,
        (
            key
            for rule in CLIPPING
            for key in all_clean_and_attacked(SETTING, rule, MOMENTA, _UNDER_ROP)
        ),
        f"costs more than 2 points at either τ, {_AT_MOMENTA}",
    ),
    _one(
        across_settings.ROP_IS_EFFECTIVE_ELSEWHERE,
        (
            key
            for rule in ("tm", "rfa")
            for key in all_clean_and_attacked(SETTING, rule, MOMENTA, _UNDER_ROP)
        ),
        "costs either more than 2 points, mean of β = 0.9 and 0.99",
        statistics.least_mean_cost(len(MOMENTA)),
    ),
    _one(
        across_settings.ROP_COMPETES_WITH_ALIE,
        (
            table_iv(SETTING, attack, rule, momentum)
            for rule in ("tm", "rfa")
            for momentum in MOMENTA
            for attack in ("rop", "alie")
        ),
        f"at most 2 points weaker in at least half of the cells, {_AT_MOMENTA}",
    ),
    *_with_short_cells(appendices.TRAINING_LOSS),
    *(
        (
            claim,
            _shown_by_short_runs(
                claim,
                f"{claim.reading}, {_AT_MOMENTA}",
                cells=_texts(key for key in map(Key.parse, claim.cells) if key.momentum in MOMENTA),
            ),
        )
        for claim in appendices.LOSS_UNDER_ROP
    ),
    *_with_short_cells(perturbations.ALIGNED),
    *_with_short_cells(perturbations.CLOSER_TO_REFERENCE),
)
"""Claims about long runs, each with the claim about the short runs."""


def with_short_runs(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Return the claims, each followed by that about the short runs if there is one.

    Parameters
    ----------
    claims
        The claims about long runs.
    """
    short = {id(claim): about_short for claim, about_short in PAIRS}
    return tuple(
        row
        for claim in claims
        for row in (claim, *([short[id(claim)]] if id(claim) in short else []))
    )
