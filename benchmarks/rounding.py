"""Measure how far a run's accuracy moves if nothing but rounding changes.

usage: rounding.py OUTPUT.json [SCALE ...]

Each cell is played five times: as the runner plays it, with two threads, without compiled kernels,
with one parameter of the first model moved by one rounding, and with the next seed. Two threads add
up in another order, and so does torch where it takes the place of the kernels. Only last digits
differ then. The scales are ``quick`` unless others are named.
"""

from __future__ import annotations

import json
import math
import os
import sys
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import torch

from fedlib import engine, hardware, kernels
from fedlib.data import Dataset, load_dataset, resolve_source
from fedlib.federation.federation import Federation, State
from fedlib.grids import load_grid
from fedlib.papers.gradient_guard.keys import Comparison
from fedlib.papers.gradient_guard.measures import LAST
from fedlib.papers.gradient_guard.settings import SHARES
from fedlib.runs import RunConfig

RULES = ("trimmed_mean", "median", "krum")
CELLS = tuple(
    str(Comparison.of("mnist", "full_trim", share, rule)) for rule, share in product(RULES, SHARES)
)


def played(
    config: RunConfig,
    dataset: Dataset,
    threads: int = 1,
    moved: bool = False,
    compiled: bool = True,
) -> float:
    """Play a run and return its accuracy in percent, the mean of its last five evaluations.

    Parameters
    ----------
    config, dataset
        The run and its data.
    threads
        The number of torch's threads.
    moved
        Whether the last parameter of the first model is moved by one rounding.
    compiled
        Whether compiled kernels are used.
    """

    def before_round(federation: Federation, state: State) -> None:
        if moved and state.round == 0:
            last = state.parameters[-1:]
            last.copy_(torch.nextafter(last, torch.full_like(last, math.inf)))

    torch.set_num_threads(threads)
    os.environ[kernels.SWITCH] = "on" if compiled else "off"
    metrics = engine.run(config, dataset, before_round=before_round)
    last_values = metrics["test_accuracy"][-LAST:]
    return round(100 * math.fsum(last_values) / len(last_values), 4)


def measure(scale: str) -> list[dict[str, Any]]:
    """Return the accuracies of each cell at a scale, by what was done to the run."""
    configs = [
        {
            cell.key: cell.config
            for cell in load_grid("gradient_guard").cells(
                scale, seed, lambda name: resolve_source(name, "real")
            )
        }
        for seed in (1, 2)
    ]
    entries = []
    for key in CELLS:
        first, second = (of_seed[key] for of_seed in configs)
        dataset = load_dataset(first.data)
        accuracy = {
            "as stored": played(first, dataset),
            "two threads": played(first, dataset, threads=2),
            "without kernels": played(first, dataset, compiled=False),
            "one parameter": played(first, dataset, moved=True),
            "another seed": played(second, dataset),
        }
        print(scale, key, accuracy, file=sys.stderr, flush=True)
        entries.append({"scale": scale, "cell": key, "accuracy": accuracy})
    return entries


def main(arguments: list[str]) -> int:
    """Measure, and write the file."""
    target, *scales = arguments
    entries = [entry for scale in scales or ["quick"] for entry in measure(scale)]
    described = hardware.describe(torch.device("cpu"))
    summary = {
        "processor": described["device_name"],
        "versions": described["versions"],
        "commit": described["commit"],
        "date": datetime.now(UTC).date().isoformat(),
        "measured": entries,
    }
    Path(target).write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
