"""What several claims have in common: their cells, and what decides them."""

from __future__ import annotations

import math

from fedlib.evidence.claims import Claim, Former, above, below, percent_left
from fedlib.papers.two_stage_attack.attacks import ATTACK_TITLES
from fedlib.papers.two_stage_attack.grid import DATA_TITLES, RULE_TITLES
from fedlib.papers.two_stage_attack.keys import CellKey
from fedlib.papers.two_stage_attack.measures import RADIUS, boundary_error, late_level, level

DEFENCES = tuple(rule for rule in RULE_TITLES if rule != "mean")
NEAR = 0.3
"""How far from an ideal boundary one may be on average. The circle's radius is 2."""
_NO_LEVEL = 1e-2
"""A level of no more than this share of the level without attack certifies nothing."""


def cells(data: str, rule: str, *attacks: str) -> tuple[str, ...]:
    return tuple(str(CellKey(data, attack, rule)) for attack in attacks)


def where(data: str, rule: str) -> str:
    """The data set and the server's rule in words."""
    return f"{DATA_TITLES[data]}, {RULE_TITLES[rule]}"


def gain(values: list[float]) -> float:
    """How much larger the last value is than the first."""
    return values[-1] - values[0]


def _left(values: list[float]) -> float:
    """What the last level is of the first, in percent."""
    return percent_left(values[0], values[-1])


def _left_of_lowest(values: list[float]) -> float:
    """What the last level is, in percent, of the lowest of the others.

    The first level is that without attack. It is among the others, because an attack lowers the
    level more than another one only if it lowers the level at all. NaN if the lowest of the others
    is practically nothing, of which no attack could leave less.
    """
    clean, *others, last = values
    lowest = min(clean, *others)
    return percent_left(lowest, last) if lowest > _NO_LEVEL * clean else math.nan


def weakened(values: list[float]) -> float:
    """How much of the level is left under a defence more than without one, in points.

    An attack that raises a level leaves all of it. So two runs in which it does no harm are equal.
    """
    without, defended = (percent_left(*pair) for pair in (values[:2], values[2:]))
    return min(defended, 100.0) - min(without, 100.0)


def moved_less(values: list[float]) -> float:
    """How much less an attack moves the boundary under a defence than without one.

    An attack that moves a boundary nearer to the circle does not move it away. NaN if both
    boundaries are missing under the attack, because neither could then be any farther away.
    """
    without, defended = (max(attacked - clean, 0.0) for clean, attacked in (values[:2], values[2:]))
    return math.nan if values[1] >= RADIUS <= values[3] else without - defended


def _turned_over(percent: float) -> float:
    """Return a percentage in which what is above 100 is as far from it as its reciprocal is.

    So 200 becomes 150. A ratio of levels can grow without limit if the lower level is in the
    denominator, and its noise grows with it. The evidence for a ratio and for its reciprocal are
    equal this way.
    """
    return percent if percent <= 100 else 200 - 1e4 / percent


DIVERGED = "nothing to measure: in each seed a model has diverged or certifies nothing"
"""What is said of a claim if no seed has anything to judge."""


def lowers(
    place: str,
    data: str,
    rule: str,
    attack: str,
    most: float,
    said: str,
    sentence: str = "",
    former_place: str | None = None,
) -> Claim:
    """That less than a percentage of the level without attack is left under an attack."""
    text = f"{where(data, rule)}: {said}"
    # A sentence of one data set had the words of its first row, and that of another set is new.
    reworded = former_place or (sentence and data == "circle")
    return Claim(
        place,
        text,
        cells(data, rule, "none", attack),
        _left,
        below(most),
        "{:.1f} % of the level without attack",
        measure=level,
        late=late_level,
        equal=100 if most == 100 else None,
        judged_as=_turned_over,
        nothing_means=DIVERGED,
        tie_means="the attack has no visible effect",
        sentence=sentence,
        former=Former(text, place=former_place) if reworded else None,
    )


def lower_than(
    place: str, data: str, rule: str, weaker: str, stronger: str, former_place: str | None = None
) -> Claim:
    """That one attack leaves a lower level than another, and than no attack."""
    text = (
        f"{where(data, rule)}: {ATTACK_TITLES[stronger]} lowers the certified level more than "
        f"{ATTACK_TITLES[weaker]}"
    )
    return Claim(
        place,
        text,
        cells(data, rule, "none", weaker, stronger),
        _left_of_lowest,
        below(100),
        f"{{:.1f}} % of the level under {ATTACK_TITLES[weaker]}, or without attack if that is "
        "lower",
        measure=level,
        late=late_level,
        equal=100,
        judged_as=_turned_over,
        nothing_means=f"{DIVERGED}, or another attack already leaves practically no level",
        sentence=_more_harm(weaker, stronger),
        former=Former(text, place=former_place),
    )


def _more_harm(weaker: str, stronger: str) -> str:
    """What the paper says if one attack does more harm, which is tested in two ways."""
    return f"{ATTACK_TITLES[stronger]} does more harm than {ATTACK_TITLES[weaker]}"


def _farther(values: list[float]) -> float:
    """How much farther from the circle the last boundary is than the farthest of the others.

    NaN if the last one and another one are missing, because then neither could be any farther.
    """
    *others, last = values
    farthest = max(others)
    return math.nan if last >= RADIUS <= farthest else last - farthest


def worse_boundary(
    place: str,
    rule: str,
    weaker: str,
    stronger: str,
    sentence: str = "",
    former_place: str | None = None,
) -> Claim:
    """That one attack moves the boundary further from the circle than another, and than none."""
    said = (
        "moves the boundary away from the circle"
        if weaker == "none"
        else f"moves the boundary further from the circle than {ATTACK_TITLES[weaker]}"
    )
    text = f"{where('circle', rule)}: {ATTACK_TITLES[stronger]} {said}"
    return Claim(
        place,
        text,
        cells("circle", rule, *dict.fromkeys(("none", weaker, stronger))),
        _farther,
        above(0),
        "{:.2f} [farther away|less far away]",
        measure=boundary_error,
        nothing_means=f"{DIVERGED}, or both attacks leave no boundary",
        sentence=sentence or _more_harm(weaker, stronger),
        former=Former(text, place=former_place),
    )
