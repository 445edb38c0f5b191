"""Claims on Figure 3: the test error on perturbed samples."""

from __future__ import annotations

from itertools import product

from fedlib.evidence.claims import OWN, Claim, above, at_most
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.two_stage_attack.attacks import ATTACK_TITLES
from fedlib.papers.two_stage_attack.claims.makers import DIVERGED, cells, gain, where
from fedlib.papers.two_stage_attack.grid import DATA_TITLES, RULE_TITLES
from fedlib.papers.two_stage_attack.measures import curve_error, error_span


def _more_errors(place: str, data: str, rule: str, weaker: str, stronger: str) -> Claim:
    """That one attack costs more test errors than another, on average over perturbations."""
    return Claim(
        place,
        f"{where(data, rule)}: {ATTACK_TITLES[stronger]} has larger test errors than "
        f"{ATTACK_TITLES[weaker]}, on average over the perturbation levels",
        cells(data, rule, weaker, stronger),
        gain,
        above(MARGIN),
        "{:.1f} points [more|less] of test error",
        measure=curve_error,
        equal=0,
        nothing_means=DIVERGED,
    )


_FIGURE_3 = {"mean": "Fig. 3a", "median": "Fig. 3b", "krum": "Fig. 3c"}
FIGURE_3_CLAIMS = (
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
