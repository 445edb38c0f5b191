"""What a process may use: control groups of both versions, made by hand."""

import math
import mmap
import os
from dataclasses import replace
from pathlib import Path

import pytest

from fedlib import hardware, limits
from fedlib.data import DataConfig
from fedlib.data.datasets import EMBEDDED_VARIANT
from fedlib.grids import pool, run_grid, side_by_side
from fedlib.grids.compute import Task
from fedlib.models import make_model
from fedlib.validation import ConfigError

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "32 30 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "33 30 0:29 / /sys/fs/cgroup/memory rw shared:9 master:1 - cgroup cgroup rw,memory\n"
)
OWN_V1 = "5:cpuset:/\n4:memory:/a/b\n3:cpu,cpuacct:/a/b\n1:name=systemd:/other\n"
MB = 2**20
NO_LIMIT_V1 = str(9223372036854771712)


@pytest.fixture
def system(tmp_path):
    """Make the files of a system below a folder, which is given back."""

    def made(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(text))
        return tmp_path

    return made


def v2(path="/", mounts=V2, **files):
    """The files of a system of version 2; ``a__cpu_max`` is ``cpu.max`` of the group ``a``."""
    named = {}
    for name, text in files.items():
        *groups, file = name.split("__")
        named["/".join(["sys/fs/cgroup", *groups, file.replace("_", ".", 1)])] = text
    return {"proc/self/cgroup": f"0::{path}\n", "proc/self/mountinfo": mounts, **named}


def v1(files, mounts=V1, own=OWN_V1):
    named = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    return {"proc/self/cgroup": own, "proc/self/mountinfo": mounts, **named}


def quota_v1(group, quota):
    folder = f"cpu,cpuacct/{group}"
    return {f"{folder}cpu.cfs_quota_us": quota, f"{folder}cpu.cfs_period_us": 100000}


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        (v2(cpu_max="50000 100000"), 1),
        (v2(cpu_max="max 100000"), 64),
        (v2(cpu_max="200000 100000"), 2),
        (v2(cpu_max="250000 100000"), 3),  # the half would be left idle
        (v2(cpu_max="1000 100000"), 1),
        (v2(cpu_max="9900000 100000"), 64),  # no more than there are
        (v2(), 64),
        (v2("/a/b", a__b__cpu_max="max 100000", a__cpu_max="300000 100000"), 3),
        (v2("/a/b", a__b__cpu_max="400000 100000", a__cpu_max="800000 100000"), 4),
        (v2("/a/b", a__b__cpu_max="400000 100000", a__cpu_max="50000 50000"), 1),
        (v2("/a/b", other__cpu_max="100000 100000"), 64),
        # A container that sees its own group as the highest, under its machine's path.
        (v2("/../..", cpu_max="200000 100000"), 2),
        (v2("/box/1", V2.replace("0:26 / ", "0:26 /box/1 "), cpu_max="200000 100000"), 2),
        (v2("/box/1/a", V2.replace("0:26 / ", "0:26 /box/1 "), a__cpu_max="100000 100000"), 1),
        (v2("/elsewhere", V2.replace("0:26 / ", "0:26 /box/1 "), cpu_max="200000 100000"), 2),
        (v1(quota_v1("a/b/", 50000)), 1),
        (v1(quota_v1("a/b/", -1)), 64),
        (v1({**quota_v1("a/b/", -1), **quota_v1("a/", 200000), **quota_v1("", -1)}), 2),
        (v1(quota_v1("other/", 100000)), 64),
        (v1({"cpuset/cpu.cfs_quota_us": 100000, "cpuset/cpu.cfs_period_us": 100000}), 64),
        # Both versions at once, as systemd's hybrid mode has them.
        ({**v1(quota_v1("a/b/", 300000), V1 + V2.replace("cgroup rw,nosuid", "cgroup/unified rw"),
               OWN_V1 + "0::/a\n"), "sys/fs/cgroup/unified/a/cpu.max": "200000 100000"}, 2),
        ({**v1({}, V1.replace("/sys/fs/cgroup/cpu,cpuacct", r"/my\040groups")),
          "my groups/a/cpu.cfs_quota_us": 200000, "my groups/a/cpu.cfs_period_us": 100000}, 2),
        (v2(cpu_max="nonsense"), 64),
        ({}, 64),  # no control groups, or no Linux
    ],
)  # fmt: skip
def test_cores_are_those_of_every_group_above(system, monkeypatch, files, cores):
    monkeypatch.setattr(limits, "_allowed_cores", lambda: 64)
    assert limits.cores(system(files)) == cores


def test_cores_that_a_process_is_bound_to_count_alone(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert limits.cores(tmp_path) == 2
    monkeypatch.delattr(os, "sched_getaffinity")  # macOS
    assert limits.cores(tmp_path) == 64
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert limits.cores(tmp_path) == 1
    monkeypatch.setattr(os, "process_cpu_count", lambda: 7, raising=False)
    assert limits.cores(tmp_path) == 7


def memory_v1(group, limit, used, cached=0):
    return {
        f"memory/{group}memory.limit_in_bytes": limit,
        f"memory/{group}memory.usage_in_bytes": used,
        f"memory/{group}memory.stat": f"inactive_file 7\ntotal_inactive_file {cached}\n",
    }


@pytest.mark.parametrize(
    ("files", "free"),
    [
        (v2(memory_max=600 * MB, memory_current=100 * MB), 500 * MB),
        (v2(memory_max="max", memory_current=100 * MB), 8000 * MB),
        (v2(memory_max=600 * MB, memory_high=400 * MB, memory_current=100 * MB), 300 * MB),
        (v2(memory_max=600 * MB, memory_current=500 * MB,
            memory_stat=f"anon 1\ninactive_file {200 * MB}\n"), 300 * MB),
        (v2(memory_max=600 * MB, memory_current=700 * MB), 0),
        (v2("/a/b", a__memory_max=900 * MB, a__memory_current=800 * MB,
            a__b__memory_max=600 * MB, a__b__memory_current=0), 100 * MB),
        (v2(memory_max=9000 * MB, memory_current=0), 8000 * MB),
        (v1(memory_v1("a/b/", 600 * MB, 100 * MB)), 500 * MB),
        (v1(memory_v1("a/b/", NO_LIMIT_V1, 100 * MB)), 8000 * MB),
        (v1(memory_v1("a/b/", 600 * MB, 500 * MB, 150 * MB)), 250 * MB),
        (v1({**memory_v1("a/b/", NO_LIMIT_V1, 0), **memory_v1("a/", 700 * MB, 0)}), 700 * MB),
        ({}, 8000 * MB),
    ],
)  # fmt: skip
def test_memory_is_what_every_group_above_leaves(system, files, free):
    text = f"MemTotal: 99999999 kB\nMemAvailable:    {8000 * 1024} kB\n"
    assert limits.free_memory(system({**files, "proc/meminfo": text})) == free


def test_memory_of_a_system_that_tells_no_free_one_is_all(tmp_path, monkeypatch):
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    assert limits.free_memory(tmp_path) == 4_096_000
    monkeypatch.delattr(os, "sysconf")  # Windows
    assert limits.free_memory(tmp_path) == math.inf


def test_the_size_of_this_process_is_read(tmp_path):
    size = limits.memory_of_this_process()
    assert 50 * MB < size < 20_000 * MB
    with mmap.mmap(-1, 100 * MB) as held:
        held.write(b"x" * len(held))
        assert limits.memory_of_this_process() - size > 80 * MB
        largest = limits.memory_of_this_process(tmp_path)  # as on macOS
        assert 100 * MB < largest < 50_000 * MB


@pytest.fixture
def tasks(toy, store):
    cells = toy.cells("smoke", 1, lambda name: DataConfig(name, "embedded", EMBEDDED_VARIANT))
    return [Task(cell, store, "smoke", "cpu", "auto") for cell in cells] * 30


def machine(monkeypatch, cores, free, size=200 * MB):
    monkeypatch.setattr(limits, "cores", lambda: cores)
    monkeypatch.setattr(limits, "free_memory", lambda: free)
    monkeypatch.setattr(limits, "memory_of_this_process", lambda: size)


def test_as_many_runs_side_by_side_as_cores_and_memory_allow(monkeypatch, tasks):
    loaded = side_by_side.load_data(tasks)
    machine(monkeypatch, 64, math.inf)
    assert side_by_side.side_by_side(tasks, loaded) == 64
    machine(monkeypatch, 64, 600 * MB)
    assert side_by_side.side_by_side(tasks, loaded) == 2
    machine(monkeypatch, 1, 600 * MB)
    assert side_by_side.side_by_side(tasks, loaded) == 1
    machine(monkeypatch, 64, 0)
    assert side_by_side.side_by_side(tasks, loaded) == 1
    assert side_by_side.side_by_side([], {}) == 1


def test_a_grid_takes_no_more_workers_than_fit(monkeypatch, toy, store):
    cells = toy.cells("smoke", 1, lambda name: DataConfig(name, "embedded", EMBEDDED_VARIANT))
    machine(monkeypatch, 64, 600 * MB)
    asked = []

    def in_workers(tasks, jobs, bar):
        asked.append(jobs)
        yield from pool.in_process(tasks, bar)

    monkeypatch.setattr(pool, "in_workers", in_workers)
    assert len(run_grid(cells, store, "smoke", progress=False).computed) == 3
    assert asked == [2]
    with pytest.raises(ConfigError, match="jobs=0"):
        run_grid(cells, store, "smoke", jobs=0, progress=False)


def test_a_gpu_takes_one_run_unless_told_otherwise(monkeypatch, tasks):
    machine(monkeypatch, 64, math.inf)
    on_gpu = [Task(task.cell, task.store, "smoke", "cuda:1", "auto") for task in tasks]
    assert side_by_side.side_by_side(on_gpu, side_by_side.load_data(tasks)) == 1


def test_a_worker_is_as_large_as_its_largest_run(monkeypatch, tasks):
    machine(monkeypatch, 64, math.inf, 100)
    config = replace(tasks[0].cell.config, model="cnn_4_8", n_clients=20)
    larger = replace(tasks[0], cell=replace(tasks[0].cell, config=config))
    model = make_model("cnn_4_8", (1, 28, 28), 10, 0)
    updates = 20 * sum(values.numel() for values in model.parameters()) * 4
    loaded = side_by_side.load_data(tasks)
    expected = 100 * side_by_side.GROWTH + side_by_side.COPIES * updates
    assert side_by_side.worker_memory([tasks[0], larger, tasks[1]], loaded) == pytest.approx(
        expected
    )


def test_doctor_and_threads_go_by_what_may_be_used(monkeypatch):
    assert hardware.cores is limits.cores
    monkeypatch.setattr(hardware, "cores", lambda: 6)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [hardware.threads_per_job(jobs) for jobs in (1, 2, 4, 12)] == [6, 3, 1, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert hardware.threads_per_job(1) == 2


def test_every_group_is_given_from_the_own_one_up(system):
    root = system(v2("/a/b"))
    folders = [group.folder for group in limits.groups("cpu", root)]
    assert folders == [root / "sys/fs/cgroup" / Path(part) for part in ("a/b", "a", ".")]
