"""What the paper's grid compares: data sets, attacks, rules, malicious shares and readings."""

from __future__ import annotations

from typing import Any

N_CLIENTS = 20
SHARES = ("0", "10", "20", "30", "40", "50")
"""The malicious clients in percent."""
FLAIRS_LIMIT = "45"
"""The share that the abstract says FLAIR withstands. It lies between those that all rules have."""

DATA_TITLES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}
GREY = ("mnist", "fashion_mnist")
"""The data sets of grey images."""

ATTACK_TITLES = {
    "full_trim": "full-trim",
    "full_krum": "full-Krum",
    "full_trim_partial": "full-trim, partial knowledge",
    "full_krum_partial": "full-Krum, partial knowledge",
    "saliency_matching": "saliency matching",
    "amplified": "one amplified gradient",
}
FULL = ("full_trim", "full_krum")
"""The published attacks with full knowledge of the clients' updates."""
PARTIAL = ("full_trim_partial", "full_krum_partial")
"""The published attacks that know the malicious clients' own updates alone."""
PUBLISHED_ATTACKS = (*FULL, *PARTIAL)
ONE = "5"
"""The share in percent that is a single malicious client."""
AMPLIFIED = 2.0 * N_CLIENTS
"""How many times the honest mean the single client sends, against its direction.

The mean of all clients is then the honest mean turned round, and a little longer.
"""

RULE_TITLES = {
    "fedsgd": "FedSGD",
    "trimmed_mean": "Trimmed Mean",
    "median": "Median",
    "krum": "Krum",
    "bulyan": "Bulyan",
    "faba": "FABA",
    "foolsgold": "FoolsGold",
    "fltrust": "FLTrust",
    "flair": "FLAIR",
    "gradient_guard": "Gradient Guard",
}
HISTORIES = ("flair", "gradient_guard")
"""The rules that keep reputations."""
CLASSICAL = ("trimmed_mean", "median", "krum", "bulyan", "faba")
"""The abstract's "traditional defenses"."""
MATCHED = ("fedsgd", "median", "fltrust", *HISTORIES)
"""The rules that are tried against clients that match honest saliency maps."""
BLIND = ("fedsgd", "median", "foolsgold", "fltrust")
"""The rules that make no use of how many clients they are to withstand."""

READINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "highest penalised": {"penalised": "highest"},
    "both ends penalised": {"penalised": "both"},
    "one window": {"window": None},
    "first round rewarded": {"first": "reward"},
    "clients' samples": {"inputs": "clients"},
    "maps of updates": {"map_of": "update"},
    "maps of updates, highest": {"map_of": "update", "penalised": "highest"},
    "maps of updates, clients' samples": {"map_of": "update", "inputs": "clients"},
    "spectral residual": {"map_of": "spectral"},
    "spectral residual, highest": {"map_of": "spectral", "penalised": "highest"},
    "trusted reference": {"reference": "server"},
    "spectral residual, trusted reference": {"map_of": "spectral", "reference": "server"},
    "probabilities": {"score": "probability"},
    "no decay": {"decay": 1.0},
    "decay 0.5": {"decay": 0.5},
}
"""The readings of the text, as parameters of the rule.

Each option stands by itself, and some stand together with what a map is of.
"""
ABLATED = (("mnist", "full_trim", "30"), ("mnist", "full_krum", "30"))
"""The data set, attack and share of every cell that all readings are tried on."""
HALVED = (("mnist", "full_trim", "50"), ("mnist", "full_krum", "50"))
"""The cells of the abstract's "up to 50 %" that all readings are tried on as well."""
ON_AXIS = ("spectral residual, highest", "spectral residual, trusted reference")
"""The readings that are tried at every share, on both sets of grey images, beside the default."""
LINE_TITLES = {
    **RULE_TITLES,
    **{reading: f"{RULE_TITLES['gradient_guard']}: {reading}" for reading in ON_AXIS},
}
"""The lines of the figures of accuracy against the malicious share: all rules, then readings."""
TRUSTED = ("trusted reference", "spectral residual, trusted reference")
"""The readings whose reference is the update of the server's own, which nobody else can turn."""
PROBED = "probabilities"
"""The reading that is not blind to saliency matching."""


def n_malicious(share: str) -> int:
    """How many clients are malicious at a ``share`` in percent."""
    return N_CLIENTS * int(share) // 100
