"""Learning the data from gradients."""

import numpy as np
import pytest
import torch

from fedlib.agents.inversion import match_gradients, wasserstein_distance
from fedlib.gradients import gradients
from fedlib.models import flatten_parameters, make_model
from fedlib.validation import ConfigError


def seen(x, y, rounds=3):
    """Models of some rounds, and the gradients there on ``x``, ``y``."""
    models, found = [], []
    for seed in range(rounds):
        model = make_model("elu_4_2", (1, 1, 2), 2, seed).double()
        models.append(flatten_parameters(model).clone())
        grads, _ = gradients(model, x[None], y[None], strategy="loop")
        found.append(grads[0])
    return model, torch.stack(models), torch.stack(found)


def test_matching_moves_the_samples_to_those_that_were_trained_on():
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(3, 1, 1, 2, generator=generator, dtype=torch.float64)
    y = torch.tensor([0, 1, 1])
    model, models, grads = seen(x, y, rounds=6)
    start = x + 0.5 * torch.randn(x.shape, generator=generator, dtype=torch.float64)
    before = wasserstein_distance(start, x)
    found = match_gradients(model, models, grads, start, y, n_iterations=400, learning_rate=0.02)
    assert wasserstein_distance(found, x) < 0.25 * before
    assert torch.equal(match_gradients(model, models, grads, start, y, n_iterations=0), start)


def test_samples_that_match_stay():
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(4, 1, 1, 2, generator=generator, dtype=torch.float64)
    y = torch.tensor([0, 1, 1, 0])
    model, models, grads = seen(x, y)
    before = flatten_parameters(model).clone()
    found = match_gradients(model, models, grads, x, y, n_iterations=1)
    torch.testing.assert_close(found, x)
    assert torch.equal(flatten_parameters(model), before)


def test_gradients_must_belong_to_the_models():
    model, models, grads = seen(torch.zeros(1, 1, 1, 2, dtype=torch.float64), torch.tensor([0]))
    with pytest.raises(ConfigError, match=r"gradients of shape \(2, 28\) do not belong"):
        match_gradients(model, models, grads[:2], torch.zeros(1, 1, 1, 2), torch.tensor([0]))


def test_distance_of_samples_by_hand():
    x = torch.tensor([[0.0], [1.0], [5.0]])
    z = torch.tensor([[6.0], [0.0], [3.0]])
    # On a line the sorted order is the best assignment: 0-0, 1-3, 5-6.
    assert wasserstein_distance(x, z) == pytest.approx(((0 + 4 + 1) / 3) ** 0.5)
    assert wasserstein_distance(x, x[[2, 0, 1]]) == 0
    shifted = torch.randn(30, 4, generator=torch.Generator().manual_seed(1))
    assert wasserstein_distance(shifted, shifted + 2) == pytest.approx(np.sqrt(4 * 4), rel=1e-5)
    with pytest.raises(ConfigError, match="samples of 3 and 2"):
        wasserstein_distance(x, z[:2])
