"""What the paper claims of its rules, and what this book asks of them, as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fedlib.evidence.claims import (
    OWN,
    Claim,
    Former,
    Range,
    above,
    at_least,
    at_most,
    drop,
    retested,
)
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.clustering_with_outliers.authors_code import CODE
from fedlib.papers.clustering_with_outliers.keys import Scenario
from fedlib.papers.clustering_with_outliers.methods import (
    ATTACK_TITLES,
    BASELINES,
    ONE_PHASE,
    PUBLISHED_ATTACKS,
    RULE_TITLES,
    TWO_PHASE,
    attacks_of,
)
from fedlib.papers.clustering_with_outliers.settings import (
    CAMOUFLAGED,
    CIFAR,
    DIRICHLET,
    UNIFORM,
    title_of,
)
from fedlib.papers.clustering_with_outliers.statistics import (
    distance,
    lead,
    second_lowest_below,
    worst_lead,
)
from fedlib.papers.clustering_with_outliers.variants import VOTES

LARGE = 10.0
"""Points of accuracy that this book takes for the abstract's "large margin"."""

# --- claims on worst cases ---------------------------------------------------------------------


def _highest_worst_case(place: str, scenario: Scenario, large: bool = False) -> Claim:
    attacks = attacks_of(scenario.setting)
    margin = f", by a large margin ({LARGE:g} points)" if large else ""
    return Claim(
        place,
        f"{title_of(scenario)}: Cent2P and Mean2P have the highest worst case{margin}",
        scenario.cells((*TWO_PHASE, *BASELINES), attacks),
        worst_lead(len(attacks), len(TWO_PHASE)),
        above(LARGE if large else 0),
        "the lower of the two is {:.1f} points [above|below] the best other rule",
        equal=0,
    )


_TABLES_OF_SETTINGS = (
    ("Tables 1, 2", UNIFORM, ("0.4", "0.2", "0.1")),
    ("Table 3", DIRICHLET, ("0.4", "0.2", "0.1")),
    ("Table 4", CIFAR, ("0.2",)),
)

_WORST_CASES = (
    *(
        _highest_worst_case(place, Scenario(setting, rate))
        for place, setting, rates in _TABLES_OF_SETTINGS
        for rate in rates
    ),
    *(
        _highest_worst_case("abstract", Scenario(setting, rate), large=True)
        for _, setting, rates in _TABLES_OF_SETTINGS
        if setting != CIFAR
        for rate in rates
    ),
)

# --- claims on uniform FEMNIST -----------------------------------------------------------------

_TABLE_1, _TABLE_5 = Scenario(UNIFORM, "0.4"), Scenario(UNIFORM, "0.2")


def _stays_above_60_percent(
    place: str, text: str, scenario: Scenario, rule: str, attacks: Sequence[str], shown: str
) -> Claim:
    cells = scenario.cells((rule,), attacks)
    return Claim(place, text, cells, min, above(60), shown, of_level=True)


_UNIFORM_WORST_CASES = (
    *(
        _stays_above_60_percent(
            "section 5, Table 1",
            f"Uniform, rate 0.4: {RULE_TITLES[rule]} stays above 0.6 under all six attacks",
            _TABLE_1,
            rule,
            PUBLISHED_ATTACKS,
            "its lowest accuracy is {:.1f} %",
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

_CAMOUFLAGE = tuple(
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

_OMN_AND_SV = (
    *(
        Claim(
            "section 5, Table 1",
            f"Uniform, rate 0.4, {ATTACK_TITLES[attack]}: Cent2P and Mean2P reach 0.75 or more "
            "(two digits are printed)",
            _TABLE_1.cells(TWO_PHASE, (attack,)),
            min,
            at_least(74.5),
            "the lower of the two has {:.1f} %",
            of_level=True,
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
            former=Former(
                f"Uniform, rate 0.4, {ATTACK_TITLES[attack]}: all other rules stay at or below "
                f"{most}"
            ),
        )
        for attack, most in (("omn", 0.20), ("sv", 0.32))
    ),
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
_ONE_PHASE_AND_TWO = (
    *(
        _stays_above_60_percent(
            "Table 5",
            f"Uniform, rate 0.2: {RULE_TITLES[two]} does not fail under Omn",
            _TABLE_5,
            two,
            ("omn",),
            "{:.1f} %",
        )
        for two in TWO_PHASE
    ),
    *(
        _one_phase_below(
            one,
            two,
            "omn",
            f"{RULE_TITLES[one]} fails under Omn, compared with {RULE_TITLES[two]}",
            30,
            f"{RULE_TITLES[one]} fails under Omn beside {RULE_TITLES[two]}",
            equal=None,  # equal sides refute that one of them fails
        )
        for one, two in _PHASES
    ),
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
            distance,
            at_most(2 * MARGIN),
            "they are {:.1f} points apart",
        )
        for attack in ("lf", "sf", "gauss", "empire")
        for one, two in _PHASES
    ),
)

# --- claims on Figure 2 ------------------------------------------------------------------------

_FIGURE_2 = Scenario(DIRICHLET, "0.2")
_WITHOUT_AVG = tuple(rule for rule in BASELINES if rule != "avg")


def _figure_2_claim(
    attack: str,
    text: str,
    rules: Sequence[str],
    statistic: Callable[[list[float]], float],
    needed: Range,
    shown: str,
    equal: float | None = None,
    former: str = "",
) -> Claim:
    where = f"Dir(0.1), rate 0.2, {ATTACK_TITLES[attack]}"
    return Claim(
        "section 5, Fig. 2",
        f"{where}: {text}",
        _FIGURE_2.cells(rules, (attack,)),
        statistic,
        needed,
        shown,
        equal=equal,
        former=Former(f"{where}: {former}") if former else None,
    )


def _ahead_in_figure_2(
    attack: str,
    text: str,
    ahead: Sequence[str],
    others: Sequence[str],
    needed: Range,
    former: str = "",
) -> Claim:
    rules = (*ahead, *others)
    who = "it is" if len(ahead) == 1 else "the lowest of them is"
    shown = f"{who} {{:.1f}} points [above|below] the best of the others"
    return _figure_2_claim(attack, text, rules, lead(len(ahead)), needed, shown, 0, former)


_BEST_FOUR = (*TWO_PHASE, "avg", "gm")
_FIGURE_2_CLAIMS = (
    *(
        _ahead_in_figure_2(
            attack,
            "Cent2P and Mean2P are significantly better than all other rules",
            TWO_PHASE,
            BASELINES,
            above(2 * MARGIN),
        )
        for attack in ("sf", "omn")
    ),
    _ahead_in_figure_2(
        "sv",
        f"Cent2P and Mean2P are slightly better than Avg (by up to {LARGE:g} points)",
        TWO_PHASE,
        ("avg",),
        Range(0, LARGE, open=True),
    ),
    _ahead_in_figure_2(
        "sv",
        "Cent2P and Mean2P are much better than GM, CClip, CWM, CWTM and Krum",
        TWO_PHASE,
        _WITHOUT_AVG,
        above(2 * MARGIN),
        "Cent2P and Mean2P are much better than the other five",
    ),
    _ahead_in_figure_2(
        "empire", "Avg is the best", ("avg",), (*_WITHOUT_AVG, *TWO_PHASE), at_least(0)
    ),
    _figure_2_claim(
        "empire",
        "certain resilient rules are significantly worse than Avg",
        BASELINES,
        second_lowest_below,
        above(2 * MARGIN),
        "the second lowest is {:.1f} points below Avg",
    ),
    _figure_2_claim(
        "empire",
        "Cent2P, Mean2P and GM are comparable to Avg",
        ("avg", *TWO_PHASE, "gm"),
        # On both sides: a rule that is far above Avg is not comparable to it either.
        lambda values: max(abs(value - values[0]) for value in values[1:]),
        at_most(2 * MARGIN),
        "the farthest of them is {:.1f} points from Avg",
    ),
    *(
        _ahead_in_figure_2(
            attack,
            "Cent2P, Mean2P, Avg and GM are the best four",
            _BEST_FOUR,
            tuple(rule for rule in BASELINES if rule not in _BEST_FOUR),
            above(0),
        )
        for attack in ("lf", "gauss")
    ),
)

_OF_TEXT = (
    *_WORST_CASES,
    *_UNIFORM_WORST_CASES,
    *_CAMOUFLAGE,
    *_LESS_INFORMATION,
    *_OMN_AND_SV,
    *_ONE_PHASE_AND_TWO,
    *_FIGURE_2_CLAIMS,
)

CLAIMS = (
    *_OF_TEXT,
    *retested(_CAMOUFLAGE, VOTES, f"votes on {VOTES.other} images in place of one batch of 3"),
    *retested(_OF_TEXT, CODE),
)
"""Each claim in runs that follow the text, and then those that runs of other choices test."""
