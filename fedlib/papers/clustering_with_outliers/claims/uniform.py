"""Claims on uniform FEMNIST."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from fedlib.evidence.claims import (
    OWN,
    Claim,
    Former,
    Range,
    above,
    at_least,
    at_most,
    below,
    drop,
)
from fedlib.evidence.results import CellResult
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.clustering_with_outliers.keys import Scenario
from fedlib.papers.clustering_with_outliers.methods import (
    ATTACK_TITLES,
    BASELINES,
    ONE_PHASE,
    PUBLISHED_ATTACKS,
    RULE_TITLES,
    TWO_PHASE,
)
from fedlib.papers.clustering_with_outliers.settings import (
    CAMOUFLAGED,
    UNIFORM,
    title_of,
)
from fedlib.papers.clustering_with_outliers.statistics import (
    lead,
    worst_lead,
)

_TABLE_1, _TABLE_5 = Scenario(UNIFORM, "0.4"), Scenario(UNIFORM, "0.2")


def _stays_above_60_percent(
    place: str,
    text: str,
    scenario: Scenario,
    rule: str,
    attacks: Sequence[str],
    shown: str,
    former_place: str | None = None,
) -> Claim:
    cells = scenario.cells((rule,), attacks)
    former = Former(text, place=former_place) if former_place else None
    return Claim(place, text, cells, min, above(60), shown, of_level=True, former=former)


_UNIFORM_WORST_CASES = (
    *(
        # The text states 0.62 and 0.61, which are compared in the table. 0.6 is this book's limit.
        _stays_above_60_percent(
            OWN,
            f"Uniform, rate 0.4: {RULE_TITLES[rule]} stays above 0.6 under all six attacks",
            _TABLE_1,
            rule,
            PUBLISHED_ATTACKS,
            "its lowest accuracy is {:.1f} %",
            "section 5, Table 1",
        )
        for rule in TWO_PHASE
    ),
    Claim(
        "section 5, Table 1",
        "Uniform, rate 0.4: CClip is the third method, with the highest worst case of the six "
        "other rules",
        _TABLE_1.cells(
            ("cclip", *(rule for rule in BASELINES if rule != "cclip")), PUBLISHED_ATTACKS
        ),
        worst_lead(len(PUBLISHED_ATTACKS), 1),
        above(0),
        "it is {:.1f} points [above|below] the best of the others",
    ),
)

_WORTH_OF_THE_VOTE = tuple(
    # Table 1 has no rule of one phase, which is the first question after it.
    Claim(
        OWN,
        f"Uniform, rate 0.4: {RULE_TITLES[two]} has a higher worst case than {RULE_TITLES[one]}, "
        "which has no vote",
        _TABLE_1.cells((two, one), PUBLISHED_ATTACKS),
        worst_lead(len(PUBLISHED_ATTACKS), 1),
        above(0),
        "it is {:.1f} points [above|below]",
        sentence=f"{RULE_TITLES[two]} has a higher worst case than {RULE_TITLES[one]}",
    )
    for one, two in zip(ONE_PHASE, TWO_PHASE, strict=True)
)

CAMOUFLAGE = tuple(
    _stays_above_60_percent(
        OWN,
        f"{title_of(scenario)}: {RULE_TITLES[rule]} stays above 0.6 against an "
        "attacker that knows it (camouflage)",
        scenario,
        rule,
        ("camouflage",),
        "{:.1f} %",
    )
    for scenario in CAMOUFLAGED
    for rule in TWO_PHASE
)

_ONLY_TWO = (
    "under Omn and SV only Cent2P and Mean2P are above 0.75, and the others reach at most 0.20 and "
    "0.32"
)
_OMN_AND_SV = (
    *(
        Claim(
            "section 5, Table 1",
            text := f"Uniform, rate 0.4, {ATTACK_TITLES[attack]}: Cent2P and Mean2P reach 0.75 or "
            "more (two digits are printed)",
            _TABLE_1.cells(TWO_PHASE, (attack,)),
            min,
            at_least(74.5),
            "the lower of the two has {:.1f} %",
            of_level=True,
            sentence=_ONLY_TWO,
            is_part=True,
            former=Former(text),
        )
        for attack in ("omn", "sv")
    ),
    *(
        Claim(
            "section 5, Table 1",
            f"Uniform, rate 0.4, {ATTACK_TITLES[attack]}: no rule but Cent2P and Mean2P reaches "
            "0.75",
            _TABLE_1.cells(BASELINES, (attack,)),
            max,
            below(74.5),
            "the best of them has {:.1f} %",
            of_level=True,
            sentence=_ONLY_TWO,
            is_part=True,
        )
        for attack in ("omn", "sv")
    ),
    *(
        Claim(
            "section 5, Table 1",
            f"Uniform, rate 0.4, {ATTACK_TITLES[attack]}: all rules but Cent2P and Mean2P stay at "
            f"or below {most}",
            _TABLE_1.cells(BASELINES, (attack,)),
            max,
            at_most(100 * most + 0.5),  # two digits are printed
            "the best of them has {:.1f} %",
            of_level=True,
            sentence=_ONLY_TWO,
            is_part=True,
            former=Former(
                f"Uniform, rate 0.4, {ATTACK_TITLES[attack]}: all other rules stay at or below "
                f"{most}"
            ),
        )
        for attack, most in (("omn", 0.20), ("sv", 0.32))
    ),
)


def average_model(result: CellResult) -> float:
    """The accuracy of the average of all models of one seed's run, in percent.

    It is NaN if the run has no such average.
    """
    average = "test_accuracy_average"
    return result.final(average).mean if result.has(average) else math.nan


def of_average_models(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Return claims on the average of all models, which Algorithms 1 and 3 return.

    The tables have the last model, as far as the text says.

    Parameters
    ----------
    claims
        The claims on the last model.
    """
    return tuple(
        replace(
            claim,
            measure=average_model,
            of_accuracy=True,
            quantity="",
            reading="average of all models, which Algorithm 1 returns",
            former=None,
        )
        for claim in claims
    )


def _one_phase_below(
    one: str,
    two: str,
    attack: str,
    text: str,
    least: float,
    former: str = "",
    equal: float | None = 0,
) -> Claim:
    return Claim(
        "Table 5",
        f"Uniform, rate 0.2: {text}",
        _TABLE_5.cells((two, one), (attack,)),
        drop,
        above(least),
        "the second phase [adds|takes away] {:.1f} points",
        equal=equal,
        former=Former(f"Uniform, rate 0.2: {former}") if former else None,
    )


_LESS_INFORMATION = tuple(
    Claim(
        "section 3.3",
        f"{title_of(scenario)}, no attack: CWTM utilises less information than Cent1P and Mean1P, "
        "which makes training inefficient",
        scenario.cells((*ONE_PHASE, "cwtm"), ("none",)),
        lead(len(ONE_PHASE)),
        above(MARGIN),
        "the lower of the two is {:.1f} points [above|below] CWTM",
        equal=0,
        reading="CWTM is more than 2 points less accurate; the text says potentially",
    )
    for scenario in CAMOUFLAGED
)
"""In the scenarios that are tried without attack with the rules of one phase."""

_PHASES = tuple(zip(ONE_PHASE, TWO_PHASE, strict=True))


def _fails_with_one_phase(one: str, two: str) -> tuple[Claim, Claim]:
    """That a rule of one phase fails under Omn, and that of two phases does not.

    It is one sentence. That a rule does not fail says nothing of its second phase if the rule
    without it does not fail either.
    """
    sentence = f"{RULE_TITLES[one]} fails under Omn and {RULE_TITLES[two]} does not"
    contrast = _one_phase_below(
        one,
        two,
        "omn",
        f"{RULE_TITLES[one]} fails under Omn, compared with {RULE_TITLES[two]}",
        30,
        f"{RULE_TITLES[one]} fails under Omn beside {RULE_TITLES[two]}",
        equal=None,  # equal sides refute that one of them fails
    )
    level = _stays_above_60_percent(
        "Table 5",
        f"Uniform, rate 0.2: {RULE_TITLES[two]} does not fail under Omn",
        _TABLE_5,
        two,
        ("omn",),
        "{:.1f} %",
    )
    return (
        replace(level, sentence=sentence, is_part=True, former=Former(level.text)),
        replace(contrast, sentence=sentence, is_part=True),
    )


_ONE_PHASE_AND_TWO = (
    *(claim for one, two in _PHASES for claim in _fails_with_one_phase(one, two)),
    *(
        _one_phase_below(
            one,
            two,
            "sv",
            f"{RULE_TITLES[two]} is better than {RULE_TITLES[one]} under SV",
            2 * MARGIN,
        )
        for one, two in _PHASES
    ),
    *(
        Claim(
            "appendix D.5, Table 5",
            f"Uniform, rate 0.2, {ATTACK_TITLES[attack]}: {RULE_TITLES[one]} and "
            f"{RULE_TITLES[two]} are comparable",
            _TABLE_5.cells((two, one), (attack,)),
            # The difference with its sign: the noise of its size alone would be too small near 0.
            drop,
            Range(-2 * MARGIN, 2 * MARGIN),
            "the second phase [adds|takes away] {:.1f} points",
        )
        for attack in ("lf", "sf", "gauss", "empire")
        for one, two in _PHASES
    ),
)

OF_UNIFORM = (
    *_UNIFORM_WORST_CASES,
    *_WORTH_OF_THE_VOTE,
    *CAMOUFLAGE,
    *_LESS_INFORMATION,
    *_OMN_AND_SV,
    *of_average_models(_OMN_AND_SV),
    *_ONE_PHASE_AND_TWO,
)
