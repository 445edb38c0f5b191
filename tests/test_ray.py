"""A grid on a Ray cluster of two nodes. Ray is an extra, which ``make test`` does not install."""

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="needs the extra ray, which make test does not install")

import on_cluster
from deadly import Deadly
from odd import Odd
from ray.cluster_utils import Cluster

from fedlib.grids import Cell, OnRay, expand, run_grid
from fedlib.runs.store import Store
from fedlib.validation import ConfigError

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")


@pytest.fixture(scope="module")
def cluster():
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # The nodes find the modules of the tests there.
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE.parent), str(HERE)]))
        made = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
        )
        made.second = made.add_node(num_cpus=1)
        yield made
        made.shutdown()


def test_a_cluster_stores_what_one_process_does(cluster, toy, store, tmp_path, capsys):
    cells = expand(toy, "smoke", data="embedded")
    deadly = Cell("deadly", cells[0].config.with_(attack=Deadly(), seed=9))
    odd = Cell("odd", cells[0].config.with_(attack=Odd(), seed=9))
    on = OnRay(cluster.address)
    with store.claim(cells[2].config.id):
        outcome = run_grid([odd, deadly, *cells], store, "smoke", ray=on)
    assert sorted(outcome.computed) == sorted(cell.key for cell in cells[:2])
    assert outcome.elsewhere == [cells[2].key]
    assert outcome.failed.keys() == {"deadly seed 9", "odd seed 9"}
    assert outcome.failed["odd seed 9"] == "RuntimeError: OddError: this and that"
    assert "its process or its node died 3 times" in outcome.failed["deadly seed 9"]
    assert "5 runs to compute" in capsys.readouterr().out
    assert run_grid(cells, store, "smoke", ray=on, jobs=1).computed == [cells[2].key]
    alone = Store("toy", tmp_path / "alone")
    run_grid(cells, alone, "smoke", jobs=1, progress=False)
    metrics = [
        {run: record["metrics"] for run, record in one.read("smoke").items()}
        for one in (store, alone)
    ]
    assert metrics[0] == metrics[1] and len(metrics[0]) == 3
    again = run_grid(cells, store, "smoke", ray=on, progress=False)
    assert len(again.stored_before) == 3 and not again.computed
    with pytest.raises(ConfigError, match="no node of the cluster has a GPU"):
        run_grid(cells, Store("toy", tmp_path / "gpu"), "smoke", ray=OnRay(on.address, 0.5))


def test_no_run_is_lost_and_none_is_stored_twice(cluster, tmp_path):
    """A worker is killed, a node removed, and the driver killed and started again."""
    path = Store("toy", tmp_path).path("smoke")
    wanted = on_cluster.cells()
    process = start(cluster, tmp_path)
    wait_for(lambda: busy(cluster) and lines(path) >= 1)
    os.kill(busy(cluster)[0], signal.SIGKILL)
    wait_for(lambda: lines(path) >= 2 and len(busy(cluster)) == 2)
    cluster.remove_node(cluster.second, allow_graceful=False)
    wait_for(lambda: lines(path) >= 3)
    assert process.poll() is None and lines(path) < len(wanted)
    process.kill()
    process.communicate()
    process = start(cluster, tmp_path)
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, output + errors
    assert "failed={}" in output
    stored = Store("toy", tmp_path).read("smoke")
    assert lines(path) == len(stored) == len(wanted)
    assert stored.keys() == {cell.config.id for cell in wanted}


def start(cluster, folder):
    return subprocess.Popen(
        [sys.executable, str(HERE / "on_cluster.py"), cluster.address, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_for(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def busy(cluster):
    """The processes on the cluster's nodes that compute a run now."""
    raylets = {
        p.process.pid for node in cluster.list_all_nodes() for p in node.all_processes["raylet"]
    }
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            title = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if parent in raylets and b"fedlib_run" in title:
            found.append(int(folder.name))
    return found
