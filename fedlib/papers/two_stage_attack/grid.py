"""Grid of two_stage_attack (Shen, Li and Zheng, 2020): Figures 2 and 3.

Protocol: section 4 of the paper. Open there, and chosen here: the batch size, the step sizes, the
steps of the inner ascent, the strength of the baselines, and what the policy learns from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS, Attack
from fedlib.attacks.dictated import TwoStage
from fedlib.clients import RobustSGD
from fedlib.data import DataConfig
from fedlib.grids import Cell, Grid, Variant, varied, with_changes
from fedlib.runs import RunConfig

N_CLIENTS, N_BYZANTINE = 10, 1
DATA_TITLES = {"circle": "Synthetic", "mnist": "MNIST"}
RULE_TITLES = {"mean": "no defence", "median": "median", "krum": "Krum"}
ATTACK_TITLES = {
    "none": "no attack",
    "random": "random",
    "ipm": "IPM",
    "rl": "two-stage",
    "rlb": "two-stage, black box",
}


@dataclass(frozen=True)
class Protocol:
    """One data set at one scale; ``epoch`` is in rounds."""

    model: str
    client: RobustSGD
    epoch: int
    epochs: int
    agent: dict[str, Any]
    samples: tuple[int | None, int | None] = (None, None)
    glyphs: tuple[int, int] = (12_000, 2_000)

    @property
    def rounds(self) -> int:
        """Of the whole run."""
        return self.epoch * self.epochs


# Three epochs of distribution learning on the synthetic data, five on MNIST. The action is the
# gradient, or a factor of the own one by what the last layer is.
_SCALED = {"action": "scale", "state": "last_layer", "most_epochs": 5, "n_samples": 100}
_TINY = {"n_samples": 10, "n_iterations": 2, "pooled": 2, "episode": 3, "policy_steps": 101}
SCALES = {
    "circle": {
        "smoke": Protocol(
            "elu_4_2", RobustSGD(10, ascent_steps=2), 2, 4, {**_TINY, "most_epochs": 2},
            (400, 100),
        ),
        "quick": Protocol("elu_4_2", RobustSGD(50), 100, 10, {"policy_steps": 1000}),
        "paper": Protocol("elu_4_2", RobustSGD(50), 100, 30, {}),
    },
    "mnist": {
        "smoke": Protocol(
            "cnn_4_8",
            RobustSGD(4, gamma=0.04, gamma_unit="norm", ascent_steps=2), 2, 4,
            {**_SCALED, **_TINY, "most_epochs": 2}, (400, 100), (400, 100),
        ),
        "quick": Protocol(
            "cnn_4_8",
            RobustSGD(16, gamma=0.04, gamma_unit="norm", ascent_steps=5), 40, 10,
            {**_SCALED, "n_samples": 30, "n_iterations": 50, "pooled": 3, "episode": 10,
             "policy_steps": 200, "most_epochs": 3},
            (None, 1_000),
        ),
        "paper": Protocol(
            "elu_cnn", RobustSGD(50, gamma=0.04, gamma_unit="norm"), 120, 30, _SCALED,
            glyphs=(60_000, 10_000),
        ),
    },
}  # fmt: skip


def make_attack(name: str, protocol: Protocol, seed: int, **parameters: Any) -> Attack:
    """The attack; strengths of the baselines are this book's."""
    if name in ("rl", "rlb"):
        return TwoStage(
            n_byzantine=N_BYZANTINE,
            knowledge="white" if name == "rl" else "black",
            epoch=protocol.epoch,
            **{**protocol.agent, **parameters},
        )
    usual = {"none": {}, "random": {"scale": 1.0, "seed": seed}, "ipm": {"epsilon": 10.0}}[name]
    count = 0 if name == "none" else N_BYZANTINE
    attack: Attack = ATTACKS[name](n_byzantine=count, **{**usual, **parameters})
    return attack


def config(
    name: str, attack: str, rule: str, scale: str, seed: int, data: DataConfig, **parameters: Any
) -> RunConfig:
    """The run of one cell; ``data`` says where its data set comes from."""
    protocol = SCALES[name][scale]
    sizes = protocol.glyphs if data.source == "embedded" else protocol.samples
    made = make_attack(attack, protocol, seed, **parameters)
    return RunConfig(
        data=replace(data, train_samples=sizes[0], test_samples=sizes[1]),
        model=protocol.model,
        n_clients=N_CLIENTS,
        n_byzantine=made.n_byzantine,
        client=protocol.client,
        aggregator=AGGREGATORS[rule](n_byzantine=N_BYZANTINE),
        attack=made,
        rounds=protocol.rounds,
        learning_rate=0.1,
        eval_every=protocol.epoch,
        seed=seed,
        track=("robustness", "decision") if name == "circle" else ("robustness",),
    )


def key(data: str, attack: str, rule: str) -> str:
    """A cell's key, such as ``circle/rl/median``."""
    return f"{data}/{attack}/{rule}"


VARIANTS = (
    Variant(
        "batch",
        "batch size",
        "50",
        "10",
        with_changes("client", batch_size=10),
        ("circle/none/mean", "circle/ipm/mean"),
    ),
    Variant(
        "ascent",
        "steps of the inner ascent",
        "15",
        "5",
        with_changes("client", ascent_steps=5),
        ("circle/none/mean",),
    ),
    Variant(
        "rate",
        "server's step size",
        "0.1",
        "0.01",
        lambda run: run.with_(learning_rate=0.01),
        ("circle/none/mean",),
    ),
    Variant(
        "random",
        "scale of the random attack",
        "1",
        "10",
        with_changes("attack", scale=10.0),
        ("circle/random/mean", "circle/random/median"),
    ),
    Variant(
        "ipm",
        "IPM's epsilon",
        "10",
        "0.5",
        with_changes("attack", epsilon=0.5),
        ("circle/ipm/mean", "circle/ipm/median"),
    ),
    Variant(
        "matching",
        "rate of the gradient matching",
        "0.05",
        "0.005",
        with_changes("attack", matching_rate=0.005),
        ("circle/rl/mean", "circle/rl/median"),
    ),
    Variant(
        "policy",
        "rounds that the policy learns from",
        "2000",
        "10 times as many",
        lambda run: run.with_(
            attack=replace(run.attack, policy_steps=10 * run.attack.policy_steps)  # type: ignore[attr-defined, call-arg]
        ),
        ("circle/rl/mean",),
    ),
    Variant(
        "episode",
        "rounds of an episode",
        "50",
        "200",
        with_changes("attack", episode=200),
        ("circle/rl/mean",),
    ),
)


def cells(scale: str, seed: int, data: Callable[[str], DataConfig]) -> list[Cell]:
    """All cells of one seed: the synthetic data, their variants, MNIST."""
    found = {
        key(name, attack, rule): config(name, attack, rule, scale, seed, data(name))
        for name in DATA_TITLES
        for attack in ATTACK_TITLES
        for rule in RULE_TITLES
    }
    circle = [Cell(place, run) for place, run in found.items() if place.startswith("circle")]
    mnist = [Cell(place, run) for place, run in found.items() if place.startswith("mnist")]
    return circle + varied(VARIANTS, found) + mnist


GRID = Grid(
    slug="two_stage_attack",
    title="Learning to Attack Distributionally Robust Federated Learning",
    cells=cells,
    seeds={"smoke": 1, "quick": 1, "paper": 3},
)
