"""Claims on Figure 2: Dir(0.1) at the rate 0.2."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fedlib.evidence.claims import (
    Claim,
    Former,
    Range,
    above,
    at_least,
    at_most,
)
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.clustering_with_outliers.keys import Scenario
from fedlib.papers.clustering_with_outliers.methods import (
    ATTACK_TITLES,
    BASELINES,
    TWO_PHASE,
)
from fedlib.papers.clustering_with_outliers.settings import (
    DIRICHLET,
    LARGE,
)
from fedlib.papers.clustering_with_outliers.statistics import (
    lead,
    second_lowest_below,
)

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
FIGURE_2_CLAIMS = (
    *(
        _ahead_in_figure_2(
            attack,
            "Cent2P and Mean2P are significantly better than all other rules",
            TWO_PHASE,
            BASELINES,
            above(LARGE),
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
        above(LARGE),
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
        above(LARGE),
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
