"""Measure a whole run with two states of the code at the same time, each on a core of its own.

usage: whole_run.py OTHER OUTPUT.json

OTHER is another checkout of this project, such as one that ``git worktree add`` has made of an
older commit. The run is one of Figure 3 of residual reweighting at the paper's scale. The time is
that of the processor, from the import to the last evaluation, with one thread.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SLUG, CELL = "residual_reweighting", "figure_3/10/ours"

PLAYED = """
import json, sys, time
import torch
from fedlib import engine, hardware
from fedlib.data import load_dataset, resolve_source
from fedlib.grids import load_grid

torch.set_num_threads(1)
grid = load_grid(sys.argv[1])
cells = grid.cells("paper", 1, lambda name: resolve_source(name, "real"))
config = next(cell.config for cell in cells if cell.key == sys.argv[2])
metrics = engine.run(config, load_dataset(config.data))
made = hardware.describe(torch.device("cpu"))
print(json.dumps({
    "commit": made["commit"],
    "seconds": time.process_time(),
    "rounds": config.rounds,
    "accuracy": metrics["test_accuracy"][-1],
    "processor": made["device_name"],
    "versions": made["versions"],
}))
"""


def started(checkout: Path) -> subprocess.Popen[str]:
    """Start the run with the code of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", PLAYED, SLUG, CELL],
        cwd=checkout,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def result(run: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a run, and return what it says."""
    said, _ = run.communicate()
    if run.returncode:
        raise RuntimeError(f"a run ended with status {run.returncode}")
    played: dict[str, Any] = json.loads(said.splitlines()[-1])
    return played


def main(arguments: list[str]) -> int:
    """Play the run with both checkouts, and write what they took."""
    other, output = Path(arguments[0]).resolve(), Path(arguments[1])
    runs = {"before": started(other), "now": started(Path(__file__).resolve().parents[1])}
    played = {name: result(run) for name, run in runs.items()}
    shared = {name: played["now"][name] for name in ("rounds", "processor", "versions")}
    for entry in played.values():
        for name in shared:
            del entry[name]
    summary = {
        "date": datetime.now(UTC).date().isoformat(),
        "cell": f"{SLUG} {CELL}",
        **shared,
        **played,
    }
    output.write_text(json.dumps(summary, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
