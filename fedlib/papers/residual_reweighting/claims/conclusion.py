"""Claims of the conclusion, section 5: what reweighting withstands, and the prior rules do not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from fedlib.evidence.claims import Claim, Former, above, at_most, drop
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.residual_reweighting.claims.measures import EXCESS, FAILS, excess_claim
from fedlib.papers.residual_reweighting.claims.statistics import least_loss_beyond_the_first
from fedlib.papers.residual_reweighting.keys import (
    APPROACHES,
    IMAGES,
    OURS_FIRST,
    Comparison,
    ImageBackdoor,
    LoanBackdoor,
    ResNetBackdoor,
    every,
)

_NOT_WORKING = "without FoolsGold, which fails in the main task in print"
_PRIOR_ARE_NOT = "prior aggregation methods are not robust where reweighting is"


def _without(reason: str) -> tuple[str, ...]:
    """The rules, reweighting first, without FoolsGold if there is a reason to leave it out."""
    return tuple(rule for rule in OURS_FIRST if not (reason and rule == "foolsgold"))


_BACKDOORS: tuple[tuple[str, Callable[[str], object], str], ...] = (
    *(
        (f"{title}, {name} backdoor", partial(ImageBackdoor, data, approach), without)
        for data, title, without in (
            ("mnist", IMAGES["mnist"], ""),
            ("cifar10", IMAGES["cifar10"], _NOT_WORKING),
        )
        for approach, name in APPROACHES.items()
    ),
    ("ResNet-18 on MNIST, naive backdoor", ResNetBackdoor, _NOT_WORKING),
    *(
        (f"Loans, {name} backdoor", partial(LoanBackdoor, approach), "")
        for approach, name in APPROACHES.items()
    ),
)
"""Backdoors: the setting, what makes the key of a rule's cell, and why FoolsGold is left out."""

CONCLUSION = (
    Claim(
        "section 5",
        f"CIFAR-10, label flips, 4 attackers: reweighting is robust: it loses at most {MARGIN:g} "
        "points",
        every(Comparison, "table_1", ("0", "4"), "ours"),
        drop,
        at_most(MARGIN),
        "the attack [costs|adds] {:.1f} points",
        own_limit=True,
    ),
    *(
        Claim(
            "section 5",
            f"{setting}: {_PRIOR_ARE_NOT}: every other rule loses more than reweighting",
            tuple(
                cell
                for rule in _without(without)
                for cell in every(Comparison, group, ("0", worst), rule)
            ),
            least_loss_beyond_the_first,
            above(0),
            "the rule that loses least loses {:.1f} points [more|less] than reweighting",
            sentence=_PRIOR_ARE_NOT,
            reading=without,
            former=Former(
                f"{setting}: {_PRIOR_ARE_NOT}: every other rule loses more than reweighting",
                _PRIOR_ARE_NOT,
                reading="",
            )
            if without
            else None,
        )
        # A rule that is at chance without attackers has nothing to lose.
        for setting, group, worst, without in (
            ("MNIST, label flips, 10 attackers", "figure_3", "10", ""),
            (
                "CIFAR-10, label flips, 4 attackers",
                "table_1",
                "4",
                "without FoolsGold, which is at chance in print even without attackers",
            ),
            (
                "Reviews, label flips, 4 attackers",
                "table_2",
                "4",
                "without FoolsGold, which knows one class only, even without attackers",
            ),
            ("MNIST, Gaussian noise of 300 %", "table_4", "3", ""),
        )
    ),
    *(
        excess_claim(
            "section 5",
            f"{title}, {APPROACHES[approach]} backdoor: reweighting withstands the backdoor",
            every(ImageBackdoor, data, approach, "ours"),
            max,
            FAILS,
            EXCESS,
            undefended=str(ImageBackdoor(data, approach, "fedavg")),
        )
        for data, title in IMAGES.items()
        for approach in APPROACHES
        # The text to Table 3 says it of the naive backdoor on CIFAR-10.
        if (data, approach) != ("cifar10", "naive")
    ),
    *(
        excess_claim(
            "section 5",
            f"{setting}: {_PRIOR_ARE_NOT}: the backdoor succeeds more against every other rule",
            tuple(str(key(rule)) for rule in _without(without)),
            lambda excess: min(excess[1:]) - excess[0],
            above(MARGIN),
            "the rule with the least success has {:.1f} points [more|less] than reweighting",
            equal=0,
            sentence=_PRIOR_ARE_NOT,
            reading=without,
        )
        for setting, key, without in _BACKDOORS
    ),
)
