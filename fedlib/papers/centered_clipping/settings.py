"""What the paper compares: data sets, attacks, rules and momenta, with their titles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

N_CLIENTS, N_BYZANTINE = 25, 5
MOMENTA = (0.0, 0.9, 0.99)


@dataclass(frozen=True)
class Setting:
    """A row block of Table IV: a data set and its partition.

    Parameters
    ----------
    key, title
        The setting's part of a cell's key, and its name in tables. A star marks a non-IID one.
    data, partition
        The names of the data set and of the partition.
    normalise
        Whether pixels are standardised.
    network
        The network at paper scale. A smaller one stands in for it at the other scales.
    """

    key: str
    title: str
    data: str
    partition: str
    normalise: bool
    network: str = "cnn_20_50"

    @property
    def colour(self) -> bool:
        """Whether it is one of the CIFAR settings, whose runs have another length."""
        return self.data.startswith("cifar")

    @property
    def iid(self) -> bool:
        """Whether all clients have the same distribution of classes."""
        return self.partition == "iid"


# Fashion-MNIST is not normalised in the authors' code; the text says nothing of it.
SETTINGS = (
    Setting("mnist_noniid", "MNIST*", "mnist", "dirichlet", True),
    Setting("fmnist_iid", "FMNIST", "fashion_mnist", "iid", False),
    Setting("fmnist_noniid", "FMNIST*", "fashion_mnist", "dirichlet", False),
    Setting("cifar10_iid", "CIFAR-10", "cifar10", "iid", True, "resnet20"),
    Setting("cifar10_noniid", "CIFAR-10*", "cifar10", "dirichlet", True, "resnet20"),
    Setting("cifar100_iid", "CIFAR-100", "cifar100", "iid", True, "resnet9"),
)
NETWORK_TITLES = {
    "cnn_4_8": "a small network",
    "cnn_20_50": "2-layer CNN",
    "resnet20": "ResNet-20",
    "resnet9": "ResNet-9",
}
SETTING_TITLES = {setting.key: setting.title for setting in SETTINGS}

# "none" is the baseline with all clients honest (section VII), the others Table IV's columns.
ATTACK_NAMES = {
    "rop": "ROP",
    "alie": "ALIE",
    "ipm": "IPM",
    "label_flip": "label flip",
    "bit_flip": "bit flip",
    "none": "no attack",
}

# RFA's smoothing and start are the authors' code's; the text gives the number of steps.
RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "cc_tau0.1": ("centered_clipping", {"tau": 0.1}),
    "cc_tau1": ("centered_clipping", {"tau": 1.0}),
    "rfa": ("geometric_median", {"n_iterations": 3, "nu": 0.1, "start": "zero"}),
    "tm": ("trimmed_mean", {}),
}
RULE_TITLES = {"cc_tau0.1": "CC, τ = 0.1", "cc_tau1": "CC, τ = 1", "rfa": "RFA", "tm": "TM"}

CLIPPING = ("cc_tau0.1", "cc_tau1")
"""The rules of centered clipping."""


def rule_title(rule: str, momentum: float) -> str:
    """A rule and a momentum in words: ``CC, τ = 1, β = 0.9``."""
    return f"{RULE_TITLES[rule]}, β = {momentum:g}"


def place_title(setting: str, rule: str, momentum: float) -> str:
    """A setting, a rule and a momentum in words: ``FMNIST*, CC, τ = 1, β = 0.9``."""
    return f"{SETTING_TITLES[setting]}, {rule_title(rule, momentum)}"
