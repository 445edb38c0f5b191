"""Claims about several settings: section VII, and what this book asks besides."""

from __future__ import annotations

from fedlib.evidence.claims import OWN, above
from fedlib.papers.centered_clipping.claims import statistics
from fedlib.papers.centered_clipping.claims.makers import (
    all_clean_and_attacked,
    by_attack,
    claim,
    converges,
    first_are_strongest,
    most_and_no_momentum,
    rop_is_strongest,
)
from fedlib.papers.centered_clipping.published import ALL_BUT_ROP, ATTACKS_IV
from fedlib.papers.centered_clipping.settings import CLIPPING, MOMENTA, SETTING_TITLES, SETTINGS

ROP_STRONGEST = tuple(
    # The text says it of IID data only.
    rop_is_strongest("section VII" if setting.iid else OWN, setting.key, rule, momentum)
    for setting in SETTINGS
    for rule in CLIPPING
    for momentum in (MOMENTA if setting.iid else MOMENTA[-1:])
    # Of these the text to Fig. 5 says it.
    if (setting.key, momentum) != ("cifar10_iid", 0.0)
)

ROP_OR_ALIE_STRONGEST = tuple(
    first_are_strongest("section VII", setting.key, rule, 0.99, "ROP or ALIE", 2)
    for setting in SETTINGS
    if not setting.iid
    for rule in CLIPPING
)

CONVERGES_BUT_UNDER_ROP = tuple(
    converges(
        "section VII",
        f"{setting.title}, CC, τ = 1, β = 0.9 and 0.99: it converges under every attack but ROP",
        all_clean_and_attacked(setting.key, "cc_tau1", MOMENTA[1:], ALL_BUT_ROP),
    )
    for setting in SETTINGS
    if setting.iid
)

ROP_ALONE_COSTS = tuple(
    claim(
        "Fig. 6, text",
        f"{SETTING_TITLES[setting]}, CC, τ = 1, β = 0.9 and 0.99: ROP alone prevents a healthy "
        "convergence (costs more than 2 points)",
        (
            key
            for momentum in MOMENTA[1:]
            for key in by_attack(setting, "cc_tau1", momentum, ("none", *ATTACKS_IV))
        ),
        statistics.only_the_first_costs,
        above(0),
        "{:+.1f} points to spare",
    )
    for setting in ("cifar10_iid", "cifar100_iid")
)

MOMENTUM_HELPS_LESS_AGAINST_ROP = tuple(
    claim(
        OWN,
        f"{setting.title}: momentum strengthens the rules except against ROP",
        most_and_no_momentum(setting.key),
        statistics.more_gain_under_others,
        above(0),
        "{:+.1f} points more gained under the others, mean of all rules",
    )
    for setting in SETTINGS
)

CLAIMS = (
    *ROP_STRONGEST,
    *ROP_OR_ALIE_STRONGEST,
    *CONVERGES_BUT_UNDER_ROP,
    *ROP_ALONE_COSTS,
    *MOMENTUM_HELPS_LESS_AGAINST_ROP,
)
