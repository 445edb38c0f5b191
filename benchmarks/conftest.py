"""Benchmarks of fedlib side by side with byzfl: ``make bench`` (``DEVICE=cuda`` on a GPU).

Each pair has the same input, in one run on one machine; what counts is their ratio.
"""

import pytest
import torch

from fedlib import hardware
from fedlib.compat import import_torchvision

# byzfl imports torchvision at once, which over a CPU build of torch needs a hand.
import_torchvision()


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", help="where to measure: cpu or cuda")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--device") == "cpu":
        return
    for item in items:
        # What does not ask for the device would measure the processor, in the GPU's name.
        if "device" not in item.fixturenames:
            item.add_marker(pytest.mark.skip(reason="measures a processor"))


@pytest.fixture(scope="session")
def device(request):
    return torch.device(request.config.getoption("--device"))


@pytest.fixture(scope="session")
def waited(device):
    """``waited(function)``: the function, and what it makes a GPU do, done."""

    def wait_for(function):
        if device.type == "cpu":
            return function

        def until_done():
            result = function()
            torch.cuda.synchronize()
            return result

        return until_done

    return wait_for


@pytest.fixture(autouse=True, scope="session")
def machine():
    """All cores for either library, and memory kept, as in a grid's process."""
    hardware.configure(hardware.threads_per_job(1))


@pytest.fixture(scope="session")
def matrix(device):
    """Update matrices ``(n, d)`` by size, made once."""
    made = {}

    def make(n, d):
        if (n, d) not in made:
            made.clear()
            drawn = torch.randn(n, d, generator=torch.Generator().manual_seed(0))
            made[n, d] = drawn.to(device)
        return made[n, d]

    return make


def pytest_benchmark_update_machine_info(config, machine_info):
    device = torch.device(config.getoption("--device"))
    machine_info["fedlib"] = hardware.describe(device)
    machine_info["cores"] = hardware.cores()
