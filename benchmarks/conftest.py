"""Benchmarks of fedlib side by side with byzfl: ``make bench``.

Each pair has the same input, in one run on one machine; what counts is their ratio.
"""

import pytest
import torch

from fedlib import hardware
from fedlib.compat import import_torchvision

# byzfl imports torchvision at once, which over a CPU build of torch needs a hand.
import_torchvision()


@pytest.fixture(autouse=True, scope="session")
def machine():
    """All cores for either library, and memory kept, as in a grid's process."""
    hardware.configure(hardware.threads_per_job(1))


@pytest.fixture(scope="session")
def matrix():
    """Update matrices ``(n, d)`` by size, made once."""
    made = {}

    def make(n, d):
        if (n, d) not in made:
            made.clear()
            made[n, d] = torch.randn(n, d, generator=torch.Generator().manual_seed(0))
        return made[n, d]

    return make


def pytest_benchmark_update_machine_info(config, machine_info):
    machine_info["fedlib"] = hardware.describe(torch.device("cpu"))
    machine_info["cores"] = hardware.cores()
