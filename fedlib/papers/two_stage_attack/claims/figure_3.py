"""Claims on Figure 3: the test error on perturbed samples."""

from __future__ import annotations

from itertools import product

from fedlib.evidence.claims import OWN, Claim, Former, above, at_most
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.two_stage_attack.attacks import ATTACK_TITLES
from fedlib.papers.two_stage_attack.claims.makers import DIVERGED, cells, where
from fedlib.papers.two_stage_attack.grid import DATA_TITLES, RULE_TITLES
from fedlib.papers.two_stage_attack.measures import (
    curve_error,
    error_span,
    errors_where_least_apart,
)


def _above_the_others(values: list[float]) -> float:
    """How far the last value is above the largest of the others."""
    *others, last = values
    return last - max(others)


def _more_errors(
    place: str, data: str, rule: str, weaker: str, stronger: str
) -> tuple[Claim, Claim]:
    """That one attack costs more test errors than another, on average and at every perturbation."""
    said = f"{ATTACK_TITLES[stronger]} has larger test errors than {ATTACK_TITLES[weaker]}"
    # The text says "substantially" of a server without a defence, and "consistently" of the others.
    needed = above(MARGIN if rule == "mean" else 0)
    on_average = f"{where(data, rule)}: {said}, on average over the perturbation levels"
    return (
        Claim(
            place,
            on_average,
            cells(data, rule, "none", weaker, stronger),
            _above_the_others,
            needed,
            f"{{:.1f}} points [more|less] of test error than under {ATTACK_TITLES[weaker]}, or "
            "without attack if that is more",
            measure=curve_error,
            equal=0,
            nothing_means=DIVERGED,
            sentence=said,
            former=Former(on_average),
        ),
        Claim(
            place,
            f"{where(data, rule)}: {said}, at every level up to the certified level without an "
            "attack",
            cells(data, rule, "none", weaker, stronger),
            _above_the_others,
            needed,
            "{:.1f} points [more|less] where they are least apart",
            measure=curve_error,
            jointly=errors_where_least_apart,
            equal=0,
            nothing_means=DIVERGED,
            sentence=said,
        ),
    )


_FIGURE_3 = {"mean": "Fig. 3a", "median": "Fig. 3b", "krum": "Fig. 3c"}
FIGURE_3_CLAIMS = (
    *(
        claim
        for data, rule in product(DATA_TITLES, RULE_TITLES)
        for attack in ("learned", "learned_blind")
        for weaker in ("random", "ipm")
        if (attack, rule) != ("learned_blind", "mean")
        for claim in _more_errors(
            f"section 4, {_FIGURE_3[rule]}" if data == "pixels" else OWN, data, rule, weaker, attack
        )
    ),
    *(
        Claim(
            f"section 4, {_FIGURE_3['mean']}" if data == "pixels" else OWN,
            f"{where(data, 'mean')}: the test error under the two-stage attack remains stable as "
            "the perturbation level changes",
            cells(data, "mean", "learned"),
            min,
            at_most(MARGIN),
            "{:.1f} points between the levels",
            measure=error_span,
            nothing_means=DIVERGED,
        )
        for data in DATA_TITLES
    ),
)
