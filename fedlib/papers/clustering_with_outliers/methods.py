"""The attacks and the rules that the paper compares: their titles, groups and parameters."""

from __future__ import annotations

from functools import cache

from fedlib.aggregators import AGGREGATORS, Aggregator
from fedlib.attacks import ATTACKS, Attack
from fedlib.papers.clustering_with_outliers.settings import DIRICHLET

# Appendix D.2. "none" has all clients honest; "camouflage" is this book's probe.
ATTACK_TITLES = {
    "lf": "LF",
    "sf": "SF",
    "gauss": "Gauss",
    "omn": "Omn",
    "empire": "Empire",
    "sv": "SV",
    "pga": "PGA",
    "camouflage": "camouflage",
    "none": "no attack",
}
PUBLISHED_ATTACKS = ("lf", "sf", "gauss", "omn", "empire", "sv")
RULE_TITLES = {
    "avg": "Avg",
    "gm": "GM",
    "cclip": "CClip",
    "cwm": "CWM",
    "cwtm": "CWTM",
    "krum": "Krum",
    "cent2p": "Cent2P",
    "mean2p": "Mean2P",
    "cent1p": "Cent1P",
    "mean1p": "Mean1P",
}
TWO_PHASE, ONE_PHASE = ("cent2p", "mean2p"), ("cent1p", "mean1p")
RULES = tuple(rule for rule in RULE_TITLES if rule not in ONE_PHASE)
BASELINES = tuple(rule for rule in RULES if rule not in TWO_PHASE)
TAU = 0.215771
"""The radius of centered clipping."""


def attacks_of(setting: str) -> tuple[str, ...]:
    """The attacks that the paper has in this setting."""
    return (*PUBLISHED_ATTACKS, "pga") if setting == DIRICHLET else PUBLISHED_ATTACKS


@cache
def make_attack(name: str, n_byzantine: int, seed: int) -> Attack:
    """The attack as appendix D.2 has it."""
    kind, parameters = {
        "lf": ("label_flip", {"mapping": "permutation"}),
        "sf": ("sign_flip", {}),
        "gauss": ("norm_matched_gaussian", {"seed": seed}),
        "omn": ("omniscient", {}),
        "empire": ("ipm", {"epsilon": 0.1}),
        "sv": ("scaled_variance", {"z": 20.0}),
        "pga": ("pga", {"outward": True}),
        "camouflage": ("camouflage", {}),
        "none": ("none", {}),
    }[name]
    attack: Attack = ATTACKS[kind](n_byzantine=n_byzantine, **parameters)  # type: ignore[arg-type]
    return attack


@cache
def make_rule(name: str, n_byzantine: int) -> Aggregator:
    """The rule of section 5.

    GM's first point is not given: the mean, as in the algorithm that it refers to. Centered
    clipping with a centre of v = 0 in every round is the clipping of norms.
    """
    kind, parameters = {
        "avg": ("mean", {}),
        "gm": ("geometric_median", {"n_iterations": 1, "nu": 1e-5, "start": "mean"}),
        "cclip": ("norm_clipping", {"threshold": TAU}),
        "cwm": ("median", {}),
        "cwtm": ("trimmed_mean", {}),
        "krum": ("krum", {}),
        "cent2p": ("center_with_outliers", {"side": "vote"}),
        "mean2p": ("mean_with_outliers", {"side": "vote"}),
        "cent1p": ("center_with_outliers", {}),
        "mean1p": ("mean_with_outliers", {}),
    }[name]
    rule: Aggregator = AGGREGATORS[kind](n_byzantine=n_byzantine, **parameters)  # type: ignore[arg-type]
    return rule
