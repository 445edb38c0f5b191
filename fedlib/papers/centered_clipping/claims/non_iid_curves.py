"""Claims of the text to Figures 7 to 9: non-IID data, one set a figure."""

from __future__ import annotations

from dataclasses import replace

from fedlib.evidence.claims import Former, above, below, drop
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.centered_clipping.claims import statistics
from fedlib.papers.centered_clipping.claims.makers import (
    SHARE_LEFT,
    about_as_strong,
    alie_makes_it_diverge,
    all_clean_and_attacked,
    by_attack,
    claim,
    clean_and_attacked,
    converges,
    converges_normally,
    diverges,
    never_learns,
    rop_costs,
    rop_costs_share,
    slows,
)
from fedlib.papers.centered_clipping.keys import table_iv
from fedlib.papers.centered_clipping.published import (
    ALL_BUT_ROP,
    ATTACKS_IV,
    RULES_IV,
    hurt_most,
    range_of_cost,
)
from fedlib.papers.centered_clipping.settings import (
    ATTACK_NAMES,
    CLIPPING,
    MOMENTA,
    RULE_TITLES,
    SETTING_TITLES,
    SETTINGS,
)

_CONVERGES = "the rule converges under every attack"
FIGURE_7 = (
    claim(
        "Fig. 7, text",
        "MNIST*, β = 0: ROP costs 20 to 25 points",
        (key for rule in RULES_IV for key in clean_and_attacked("mnist_noniid", rule, 0.0)),
        statistics.largest_cost,
        range_of_cost("mnist_noniid", hurt_most("mnist_noniid", 0.0), 0.0, 20, 25),
        "the accuracy [falls|rises] by {:.1f} points",
        reading="of the rule that it costs most; the text names none",
    ),
    *(alie_makes_it_diverge("Fig. 7, text", "mnist_noniid", rule) for rule in ("rfa", "tm")),
    *(
        converges(
            "Fig. 7, text",
            f"MNIST*, {RULE_TITLES[rule]}, β = 0.9 and 0.99: {_CONVERGES}",
            all_clean_and_attacked("mnist_noniid", rule, MOMENTA[1:], ATTACKS_IV),
            f"MNIST*, {RULE_TITLES[rule]}, β = 0.9 and 0.99: it converges under every attack",
            _CONVERGES,
        )
        for rule in RULES_IV
    ),
    replace(
        converges(
            "Fig. 7, text",
            f"MNIST*, {RULE_TITLES['cc_tau0.1']}, β = 0.9: {_CONVERGES}",
            all_clean_and_attacked("mnist_noniid", "cc_tau0.1", (0.9,), ATTACKS_IV),
            sentence=_CONVERGES,
        ),
        reading="without β = 0.99, where the text says that the rule misses the level of the "
        "others without an attack",
        former=Former(
            f"MNIST*, {RULE_TITLES['cc_tau0.1']}, β = 0.9: it converges under every attack",
            reading="",
        ),
    ),
    *(
        converges_normally(
            "Fig. 7, text",
            f"MNIST*, {RULE_TITLES[rule]}, β = 0.9 and 0.99: {_CONVERGES}",
            all_clean_and_attacked("mnist_noniid", rule, MOMENTA[1:], ATTACKS_IV),
            _CONVERGES,
        )
        for rule in RULES_IV
    ),
)

_FAILS_TO_CONVERGE = '"failing to converge" means the level of the others, as in the text to Fig. 7'
SMALL_RADIUS_FALLS_SHORT = tuple(
    claim(
        place,
        text := f"{SETTING_TITLES[setting]}, β = {momentum:g}, no attack: CC with τ = 0.1 fails to "
        "reach the level of the other rules (more than 2 points below the best of them)",
        (table_iv(setting, "none", rule, momentum) for rule in RULES_IV),
        statistics.first_below_best,
        above(MARGIN),
        "it is {:.1f} points [below|above] the best of the others",
        equal=0,
        reading=_FAILS_TO_CONVERGE if place == "section VII" else "",
        former=Former(text, place=formerly or None, reading=""),
    )
    for place, setting, momentum, formerly in (
        ("Fig. 7, text", "mnist_noniid", 0.99, ""),
        ("section VII", "fmnist_noniid", 0.99, ""),
        # The text to Fig. 9 compares CC with itself on equal data, as FIGURE_9 does.
        ("section VII", "cifar10_noniid", 0.99, "Fig. 9, text"),
        # Section VII says it of all non-IID data, and of momentum without a number.
        *(("section VII", s.key, MOMENTA[1], "") for s in SETTINGS if not s.iid),
    )
)

FIGURE_8 = (
    # The text names neither a β nor the unit.
    *(
        row
        for momentum in reversed(MOMENTA[1:])
        for row in (
            rop_costs(
                "Fig. 8, text",
                "fmnist_noniid",
                "cc_tau1",
                momentum,
                20,
                "almost 20 %",
                "taken as 20 points",
            ),
            rop_costs_share(
                "Fig. 8, text",
                "fmnist_noniid",
                "cc_tau1",
                momentum,
                20,
                "almost 20 %",
                "taken as a share of the accuracy without attack",
            ),
        )
    ),
    *(slows("Fig. 8, text", "fmnist_noniid", "cc_tau1", momentum) for momentum in MOMENTA[1:]),
    *(
        claim(
            "Fig. 8, text",
            "FMNIST*, RFA: ALIE can make RFA diverge",
            all_clean_and_attacked("fmnist_noniid", "rfa", MOMENTA, ("alie",)),
            statistic,
            below(50),
            SHARE_LEFT,
            own_limit=True,
            reading=reading,
            former=former,
        )
        for statistic, reading, former in (
            (
                statistics.least_left,
                "at some β",
                Former("FMNIST*, RFA: ALIE can make it diverge"),
            ),
            (statistics.most_left, "at every β", None),
        )
    ),
    *(
        # The same sentence says "can" of all three attacks.
        claim(
            "Fig. 8, text",
            f"FMNIST*, RFA: {ATTACK_NAMES[attack]} can make RFA's convergence sub-optimal",
            all_clean_and_attacked("fmnist_noniid", "rfa", MOMENTA, (attack,)),
            statistics.largest_cost,
            above(MARGIN),
            "it [costs up to|adds at least] {:.1f} points",
            equal=0,
            reading="costs more than 2 points at some β",
            former=Former(
                f"FMNIST*, RFA: {ATTACK_NAMES[attack]} can make its convergence sub-optimal"
            ),
        )
        for attack in ("rop", "ipm")
    ),
    converges(
        "Fig. 8, text",
        "FMNIST*, RFA: under ROP and IPM RFA converges, if not to the optimum",
        all_clean_and_attacked("fmnist_noniid", "rfa", MOMENTA, ("rop", "ipm")),
        "FMNIST*, RFA: under ROP and IPM it converges, if not to the optimum",
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
        "the strongest other attack leaves {:.1f} points [more|less]",
    ),
    *(
        claim(
            "Fig. 8, text",
            f"FMNIST*, β = 0.9 and 0.99: CC with τ = 1 is the best rule, {by_what}",
            (
                key
                for rule in ("cc_tau1", "cc_tau0.1", "rfa", "tm")
                for momentum in MOMENTA[1:]
                for key in by_attack("fmnist_noniid", rule, momentum)
            ),
            statistic(len(RULES_IV)),
            above(0),
            "it is {:.1f} points [above|below] the best of the others",
            sentence="CC with τ = 1 is the most successful rule if clients keep momentum",
            former=former,
        )
        for by_what, statistic, former in (
            (
                "mean of the attacks",
                statistics.first_above_others_in_mean,
                Former(
                    "FMNIST*, β = 0.9 and 0.99: CC with τ = 1 is the best rule, mean of the attacks"
                ),
            ),
            ("by its worst attack", statistics.first_above_others_in_worst, None),
        )
    ),
)

_COMPETITOR = "ALIE is a strong competitor of ROP"
_NORMALLY = "CC with τ = 1, RFA and TM converge normally"
_PREVENTED = "ROP prevents the convergence of every rule at every β from the start"
FIGURE_9 = (
    *(
        diverges(
            "Fig. 9, text",
            f"CIFAR-10*, {RULE_TITLES[rule]}: ROP makes the rule diverge at every β",
            all_clean_and_attacked("cifar10_noniid", rule, MOMENTA, ("rop",)),
            reading="less than half of the clean accuracy is left after the last round",
            former=f"CIFAR-10*, {RULE_TITLES[rule]}: ROP makes it diverge at every β",
            sentence=_PREVENTED,
        )
        for rule in RULES_IV
    ),
    *(
        never_learns(
            "Fig. 9, text",
            f"CIFAR-10*, {RULE_TITLES[rule]}: ROP prevents convergence at every β from the start",
            all_clean_and_attacked("cifar10_noniid", rule, MOMENTA, ("rop",)),
            sentence=_PREVENTED,
        )
        for rule in RULES_IV
    ),
    claim(
        "Fig. 9, text",
        f"CIFAR-10*, β = 0: {_COMPETITOR}",
        (key for rule in RULES_IV for key in by_attack("cifar10_noniid", rule, 0.0, ALL_BUT_ROP)),
        statistics.first_is_strongest_of_each_rule,
        above(0),
        "the strongest other attack leaves {:.1f} points [more|less]",
        reading="the strongest of the other attacks on every rule",
    ),
    *(
        about_as_strong(
            "Fig. 9, text",
            f"CIFAR-10*, {at}: {_COMPETITOR}",
            (setting for setting in SETTINGS if setting.key == "cifar10_noniid"),
            RULES_IV,
            "alie",
            "rop",
            momenta,
            own_limit=True,
        )
        for at, momenta in (("β = 0", MOMENTA[:1]), ("all β", MOMENTA))
    ),
    *(
        claim(
            "Fig. 9, text",
            f"CIFAR-10*, β = {momentum:g}, no attack: CC with τ = 0.1 does not converge as it does "
            "with equal data (it ends more than 2 points below)",
            (
                table_iv("cifar10_iid", "none", "cc_tau0.1", momentum),
                table_iv("cifar10_noniid", "none", "cc_tau0.1", momentum),
            ),
            drop,
            above(MARGIN),
            "the accuracy is {:.1f} points [lower|higher]",
            equal=0,
            former=Former(
                f"CIFAR-10*, β = {momentum:g}, no attack: CC with τ = 0.1 fails to converge as on "
                "CIFAR-10 (more than 2 points below)"
            ),
        )
        for momentum in MOMENTA[1:]
    ),
    converges(
        "Fig. 9, text",
        "CIFAR-10*, β = 0.9 and 0.99, no attack: CC with τ = 1, RFA and TM converge normally (at "
        "least half of what they reach on CIFAR-10)",
        (
            table_iv(setting, "none", rule, momentum)
            for rule in RULES_IV
            if rule != "cc_tau0.1"
            for momentum in MOMENTA[1:]
            for setting in ("cifar10_iid", "cifar10_noniid")
        ),
        "CIFAR-10*, β = 0.9 and 0.99, no attack: the other rules converge normally (at least half "
        "of what they reach on CIFAR-10)",
        _NORMALLY,
    ),
    converges_normally(
        "Fig. 9, text",
        f"CIFAR-10*, β = 0.9 and 0.99, no attack: {_NORMALLY} as on CIFAR-10",
        (
            table_iv(setting, "none", rule, momentum)
            for rule in RULES_IV
            if rule != "cc_tau0.1"
            for momentum in MOMENTA[1:]
            for setting in ("cifar10_iid", "cifar10_noniid")
        ),
        _NORMALLY,
    ),
    rop_costs("Fig. 9, text", "cifar10_noniid", "tm", 0.99, 35),
    *(
        claim(
            "Fig. 9, text",
            f"CIFAR-10*, β = 0.99: TM is more robust than CC with either τ, {by_what}",
            (key for rule in ("tm", *CLIPPING) for key in by_attack("cifar10_noniid", rule, 0.99)),
            statistic(1 + len(CLIPPING)),
            above(0),
            f"it has {{:.1f}} points [more|less] {shown}",
            sentence="TM surpasses CC in robustness",
            former=former,
        )
        for by_what, shown, statistic, former in (
            (
                "by its worst attack",
                "under the worst attack",
                statistics.first_above_others_in_worst,
                Former(
                    "CIFAR-10*, β = 0.99: TM is more robust than CC with either τ, by its worst "
                    "attack"
                ),
            ),
            (
                "mean of the attacks",
                "in the mean of the attacks",
                statistics.first_above_others_in_mean,
                None,
            ),
        )
    ),
)

CLAIMS = (
    *FIGURE_7,
    *SMALL_RADIUS_FALLS_SHORT,
    *FIGURE_8,
    *FIGURE_9,
)
