"""Learning the data from gradients."""

import io

import numpy as np
import pytest
import torch

from fedlib.agents.inversion import (
    load_samples,
    match_gradients,
    save_samples,
    wasserstein_distance,
)
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


LEARNED = {
    "x": torch.rand(3, 1, 2, 2),
    "y": torch.tensor([0, 1, 9]),
    "start": torch.ones(3, 1, 2, 2),
}


def packed(**changes):
    """The content of an npz file with some arrays other than those of learned samples."""
    arrays = {name: value.numpy() for name, value in LEARNED.items()} | changes
    content = io.BytesIO()
    np.savez(content, **{name: value for name, value in arrays.items() if value is not None})
    return content.getvalue()


def one_array():
    content = io.BytesIO()
    np.save(content, np.zeros((3, 1, 2, 2), np.float32))
    return content.getvalue()


def test_learned_samples_come_back_as_they_were():
    found = load_samples(save_samples(**LEARNED), n_classes=10)
    assert {name: array.tolist() for name, array in found.items()} == {
        name: value.tolist() for name, value in LEARNED.items()
    }
    assert found["x"].dtype == np.float32 and found["y"].dtype == np.int64
    assert load_samples(packed()).keys() == LEARNED.keys()


NAN = np.full((3, 1, 2, 2), np.nan, np.float32)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "No data left in file"),
        (b"x,y,start\n", "pickled"),
        (packed()[:-30], "BadZipFile"),
        (packed()[:150] + b"?" * 40 + packed()[190:], "BadZipFile: Bad CRC-32"),
        (one_array(), "it has no arrays, but must have x, y and start"),
        (packed(start=None), "it has 'x', 'y', but must have x, y and start"),
        (packed(more=np.zeros(2)), "it has 'x', 'y', 'start', 'more', but"),
        (packed(x=np.array(["a"])), "x must be an array of floats"),
        (packed(x=np.zeros((3, 1, 2, 2), complex)), "x must be an array of floats"),
        (packed(y=np.array([0.0, 1.0, 2.0])), "y must be an array of ints"),
        (packed(y=np.array([True, False, True])), "y must be an array of ints"),
        (packed(x=np.zeros((3, 4))), r"x of shape \(3, 4\), start of shape \(3, 1, 2, 2\)"),
        (packed(start=np.zeros((2, 1, 2, 2))), r"start of shape \(2, 1, 2, 2\)"),
        (packed(y=np.array([[0, 1, 2]])), r"y of shape \(1, 3\)"),
        (packed(**{name: value[:0].numpy() for name, value in LEARNED.items()}), "n at least 1"),
        (packed(x=NAN), "x and start must be finite"),
        (packed(start=NAN - np.inf), "x and start must be finite"),
        (packed(y=np.array([0, 1, 10])), "labels from 0 to 10, but they must be from 0 to 9"),
        (packed(y=np.array([0, -1, 3])), "labels from -1 to 3, but they must be from 0 to 9"),
    ],
)
def test_foreign_content_is_no_learned_samples(content, fault):
    with pytest.raises(ConfigError, match=f"^a/b.npz holds no learned samples; .*{fault}"):
        load_samples(content, 10, "a/b.npz")


def test_labels_are_not_negative_where_the_classes_are_not_known():
    assert load_samples(packed(y=np.array([0, 1, 1000])))["y"].max() == 1000
    with pytest.raises(ConfigError, match=r"content holds .* labels from -2 to 1, .* at least 0"):
        load_samples(packed(y=np.array([0, 1, -2])))
