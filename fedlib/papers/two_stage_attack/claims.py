"""What the paper claims of its attack, as data.

One attack does more harm than another if it costs more than the margin of equivalence.
"""

from __future__ import annotations

from fedlib.evidence.claims import Claim, above, at_most, below, drop
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.two_stage_attack.grid import ATTACK_TITLES, DATA_TITLES, RULE_TITLES
from fedlib.papers.two_stage_attack.keys import CellKey
from fedlib.papers.two_stage_attack.measures import (
    accuracy,
    last_distance,
    policy_epochs,
    radius_error,
)


def _cells(data: str, rule: str, *attacks: str) -> tuple[str, ...]:
    return tuple(str(CellKey(data, attack, rule)) for attack in attacks)


def _apart(values: list[float]) -> float:
    """Points between white and black box; NaN where the white box does no harm to compare."""
    clean, white, black = values
    return abs(white - black) if clean - white > MARGIN else float("nan")


_BOUNDARIES = tuple(
    Claim(
        "section 4, Fig. 2b",
        f"{DATA_TITLES['circle']}, {title}: without attack the boundary is close to the circle",
        _cells("circle", rule, "none"),
        min,
        below(0.3),
        "{:.2f} away on average",
        measure=radius_error,
    )
    for rule, title in RULE_TITLES.items()
)

_HARM = tuple(
    Claim(
        "section 4, Figs. 2, 3",
        f"{DATA_TITLES[data]}, {title}: {ATTACK_TITLES[stronger]} does more harm than "
        f"{ATTACK_TITLES[weaker]}",
        _cells(data, rule, weaker, stronger),
        drop,
        above(MARGIN),
        "{:+.1f} points of accuracy",
        measure=accuracy,
    )
    for data in DATA_TITLES
    for rule, title in RULE_TITLES.items()
    for stronger, weaker in (("ipm", "random"), ("rl", "ipm"))
)

_BLACK_BOX = tuple(
    Claim(
        "section 4, Fig. 3",
        f"{DATA_TITLES[data]}, {title}: the black box does as much harm as the white box",
        _cells(data, rule, "none", "rl", "rlb"),
        _apart,
        at_most(MARGIN),
        "{:.1f} points apart",
        measure=accuracy,
    )
    for data in DATA_TITLES
    for rule, title in RULE_TITLES.items()
    if rule != "mean"
)

_STAGE_ONE = tuple(
    Claim(
        "section 4",
        f"{DATA_TITLES[data]}, no defence: the estimate of the data converges within {epochs} "
        "epochs",
        _cells(data, "mean", "rl"),
        min,
        below(0.005),
        "last distance {:.3g}",
        measure=last_distance,
    )
    for data, epochs in (("circle", 3), ("mnist", 5))
)

_STAGE_TWO = tuple(
    Claim(
        "section 4",
        f"{DATA_TITLES[data]}, no defence: learning the policy takes about as long as "
        f"{epochs:g} of the federation's epochs, or less",
        _cells(data, "mean", "rl"),
        min,
        at_most(2 * epochs),  # "about"
        "{:.1f} epochs",
        measure=policy_epochs,
    )
    for data, epochs in (("circle", 1.0), ("mnist", 0.7))
)

CLAIMS = (*_BOUNDARIES, *_HARM, *_BLACK_BOX, *_STAGE_ONE, *_STAGE_TWO)
