"""Claims of the appendices: the training loss (A), and the searches over λ and z (B)."""

from __future__ import annotations

from fedlib.evidence.claims import Former, above, at_most
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.centered_clipping.claims import statistics
from fedlib.papers.centered_clipping.claims.makers import by_attack, claim, searched
from fedlib.papers.centered_clipping.keys import table_iv
from fedlib.papers.centered_clipping.published import RULES_IV
from fedlib.papers.centered_clipping.searches import FIGURE_12, FIGURE_13, FIGURE_14
from fedlib.papers.centered_clipping.settings import CLIPPING, MOMENTA, RULE_TITLES, SETTING_TITLES

LOSS_SHOWN = "the loss ends {:.2f} [higher|lower]"

TRAINING_LOSS = tuple(
    claim(
        f"appendix A, Fig. {number}",
        text := f"{SETTING_TITLES[setting]}, {RULE_TITLES[rule]}, β = 0.9 and 0.99: the training "
        "loss ends higher under ROP than under ALIE",
        (
            key
            for momentum in MOMENTA[1:]
            for key in by_attack(setting, rule, momentum, ("rop", "alie"))
        ),
        statistics.least_drop,
        above(0),
        LOSS_SHOWN,
        measure=statistics.last_loss,
        reading=reading,
        former=Former(text, reading="") if reading else None,
    )
    for number, setting, reading in (
        (
            10,
            "cifar10_iid",
            "the text says that ROP always leads to saddle points, and ALIE at β = 0 only",
        ),
        (11, "cifar10_noniid", ""),
    )
    for rule in RULES_IV
)

LOSS_UNDER_ROP = tuple(
    claim(
        "appendix A, Fig. 10",
        f"CIFAR-10, {RULE_TITLES[rule]}: ROP converges to a saddle point at every β",
        (
            key
            for momentum in MOMENTA
            for key in by_attack("cifar10_iid", rule, momentum, ("rop", "none"))
        ),
        statistics.least_drop,
        above(0),
        LOSS_SHOWN,
        measure=statistics.last_loss,
        reading="the training loss ends higher than without an attack",
    )
    for rule in RULES_IV
)

ALIE_WITHOUT_MOMENTUM = (
    claim(
        "appendix A, Fig. 10",
        "CIFAR-10: ALIE converges to saddle points at β = 0 only",
        (
            table_iv("cifar10_iid", "alie", rule, momentum)
            for rule in RULES_IV
            for momentum in MOMENTA
        ),
        statistics.least_loss_at_any_momentum,
        above(0),
        LOSS_SHOWN,
        measure=statistics.last_loss,
        reading="under every rule the training loss ends higher at β = 0 than at 0.9 and 0.99",
    ),
)

SEARCH_OVER_LAMBDA = (
    claim(
        "appendix B, Fig. 12",
        "CIFAR-10: λ = 0.9 is the strongest, over all rules and momenta",
        searched(FIGURE_12, (0.9, 0.0, 0.5, 1.0), RULES_IV),
        statistics.first_group_lowest(4),
        above(0),
        "the strongest other λ leaves {:.1f} points [more|less] on average",
    ),
    claim(
        "appendix B, Fig. 12",
        "CIFAR-10: λ = 1 is effective against every rule too",
        (
            key
            for rule in RULES_IV
            for momentum in MOMENTA
            for attacked in (FIGURE_12.key(1.0, rule, momentum),)
            for key in (attacked.without_attack(), attacked)
        ),
        statistics.least_mean_cost(),
        above(MARGIN),
        "it [costs at least|adds at most] {:.1f} points",
        equal=0,
        reading="costs every rule more than 2 points, mean of all β",
        former=Former(
            "CIFAR-10: λ = 1 is effective against every rule too (at most 2 points weaker than "
            "λ = 0.9, mean of all β)",
            reading="",
        ),
    ),
)

SEARCHES_OVER_Z = (
    *(
        claim(
            f"appendix B, Fig. {search.number}",
            f"{SETTING_TITLES[search.setting]}, {RULE_TITLES[rule]}: z = 1, 10 and 100 do the same "
            "at every β",
            searched(search, (1.0, 10.0, 100.0), (rule,)),
            statistics.largest_spread,
            at_most(MARGIN),
            "they are up to {:.1f} points apart",
        )
        for search in (FIGURE_13, FIGURE_14)
        for rule in CLIPPING
    ),
    *(
        claim(
            f"appendix B, Fig. {search.number}",
            f"{SETTING_TITLES[search.setting]}: a larger z hurts TM considerably more (by 2 "
            "points) than any other rule",
            searched(search, (1.0, 100.0), ("tm", *(rule for rule in RULES_IV if rule != "tm"))),
            statistics.first_rule_loses_more,
            above(MARGIN),
            "z = 100 costs TM {:.1f} points [more|less]",
            equal=0,
        )
        for search in (FIGURE_13, FIGURE_14)
    ),
)

CLAIMS = (
    *TRAINING_LOSS,
    *LOSS_UNDER_ROP,
    *ALIE_WITHOUT_MOMENTUM,
    *SEARCH_OVER_LAMBDA,
    *SEARCHES_OVER_Z,
)
