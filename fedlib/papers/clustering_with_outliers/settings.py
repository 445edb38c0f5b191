"""Where the paper's rules are tried: clients, shares of attackers, data sets and who holds them."""

from __future__ import annotations

from dataclasses import dataclass

from fedlib.papers.clustering_with_outliers.keys import Scenario

N_CLIENTS = 35
RATES = {"0.1": 3, "0.2": 7, "0.4": 14}
"""Adversarial rates and the Byzantine clients among 35 that they stand for."""


@dataclass(frozen=True)
class Setting:
    """A data set and who holds what of it.

    Parameters
    ----------
    key, title
        Its name in a cell's key, and its name in a table.
    data, partition
        The data set, and how it is divided among the clients.
    test_set
        The test set of ``RunConfig``. Where all clients are alike, their test sets are the whole
        one.
    """

    key: str
    title: str
    data: str
    partition: str
    test_set: str


UNIFORM, DIRICHLET, CIFAR = "femnist_uniform", "femnist_dirichlet", "cifar10_uniform"

# The "uniform distribution over 62 classes" of the text is read as drawing from the pooled images;
# the other reading, all classes alike, is the variant ``classes``.
SETTINGS = {
    setting.key: setting
    for setting in (
        Setting(UNIFORM, "FEMNIST, uniform", "emnist_byclass", "iid", "pooled"),
        Setting(
            DIRICHLET, "FEMNIST, Dir(0.1)", "emnist_byclass", "dirichlet_per_client", "clients"
        ),
        Setting(CIFAR, "CIFAR-10, uniform", "cifar10", "iid", "pooled"),
    )
}

CAMOUFLAGED = (Scenario(UNIFORM, "0.2"), Scenario(UNIFORM, "0.4"), Scenario(DIRICHLET, "0.2"))
"""Where this book's own attack, camouflage, is shown beside those of the paper."""

LARGE = 10.0
"""Points of accuracy that this book takes for the abstract's "large margin"."""


def title_of(scenario: Scenario) -> str:
    """A scenario in words: ``FEMNIST, uniform, rate 0.4``."""
    return f"{SETTINGS[scenario.setting].title}, rate {scenario.rate}"


def heading_of(scenario: Scenario) -> str:
    """A scenario in few words: ``FEMNIST, uniform, 0.4``."""
    return f"{SETTINGS[scenario.setting].title}, {scenario.rate}"
