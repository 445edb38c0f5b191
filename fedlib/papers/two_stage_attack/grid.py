"""Grid of two_stage_attack (Shen, Li and Zheng, 2020): Figures 2 and 3.

Protocol: section 4 of the paper. Open there, and chosen here: the batch size, the step sizes, the
steps of the inner ascent, the strength of the baselines, and what the policy learns from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fedlib.aggregators import AGGREGATORS
from fedlib.clients import RobustSGD
from fedlib.data import DataConfig
from fedlib.grids import Cell, Grid, Variant, varied
from fedlib.grids.protocol import Protocol
from fedlib.papers.two_stage_attack.attacks import (
    ATTACKS_ON,
    CONTROL_TITLES,
    N_BYZANTINE,
    SUPERSEDED_TITLES,
    make_attack,
)
from fedlib.papers.two_stage_attack.keys import CellKey
from fedlib.papers.two_stage_attack.variants import SWEEPS, VARIANTS
from fedlib.runs import RunConfig

N_CLIENTS = 10
DATA_TITLES = {"circle": "Synthetic", "pixels": "MNIST"}
"""The paper's data. The images are as Sinha et al. (2018) have them, with pixels from 0 to 1."""
ALL_TITLES = {**DATA_TITLES, "mnist": "MNIST, standardised (superseded)"}
"""With the superseded images, whose norm makes moving them 32 times as dear."""
SOURCES = {"circle": "circle", "pixels": "mnist", "mnist": "mnist"}
"""The name of each data set in the catalogue."""
RULE_TITLES = {"mean": "no defence", "median": "median", "krum": "Krum"}


@dataclass(frozen=True, kw_only=True)
class Scale(Protocol):
    """One data set at one scale.

    Parameters
    ----------
    model, client
        The model, and how clients learn it.
    agent
        What the attacker's agent has other than usual: parameters of :class:`TwoStage`.
    replans
        The rounds after which the agent plans again, and of which it learns then.
    """

    model: str
    client: RobustSGD
    agent: Mapping[str, Any]
    replans: Mapping[str, Any]

    @property
    def epoch(self) -> int:
        """Rounds of an epoch: a model is evaluated after each."""
        return self.eval_every


def in_epochs(epochs: int, epoch: int, **fields: Any) -> Scale:
    """A scale of so many ``epochs``, of ``epoch`` rounds each, with the other ``fields``."""
    return Scale(rounds=epochs * epoch, eval_every=epoch, **fields)


# Three epochs of distribution learning on the synthetic data, five on MNIST. The action is the
# gradient, or a factor of the own one by what the last layer is.
_SCALED = {"action": "scale", "state": "last_layer", "most_epochs": 5, "n_samples": 100}
_TINY = {
    "n_samples": 10,
    "n_iterations": 2,
    "pooled": 2,
    "episode": 3,
    "policy_steps": 101,
    "most_epochs": 2,
}
_OFTEN = {"replan": 50, "replan_steps": 200}
"""A plan is used for as many rounds as it was made for."""
SCALES = {
    "circle": {
        "smoke": in_epochs(
            4, 2, model="elu_4_2", client=RobustSGD(10, ascent_steps=2), agent=_TINY,
            replans={"replan": 2, "replan_steps": 3}, real=(400, 100),
        ),
        "quick": in_epochs(
            10, 100, model="elu_4_2", client=RobustSGD(50), agent={"policy_steps": 1000},
            replans=_OFTEN,
        ),
        "paper": in_epochs(
            30, 100, model="elu_4_2", client=RobustSGD(50), agent={}, replans=_OFTEN
        ),
    },
    "pixels": {
        "smoke": in_epochs(
            4, 2, model="elu_cnn_small",
            client=RobustSGD(4, gamma=0.04, gamma_unit="norm", ascent_steps=2),
            # So few steps do not move the policy. The runs on the circle show that it moves.
            agent={**_SCALED, **_TINY, "policy_steps": 30},
            replans={"replan": 2, "replan_steps": 3}, real=(400, 100), embedded=(400, 100),
        ),
        "quick": in_epochs(
            10, 40, model="elu_cnn_small",
            client=RobustSGD(16, gamma=0.04, gamma_unit="norm"),
            agent={**_SCALED, "n_samples": 30, "n_iterations": 50, "pooled": 3, "episode": 10,
                   "policy_steps": 200, "most_epochs": 3},
            replans={"replan": 70, "replan_steps": 50},
            real=(None, 1_000),
        ),
        "paper": in_epochs(
            30, 120, model="elu_cnn", client=RobustSGD(50, gamma=0.04, gamma_unit="norm"),
            agent=_SCALED, replans={"replan": 600, "replan_steps": 200},
            embedded=(60_000, 10_000),
        ),
    },
    "mnist": {
        "smoke": in_epochs(
            4, 2, model="cnn_4_8",
            client=RobustSGD(4, gamma=0.04, gamma_unit="norm", ascent_steps=2),
            agent={**_SCALED, **_TINY}, replans={}, real=(400, 100), embedded=(400, 100),
        ),
        "quick": in_epochs(
            10, 40, model="cnn_4_8",
            client=RobustSGD(16, gamma=0.04, gamma_unit="norm", ascent_steps=5),
            agent={**_SCALED, "n_samples": 30, "n_iterations": 50, "pooled": 3, "episode": 10,
                   "policy_steps": 200, "most_epochs": 3},
            replans={}, real=(None, 1_000),
        ),
        "paper": in_epochs(
            30, 120, model="elu_cnn", client=RobustSGD(50, gamma=0.04, gamma_unit="norm"),
            agent=_SCALED, replans={}, embedded=(60_000, 10_000),
        ),
    },
}  # fmt: skip


def config(key: CellKey, scale: str, seed: int, data: DataConfig) -> RunConfig:
    """The run of one cell; ``data`` says where its data set comes from."""
    protocol = SCALES[key.data][scale]
    attack = make_attack(key.attack, protocol.epoch, protocol.agent, protocol.replans, seed)
    track: tuple[str, ...]
    track = ("robustness", "decision") if key.data == "circle" else ("robustness",)
    # The runs of the first attacks were stored without this tracker.
    if key.rule == "krum" and key.attack in ("learned", "learned_blind", *CONTROL_TITLES):
        track += ("taken",)
    return RunConfig(
        data=protocol.sized(data, normalise=key.data != "pixels"),
        model=protocol.model,
        n_clients=N_CLIENTS,
        n_byzantine=attack.n_byzantine,
        client=protocol.client,
        aggregator=AGGREGATORS[key.rule](n_byzantine=N_BYZANTINE),
        attack=attack,
        rounds=protocol.rounds,
        learning_rate=0.1,
        eval_every=protocol.eval_every,
        seed=seed,
        track=track,
    )


def cells(scale: str, seed: int, data: Callable[[str], DataConfig]) -> list[Cell]:
    """All cells of one seed: the synthetic data, their variants, MNIST."""

    def runs_on(name: str) -> dict[str, RunConfig]:
        keys = (CellKey(name, attack, rule) for attack in ATTACKS_ON[name] for rule in RULE_TITLES)
        return {str(key): config(key, scale, seed, data(SOURCES[name])) for key in keys}

    circle, pixels = runs_on("circle"), runs_on("pixels")
    variants: tuple[Variant, ...] = (*VARIANTS, *SWEEPS)
    if scale == "smoke":
        # Superseded runs that take a third of this scale's time, and play nothing that others do
        # not play.
        mnist = {}
        variants = tuple(variant for variant in variants if variant.key != "policy")
    else:
        mnist = runs_on("mnist")
    return [
        *(Cell(key, run) for key, run in circle.items()),
        *varied(variants, circle),
        *(Cell(key, run) for key, run in {**pixels, **mnist}.items()),
    ]


def superseded(key: str) -> bool:
    """Whether a cell is of the attacks whose policy learned nothing, or of standardised images."""
    data, attack, _ = CellKey.parse("/".join(key.split("/")[-3:]))
    return attack in SUPERSEDED_TITLES or data == "mnist"


GRID = Grid(
    slug="two_stage_attack",
    title="Learning to Attack Distributionally Robust Federated Learning",
    cells=cells,
    seeds={"smoke": 1, "quick": 1, "paper": 3},
    heading="Two-stage attack",
    superseded=superseded,
)
