"""A grid of toy runs of some seconds each, played on a Ray cluster by a process of its own.

``python tests/on_cluster.py ADDRESS FOLDER`` computes what is missing in the folder.
"""

import sys
from dataclasses import replace

from conftest import toy_cells

from fedlib.data import DataConfig
from fedlib.data.datasets import EMBEDDED_VARIANT
from fedlib.grids import OnRay, run_grid
from fedlib.runs.store import Store


def cells(rounds=1500):
    made = toy_cells("smoke", 1, lambda name: DataConfig(name, "embedded", EMBEDDED_VARIANT))
    return [
        replace(cell, key=f"{cell.key}/{seed}", config=cell.config.with_(seed=seed, rounds=rounds))
        for seed in (1, 2)
        for cell in made
    ]


if __name__ == "__main__":
    outcome = run_grid(cells(), Store("toy", sys.argv[2]), "smoke", ray=OnRay(sys.argv[1]))
    print(outcome)
    sys.exit(bool(outcome.failed or outcome.elsewhere))
