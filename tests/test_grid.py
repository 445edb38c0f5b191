"""The runner of grids: each run once, whatever happens to the process."""

import errno
import json
import math
import multiprocessing
import operator
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from deadly import Deadly
from odd import Odd
from records import put

from fedlib import engine
from fedlib.aggregators import AGGREGATORS
from fedlib.data import DataConfig, load_dataset
from fedlib.gradients.base import STRATEGIES
from fedlib.grids import Cell, compute, expand, load_grid, pool, run_grid, workers
from fedlib.grids.compute import Task
from fedlib.grids.grid import GENERATED
from fedlib.grids.progress import Progress
from fedlib.grids.times import StoredTimes
from fedlib.runs import store as store_module
from fedlib.runs.store import Store, StoreError
from fedlib.validation import ConfigError


def test_cells_come_seed_by_seed(toy):
    cells = expand(toy, "quick", data="embedded")
    assert [cell.config.seed for cell in cells] == [1, 1, 1, 2, 2, 2]
    assert len({cell.config.id for cell in cells}) == 6


def test_only_selects_by_pattern(toy):
    cells = expand(toy, "smoke", data="embedded", only="*/me*")
    assert [cell.key for cell in cells] == ["table/mean", "table/median"]


def test_several_patterns_select_the_cells_of_the_first_first_and_each_once(toy):
    cells = expand(toy, "quick", data="embedded", only=["*/tr*", "*/m*n", "*/t*"])
    keys = ["table/trimmed_mean", "table/mean", "table/median"]
    wanted = [(keys[0], 1), (keys[0], 2), *((key, seed) for seed in (1, 2) for key in keys[1:])]
    assert [(cell.key, cell.config.seed) for cell in cells] == wanted
    for every in (None, "", (), [], [""]):
        assert len(expand(toy, "smoke", data="embedded", only=every)) == 3
    assert len(expand(toy, "smoke", np.int64(2), "embedded")) == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"only": 5}, r"only=5 must be a pattern, such as '\*/rop/\*', or a list of patterns"),
        ({"only": 0}, r"only=0 must be a pattern"),
        ({"only": ["*", None]}, r"only=\['\*', None\] must be a pattern"),
        ({"only": ["*", "nothing"]}, "only='nothing' matches none of the 3 cells"),
        ({"data": 5}, "data=5 is unknown"),
        ({"seeds": True}, "seeds=True"),
        ({"scale": "smok"}, "did you mean 'smoke'"),
        ({"seeds": 0}, "seeds=0"),
        ({"seeds": 20_000}, "seeds=20000 is out of range"),
        ({"data": "fake"}, "data='fake'"),
        ({"only": "nothing"}, "matches none of the 3 cells"),
    ],
)
def test_bad_arguments_are_named(toy, arguments, message):
    with pytest.raises(ConfigError, match=message):
        expand(toy, **{"scale": "smoke", "data": "embedded", **arguments})


def test_a_run_is_stored_with_its_provenance(toy, store):
    outcome = run_grid(
        expand(toy, "smoke", data="embedded"), store, "smoke", jobs=1, progress=False
    )
    assert outcome.computed == ["table/mean", "table/median", "table/trimmed_mean"]
    for record in store.read("smoke").values():
        made = record["provenance"]
        assert made["data"] == "embedded glyphs in place of MNIST"
        assert len(made["data_checksum"]) == 64
        assert {"commit", "device", "device_name", "threads", "versions", "wall_time_s"} <= set(
            made
        )
        assert {"python", "torch", "numpy"} <= set(made["versions"])
        # What was computed, not what was asked for.
        assert made["strategy"] in STRATEGIES


def test_the_time_of_the_processor_leaves_out_the_time_in_which_a_run_waited(toy, monkeypatch):
    (cell, *_) = expand(toy, "smoke", data="embedded")
    task = Task(cell, Store("toy"), "smoke", "cpu", "auto")

    def waits(*_):
        time.sleep(1.2)
        return {}

    monkeypatch.setattr(compute, "compute_metrics", waits)
    made = compute.play(task, load_dataset(cell.config.data)).provenance
    assert made["wall_time_s"] >= 1.2
    assert made["cpu_time_s"] <= 0.6


def test_a_stored_run_is_never_computed_again(toy, store, monkeypatch):
    cells = expand(toy, "smoke", data="embedded")
    run_grid(cells[:2], store, "smoke", jobs=1, progress=False)
    before = store.path("smoke").read_bytes()
    played = []
    original = engine.run
    monkeypatch.setattr(engine, "run", lambda *a, **k: played.append(a[0].id) or original(*a, **k))
    outcome = run_grid(cells, store, "smoke", jobs=1, progress=False)
    assert played == [cells[2].config.id]
    assert outcome.stored_before == ["table/mean", "table/median"]
    assert store.path("smoke").read_bytes().startswith(before)


def test_what_is_to_be_done_is_said_first(toy, store, capsys):
    cells = expand(toy, "smoke", data="embedded")
    put(store, cells[0], "smoke", 0.5, {"wall_time_s": 60.0})
    put(store, cells[1], "smoke", 0.5, {"wall_time_s": 2400.0})
    run_grid(cells, store, "smoke", jobs=1)
    out = capsys.readouterr().out.splitlines()
    # Neither of the two has the rule of the third, and all have the same attack.
    assert out[0] == "1 run to compute, about 20 min in all, as similar runs took"
    assert out[1].startswith("[1/1] table/trimmed_mean")
    run_grid(cells, store, "smoke", jobs=1)
    assert capsys.readouterr().out == ""


def test_the_outlook_adds_the_times_of_similar_runs(toy, store):
    cells = expand(toy, "smoke", data="embedded")
    configs = [cell.config for cell in cells]
    times = StoredTimes("cpu")
    assert pool._outlook(configs, 2, times) == "3 runs to compute, 2 at a time"
    put(store, cells[0], "smoke", 0.5, {"wall_time_s": 60.0})
    put(store, cells[1], "smoke", 0.5, {"wall_time_s": 600.0})
    times.add(store.read("smoke").values())
    told = "2 runs to compute, about 11 min in all, as similar runs took"
    assert pool._outlook(configs[:2], 1, times) == told
    # Two at a time end with the longer one.
    told = "2 runs to compute, 2 at a time, about 10 min in all, as similar runs took"
    assert pool._outlook(configs[:2], 2, times) == told
    unknown = configs[0].with_(model="cnn_32_64", n_clients=99)
    told = "3 runs to compute, about 11 min for 2 of them, as similar runs took"
    assert pool._outlook([*configs[:2], unknown], 1, times) == told


def test_a_failed_run_does_not_stop_the_others(toy, store, monkeypatch):
    original = engine.run

    def fail_for_median(config, *arguments):
        if config.aggregator.name == "median":
            raise RuntimeError("out of luck")
        return original(config, *arguments)

    monkeypatch.setattr(engine, "run", fail_for_median)
    cells = expand(toy, "smoke", data="embedded")
    outcome = run_grid(cells, store, "smoke", jobs=1, progress=False)
    assert outcome.failed == {"table/median seed 1": "RuntimeError: out of luck"}
    assert len(store.read("smoke")) == 2


def test_a_record_that_cannot_be_stored_does_not_stop_the_others(toy, store, monkeypatch):
    original = engine.run

    def no_number_for_median(config, *arguments, **named):
        metrics = original(config, *arguments, **named)
        return {**metrics, "odd": math.nan} if config.aggregator.name == "median" else metrics

    monkeypatch.setattr(engine, "run", no_number_for_median)
    cells = expand(toy, "smoke", data="embedded")
    outcome = run_grid(cells, store, "smoke", device="cpu", jobs=1, progress=False)
    (failed,) = outcome.failed.items()
    assert failed[0] == "table/median seed 1" and "cannot be stored" in failed[1]
    assert len(store.read("smoke")) == 2


def test_bad_device_and_jobs_are_refused_before_compute(toy, store):
    cells = expand(toy, "smoke", data="embedded")
    with pytest.raises(ConfigError, match="device='tpu'"):
        run_grid(cells, store, "smoke", device="tpu")
    for changes, message in (
        ({"jobs": 0}, "jobs=0"),
        ({"strategy": "merge"}, "strategy='merge' is unknown; did you mean 'merged'"),
        ({"progress": "no"}, "progress='no' must be True or False"),
        ({"scale": "smok"}, "scale='smok'"),
        ({"store": "toy"}, "store='toy' must be a Store"),
        ({"cells": 5}, "cells=5 must be cells"),
        ({"cells": [cells[0], "*/mean"]}, r"cells='\*/mean' must be cells"),
        ({"device": 5}, "device=5 is not available"),
    ):
        with pytest.raises(ConfigError, match=message):
            run_grid(**{"cells": cells, "store": store, "scale": "smoke", **changes})
    with pytest.raises(ConfigError, match="grid='toy' must be a Grid"):
        expand("toy", "smoke")
    assert store.read("smoke") == {}


def test_workers_and_one_process_store_the_same_numbers(tmp_path):
    grid = load_grid("centered_clipping")
    cells = expand(grid, "smoke", data="embedded", only="table_iv/mnist_noniid/rop/cc*/0.9")
    metrics = []
    for jobs in (1, 2):
        store = Store(grid.slug, tmp_path / str(jobs))
        outcome = run_grid(cells, store, "smoke", jobs=jobs, progress=False)
        assert outcome.computed and len(outcome.computed) == len(cells)
        metrics.append({run: record["metrics"] for run, record in store.read("smoke").items()})
    assert metrics[0] == metrics[1]


_SOME = "table_iv/fmnist_iid/*/cc*/0.9"
_COMMAND = [
    sys.executable, "-m", "fedlib", "run", "centered_clipping", "--scale", "smoke", "--data",
    "embedded", "--only", _SOME,
]  # fmt: skip


def _start(root: Path, jobs: int) -> subprocess.Popen:
    return subprocess.Popen(
        [*_COMMAND, "--jobs", str(jobs)],
        env={**os.environ, "FEDLIB_RESULTS": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A shell lets what it starts in the background ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_grid_killed_at_any_point_resumes_without_losing_or_repeating_a_run(tmp_path, jobs):
    wanted = len(expand(load_grid("centered_clipping"), "smoke", data="embedded", only=_SOME))
    path = tmp_path / "centered_clipping" / "smoke.jsonl"
    survived = b""
    for lines in (1, 4):  # killed twice, at moments that differ from time to time
        process = _start(tmp_path, jobs)
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if path.exists() and path.read_bytes().count(b"\n") >= lines:
                break
            time.sleep(0.003)
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, output
        stored = path.read_bytes()
        assert stored.startswith(survived), "a finished run was lost or changed"
        survived = stored[: stored.rfind(b"\n") + 1]
    done = survived.count(b"\n")
    assert 4 <= done < wanted
    process = _start(tmp_path, jobs)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert re.search(rf"\b{wanted - done} runs? computed, {done} stored before", output)
    stored = path.read_bytes()
    assert stored.startswith(survived)
    identities = [json.loads(line)["id"] for line in stored.splitlines()]
    assert len(identities) == len(set(identities)) == wanted


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_says_that_nothing_is_lost(tmp_path, jobs):
    path = tmp_path / "centered_clipping" / "smoke.jsonl"
    process = _start(tmp_path, jobs)
    deadline = time.monotonic() + 120
    while not (path.exists() and path.read_bytes()) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Finished runs are stored, and the same command computes the missing ones" in output
    assert "Traceback" not in output


def test_a_store_that_fills_up_stops_the_grid(toy, store, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module, "_write", full)
    played = []
    original = engine.run
    monkeypatch.setattr(engine, "run", lambda *a, **k: played.append(1) or original(*a, **k))
    with pytest.raises(StoreError, match="No space left"):
        run_grid(expand(toy, "smoke", data="embedded"), store, "smoke", jobs=1, progress=False)
    assert len(played) == 1


def test_workers_end_with_their_parent(tmp_path):
    path = tmp_path / "centered_clipping" / "smoke.jsonl"
    process = _start(tmp_path, 2)
    deadline = time.monotonic() + 120
    while not (path.exists() and path.read_bytes()) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    # The workers hold the other end of this pipe: it ends when the last of them is gone.
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL


def test_a_run_that_another_process_has_is_left_to_it(toy, store, tmp_path):
    cells = expand(toy, "smoke", data="embedded")
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from fedlib.runs.store import Store\n"
            f"with Store('toy', {str(tmp_path)!r}).claim({cells[0].config.id!r}) as mine:\n"
            "    print(mine, flush=True); sys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == "True\n"
    outcome = run_grid(cells, store, "smoke", jobs=1, progress=False)
    holder.communicate("")
    assert holder.returncode == 0
    assert outcome.elsewhere == ["table/mean"]
    assert len(outcome.computed) == 2
    assert run_grid(cells, store, "smoke", jobs=1, progress=False).computed == ["table/mean"]


def test_a_run_that_another_process_has_stored_meanwhile_counts_as_stored(toy, store, monkeypatch):
    cells = expand(toy, "smoke", data="embedded")
    original, busy, played = workers.compute, cells[1].config.id, []

    def beaten(task, on_round):
        put(store, task.cell, "smoke", 0.5)
        return original(task, on_round)

    monkeypatch.setattr(workers, "compute", beaten)
    monkeypatch.setattr(engine, "run", lambda *_: played.append(1))
    outcome = run_grid(cells[:1], store, "smoke", jobs=1, progress=False)
    assert outcome.stored_before == ["table/mean"] and outcome.elsewhere == []
    assert not played  # It looks once more when it has the claim.
    monkeypatch.undo()
    with store.claim(busy):
        outcome = run_grid(cells, store, "smoke", jobs=1, progress=False)
    assert outcome.elsewhere == ["table/median"]
    assert outcome.computed == ["table/trimmed_mean"]


def test_a_store_that_cannot_be_written_is_noticed_before_compute(toy, tmp_path, monkeypatch):
    (tmp_path / "toy").write_text("in the way of the folder")
    monkeypatch.setattr(engine, "run", lambda *_: pytest.fail("a run was played"))
    with pytest.raises(StoreError, match="cannot be written"):
        run_grid(expand(toy, "smoke", data="embedded"), Store("toy", tmp_path), "smoke", jobs=1)


def test_a_run_that_is_stored_while_it_is_computed_is_not_stored_again(toy, store, monkeypatch):
    (cell, *_) = expand(toy, "smoke", data="embedded")
    original = engine.run

    def beaten(*arguments):
        put(store, cell, "smoke", 0.5)
        return original(*arguments)

    monkeypatch.setattr(engine, "run", beaten)
    outcome = run_grid([cell], store, "smoke", jobs=1, progress=False)
    assert outcome.computed == [] and outcome.stored_before == ["table/mean"]
    (record,) = store.read("smoke").values()
    assert record["metrics"]["test_accuracy"] == [0.1, 0.5]


def test_no_more_time_is_left_than_the_budget(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("fedlib.grids.progress.time.monotonic", lambda: now[0])
    with Progress(1000, 3, budget=600) as bar, Progress(1000, 3) as endless:
        now[0] += 120
        for shown in (bar, endless):
            shown.advance(10)
            shown.line("a run")
        now[0] += 600
        bar.line("another run")
    said = [
        "[1/3] a run (8 min left)",
        "[1/3] a run (198 min left)",
        "[2/3] another run (0 s left)",
    ]
    assert capsys.readouterr().out.splitlines() == said


def test_a_queue_whose_lock_died_with_a_worker_holds_nobody_up():
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    queue._wlock.acquire()  # as a worker that is killed while it reports leaves it
    ended = threading.Event()

    def follow():
        with Progress(10, 1, False) as bar, bar.fed_by(queue):
            pass
        ended.set()

    threading.Thread(target=follow, daemon=True).start()
    assert ended.wait(timeout=30)


def test_workers_that_a_killed_one_holds_up_are_killed_too():
    context = multiprocessing.get_context("spawn")
    lock = context.Lock()
    lock.acquire()  # as an idle worker holds it that is killed: nobody ever opens it again
    holder = context.Process(target=time.sleep, args=(600,), daemon=True)
    acquire = operator.methodcaller("acquire")
    waiting = [context.Process(target=acquire, args=(lock,), daemon=True) for _ in range(2)]
    for process in [holder, *waiting]:
        process.start()
    holder.kill()
    ended = threading.Event()

    def wait():
        workers.wait_for_end([holder, *waiting])
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    assert ended.wait(timeout=30)
    assert [process.exitcode for process in waiting] == [-signal.SIGKILL] * 2


def test_workers_that_end_by_themselves_are_waited_for():
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=time.sleep, args=(seconds,), daemon=True) for seconds in (0, 0.5)
    ]
    for process in processes:
        process.start()
    workers.wait_for_end(processes)
    assert [process.exitcode for process in processes] == [0, 0]


def test_a_run_is_played_by_one_thread(toy, store, monkeypatch):
    seen, original = [], engine.run

    def spy(*arguments):
        seen.append(torch.get_num_threads())
        return original(*arguments)

    monkeypatch.setattr(engine, "run", spy)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        run_grid(expand(toy, "smoke", data="embedded"), store, "smoke", jobs=1, progress=False)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 1, 1]
    assert {r["provenance"]["threads"] for r in store.read("smoke").values()} == {1}


def _workers_of(pid):
    """The worker processes of a grid's process."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [
        int(child) for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]  # fmt: skip


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for children in /proc")
def test_a_grid_goes_on_when_a_worker_is_killed(tmp_path):
    wanted = len(expand(load_grid("centered_clipping"), "smoke", data="embedded", only=_SOME))
    path = tmp_path / "centered_clipping" / "smoke.jsonl"
    process = _start(tmp_path, 2)
    deadline = time.monotonic() + 120
    while not (path.exists() and path.read_bytes()) and time.monotonic() < deadline:
        time.sleep(0.003)
    os.kill(_workers_of(process.pid)[0], signal.SIGKILL)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert f"{wanted} runs computed" in output and " 0 failed" in output
    identities = [json.loads(line)["id"] for line in path.read_bytes().splitlines()]
    assert len(identities) == len(set(identities)) == wanted


def test_a_run_that_kills_its_process_twice_is_reported_and_the_others_are_computed(toy, store):
    cells = expand(toy, "smoke", data="embedded")
    deadly = Cell("deadly", cells[0].config.with_(attack=Deadly(), seed=9))
    # Some runs are done before, so that they are known not to be lost, and one comes after.
    order = [*cells[:2], deadly, cells[2]]
    outcome = run_grid(order, store, "smoke", jobs=2, progress=False)
    assert sorted(outcome.computed) == [cell.key for cell in sorted(cells, key=lambda c: c.key)]
    assert list(outcome.failed) == ["deadly seed 9"]
    assert "its process was killed" in outcome.failed["deadly seed 9"]
    assert "--jobs" in outcome.failed["deadly seed 9"]


def test_an_error_that_cannot_travel_is_reported_and_not_taken_for_a_killed_worker(toy, store):
    cells = expand(toy, "smoke", data="embedded")
    odd = Cell("odd", cells[0].config.with_(attack=Odd(), seed=9))
    outcome = run_grid([odd, *cells], store, "smoke", jobs=2, progress=False)
    assert outcome.failed == {"odd seed 9": "RuntimeError: OddError: this and that"}
    assert len(outcome.computed) == 3


def test_a_store_that_fails_stops_the_workers_too(toy, store, monkeypatch):
    monkeypatch.setattr(workers, "_work", _store_fails)
    cells = expand(toy, "smoke", data="embedded")
    many = [Cell(f"{i}", cells[0].config.with_(seed=i)) for i in range(1, 200)]
    started = time.monotonic()
    with pytest.raises(StoreError, match="no room"):
        run_grid(many, store, "smoke", jobs=2, progress=False)
    assert time.monotonic() - started < 60


def test_a_store_that_fails_tells_the_other_workers_to_stop(toy, store, monkeypatch):
    monkeypatch.setattr(workers, "_work", _second_store_fails)
    cells = expand(toy, "smoke", data="embedded")
    with pytest.raises(StoreError, match="no room"):
        run_grid(cells[:2], store, "smoke", jobs=2, progress=False)
    assert (store.folder / "told").read_text() == "to stop"


def _second_store_fails(task, number):
    if number == 1:
        # The other worker has begun by then.
        while not (task.store.folder / "told").exists():
            time.sleep(0.01)
        raise StoreError("no room")
    told = task.store.folder / "told"
    told.write_text("nothing")
    for _ in range(1000):
        if workers._stopped.is_set():
            told.write_text("to stop")
            break
        time.sleep(0.02)


def test_a_worker_that_is_told_to_stop_ends_with_its_round(toy, store, monkeypatch):
    class Ended(BaseException):
        pass

    def end(status):
        raise Ended(status)

    (cell, *_) = expand(toy, "smoke", data="embedded")
    stopped, begun, reports = threading.Event(), [0], queue.SimpleQueue()
    for name, value in (("_stopped", stopped), ("_begun", begun), ("_reports", reports)):
        monkeypatch.setattr(workers, name, value)
    monkeypatch.setattr(os, "_exit", end)
    task = Task(cell, store, "smoke", "cpu", "auto")
    stopped.set()
    with pytest.raises(Ended, match="130"):
        workers._work(task, 0)
    assert begun == [1] and store.read("smoke") == {}
    stopped.clear()
    assert workers._work(task, 0)["cell"] == "table/mean"
    assert reports.get() == cell.config.rounds


def _store_fails(task, number):
    time.sleep(2)
    raise StoreError("no room")


def test_a_script_without_a_main_guard_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from fedlib import expand, load_grid, run_grid\n"
        "from fedlib.runs.store import Store\n"
        "grid = load_grid('centered_clipping')\n"
        f"cells = expand(grid, 'smoke', data='embedded', only={_SOME!r})\n"
        f"run_grid(cells, Store(grid.slug, {str(tmp_path)!r}), 'smoke', jobs=2)\n"
    )
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    assert "must call run_grid below `if __name__ == '__main__':`" in result.stderr


def test_cells_are_kept_until_another_part_enters(toy, monkeypatch):
    asked = []

    def cells(scale, seed, data):
        asked.append((scale, seed))
        return [
            cell for cell in toy.cells(scale, seed, data)
            if "rule_of_a_test" not in AGGREGATORS or cell.key == "table/mean"
        ]  # fmt: skip

    grid = replace(toy, cells=cells)
    place = "smoke", 2
    first = grid.cells_on(*place)
    assert list(first) == toy.cells(*place, lambda name: DataConfig(name, *GENERATED))
    assert grid.cells_on(*place) is first
    assert grid.cells_on("smoke", 1)[0].config.seed == 1
    assert asked == [("smoke", 2), ("smoke", 1)]
    with monkeypatch.context() as patched:
        patched.setitem(AGGREGATORS._classes, "rule_of_a_test", type("Rule", (), {}))
        assert [cell.key for cell in grid.cells_on(*place)] == ["table/mean"]
    assert grid.cells_on(*place) is first


def test_each_data_set_comes_from_its_own_place():
    grid = load_grid("clustering_with_outliers")
    lossy = "real", "93 images from JPEG"
    cells = grid.cells_on("smoke", 1, {"cifar10": lossy})
    came = {cell.config.data.name: (cell.config.data.source, cell.config.data.variant)
            for cell in cells}  # fmt: skip
    assert came == {"cifar10": lossy, "emnist_byclass": GENERATED}
    everything = grid.cells_on("smoke", 1, others=lossy)
    assert {cell.config.data.source for cell in everything} == {"real"}
    assert [cell.key for cell in everything] == [cell.key for cell in cells]


def test_cells_that_are_known_serve_for_what_does_not_depend_on_the_data(toy):
    asked = []

    def cells(scale, seed, data):
        asked.append((scale, seed))
        return toy.cells(scale, seed, data)

    grid = replace(toy, cells=cells)
    grid.cells_on("smoke", 2)
    known = grid.cells_on("smoke", 1, others=("real", "canonical"))
    assert grid.cells_at("smoke") is known
    assert [cell.config.seed for cell in grid.cells_at("paper")] == [1] * len(known)
    assert asked == [("smoke", 2), ("smoke", 1), ("paper", 1)]
