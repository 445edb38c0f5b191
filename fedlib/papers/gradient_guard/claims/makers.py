"""What several groups of claims are made with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fedlib.evidence.claims import Claim, Former, Range, at_most
from fedlib.evidence.report import CellResult
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.gradient_guard import measures
from fedlib.papers.gradient_guard.measures import percent_kept
from fedlib.papers.gradient_guard.settings import ATTACK_TITLES, DATA_TITLES

NAMED = {"default": "default reading"}
"""What a reading is called in the text of a claim, if not by its own name."""


def late_accuracy(result: CellResult) -> float:
    """The accuracy of one seed's run in percent, the mean of its last five evaluations."""
    return measures.late_accuracy(result).mean


def named(reading: str) -> str:
    """What a reading is called in the text of a claim."""
    return NAMED.get(reading, reading)


def where(data: str, *attacks: str) -> str:
    """The data set and the attacks in words."""
    return f"{DATA_TITLES[data]}, {' and '.join(ATTACK_TITLES[attack] for attack in attacks)}"


def caution(attack: str, share: str) -> str:
    """A word of caution where the attack is not defined for so many malicious clients."""
    return " (beyond the attack's own limit)" if (attack, share) == ("full_krum", "50") else ""


def on_accuracy(
    place: str,
    text: str,
    cells: tuple[str, ...],
    needed: Range,
    shown: str = "at worst {:.0f} % of the clean accuracy left",
    reading: str = "",
    sentence: str = "",
    former: Former | None = None,
) -> Claim:
    """A claim on what is left of the accuracy in the first cell, in the least of the others."""
    return Claim(
        place,
        text,
        cells,
        percent_kept,
        needed,
        shown,
        measure=late_accuracy,
        of_accuracy=True,
        reading=reading,
        sentence=sentence,
        former=former,
    )


def costs_at_worst(values: list[float]) -> float:
    """How far the least of the other values is below the first."""
    return values[0] - min(values[1:])


def on_points(claim: Claim, statistic: Callable[[list[float]], float] = costs_at_worst) -> Claim:
    """Return a claim that a rule withstands an attack once more, by the points that it loses.

    The text does not say how much a rule may lose that withstands an attack. By the first limit at
    least half of its accuracy is left, and by this one it loses at most the margin of this book.

    Parameters
    ----------
    claim
        The claim with the first limit. It must name its sentence, which both are about.
    statistic
        How many points are lost at worst, from the values of the claim's cells.
    """
    return replace(
        claim,
        text=f"{claim.text}, with at most {MARGIN:g} points lost",
        statistic=statistic,
        needed=at_most(MARGIN),
        shown="at worst {:.1f} points lost",
        former=None,
    )


def each_kept(count: int, values: list[float]) -> list[float]:
    """The percentage that each line keeps, from ``count`` values of every line."""
    return [percent_kept(values[i : i + count]) for i in range(0, len(values), count)]
