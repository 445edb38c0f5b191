"""Claims of the text to Figures 4 to 6: IID data, one set a figure."""

from __future__ import annotations

from dataclasses import replace

from fedlib.evidence.claims import Former, above, at_least, at_most, below
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.centered_clipping.claims import statistics
from fedlib.papers.centered_clipping.claims.makers import (
    SHARE_LEFT,
    alie_makes_it_diverge,
    all_clean_and_attacked,
    claim,
    clean_and_attacked,
    converges,
    costs_everywhere,
    diverges,
    most_and_no_momentum,
    never_learns,
    rop_costs,
    rop_is_strongest,
    slows,
)
from fedlib.papers.centered_clipping.keys import table_iv
from fedlib.papers.centered_clipping.published import (
    ALL_BUT_ROP,
    ATTACKS_IV,
    RULES_IV,
)
from fedlib.papers.centered_clipping.settings import (
    CLIPPING,
    MOMENTA,
    place_title,
)

_FEND_OFF = "most of the rules fend off the Byzantine clients"
FIGURE_4 = (
    rop_costs("Fig. 4, text", "fmnist_iid", "cc_tau0.1", 0.99, 5),
    rop_costs("Fig. 4, text", "fmnist_iid", "cc_tau1", 0.99, 7),
    *(slows("Fig. 4, text", "fmnist_iid", rule, 0.99, significantly=True) for rule in CLIPPING),
    *(alie_makes_it_diverge("Fig. 4, text", "fmnist_iid", rule) for rule in ("rfa", "tm")),
    converges(
        "Fig. 4, text",
        "FMNIST, RFA and TM, β = 0.9 and 0.99: ALIE makes RFA and TM diverge at β = 0 only",
        (
            key
            for rule in ("rfa", "tm")
            for key in all_clean_and_attacked("fmnist_iid", rule, MOMENTA[1:], ("alie",))
        ),
        former="FMNIST, RFA and TM, β = 0.9 and 0.99: ALIE makes them diverge at β = 0 only",
    ),
    claim(
        "Fig. 4, text",
        f"FMNIST, β = 0.9 and 0.99: {_FEND_OFF}",
        (
            key
            for rule in RULES_IV
            for key in all_clean_and_attacked("fmnist_iid", rule, MOMENTA[1:], ATTACKS_IV)
        ),
        statistics.left_of_most_rules,
        at_least(50),
        SHARE_LEFT,
        own_limit=True,
        reading="three of the four converge under every attack; at β = 0 the text excepts ALIE",
        sentence=_FEND_OFF,
    ),
    claim(
        "Fig. 4, text",
        f"FMNIST, β = 0.9 and 0.99: {_FEND_OFF}, with at most {MARGIN:g} points lost",
        (
            key
            for rule in RULES_IV
            for key in all_clean_and_attacked("fmnist_iid", rule, MOMENTA[1:], ATTACKS_IV)
        ),
        statistics.cost_of_most_rules,
        at_most(MARGIN),
        "the third of the rules [loses|gains] {:.1f} points at worst",
        own_limit=True,
        reading="three of the four lose so little under every attack; at β = 0 the text excepts "
        "ALIE",
        sentence=_FEND_OFF,
    ),
    claim(
        "Fig. 4, text",
        "FMNIST, β = 0: CC with either τ is more robust to ALIE than RFA and TM",
        (table_iv("fmnist_iid", "alie", rule, 0.0) for rule in (*CLIPPING, "rfa", "tm")),
        statistics.first_two_above_others,
        above(0),
        "the lower accuracy of CC is {:.1f} points [above|below] the best of the others",
    ),
)

FIGURE_5 = (
    *(rop_is_strongest("Fig. 5, text", "cifar10_iid", rule, 0.0) for rule in CLIPPING),
    rop_costs(
        "Fig. 5, text",
        "cifar10_iid",
        "cc_tau1",
        0.99,
        35,
        "nearly 35 points",
        reading="the text names no τ; with τ = 0.1 Table IV leaves no room for so high a cost",
    ),
    claim(
        "Fig. 5, text",
        "CIFAR-10: ALIE benefits from β = 0",
        (
            table_iv("cifar10_iid", "alie", rule, momentum)
            for rule in RULES_IV
            for momentum in MOMENTA
        ),
        statistics.least_gain_at_any_momentum,
        above(0),
        "it leaves {:.1f} points [more|less] with momentum",
        reading="it leaves every rule less than at β = 0.9 and at 0.99",
    ),
    claim(
        "Fig. 5, text",
        "CIFAR-10: β = 0.99 instead of 0 benefits every rule, mean of the attacks",
        most_and_no_momentum("cifar10_iid"),
        statistics.least_gain_of_rules,
        above(0),
        "the rule that gains least [gains|loses] {:.1f} points",
    ),
)

_TIME_COUPLED = "without momentum, time-coupled attacks prevent normal convergence"
_RFA_STRUGGLES = "RFA struggles to defend against ROP, ALIE and IPM at every β"
_TM_FAILS = "TM does not converge under ROP at β = 0.99"
FIGURE_6 = (
    *(
        replace(
            diverges(
                "Fig. 6, text",
                f"{place_title('cifar100_iid', rule, 0.0)}: ROP and ALIE make the rule diverge",
                all_clean_and_attacked("cifar100_iid", rule, (0.0,), ("rop", "alie")),
                "the text has it that they prevent normal convergence; without IPM",
            ),
            former=Former(
                f"{place_title('cifar100_iid', rule, 0.0)}: ROP and ALIE make it diverge",
                reading="the text has it that they prevent normal convergence",
            ),
            sentence=_TIME_COUPLED,
        )
        for rule in CLIPPING
    ),
    *(
        # The text says "time-coupled attacks", which section I names as ALIE and IPM.
        replace(
            diverges(
                "Fig. 6, text",
                f"{place_title('cifar100_iid', rule, 0.0)}: ROP, ALIE and IPM make the rule "
                "diverge",
                all_clean_and_attacked("cifar100_iid", rule, (0.0,), ("rop", "alie", "ipm")),
                "the text has it that they prevent normal convergence",
            ),
            sentence=_TIME_COUPLED,
        )
        for rule in CLIPPING
    ),
    *(
        costs_everywhere(
            "Fig. 6, text",
            f"{place_title('cifar100_iid', rule, 0.0)}: ROP, ALIE and IPM each cost more than "
            f"{MARGIN:g} points",
            all_clean_and_attacked("cifar100_iid", rule, (0.0,), ("rop", "alie", "ipm")),
            "convergence is not normal if more is lost",
            sentence=_TIME_COUPLED,
        )
        for rule in CLIPPING
    ),
    *(
        never_learns(
            "Fig. 6, text",
            f"{place_title('cifar100_iid', rule, 0.0)}: ROP makes the rule diverge from the start",
            clean_and_attacked("cifar100_iid", rule, 0.0),
            former=f"{place_title('cifar100_iid', rule, 0.0)}: ROP makes it diverge from the start",
        )
        for rule in CLIPPING
    ),
    rop_costs(
        "Fig. 6, text",
        "cifar100_iid",
        "cc_tau1",
        0.99,
        40,
        reading="the text names no τ; with τ = 0.1 Table IV leaves no room for 40 points",
    ),
    replace(
        diverges(
            "Fig. 6, text",
            "CIFAR-100, RFA: ROP, ALIE and IPM make RFA diverge at every β",
            all_clean_and_attacked("cifar100_iid", "rfa", MOMENTA, ("rop", "alie", "ipm")),
            "less than half of the accuracy without attack is left",
            sentence=_RFA_STRUGGLES,
        ),
        former=Former(
            "CIFAR-100, RFA: ROP, ALIE and IPM make it diverge at every β (text: it struggles)",
            reading="",
        ),
    ),
    costs_everywhere(
        "Fig. 6, text",
        "CIFAR-100, RFA: ROP, ALIE and IPM each cost more than 2 points at every β",
        all_clean_and_attacked("cifar100_iid", "rfa", MOMENTA, ("rop", "alie", "ipm")),
        "each attack costs more than 2 points",
        sentence=_RFA_STRUGGLES,
    ),
    claim(
        "Fig. 6, text",
        "CIFAR-100, TM, β = 0 and 0.9: some attack other than ROP makes TM diverge",
        all_clean_and_attacked("cifar100_iid", "tm", (0.0, 0.9), ALL_BUT_ROP),
        statistics.most_left_by_strongest(len(ALL_BUT_ROP)),
        below(50),
        SHARE_LEFT,
        own_limit=True,
        former=Former("CIFAR-100, TM, β = 0 and 0.9: some attack other than ROP makes it diverge"),
    ),
    converges(
        "Fig. 6, text",
        "CIFAR-100, TM, β = 0.99: TM converges under every attack but ROP",
        all_clean_and_attacked("cifar100_iid", "tm", (0.99,), ALL_BUT_ROP),
        former="CIFAR-100, TM, β = 0.99: it converges under every attack but ROP",
    ),
    diverges(
        "Fig. 6, text",
        "CIFAR-100, TM, β = 0.99: ROP makes TM diverge",
        clean_and_attacked("cifar100_iid", "tm", 0.99),
        "less than half of the accuracy without attack is left",
        former="CIFAR-100, TM, β = 0.99: ROP makes it diverge",
        sentence=_TM_FAILS,
    ),
    costs_everywhere(
        "Fig. 6, text",
        "CIFAR-100, TM, β = 0.99: ROP costs more than 2 points",
        clean_and_attacked("cifar100_iid", "tm", 0.99),
        "ROP costs more than 2 points",
        sentence=_TM_FAILS,
    ),
)

CLAIMS = (*FIGURE_4, *FIGURE_5, *FIGURE_6)
