"""Replays: a run whose clients' step is replayed gives the numbers of one that launches it.

Without a GPU a stand-in for CUDA graphs computes on the same fixed tensors, so that what a replay
gets wrong (a tensor that moved, a state that stays) shows here too.
"""

import pytest
import torch

from fedlib import engine
from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.clients import MomentumSGD
from fedlib.data import DataConfig, load_dataset
from fedlib.gradients import replay
from fedlib.gradients.replay import Graphs
from fedlib.runs import RunConfig

DATA = DataConfig("mnist", "embedded", "glyphs-1", train_samples=200, test_samples=100)


@pytest.fixture
def stand_in(monkeypatch):
    """Graphs that any device serves; the functions that were captured, by number of arguments."""
    captured = []

    def capture(function, arguments):
        captured.append(function)
        places = [None if argument is None else argument.clone() for argument in arguments]

        def tensors(result):
            return result if isinstance(result, tuple) else (result,)

        first = function(*places)
        kept = tuple(None if part is None else part.clone() for part in tensors(first))

        def again():
            for place, part in zip(kept, tensors(function(*places)), strict=True):
                if place is not None:
                    place.copy_(part)

        return replay._Kept(again, places, kept if isinstance(first, tuple) else kept[0])

    monkeypatch.setattr(replay, "_capture", capture)
    monkeypatch.setattr(Graphs, "serve", staticmethod(lambda device: True))
    return captured


def setting(**changes):
    values = {
        "data": DATA,
        "model": "softmax_regression",
        "n_clients": 9,
        "n_byzantine": 2,
        "client": MomentumSGD(batch_size=5, momentum=0.9),
        "aggregator": AGGREGATORS["centered_clipping"](n_byzantine=2),
        "attack": ATTACKS["rop"](n_byzantine=2),
        "rounds": 7,
        "eval_every": 1,
        "milestones": (4,),
    }
    return RunConfig(**{**values, **changes})


def played(config, device="cpu"):
    metrics = engine.run(config, load_dataset(DATA), device, strategy="grouped")
    return torch.tensor(metrics["train_loss"] + metrics["test_loss"], dtype=torch.float64)


@pytest.mark.parametrize("client", [MomentumSGD(5), MomentumSGD(5, 0.9)])
def test_a_replayed_run_gives_the_numbers_of_a_launched_one(request, client):
    config = setting(client=client)
    expected = played(config)
    captured = request.getfixturevalue("stand_in")
    assert torch.equal(played(config), expected)
    assert len(captured) == 1  # the clients' step


@pytest.mark.skipif(not torch.cuda.is_available(), reason="graphs are a GPU's")
def test_a_gpu_replays_what_it_would_launch(monkeypatch):
    found = played(setting(), "cuda")
    monkeypatch.setattr(Graphs, "serve", staticmethod(lambda device: False))
    torch.testing.assert_close(found, played(setting(), "cuda"), rtol=1e-3, atol=1e-5)


def test_other_shapes_are_kept_apart(stand_in):
    graphs = Graphs()
    for values in (torch.ones(2), torch.ones(3), None, torch.zeros(2)):
        found = graphs("twice", lambda x: torch.ones(1) if x is None else 2 * x, values)
        assert torch.equal(found, torch.ones(1) if values is None else 2 * values)
    assert len(stand_in) == 3
