"""Claims on how long the two stages of the attack take."""

from __future__ import annotations

from fedlib.evidence.claims import OWN, Claim, Former, Range, at_most, below
from fedlib.papers.two_stage_attack.claims.makers import cells, where
from fedlib.papers.two_stage_attack.grid import RULE_TITLES
from fedlib.papers.two_stage_attack.measures import last_distance, policy_epochs


def _of_stages(
    data: str, rule: str, said: str, needed: Range, shown: str, of_data: bool, former: str = ""
) -> Claim:
    """A claim on how long one of the two stages takes, in a run of the attack.

    The number of rounds from which the policy learns is this book's, so that its time is too. So is
    the learning rate of the matching, and a small enough rate would let every estimate converge.
    """
    place = "section 4" if rule == "mean" else OWN
    words = f"{where(data, rule)}: {former or said}"
    return Claim(
        OWN,
        f"{where(data, rule)}: {said}",
        cells(data, rule, "learned"),
        min,
        needed,
        shown,
        measure=last_distance if of_data else policy_epochs,
        # The text compares "consecutive time steps", and gives no learning rate.
        reading=_ONE_EPOCH_APART if of_data else "",
        former=Former(words, place=place, reading=""),
    )


_ONE_EPOCH_APART = "estimates one epoch apart, learning rate 0.05 of the matching"

STAGES = (
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
