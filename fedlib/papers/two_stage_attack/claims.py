"""What the paper claims of its attack, as data.

Harm is judged by what the paper is about: the certified level rho-hat, and on the synthetic data
how far the boundary is from the circle. A model that has diverged has neither. Its seed decides
nothing here, and the tables count it.
"""

from __future__ import annotations

import math
from itertools import product

from fedlib.evidence.claims import (
    OWN,
    Claim,
    Former,
    Range,
    above,
    at_most,
    below,
    percent_left,
    retested,
)
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.two_stage_attack.attacks import ATTACK_TITLES, CONTROL_TITLES
from fedlib.papers.two_stage_attack.grid import DATA_TITLES, RULE_TITLES
from fedlib.papers.two_stage_attack.keys import CellKey
from fedlib.papers.two_stage_attack.measures import (
    RADIUS,
    boundary_error,
    curve_error,
    error_span,
    last_distance,
    late_level,
    level,
    missing_boundary,
    policy_epochs,
    radius_error,
    unevenness,
)
from fedlib.papers.two_stage_attack.strengths import with_other_strengths
from fedlib.papers.two_stage_attack.variants import IN_SMALL_BATCHES, ONCE, SMALL_BATCH

_DEFENCES = tuple(rule for rule in RULE_TITLES if rule != "mean")
_NEAR = 0.3
"""How far from an ideal boundary one may be on average. The circle's radius is 2."""
_NO_LEVEL = 1e-2
"""A level of no more than this share of the level without attack certifies nothing."""
_FIGURE_2 = {
    "mean": "section 4, Figs. 2c to 2e",
    "median": "section 4, Figs. 2h to 2j",
    "krum": "section 4, not shown",
}


def _cells(data: str, rule: str, *attacks: str) -> tuple[str, ...]:
    return tuple(str(CellKey(data, attack, rule)) for attack in attacks)


def _where(data: str, rule: str) -> str:
    """The data set and the server's rule in words."""
    return f"{DATA_TITLES[data]}, {RULE_TITLES[rule]}"


def _gain(values: list[float]) -> float:
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


def _weakened(values: list[float]) -> float:
    """How much of the level is left under a defence more than without one, in points.

    An attack that raises a level leaves all of it. So two runs in which it does no harm are equal.
    """
    without, defended = (percent_left(*pair) for pair in (values[:2], values[2:]))
    return min(defended, 100.0) - min(without, 100.0)


_BOUNDARIES = tuple(
    claim
    for rule in RULE_TITLES
    for claim in (
        Claim(
            "section 4, Fig. 2b",
            f"{_where('circle', rule)}: without attack the boundary is axisymmetric",
            _cells("circle", rule, "none"),
            min,
            below(_NEAR),
            "{:.2f} from its mean radius on average",
            measure=unevenness,
        ),
        Claim(
            OWN,
            f"{_where('circle', rule)}: without attack the boundary is close to the circle",
            _cells("circle", rule, "none"),
            min,
            below(_NEAR),
            "{:.2f} away on average",
            measure=radius_error,
        ),
    )
)


def _lowers(place: str, data: str, rule: str, attack: str, most: float, said: str) -> Claim:
    """That less than a percentage of the level without attack is left under an attack."""
    return Claim(
        place,
        f"{_where(data, rule)}: {said}",
        _cells(data, rule, "none", attack),
        _left,
        below(most),
        "{:.1f} % of the level without attack",
        measure=level,
        late=late_level,
        equal=100 if most == 100 else None,
        tie_means="the attack has no visible effect",
    )


def _lower_than(place: str, data: str, rule: str, weaker: str, stronger: str) -> Claim:
    """That one attack leaves a lower level than another, and than no attack."""
    return Claim(
        place,
        f"{_where(data, rule)}: {ATTACK_TITLES[stronger]} lowers the certified level more than "
        f"{ATTACK_TITLES[weaker]}",
        _cells(data, rule, "none", weaker, stronger),
        _left_of_lowest,
        below(100),
        f"{{:.1f}} % of the level under {ATTACK_TITLES[weaker]}, or without attack if that is "
        "lower",
        measure=level,
        late=late_level,
        equal=100,
    )


def _farther(values: list[float]) -> float:
    """How much farther from the circle the last boundary is than the farthest of the others.

    NaN if the last one and another one are missing, because then neither could be any farther.
    """
    *others, last = values
    farthest = max(others)
    return math.nan if last >= RADIUS <= farthest else last - farthest


def _worse_boundary(place: str, rule: str, weaker: str, stronger: str) -> Claim:
    """That one attack moves the boundary further from the circle than another, and than none."""
    said = (
        "moves the boundary away from the circle"
        if weaker == "none"
        else f"moves the boundary further from the circle than {ATTACK_TITLES[weaker]}"
    )
    return Claim(
        place,
        f"{_where('circle', rule)}: {ATTACK_TITLES[stronger]} {said}",
        _cells("circle", rule, *dict.fromkeys(("none", weaker, stronger))),
        _farther,
        above(0),
        "{:.2f} [farther away|less far away]",
        measure=boundary_error,
    )


_CERTIFICATES = (
    *(
        claim
        for attack in ("random", "ipm", "learned")
        for claim in (
            _lowers(
                _FIGURE_2["mean"], "circle", "mean", attack, 50,
                f"under {ATTACK_TITLES[attack]} the model no longer maintains the certified level: "
                "less than half is left",
            ),
            # The text reads the certified robustness from an axisymmetric boundary.
            Claim(
                _FIGURE_2["mean"],
                f"{_where('circle', 'mean')}: under {ATTACK_TITLES[attack]} the boundary is no "
                "longer axisymmetric",
                _cells("circle", "mean", attack),
                min,
                above(_NEAR),
                "{:.2f} from its mean radius on average",
                measure=unevenness,
            ),
        )
    ),
    *(
        _lowers(
            "abstract", data, rule, attack, 100,
            f"the {ATTACK_TITLES[attack]} attack lowers the certified level",
        )
        for attack in ("learned", "learned_blind")
        for data, rule in product(DATA_TITLES, RULE_TITLES)
        if (attack, rule) != ("learned_blind", "mean")
    ),
    # To lower the level at all is less than what the abstract says: the attack "substantially
    # jeopardizes" the model even where the server has a defence.
    *(
        _lowers(
            "abstract", data, rule, "learned", 50,
            f"the {ATTACK_TITLES['learned']} attack harms the model substantially: less than half "
            "of the certified level is left",
        )
        for data, rule in product(DATA_TITLES, _DEFENCES)
    ),
)  # fmt: skip

_FIGURE_2_CLAIMS = (
    Claim(
        "section 4, Fig. 2e",
        f"{_where('circle', 'mean')}: under the two-stage attack the boundary is missing",
        _cells("circle", "mean", "learned"),
        min,
        above(0.5),
        "missing in {:.0%} of the seeds",
        measure=missing_boundary,
    ),
    *(
        claim
        for rule, place in _FIGURE_2.items()
        for weaker in ("random", "ipm")
        for claim in (
            _lower_than(place, "circle", rule, weaker, "learned"),
            _worse_boundary(place, rule, weaker, "learned"),
        )
    ),
    _lower_than("section 4, Fig. 2d", "circle", "mean", "random", "ipm"),
    _worse_boundary("section 4, Fig. 2d", "mean", "random", "ipm"),
    *(
        claim
        for rule in _DEFENCES
        for attack in ("random", "ipm")
        for claim in (
            _lowers(
                _FIGURE_2[rule], "circle", rule, attack, 100,
                f"{ATTACK_TITLES[attack]} is still effective: it lowers the certified level",
            ),
            _worse_boundary(_FIGURE_2[rule], rule, "none", attack),
            Claim(
                _FIGURE_2[rule],
                f"{_where('circle', rule)}: {ATTACK_TITLES[attack]} lowers the certified level "
                "less than without a defence",
                (*_cells("circle", "mean", "none", attack),
                 *_cells("circle", rule, "none", attack)),
                _weakened,
                above(0),
                "the defence leaves {:.1f} % of the level [more|less]",
                measure=level,
                late=late_level,
            ),
        )
    ),
)  # fmt: skip


def _more_errors(place: str, data: str, rule: str, weaker: str, stronger: str) -> Claim:
    """That one attack costs more test errors than another, on average over perturbations."""
    return Claim(
        place,
        f"{_where(data, rule)}: {ATTACK_TITLES[stronger]} has larger test errors than "
        f"{ATTACK_TITLES[weaker]}, on average over the perturbation levels",
        _cells(data, rule, weaker, stronger),
        _gain,
        above(MARGIN),
        "{:.1f} points [more|less] of test error",
        measure=curve_error,
        equal=0,
    )


_FIGURE_3 = {"mean": "Fig. 3a", "median": "Fig. 3b", "krum": "Fig. 3c"}
_FIGURE_3_CLAIMS = (
    *(
        _more_errors(
            f"section 4, {_FIGURE_3[rule]}" if data == "pixels" else OWN, data, rule, weaker, attack
        )
        for data, rule in product(DATA_TITLES, RULE_TITLES)
        for attack in ("learned", "learned_blind")
        for weaker in ("random", "ipm")
        if (attack, rule) != ("learned_blind", "mean")
    ),
    *(
        Claim(
            f"section 4, {_FIGURE_3['mean']}" if data == "pixels" else OWN,
            f"{_where(data, 'mean')}: the test error under the two-stage attack remains stable as "
            "the perturbation level changes",
            _cells(data, "mean", "learned"),
            min,
            at_most(MARGIN),
            "{:.1f} points between the levels",
            measure=error_span,
        )
        for data in DATA_TITLES
    ),
)

_BLACK_BOX = tuple(
    claim
    for rule in _DEFENCES
    for weaker in ("random", "ipm")
    for claim in (
        _lower_than(OWN, "circle", rule, weaker, "learned_blind"),
        _worse_boundary(OWN, rule, weaker, "learned_blind"),
    )
)

_BENEFIT = tuple(
    _lower_than(OWN, data, rule, control, "learned")
    for data, rule, control in product(DATA_TITLES, RULE_TITLES, CONTROL_TITLES)
)
"""Whether learning is worth anything: the learned policy beside those that learn nothing."""


def _of_stages(
    data: str, rule: str, said: str, needed: Range, shown: str, of_data: bool, former: str = ""
) -> Claim:
    """A claim on how long one of the two stages takes, in a run of the attack."""
    return Claim(
        "section 4" if rule == "mean" else OWN,
        f"{_where(data, rule)}: {said}",
        _cells(data, rule, "learned"),
        min,
        needed,
        shown,
        measure=last_distance if of_data else policy_epochs,
        former=Former(f"{_where(data, rule)}: {former}") if former else None,
    )


_STAGES = (
    *(
        _of_stages(
            data,
            rule,
            f"the estimate of the data converges within {epochs} epochs",
            below(0.005),
            "last distance {:.3g}",
            True,
        )
        for data, epochs in (("circle", 3), ("pixels", 5))
        for rule in RULE_TITLES
    ),
    *(
        _of_stages(
            data,
            rule,
            f"learning the policy takes about as long as {epochs:g} of the federation's epochs, "
            "or less (with this book's number of rounds to learn from)",
            # The sentence says what the attack costs. One that costs less does not contradict it,
            # so that "equivalent to" is tested on one side, and up to twice the time.
            at_most(2 * epochs),
            "{:.1f} epochs",
            False,
            f"learning the policy takes about as long as {epochs:g} of the federation's epochs, "
            "or less",
        )
        for data, epochs in (("circle", 1.0), ("pixels", 0.7))
        for rule in RULE_TITLES
    ),
)

_OF_FIGURE_2 = (*_CERTIFICATES, *_FIGURE_2_CLAIMS)
CLAIMS = (
    *_BOUNDARIES,
    *with_other_strengths(_OF_FIGURE_2),
    # By the text the attacker learns once, and uses the same policy until the end.
    *retested(_OF_FIGURE_2, ONCE, "learned once, as in the text", partly=True),
    # The text does not give the batch size.
    *retested(
        (*_BOUNDARIES, *_OF_FIGURE_2), IN_SMALL_BATCHES, f"batches of {SMALL_BATCH} in place of 50"
    ),
    *_FIGURE_3_CLAIMS,
    *_BLACK_BOX,
    *_BENEFIT,
    *_STAGES,
)
