"""Grid of clustering_with_outliers (Yi et al., 2024): Tables 1 to 5 and Figure 2.

Protocol: section 5 of the paper and appendix D; what they leave open is named where it is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from fedlib.clients import MomentumSGD
from fedlib.data import PARTITIONS, DataConfig
from fedlib.grids import Cell, Grid, varied
from fedlib.grids.protocol import Protocol
from fedlib.papers.clustering_with_outliers.authors_code import CODE, SINGLE_CHOICES
from fedlib.papers.clustering_with_outliers.keys import CellKey, Scenario
from fedlib.papers.clustering_with_outliers.methods import (
    BASELINES,
    ONE_PHASE,
    PUBLISHED_ATTACKS,
    RULES,
    TWO_PHASE,
    make_attack,
    make_rule,
)
from fedlib.papers.clustering_with_outliers.settings import (
    CIFAR,
    DIRICHLET,
    N_CLIENTS,
    RATES,
    SETTINGS,
    UNIFORM,
)
from fedlib.papers.clustering_with_outliers.variants import VARIANTS
from fedlib.runs import RunConfig


@dataclass(frozen=True, kw_only=True)
class Scale(Protocol):
    """One scale's share of the protocol.

    Parameters
    ----------
    model
        The model that all data sets have.
    cifar10
        Training and test samples of CIFAR-10, real or not: 300 and 60 for each client.
    """

    model: str
    cifar10: tuple[int, int] = (10_500, 2_100)

    def sized(self, data: DataConfig, **changes: Any) -> DataConfig:
        """``data`` with this scale's numbers of samples; see :class:`Protocol`."""
        if data.name != "cifar10":
            return super().sized(data, **changes)
        train, test = self.cifar10
        return replace(data, train_samples=train, test_samples=test, **changes)


SCALES = {
    "smoke": Scale(
        model="softmax_regression",
        rounds=2,
        eval_every=1,
        real=(700, 140),
        embedded=(700, 140),
        cifar10=(700, 140),
    ),
    "quick": Scale(model="softmax_regression", rounds=750, eval_every=75),
    "paper": Scale(model="cnn_32_64", rounds=1500, eval_every=100, embedded=(34_511, 5_752)),
}


def config(key: CellKey, scale: str, seed: int, data: DataConfig) -> RunConfig:
    """The run of one cell; ``data`` says where its data set comes from."""
    protocol = SCALES[scale]
    setting = SETTINGS[key.setting]
    withstood = RATES[key.rate]
    attackers = 0 if key.attack == "none" else withstood
    return RunConfig(
        data=protocol.sized(data),
        partition=PARTITIONS[setting.partition](),
        model=protocol.model,
        n_clients=N_CLIENTS,
        n_byzantine=attackers,
        client=MomentumSGD(batch_size=3, momentum=0.99),
        # The rule does not know that there is no attacker: it withstands as many as ever.
        aggregator=make_rule(key.rule, withstood),
        attack=make_attack(key.attack, attackers, seed),
        rounds=protocol.rounds,
        learning_rate=0.1,
        eval_every=protocol.eval_every,
        seed=seed,
        track=("average_iterate",),
        test_set=setting.test_set,
    )


def _block(
    setting: str, rate: str, attacks: Iterable[str], rules: tuple[str, ...]
) -> list[CellKey]:
    """All rules under the first attack, then all under the next, and so on."""
    scenario = Scenario(setting, rate)
    return [scenario.cell(attack, rule) for attack in attacks for rule in rules]


def _keys() -> list[CellKey]:
    """All cells but the variants, those that decide the paper's claims first."""
    everything = (*RULES, *ONE_PHASE)
    unpublished = ("camouflage", "none")
    return [
        *_block(UNIFORM, "0.4", ("omn", "sv", "sf", "empire", "lf", "gauss"), RULES),  # Table 1
        *_block(UNIFORM, "0.2", PUBLISHED_ATTACKS, (*ONE_PHASE, *TWO_PHASE)),  # Table 5
        *_block(UNIFORM, "0.4", unpublished, everything),
        *_block(DIRICHLET, "0.2", PUBLISHED_ATTACKS, RULES),  # Figure 2
        *_block(DIRICHLET, "0.2", unpublished, everything),
        *_block(UNIFORM, "0.2", unpublished, everything),
        # The paper has one phase with fewer attackers alone.
        *_block(UNIFORM, "0.4", PUBLISHED_ATTACKS, ONE_PHASE),
        *_block(UNIFORM, "0.2", PUBLISHED_ATTACKS, BASELINES),  # the rest of Table 2
        *_block(UNIFORM, "0.1", PUBLISHED_ATTACKS, RULES),
        *_block(DIRICHLET, "0.4", PUBLISHED_ATTACKS, RULES),  # the rest of Table 3
        *_block(DIRICHLET, "0.1", PUBLISHED_ATTACKS, RULES),
        *_block(CIFAR, "0.2", (*PUBLISHED_ATTACKS, "none"), RULES),  # Table 4
        *(key for rate in RATES for key in _block(DIRICHLET, rate, ("pga",), RULES)),
    ]


def cells(scale: str, seed: int, data: Callable[[str], DataConfig]) -> list[Cell]:
    """All cells of one seed: those that decide the paper's claims first, the variants last."""
    found = {
        str(key): config(key, scale, seed, data(SETTINGS[key.setting].data)) for key in _keys()
    }
    return [Cell(key, run) for key, run in found.items()] + varied(
        (*VARIANTS, *SINGLE_CHOICES, CODE), found
    )


GRID = Grid(
    slug="clustering_with_outliers",
    title=(
        "Near-Optimal Resilient Aggregation Rules for Distributed Learning Using 1-Center and "
        "1-Mean Clustering with Outliers"
    ),
    cells=cells,
    seeds={"smoke": 1, "quick": 1, "paper": 5},
)
