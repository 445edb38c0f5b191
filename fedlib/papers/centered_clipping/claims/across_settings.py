"""Claims about several settings: section VII, and what this book asks besides."""

from __future__ import annotations

from dataclasses import replace

from fedlib.evidence.claims import OWN, Claim, Former, above, drop
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.centered_clipping.authors_code import SINGLE_CHOICES
from fedlib.papers.centered_clipping.claims import statistics
from fedlib.papers.centered_clipping.claims.makers import (
    about_as_strong,
    all_clean_and_attacked,
    by_attack,
    claim,
    converges,
    costs_everywhere,
    rop_is_strongest,
    with_and_without_momentum,
)
from fedlib.papers.centered_clipping.keys import Key
from fedlib.papers.centered_clipping.published import ALL_BUT_ROP, ATTACKS_IV, RULES_IV
from fedlib.papers.centered_clipping.settings import (
    CLIPPING,
    MOMENTA,
    SETTING_TITLES,
    SETTINGS,
    place_title,
)
from fedlib.papers.centered_clipping.variants import VARIANTS

ROP_STRONGEST = tuple(
    # The text says it of IID data only.
    rop_is_strongest("section VII" if setting.iid else OWN, setting.key, rule, momentum)
    for setting in SETTINGS
    for rule in CLIPPING
    for momentum in (MOMENTA if setting.iid else MOMENTA[-1:])
    # Of these the text to Fig. 5 says it.
    if (setting.key, momentum) != ("cifar10_iid", 0.0)
)

# Of these rules the section says that ROP "still can compete with ALIE if not surpassing it", and
# the text to Fig. 4 excepts ALIE without momentum.
ROP_STRONGEST_ON_OTHER_RULES = tuple(
    replace(
        strongest,
        former=Former(
            strongest.text,
            place="section VII",
            reading="on every rule; the same sentence names CC with τ = 1 as the rule on which "
            "other attacks fail",
        ),
    )
    for setting in SETTINGS
    if setting.iid
    for rule in RULES_IV
    if rule not in CLIPPING
    for momentum in MOMENTA
    for strongest in (rop_is_strongest(OWN, setting.key, rule, momentum),)
)

MOMENTUM_HELPS_ROP_LEAD = tuple(
    claim(
        "section VII",
        f"{setting.title}, CC, τ = 1: ROP is the strongest of the attacks especially with "
        "momentum, by a larger lead than without",
        (key for momentum in MOMENTA for key in by_attack(setting.key, "cc_tau1", momentum)),
        statistics.lead_with_momentum,
        above(0),
        "momentum [adds at least|takes up to] {:.1f} points [to|from] its lead",
    )
    for setting in SETTINGS
    if setting.iid
)

CONVERGES_BUT_UNDER_ROP = tuple(
    converges(
        "section VII",
        f"{setting.title}, CC, τ = 1, β = 0.9 and 0.99: CC converges under every attack but ROP",
        all_clean_and_attacked(setting.key, "cc_tau1", MOMENTA[1:], ALL_BUT_ROP),
        f"{setting.title}, CC, τ = 1, β = 0.9 and 0.99: it converges under every attack but ROP",
    )
    for setting in SETTINGS
    if setting.iid
)


def _alone_prevents(setting: str, rule: str, words: str, former: Former | None = None) -> Claim:
    """That of all attacks ROP alone prevents a healthy convergence with momentum."""
    return claim(
        "Fig. 6, text",
        f"{SETTING_TITLES[setting]}, {words}, β = 0.9 and 0.99: ROP alone prevents a healthy "
        "convergence",
        (
            key
            for momentum in MOMENTA[1:]
            for key in by_attack(setting, rule, momentum, ("none", *ATTACKS_IV))
        ),
        statistics.only_the_first_prevents(),
        above(0),
        "the condition that is nearest to failing is [met|missed] by {:.1f}",
        reading="ROP leaves the least, and every other attack at least half of the clean accuracy; "
        "whether ROP itself prevents it is not asked",
        former=former,
    )


_ALONE_ON = ("cifar10_iid", "cifar100_iid")
ROP_ALONE_PREVENTS = tuple(
    _alone_prevents(
        setting,
        "cc_tau1",
        "CC, τ = 1",
        Former(
            f"{SETTING_TITLES[setting]}, CC, τ = 1, β = 0.9 and 0.99: ROP alone prevents a healthy "
            "convergence",
            reading="ROP leaves the least, and every other attack at least half of the clean "
            "accuracy",
        ),
    )
    for setting in _ALONE_ON
)
# The text names no τ.
ROP_ALONE_PREVENTS_AT_SMALL_RADIUS = tuple(
    _alone_prevents(setting, "cc_tau0.1", "CC, τ = 0.1") for setting in _ALONE_ON
)

ROP_OVERCOMES_CLIPPING = tuple(
    costs_everywhere(
        "section VII",
        f"{setting.title}: ROP overcomes the robustness of CC regardless of τ and β",
        (
            key
            for rule in CLIPPING
            for key in all_clean_and_attacked(setting.key, rule, MOMENTA, ("rop",))
        ),
        "costs more than 2 points at either τ and every β",
        of_abstract=True,
    )
    for setting in SETTINGS
)

ROP_IS_EFFECTIVE_ELSEWHERE = tuple(
    claim(
        "section VIII",
        f"{setting.title}: ROP is also effective against TM and RFA",
        (
            key
            for rule in ("tm", "rfa")
            for key in all_clean_and_attacked(setting.key, rule, MOMENTA, ("rop",))
        ),
        statistics.least_mean_cost(),
        above(MARGIN),
        "it [costs at least|adds at most] {:.1f} points",
        equal=0,
        reading="costs either more than 2 points, mean of all β",
        of_abstract=True,
    )
    for setting in SETTINGS
)


ROP_COMPETES_WITH_ALIE = tuple(
    about_as_strong(
        place,
        f"{titles}: against TM and RFA, ROP can compete with ALIE if not surpass it",
        settings,
        ("tm", "rfa"),
        "rop",
        "alie",
    )
    # The text says it of all data together.
    for place, titles, settings in (
        ("section VII", "all data", SETTINGS),
        *((OWN, setting.title, (setting,)) for setting in SETTINGS),
    )
)

NON_IID = tuple(setting for setting in SETTINGS if not setting.iid)

ALIE_COMPETES_WITH_ROP = tuple(
    about_as_strong(
        place, f"{titles}: ALIE is as successful as ROP", settings, RULES_IV, "alie", "rop"
    )
    for place, titles, settings in (
        ("section VII", "all non-IID data", NON_IID),
        *((OWN, setting.title, (setting,)) for setting in NON_IID),
    )
)

MOMENTUM_HELPS_LESS_AGAINST_ROP = tuple(
    claim(
        OWN,
        f"{setting.title}: momentum takes more from the cost of the other attacks than from that "
        "of ROP",
        with_and_without_momentum(setting.key),
        statistics.more_cost_taken_from_others,
        above(0),
        "β = 0.99 takes a share from the other attacks' cost that is {:.0f} points [larger|smaller]"
        ", in the median",
        reading="of the cells in which an attack costs more than 2 points at β = 0",
        nothing_means="nothing to measure: too few attacks cost more than 2 points at β = 0",
        former=Former(
            f"{setting.title}: momentum strengthens the rules except against ROP", reading=""
        ),
    )
    for setting in SETTINGS
)


def _relocated(cell: str) -> Claim:
    """That ROP does more harm around the last aggregate than around the benign mean."""
    key = Key.parse(cell)
    of_clipping = key.rule in CLIPPING
    # The text says that it "significantly drops" with CC, and is "also effective" on TM and RFA.
    said = "significantly lowers the accuracy" if of_clipping else "is effective too"
    return Claim(
        "section IV-A",
        f"{place_title(key.setting, key.rule, key.momentum)}: to relocate ROP to the last "
        f"aggregate {said}",
        (f"variants/{RELOCATION}/{cell}", cell),
        drop,
        above(MARGIN),
        "ROP around the last aggregate leaves {:.1f} points [less|more] than around the benign "
        "mean",
        equal=0,
        of_abstract=of_clipping,
    )


RELOCATION = "rop_location"
"""The variant in which ROP perturbs the benign mean."""
RELOCATING_HELPS_ROP = tuple(
    _relocated(cell)
    for variant in (*VARIANTS, *SINGLE_CHOICES)
    if variant.key == RELOCATION
    for cell in variant.cells
)

CLAIMS = (
    *RELOCATING_HELPS_ROP,
    *ROP_STRONGEST,
    *ROP_STRONGEST_ON_OTHER_RULES,
    *MOMENTUM_HELPS_ROP_LEAD,
    *CONVERGES_BUT_UNDER_ROP,
    *ROP_ALONE_PREVENTS,
    *ROP_ALONE_PREVENTS_AT_SMALL_RADIUS,
    *ROP_OVERCOMES_CLIPPING,
    *ROP_IS_EFFECTIVE_ELSEWHERE,
    *ROP_COMPETES_WITH_ALIE,
    *ALIE_COMPETES_WITH_ROP,
    *MOMENTUM_HELPS_LESS_AGAINST_ROP,
)
