"""What the paper claims of its attack, as data.

One attack does more harm than another if it costs more than the margin of equivalence. A model at
chance has lost all that it could lose; see
:func:`~fedlib.papers.two_stage_attack.measures.accuracy_or_constant`.
"""

from __future__ import annotations

from itertools import product

from fedlib.evidence.claims import (
    OWN,
    Claim,
    Range,
    above,
    at_most,
    below,
    drop,
    near,
    percent_left,
)
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.two_stage_attack.grid import ATTACK_TITLES, DATA_TITLES, RULE_TITLES
from fedlib.papers.two_stage_attack.keys import CellKey
from fedlib.papers.two_stage_attack.measures import (
    accuracy_or_constant,
    asymmetry,
    certified,
    error_span,
    last_distance,
    policy_epochs,
    radius_error,
)

_DEFENCES = tuple(rule for rule in RULE_TITLES if rule != "mean")
_NEAR = 0.3
"""How far from an ideal boundary one may be on average. The circle's radius is 2."""


def _cells(data: str, rule: str, *attacks: str) -> tuple[str, ...]:
    return tuple(str(CellKey(data, attack, rule)) for attack in attacks)


def _where(data: str, rule: str) -> str:
    """The data set and the server's rule in words."""
    return f"{DATA_TITLES[data]}, {RULE_TITLES[rule]}"


def _apart(values: list[float]) -> float:
    """How many more points the black box costs; NaN where the white box does no harm to compare."""
    clean, white, black = values
    return white - black if clean - white > MARGIN else float("nan")


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
            measure=asymmetry,
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

_CERTIFICATES = (
    *(
        Claim(
            "section 4, Figs. 2c to 2e",
            f"{_where('circle', 'mean')}: under {ATTACK_TITLES[attack]} the model no longer "
            "maintains the certified level: less than half is left",
            _cells("circle", "mean", "none", attack),
            lambda values: percent_left(*values),
            below(50),
            "{:.0f} % of the level without attack",
            measure=certified,
            equal=100,
        )
        for attack in ("random", "ipm", "rl")
    ),
    *(
        Claim(
            "abstract",
            f"{_where(data, rule)}: the two-stage attack lowers the certified level",
            _cells(data, rule, "none", "rl"),
            lambda values: percent_left(*values),
            below(100),
            "{:.0f} % of the level without attack",
            measure=certified,
            equal=100,
        )
        for data, rule in product(DATA_TITLES, RULE_TITLES)
    ),
)


def _harm(place: str, data: str, rule: str, weaker: str, stronger: str) -> Claim:
    """That one attack costs more accuracy than another, or than none."""
    said = (
        f"{ATTACK_TITLES[stronger]} does harm"
        if weaker == "none"
        else f"{ATTACK_TITLES[stronger]} does more harm than {ATTACK_TITLES[weaker]}"
    )
    return Claim(
        place,
        f"{_where(data, rule)}: {said}",
        _cells(data, rule, weaker, stronger),
        drop,
        above(MARGIN),
        "{:+.1f} points of accuracy",
        measure=accuracy_or_constant,
        equal=0,
        of_accuracy=True,
    )


def _defended(rule: str, attack: str) -> Claim:
    """That an attack does less harm where the server has a defence."""
    return Claim(
        "section 4, Figs. 2h, 2i",
        f"{_where('circle', rule)}: {ATTACK_TITLES[attack]} does less harm than without a defence",
        (*_cells("circle", "mean", "none", attack), *_cells("circle", rule, "none", attack)),
        lambda values: drop(values[:2]) - drop(values[2:]),
        above(0),
        "{:.1f} points less",
        measure=accuracy_or_constant,
        of_accuracy=True,
    )


_FIGURES = {"circle": "section 4, Fig. 2", "mnist": "section 4, Fig. 3"}
_HARM = (
    # The text ranks these two on the synthetic data without a defence alone.
    *(
        _harm(
            "section 4, Fig. 2d" if (data, rule) == ("circle", "mean") else OWN,
            data, rule, "random", "ipm",
        )
        for data, rule in product(DATA_TITLES, RULE_TITLES)
    ),
    *(
        _harm(_FIGURES[data], data, rule, weaker, "rl")
        for data, rule in product(DATA_TITLES, RULE_TITLES)
        for weaker in ("random", "ipm")
    ),
    *(
        _harm(_FIGURES["mnist"] if data == "mnist" else OWN, data, rule, weaker, "rlb")
        for data, rule in product(DATA_TITLES, _DEFENCES)
        for weaker in ("random", "ipm")
    ),
    *(_harm("abstract", data, rule, "none", "rl") for data in DATA_TITLES for rule in _DEFENCES),
    *(
        _harm("section 4, Figs. 2h, 2i", "circle", rule, "none", attack)
        for rule in _DEFENCES
        for attack in ("random", "ipm")
    ),
    *(_defended(rule, attack) for rule in _DEFENCES for attack in ("random", "ipm")),
)  # fmt: skip

_BLACK_BOX = tuple(
    Claim(
        "section 1",
        f"{_where(data, rule)}: the black box does as much harm as the white box",
        _cells(data, rule, "none", "rl", "rlb"),
        _apart,
        near(0),
        "{:+.1f} points more harm in the black box",
        measure=accuracy_or_constant,
        of_accuracy=True,
    )
    for data, rule in product(DATA_TITLES, _DEFENCES)
)

_STABLE = (
    Claim(
        "section 4, Fig. 3a",
        f"{_where('mnist', 'mean')}: the test error under the two-stage attack remains stable as "
        "the perturbation level changes",
        _cells("mnist", "mean", "rl"),
        min,
        at_most(MARGIN),
        "{:.1f} points between the levels",
        measure=error_span,
    ),
)


def _of_stages(data: str, rule: str, said: str, needed: Range, shown: str, of_data: bool) -> Claim:
    """A claim on how long one of the two stages takes, in a run of the attack."""
    return Claim(
        "section 4" if rule == "mean" else OWN,
        f"{_where(data, rule)}: {said}",
        _cells(data, rule, "rl"),
        min,
        needed,
        shown,
        measure=last_distance if of_data else policy_epochs,
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
        for data, epochs in (("circle", 3), ("mnist", 5))
        for rule in RULE_TITLES
    ),
    *(
        _of_stages(
            data,
            rule,
            f"learning the policy takes about as long as {epochs:g} of the federation's epochs, "
            "or less",
            at_most(2 * epochs),  # "about"
            "{:.1f} epochs",
            False,
        )
        for data, epochs in (("circle", 1.0), ("mnist", 0.7))
        for rule in RULE_TITLES
    ),
)

CLAIMS = (*_BOUNDARIES, *_CERTIFICATES, *_HARM, *_BLACK_BOX, *_STABLE, *_STAGES)
