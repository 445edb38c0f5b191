"""The grid of a sixth paper: one rule against two attacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.clients import CLIENTS
from fedlib.data import DataConfig
from fedlib.grids import Cell, Grid
from fedlib.grids.keys import parsed, written
from fedlib.grids.protocol import Protocol
from fedlib.runs import RunConfig

SCALES = {
    "smoke": Protocol(rounds=2, eval_every=1, real=(60, 20), embedded=(60, 20)),
    "quick": Protocol(rounds=4, eval_every=2, real=(60, 20), embedded=(60, 20)),
    "paper": Protocol(rounds=6, eval_every=2),
}


class Key(NamedTuple):
    """A cell of Table 1, such as ``table_1/ipm``."""

    attack: str

    def __str__(self) -> str:
        return written("table_1", self)

    @classmethod
    def parse(cls, text: str) -> Key:
        """The key of this text."""
        return parsed(cls, "table_1", text)


def config(attack: str, scale: str, seed: int, data: DataConfig) -> RunConfig:
    """The run of one cell."""
    protocol = SCALES[scale]
    return RunConfig(
        data=protocol.sized(data),
        model="softmax_regression",
        n_clients=5,
        n_byzantine=1,
        client=CLIENTS["fedprox"](batch_size=4),
        aggregator=AGGREGATORS["median"](n_byzantine=1),
        attack=ATTACKS[attack](n_byzantine=1),
        rounds=protocol.rounds,
        eval_every=protocol.eval_every,
        seed=seed,
    )


def cells(scale: str, seed: int, data: Callable[[str], DataConfig]) -> list[Cell]:
    """All cells of one seed."""
    return [
        Cell(str(Key(attack)), config(attack, scale, seed, data("mnist")))
        for attack in ("ipm", "sign_flip")
    ]


GRID = Grid("sixth_paper", "A sixth paper", cells, {"smoke": 1, "quick": 1, "paper": 1})
