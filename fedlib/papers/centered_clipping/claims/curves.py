"""Claims of the text to Figures 4 to 9: one setting a figure."""

from __future__ import annotations

from collections.abc import Sequence

from fedlib.evidence.claims import Claim, Range, above, below, drop
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.centered_clipping.claims import statistics
from fedlib.papers.centered_clipping.claims.makers import (
    SHARE_LEFT,
    all_clean_and_attacked,
    by_attack,
    claim,
    clean_and_attacked,
    converges,
    diverges,
    most_and_no_momentum,
    rop_costs,
    rop_is_strongest,
)
from fedlib.papers.centered_clipping.keys import table_iv
from fedlib.papers.centered_clipping.published import (
    ALL_BUT_ROP,
    ATTACKS_IV,
    RULES_IV,
    margin_of_cost,
)
from fedlib.papers.centered_clipping.settings import (
    CLIPPING,
    MOMENTA,
    RULE_TITLES,
    SETTING_TITLES,
    place_title,
)


def _range_of_cost(setting: str, rule: str, momentum: float, least: float, most: float) -> Range:
    """A cost from ``least`` to ``most`` points, within the margin of Table IV's cell."""
    margin = margin_of_cost(setting, rule, momentum)
    return Range(least - margin, most + margin)


def _alie_makes_it_diverge(place: str, setting: str, rule: str) -> Claim:
    """Without momentum ALIE leaves less than half of the clean accuracy."""
    return diverges(
        place,
        f"{place_title(setting, rule, 0.0)}: ALIE makes it diverge",
        clean_and_attacked(setting, rule, 0.0, "alie"),
    )


def _in_words(momenta: Sequence[float]) -> str:
    """Momenta in words: ``0.9 and 0.99``."""
    return " and ".join(f"{momentum:g}" for momentum in momenta)


FIGURE_4 = (
    rop_costs("Fig. 4, text", "fmnist_iid", "cc_tau0.1", 0.99, 5),
    rop_costs("Fig. 4, text", "fmnist_iid", "cc_tau1", 0.99, 7),
    *(_alie_makes_it_diverge("Fig. 4, text", "fmnist_iid", rule) for rule in ("rfa", "tm")),
    claim(
        "Fig. 4, text",
        "FMNIST, β = 0: CC with either τ is more robust to ALIE than RFA and TM",
        (table_iv("fmnist_iid", "alie", rule, 0.0) for rule in (*CLIPPING, "rfa", "tm")),
        statistics.first_two_above_others,
        above(0),
        "{:+.1f} points",
    ),
)

FIGURE_5 = (
    *(rop_is_strongest("Fig. 5, text", "cifar10_iid", rule, 0.0) for rule in CLIPPING),
    # With tau = 0.1 Table IV leaves no room for it: "the best aggregator setup" is tau = 1.
    rop_costs("Fig. 5, text", "cifar10_iid", "cc_tau1", 0.99, 35),
    claim(
        "Fig. 5, text",
        "CIFAR-10: β = 0.99 instead of 0 benefits every rule, mean of the attacks",
        most_and_no_momentum("cifar10_iid"),
        statistics.least_gain_of_rules,
        above(0),
        "{:+.1f} points for the rule with the least gain",
    ),
)

FIGURE_6 = (
    *(
        diverges(
            "Fig. 6, text",
            f"{place_title('cifar100_iid', rule, 0.0)}: ROP and ALIE make it diverge",
            all_clean_and_attacked("cifar100_iid", rule, (0.0,), ("rop", "alie")),
        )
        for rule in CLIPPING
    ),
    rop_costs("Fig. 6, text", "cifar100_iid", "cc_tau1", 0.99, 40),
    diverges(
        "Fig. 6, text",
        "CIFAR-100, RFA: ROP, ALIE and IPM make it diverge at every β (text: it struggles)",
        all_clean_and_attacked("cifar100_iid", "rfa", MOMENTA, ("rop", "alie", "ipm")),
    ),
    claim(
        "Fig. 6, text",
        "CIFAR-100, TM, β = 0 and 0.9: some attack other than ROP makes it diverge",
        all_clean_and_attacked("cifar100_iid", "tm", (0.0, 0.9), ALL_BUT_ROP),
        statistics.most_left_by_strongest(len(ALL_BUT_ROP)),
        below(50),
        SHARE_LEFT,
    ),
    converges(
        "Fig. 6, text",
        "CIFAR-100, TM, β = 0.99: it converges under every attack but ROP",
        all_clean_and_attacked("cifar100_iid", "tm", (0.99,), ALL_BUT_ROP),
    ),
    diverges(
        "Fig. 6, text",
        "CIFAR-100, TM, β = 0.99: ROP makes it diverge",
        clean_and_attacked("cifar100_iid", "tm", 0.99),
    ),
)

FIGURE_7 = (
    *(
        claim(
            "Fig. 7, text",
            f"{place_title('mnist_noniid', rule, 0.0)}: ROP costs 20 to 25 points (of a rule that "
            "the text does not name)",
            clean_and_attacked("mnist_noniid", rule, 0.0),
            drop,
            _range_of_cost("mnist_noniid", rule, 0.0, 20, 25),
            "drop {:.1f} points",
        )
        for rule in CLIPPING
    ),
    *(_alie_makes_it_diverge("Fig. 7, text", "mnist_noniid", rule) for rule in ("rfa", "tm")),
    *(
        converges(
            "Fig. 7, text",
            f"MNIST*, {RULE_TITLES[rule]}, β = {_in_words(momenta)}: it converges under every "
            "attack",
            all_clean_and_attacked("mnist_noniid", rule, momenta, ATTACKS_IV),
        )
        for rule in RULES_IV
        # The text excepts CC with tau = 0.1 and beta = 0.99.
        for momenta in [(0.9,) if rule == "cc_tau0.1" else (0.9, 0.99)]
    ),
)

SMALL_RADIUS_FALLS_SHORT = tuple(
    claim(
        place,
        f"{SETTING_TITLES[setting]}, β = 0.99, no attack: CC with τ = 0.1 fails to reach the level "
        "of the other rules (more than 2 points below the best of them)",
        (table_iv(setting, "none", rule, 0.99) for rule in RULES_IV),
        statistics.first_below_best,
        above(MARGIN),
        "{:.1f} points below",
    )
    for place, setting in (
        ("Fig. 7, text", "mnist_noniid"),
        ("section VII", "fmnist_noniid"),
        ("Fig. 9, text", "cifar10_noniid"),
    )
)

FIGURE_8 = (
    rop_costs("Fig. 8, text", "fmnist_noniid", "cc_tau1", 0.99, 20),
    diverges(
        "Fig. 8, text",
        "FMNIST*, RFA: ALIE makes it diverge at every β",
        all_clean_and_attacked("fmnist_noniid", "rfa", MOMENTA, ("alie",)),
    ),
    claim(
        "Fig. 8, text",
        "FMNIST*, TM, β = 0.9 and 0.99: label flip is the strongest of the attacks",
        (
            key
            for momentum in MOMENTA[1:]
            for key in by_attack(
                "fmnist_noniid", "tm", momentum, ("label_flip", "rop", "alie", "ipm", "bit_flip")
            )
        ),
        statistics.strongest_at_every_momentum,
        above(0),
        "next strongest attack leaves {:+.1f} points",
    ),
    claim(
        "Fig. 8, text",
        "FMNIST*, β = 0.9 and 0.99: CC with τ = 1 is the best rule, mean of the attacks",
        (
            key
            for rule in ("cc_tau1", "cc_tau0.1", "rfa", "tm")
            for momentum in MOMENTA[1:]
            for key in by_attack("fmnist_noniid", rule, momentum)
        ),
        statistics.first_above_others_in_mean,
        above(0),
        "{:+.1f} points above the next best",
    ),
)

FIGURE_9 = (
    *(
        diverges(
            "Fig. 9, text",
            f"CIFAR-10*, {RULE_TITLES[rule]}: ROP makes it diverge at every β",
            all_clean_and_attacked("cifar10_noniid", rule, MOMENTA, ("rop",)),
        )
        for rule in RULES_IV
    ),
    rop_costs("Fig. 9, text", "cifar10_noniid", "tm", 0.99, 35),
    claim(
        "Fig. 9, text",
        "CIFAR-10*, β = 0.99: TM is more robust than CC with either τ, by its worst attack",
        (key for rule in ("tm", *CLIPPING) for key in by_attack("cifar10_noniid", rule, 0.99)),
        statistics.first_above_others_in_worst,
        above(0),
        "{:+.1f} points more under the worst attack",
    ),
)

CLAIMS = (
    *FIGURE_4,
    *FIGURE_5,
    *FIGURE_6,
    *FIGURE_7,
    *SMALL_RADIUS_FALLS_SHORT,
    *FIGURE_8,
    *FIGURE_9,
)
