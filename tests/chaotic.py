"""Small runs whose numbers show at once if the order of sums in them has changed.

Metrics are stored with six digits, so that a difference of one rounding is not seen in most small
runs. These runs are chaotic: the rates are so high that such a difference grows within a few rounds
to one of whole digits. ``python tests/chaotic.py FOLDER JOBS`` plays them as a grid.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.clients import LocalSGD, MomentumSGD, RobustSGD
from fedlib.data import DataConfig
from fedlib.data.datasets import EMBEDDED_VARIANT
from fedlib.grids import Cell, run_grid
from fedlib.runs import RunConfig
from fedlib.runs.store import Store

# Trimmed mean sorts by several threads at once if the model is as large as the first one here.
KINDS = {
    "momentum": (MomentumSGD(batch_size=4), "cnn_20_50", 10, 1.0),
    "local": (LocalSGD(batch_size=4, learning_rate=0.2), "cnn_4_8", 5, 1.0),
    "robust": (RobustSGD(batch_size=4), "cnn_4_8", 8, 3.0),
}


def cells(seed: int = 1) -> list[Cell]:
    """A run of each kind of client."""
    return [
        Cell(
            kind,
            RunConfig(
                data=DataConfig("mnist", "embedded", EMBEDDED_VARIANT, 200, 100),
                model=model,
                n_clients=5,
                n_byzantine=1,
                client=client,
                aggregator=AGGREGATORS["trimmed_mean"](n_byzantine=1),
                attack=ATTACKS["alie"](n_byzantine=1),
                rounds=rounds,
                eval_every=1,
                learning_rate=rate,
                seed=seed,
            ),
        )
        for kind, (client, model, rounds, rate) in KINDS.items()
    ]


def play(folder: Path, chosen: list[Cell], jobs: int = 1) -> None:
    """Play some runs as a grid, which stores them below a folder."""
    outcome = run_grid(chosen, Store("chaotic", folder), "smoke", jobs=jobs, progress=False)
    assert not outcome.failed and not outcome.elsewhere


def numbers(folder: Path) -> dict[str, dict]:
    """The metrics of the runs of seed 1 that are stored below a folder, by the kind of client."""
    stored = Store("chaotic", folder).read("smoke").values()
    return {record["cell"]: record["metrics"] for record in stored if record["seed"] == 1}


if __name__ == "__main__":
    jobs = int(sys.argv[2])
    # In a pool others are computed beside each of them.
    play(Path(sys.argv[1]), [*cells(), *(cells(seed=2) if jobs > 1 else [])], jobs)
