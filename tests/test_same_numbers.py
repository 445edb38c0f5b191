"""A run gives the same numbers bit for bit, however many threads there are, and beside others."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import chaotic
import pytest
import torch


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The metrics of each run, played alone by a caller that has one thread."""
    folder = tmp_path_factory.mktemp("alone")
    return played_alone(folder, threads=1)


def played_alone(folder, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for cell in chaotic.cells():
            chaotic.play(folder, [cell])
            assert torch.get_num_threads() == threads  # the caller's stay
    finally:
        torch.set_num_threads(before)
    return chaotic.numbers(folder)


def start(folder, threads, jobs):
    """Play all runs in a process that the environment gives so many threads."""
    return subprocess.Popen(
        [sys.executable, Path(__file__).with_name("chaotic.py"), folder, str(jobs)],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def end(process):
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output


def test_the_runs_are_of_all_kinds_of_clients_and_chaotic(alone):
    assert list(alone) == ["momentum", "local", "robust"]
    for metrics in alone.values():
        # Neither have they diverged, after which all numbers would be the same again.
        assert None not in metrics["test_loss"]
        assert len(set(metrics["test_loss"])) == len(metrics["test_loss"])


@pytest.mark.parametrize("threads", [2, 4])
def test_with_any_number_of_threads_that_the_caller_sets(alone, tmp_path, threads):
    assert played_alone(tmp_path, threads) == alone


def test_with_threads_of_the_environment_and_beside_others_in_a_pool(alone, tmp_path):
    end(start(tmp_path, 2, 2))
    assert chaotic.numbers(tmp_path) == alone


def test_after_a_kill_and_with_more_threads_of_the_environment_than_before(alone, tmp_path):
    process = start(tmp_path, 1, 1)
    path = tmp_path / "chaotic" / "smoke.jsonl"
    deadline = time.monotonic() + 120
    while not (path.exists() and path.read_bytes()) and time.monotonic() < deadline:
        time.sleep(0.003)
    process.kill()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, output
    assert 1 <= path.read_bytes().count(b"\n") < len(alone)
    end(start(tmp_path, 4, 1))
    assert chaotic.numbers(tmp_path) == alone
