"""How a Ray grid's driver fares with many runs, measured with runs that compute nothing.

``python -m benchmarks.ray_scale 10000`` sends as many runs to Ray on this machine as it says. Each
gives at once what a stored run of the book gave, so that all that is left is the driver's own work:
claims, scheduling, the way of the results, and the store.
"""

from __future__ import annotations

import json
import pickle
import resource
import sys
import tempfile
import time
from typing import Any

from fedlib.clients import MomentumSGD
from fedlib.data import DataConfig
from fedlib.data.datasets import EMBEDDED_VARIANT
from fedlib.grids import Cell, OnRay, compute, load_grid, on_ray
from fedlib.grids.compute import Played, Task, cached_dataset
from fedlib.grids.on_node import taken_apart
from fedlib.grids.progress import Progress
from fedlib.runs import RunConfig
from fedlib.runs.store import Store

SLUG = "centered_clipping"


def typical() -> dict[str, Any]:
    """Return a stored record of the length that most of a paper's records have."""
    lines = [line for _, line in Store(load_grid(SLUG).slug).lines("paper")]
    lines.sort(key=len)
    record: dict[str, Any] = json.loads(lines[len(lines) // 2])
    return record


def main(runs: int) -> None:
    """Send the runs, and print what they took."""
    record = typical()
    data = DataConfig("mnist", "embedded", EMBEDDED_VARIANT, train_samples=200, test_samples=100)
    config = RunConfig(
        data=data, model="softmax_regression", n_clients=5, client=MomentumSGD(batch_size=4),
        rounds=2, eval_every=2,
    )  # fmt: skip
    store = Store("toy", tempfile.mkdtemp())
    tasks = [
        Task(Cell(f"toy/{n}", config.with_(seed=n)), store, "smoke", "cpu", "auto")
        for n in range(1, runs + 1)
    ]
    given = Played(record["metrics"], record["provenance"], {})

    def nothing(task: Task, data: Any, reports: Any) -> Played:
        return given

    spent = {"stored": 0.0}
    stored = compute.keep

    def timed(task: Task, played: Played) -> Any:
        start = time.perf_counter()
        try:
            return stored(task, played)
        finally:
            spent["stored"] += time.perf_counter() - start

    on_ray.fedlib_run, on_ray.keep = nothing, timed  # type: ignore[assignment]
    start, before = time.perf_counter(), 0.0
    for done, (_, result) in enumerate(on_ray.on_ray(tasks, None, Progress(0, 0, False), OnRay())):
        assert isinstance(result, dict), result
        if done == 0:
            start = time.perf_counter()  # Ray and its processes have started
        elif (done + 1) % 1000 == 0:
            now = time.perf_counter() - start
            print(f"{done + 1} runs: {now:.1f} s, {1000 / (now - before):.0f} a second", flush=True)
            before = now
    seconds = time.perf_counter() - start
    rest, arrays = taken_apart(cached_dataset(data))
    written = sum(path.stat().st_size for path in store.paths("smoke"))
    print(json.dumps({
        "runs": runs,
        "seconds": round(seconds, 1),
        "seconds_of_storing": round(spent["stored"], 1),
        "bytes_of_a_record": written // runs,
        "bytes_of_a_task": len(pickle.dumps((tasks[0], rest))),
        "bytes_of_a_result": len(pickle.dumps(given)),
        "bytes_of_data": sum(array.nbytes for array in arrays.values()),
        "driver_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]))
