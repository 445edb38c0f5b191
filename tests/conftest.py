"""A toy paper for tests: a grid of runs that take milliseconds."""

import pytest
import torch
from hypothesis import settings
from small import DATA

from fedlib.aggregators import AGGREGATORS
from fedlib.clients import MomentumSGD
from fedlib.data import DataConfig, load_dataset
from fedlib.evidence.noise import Noise, NoiseBook
from fedlib.grids import Cell, Grid
from fedlib.runs import RunConfig
from fedlib.runs.store import Store

# The same examples every time: a check that turns red points to a change.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

RULES = ("mean", "median", "trimmed_mean")


def toy_cells(scale, seed, data):
    rounds = {"smoke": 2, "quick": 4, "paper": 6}[scale]
    cells = []
    for rule in RULES:
        source = data("mnist")
        cells.append(
            Cell(
                f"table/{rule}",
                RunConfig(
                    data=DataConfig(
                        source.name,
                        source.source,
                        source.variant,
                        train_samples=60,
                        test_samples=20,
                    ),
                    model="softmax_regression",
                    n_clients=5,
                    client=MomentumSGD(batch_size=4),
                    aggregator=AGGREGATORS[rule](n_byzantine=1),
                    rounds=rounds,
                    eval_every=2,
                    seed=seed,
                ),
            )
        )
    return cells


@pytest.fixture(autouse=True)
def threads():
    """Give each test the threads that the process began with, whatever a test before has set.

    Tests run in several processes, each with one thread. With more threads they wait for each
    other's cores.
    """
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def toy():
    return Grid("toy", "A toy paper", toy_cells, {"smoke": 1, "quick": 2, "paper": 3})


@pytest.fixture
def store(tmp_path):
    return Store("toy", tmp_path)


@pytest.fixture(scope="session")
def dataset():
    return load_dataset(DATA)


@pytest.fixture
def quiet(monkeypatch):
    """Makes the noise between seeds small and known, so that one seed decides a claim."""
    monkeypatch.setattr(NoiseBook, "of", lambda self, result: Noise(0.001, 1000))
