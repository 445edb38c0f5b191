"""Networks and their flat parameters."""

import pytest
import torch

from fedlib.models import (
    MODELS,
    ParameterLayout,
    critical_parameters,
    flatten_parameters,
    make_model,
)
from fedlib.validation import ConfigError


@pytest.mark.parametrize(
    ("name", "classes", "size"),
    [("cnn_20_50", 10, 431_080), ("cnn_4_8", 10, 3_146), ("cnn_32_64", 62, 115_646)],
)
def test_sizes_are_those_of_the_papers(name, classes, size):
    model = make_model(name, (1, 28, 28), classes, 0)
    assert ParameterLayout.of(model).size == size


@pytest.mark.parametrize(
    ("name", "classes", "size"),
    [
        ("resnet20", 10, 272_474),
        ("resnet20_code", 10, 696_618),
        ("resnet9", 100, 4_949_412),
        ("resnet18", 10, 11_173_962),
    ],
)
def test_residual_networks_have_the_size_of_the_papers(name, classes, size):
    model = make_model(name, (3, 32, 32), classes, 0)
    assert ParameterLayout.of(model).size == size


def test_critical_parameters_are_ends_norms_and_biases():
    model = make_model("resnet20_code", (3, 32, 32), 10, 0)
    mask = critical_parameters(model)
    parts = ParameterLayout.of(model).views(mask)
    for name, part in parts.items():
        ends = name.startswith("0.") or name.startswith(f"{len(model) - 1}.")
        assert bool(part.all()) == bool(part.any()) == (ends or part.dim() == 1), name
    # "Roughly 0.5 %" of the parameters (centered_clipping, section VI-C).
    assert 0.003 < mask.float().mean() < 0.01


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_every_model_maps_images_to_logits(name, shape):
    assert make_model(name, shape, 7, 0)(torch.zeros(2, *shape)).shape == (2, 7)


def test_initialisation_depends_on_the_seed_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = flatten_parameters(make_model("cnn_4_8", (1, 28, 28), 10, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    assert torch.equal(flatten_parameters(make_model("cnn_4_8", (1, 28, 28), 10, 1)), first)
    assert not torch.equal(flatten_parameters(make_model("cnn_4_8", (1, 28, 28), 10, 2)), first)


def test_parameters_become_views_of_the_flat_vector():
    model = make_model("cnn_4_8", (1, 28, 28), 10, 1)
    x = torch.rand(2, 1, 28, 28)
    before = model(x)
    flat = flatten_parameters(model)
    assert torch.equal(model(x), before)
    with torch.no_grad():
        flat.zero_()
    assert all(not parameter.any() for parameter in model.parameters())


def test_layout_views_keep_leading_axes_and_memory():
    layout = ParameterLayout.of(make_model("softmax_regression", (1, 2, 2), 3, 0))
    flat = torch.zeros(5, layout.size)
    views = layout.views(flat)
    assert {name: tuple(view.shape) for name, view in views.items()} == {
        "1.weight": (5, 3, 4), "1.bias": (5, 3),
    }  # fmt: skip
    views["1.bias"][2] = 1
    assert flat.sum() == 3


def test_unknown_name():
    with pytest.raises(ConfigError, match="did you mean 'cnn_4_8'"):
        make_model("cnn_4_9", (1, 28, 28), 10, 0)


def test_the_accelerators_generators_are_not_seeded(monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    make_model("cnn_4_8", (1, 28, 28), 10, 1)
    assert not seeded


def test_initialisation_is_torchs_own_from_that_seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        expected = MODELS["cnn_4_8"]((1, 28, 28), 10)
    found = make_model("cnn_4_8", (1, 28, 28), 10, 4)
    assert all(map(torch.equal, found.parameters(), expected.parameters()))
