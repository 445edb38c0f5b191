"""Rounds a second of the whole machine: runs side by side, as a grid plays them, against byzfl.

A grid plays one run a core; byzfl is measured as one process with all threads, and as one
process a core.
"""

import multiprocessing
import time

import pytest

from fedlib import hardware
from fedlib.compat import import_torchvision

# In a process of a benchmark there is no conftest.py to do it.
import_torchvision()

from benchmarks.test_round import LIBRARIES  # noqa: E402

ROUNDS = {"cnn_4_8": 60, "cnn_20_50": 15}


def play(library, model, threads, ready, elapsed):
    """In a process of its own: a few rounds to warm up, then, all at once, the timed ones."""
    hardware.configure(threads)
    function = LIBRARIES[library](model, 25)
    for _ in range(3):
        function()
    ready.wait(timeout=120)
    start = time.perf_counter()
    for _ in range(ROUNDS[model]):
        function()
    elapsed.put(time.perf_counter() - start)


@pytest.mark.parametrize("model", ROUNDS)
@pytest.mark.parametrize(
    ("name", "library", "jobs"),
    [
        ("fedlib", "fedlib", hardware.cores()),
        ("byzfl", "byzfl", 1),
        ("byzfl, a process a core", "byzfl", hardware.cores()),
    ],
)
def test_rounds_a_second(benchmark, model, name, library, jobs):
    context = multiprocessing.get_context("spawn")
    ready, elapsed = context.Barrier(jobs), context.Queue()
    arguments = (library, model, hardware.threads_per_job(jobs), ready, elapsed)
    workers = [context.Process(target=play, args=arguments) for _ in range(jobs)]

    def all_of_them():
        for worker in workers:
            worker.start()
        slowest = max(elapsed.get(timeout=120) for _ in workers)
        for worker in workers:
            worker.join()
        return slowest

    slowest = benchmark.pedantic(all_of_them, rounds=1, iterations=1)
    seconds = slowest / (jobs * ROUNDS[model])  # of the machine, for one round of one run
    benchmark.group = f"jobs {model}"
    benchmark.extra_info.update(
        kind="jobs", name=model, library=name, size=[25, 32], seconds=seconds
    )
