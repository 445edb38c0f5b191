"""What the protocol fixes: the settings, the rows, the columns, and what is left out and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

VERSION = "arena-1"
DATA = "fashion_mnist"
NETWORK = "cnn_4_8"
N_CLIENTS = 25
MOMENTUM = 0.9
BATCH_SIZE = 32
LEARNING_RATE = 0.1
SERVER_SAMPLES = 100
"""The clean samples of a server whose rule needs samples. It is the number of FLTrust's paper."""
CLEAN = "none"
"""The column in which all 25 clients are honest. The rule still expects ``f`` Byzantine clients."""
TRIGGER = "pixel_backdoor"
"""The attack whose trigger is also shown to the models that nobody has attacked."""


@dataclass(frozen=True)
class Setting:
    """One of the settings in which all bouts are played.

    Attributes
    ----------
    title
        What pages call it.
    n_byzantine
        How many of the clients are Byzantine.
    partition
        How the samples are shared out, as :func:`fedlib.data.make_partition` takes it.
    """

    title: str
    n_byzantine: int
    partition: dict[str, Any] = field(default_factory=lambda: {"name": "iid"})


SETTINGS = {
    "iid_f5": Setting("equal data, 5 of 25 attack", 5),
    "dirichlet_f5": Setting("unequal data, 5 of 25 attack", 5, {"name": "dirichlet", "alpha": 1.0}),
    "iid_f10": Setting("equal data, 10 of 25 attack", 10),
}

ROW_VARIANTS: dict[str, dict[str, Any]] = {
    "centered_clipping_small": {"name": "centered_clipping", "tau": 0.1},
}
"""Further rows beside the catalogue's rules with their defaults: the parameters of each row."""

RULES_LEFT_OUT = {
    "smea": "It computes 53,130 eigenvalues in each round, so a run would take hours.",
}
ATTACKS_LEFT_OUT = {
    "none": "Nobody attacks. This is the column of the clean runs.",
    "dictated": "It sends what a learned policy dictates, and the arena has no learned policy.",
    "two_stage": "It learns the data and a policy before each run. This takes minutes to hours.",
    "feature_backdoor": "Its trigger is for tables. The pixel backdoor is the one for images.",
}
MADE_AGAINST = {
    "full_krum": ("krum",),
    "full_trim": ("trimmed_mean", "median"),
    "saliency_matching": ("gradient_guard",),
}
"""Rows that an attack is made against, by the attack. It knows these rules, and no other ones."""

REPLACED_SHARE = 0.05
"""Model replacement is sent in the last rounds. This is their share of all rounds."""


def attack_parameters(name: str, n_byzantine: int, rounds: int) -> dict[str, Any]:
    """Return the parameters of an attack that the protocol sets. All others have their defaults.

    Model replacement multiplies an update by ``n / f``. With this factor ``f`` attackers together
    outweigh the other clients exactly (Bagdasaryan et al., 2020). The update is sent in the last
    rounds, because the model forgets an early one.

    Parameters
    ----------
    name
        The name of the attack.
    n_byzantine
        The number of Byzantine clients.
    rounds
        The number of rounds of the run.
    """
    if name == "model_replacement":
        last = max(round(rounds * REPLACED_SHARE), 1)
        return {
            "scale": N_CLIENTS / n_byzantine,
            "rounds": tuple(range(rounds - last + 1, rounds + 1)),
        }
    return {}


ROW_TITLES = {
    "aksel": "AKSEL",
    "autogm": "AutoGM",
    "bulyan": "Bulyan",
    "faba": "FABA",
    "gradient_guard": "Gradient Guard",
    "krum": "Krum",
    "meamed": "Meamed",
    "multi_krum": "Multi-Krum",
    "phocas": "Phocas",
    "arc": "ARC + trimmed mean",
    "bucketing": "bucketing + trimmed mean",
    "caf": "CAF",
    "centered_clipping": "centered clipping, τ = 1",
    "centered_clipping_small": "centered clipping, τ = 0.1",
    "center_with_outliers": "1-center with outliers",
    "mean_with_outliers": "1-mean with outliers",
    "cge": "CGE",
    "dnc": "DnC",
    "flair": "FLAIR",
    "flame": "FLAME",
    "fltrust": "FLTrust",
    "foolsgold": "FoolsGold",
    "mda": "MDA",
    "mean": "plain average",
    "monna": "MoNNA",
    "nearest_neighbour_mixing": "NNM + trimmed mean",
    "signguard": "SignGuard",
}
ATTACK_TITLES = {
    "alie": "ALIE",
    "full_krum": "full-Krum",
    "gaussian_noise": "Gaussian noise",
    "norm_matched_gaussian": "norm-matched Gaussian",
    "full_trim": "full-trim",
    "ipm": "IPM",
    "min_max": "min-max",
    "min_sum": "min-sum",
    "mpaf": "MPAF",
    "optimised_alie": "optimised ALIE",
    "optimised_ipm": "optimised IPM",
    "pga": "PGA",
    "rop": "ROP",
}
"""Titles of the rows and columns whose names alone do not read well."""
