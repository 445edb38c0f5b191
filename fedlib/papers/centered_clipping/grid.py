"""Grid of centered_clipping (Ozfatura et al., 2022): Table IV and the curves behind it.

Protocol: section VI of the paper; what its text leaves open is named where it is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.clients import MomentumSGD
from fedlib.data import PARTITIONS, DataConfig
from fedlib.grids import Cell, Grid, protocol, varied
from fedlib.papers.centered_clipping import ten_epochs
from fedlib.papers.centered_clipping.authors_code import CODE, SINGLE_CHOICES
from fedlib.papers.centered_clipping.extras import EXTRAS
from fedlib.papers.centered_clipping.keys import COSINES, TABLE_IV, Key, table_iv
from fedlib.papers.centered_clipping.settings import (
    ATTACK_NAMES,
    MOMENTA,
    N_BYZANTINE,
    N_CLIENTS,
    RULES,
    SETTINGS,
    Setting,
)
from fedlib.papers.centered_clipping.variants import NETWORK_VARIANT, VARIANTS
from fedlib.runs import RunConfig


@dataclass(frozen=True, kw_only=True)
class Protocol(protocol.Protocol):
    """One scale of the protocol.

    Parameters
    ----------
    model
        The network; None takes the setting's own.
    batch_size
        The size of a client's batch.
    milestone
        The round after which the learning rate is divided by ten.
    augment
        What is done to the images of a batch.
    """

    model: str | None
    batch_size: int
    milestone: int
    augment: str = "none"


_SMOKE = Protocol(
    model="cnn_4_8", batch_size=4, rounds=2, milestone=1, eval_every=1,
    real=(1000, 200), embedded=(1000, 200),
)  # fmt: skip
# An epoch is 60,000 / (25 * 32) = 75 rounds: every client's share is passed through once on
# average.
SCALES = {
    "smoke": _SMOKE,
    "quick": Protocol(
        model="cnn_4_8", batch_size=8, rounds=1000, milestone=750, eval_every=100,
    ),
    "paper": Protocol(
        model=None, batch_size=32, rounds=7500, milestone=5625, eval_every=75,
        embedded=(60_000, 10_000),
    ),
}  # fmt: skip
# CIFAR: an epoch is 50,000 / 800 = 62.5 rounds.
COLOUR_SCALES = {
    "smoke": _SMOKE,
    "quick": Protocol(
        model="cnn_4_8", batch_size=8, rounds=400, milestone=300, eval_every=50,
        real=(None, 2_000),
    ),
    "paper": Protocol(
        model=None, batch_size=32, rounds=6250, milestone=4688, eval_every=125,
        embedded=(50_000, 10_000), augment="crop_flip",
    ),
}  # fmt: skip


def config(
    setting: Setting,
    attack: str,
    rule: str,
    momentum: float,
    scale: str,
    seed: int,
    data: DataConfig,
) -> RunConfig:
    """The run of a cell of Table IV.

    Parameters
    ----------
    setting, attack, rule, momentum
        The parts of the cell's key.
    scale, seed
        The scale of the protocol and the seed of the run.
    data
        Where the data set comes from.
    """
    chosen = (COLOUR_SCALES if setting.colour else SCALES)[scale]
    attackers = 0 if attack == "none" else N_BYZANTINE
    kind, parameters = RULES[rule]
    return RunConfig(
        data=chosen.sized(data, normalise=setting.normalise),
        partition=PARTITIONS[setting.partition](),
        model=chosen.model or setting.network,
        n_clients=N_CLIENTS,
        n_byzantine=attackers,
        client=MomentumSGD(batch_size=chosen.batch_size, momentum=momentum, augment=chosen.augment),
        # The rule does not know that there is no attacker: it withstands as many as ever.
        aggregator=AGGREGATORS[kind](n_byzantine=N_BYZANTINE, **parameters),
        attack=ATTACKS[attack](n_byzantine=attackers),
        rounds=chosen.rounds,
        learning_rate=0.1,
        milestones=(chosen.milestone,),
        decay=0.1,
        eval_every=chosen.eval_every,
        seed=seed,
    )


def cells(scale: str, seed: int, data: Callable[[str], DataConfig]) -> list[Cell]:
    """All cells of one seed: those that decide the paper's claims first, the variants last.

    At quick scale the runs on CIFAR say nothing: they have a network of a few thousand parameters
    and 400 rounds, and end where one that has hardly learned ends.

    Parameters
    ----------
    scale, seed
        The scale of the protocol and the seed of the runs.
    data
        From the name of a data set to where it comes from.
    """
    runs = _table_iv_runs(scale, seed, data)
    extras = {extra.key: extra.change(runs[extra.base]) for extra in EXTRAS}
    # A run whose cosines are recorded besides serves Table IV too.
    watched = {
        key._replace(item=TABLE_IV): run for key, run in extras.items() if key.item == COSINES
    }
    quick = scale == "quick"
    networks = (NETWORK_VARIANT,) if scale == "paper" else ()
    variants = (*VARIANTS, *SINGLE_CHOICES, CODE, *networks)
    return [
        *(
            Cell(str(key), run, tells=not (quick and key.colour))
            for key, run in {**runs, **watched, **extras}.items()
        ),
        *([] if quick else ten_epochs.cells({**runs, **extras})),
        *varied(variants, {str(key): run for key, run in {**runs, **extras}.items()}),
    ]


def _table_iv_runs(
    scale: str, seed: int, data: Callable[[str], DataConfig]
) -> dict[Key, RunConfig]:
    """The runs of Table IV and its baselines, in the order to compute them."""
    runs = {}
    for setting in SETTINGS:
        source = data(setting.data)
        for attack in ATTACK_NAMES:
            for rule in RULES:
                for momentum in MOMENTA:
                    run = config(setting, attack, rule, momentum, scale, seed, source)
                    runs[table_iv(setting.key, attack, rule, momentum)] = run
    return {key: runs[key] for key in sorted(runs, key=_priority)}


def _priority(key: Key) -> tuple[int, ...]:
    """ROP and ALIE against CC with most momentum first, the rules that ignore history later."""
    return (
        1 if key.colour else 0,
        0 if key.momentum == 0.99 else 1,
        0 if key.rule.startswith("cc") else 1,
        0 if key.attack in ("rop", "none", "alie") else 1,
        1 if key.setting == "fmnist_noniid" else 0,
        _place(key.rule, ("cc_tau1", "cc_tau0.1", "tm", "rfa")),
        _place(key.setting, [setting.key for setting in SETTINGS]),
        _place(key.attack, ("rop", "none", "alie", "label_flip", "ipm", "bit_flip")),
    )


def _place(name: str, names: Sequence[str]) -> int:
    """The name's place among ``names``; the last place if it is none of them."""
    return names.index(name) if name in names else len(names)


GRID = Grid(
    slug="centered_clipping",
    title="Byzantines can also Learn from History: Fall of Centered Clipping in Federated Learning",
    cells=cells,
    seeds={"smoke": 1, "quick": 1, "paper": 3},
)
