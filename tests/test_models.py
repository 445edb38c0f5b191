"""Networks and their flat parameters."""

from concurrent.futures import ThreadPoolExecutor

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
    [
        ("cnn_20_50", 10, 431_080),
        ("cnn_4_8", 10, 3_146),
        ("cnn_32_64", 62, 115_646),
        ("elu_cnn_small", 10, 11_730),
    ],
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
    # "Roughly 0.5 %" of the parameters (centered_clipping, section VII).
    assert 0.003 < mask.float().mean() < 0.01


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_every_model_maps_images_to_logits(name, shape):
    classes = 2 if name.startswith("fasttext") else 7
    if name.startswith("elu_cnn") and shape[1] != 28:
        return
    assert make_model(name, shape, classes, 0)(torch.zeros(2, *shape)).shape == (2, classes)


def test_the_networks_of_text_and_tables_have_the_size_of_the_paper():
    assert ParameterLayout.of(make_model("fasttext", (1, 1, 200), 2, 0)).size == 2_500_101
    assert ParameterLayout.of(make_model("fasttext_1000", (1, 1, 200), 2, 0)).size == 100_101
    sizes = 92 * 46 + 47 * 23 + 24 * 9
    assert ParameterLayout.of(make_model("mlp_46_23", (1, 1, 91), 9, 0)).size == sizes
    with pytest.raises(ConfigError, match="2 classes, not 9"):
        make_model("fasttext", (1, 1, 200), 9, 0)


def test_fasttext_scores_the_mean_of_its_words_whatever_their_order_and_padding():
    model = make_model("fasttext", (1, 1, 5), 2, 0)
    text = torch.tensor([[4.0, 9.0, 9.0, 0.0, 0.0], [9.0, 0.0, 4.0, 0.0, 9.0], [0.0] * 5])
    logits = model(text.view(3, 1, 1, 5))
    vectors = model[0].weight
    mean = (vectors[4] + 2 * vectors[9]) / 3
    z = mean @ model[1].weight[0] + model[1].bias[0]
    torch.testing.assert_close(logits[0], torch.stack([torch.zeros(()), z]))
    torch.testing.assert_close(logits[1], logits[0])
    torch.testing.assert_close(logits[2, 1], model[1].bias[0])
    labels = torch.tensor([1, 0, 1])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 1], labels.float())
    torch.testing.assert_close(torch.nn.functional.cross_entropy(logits, labels), expected)


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


def test_threads_side_by_side_initialise_what_one_would():
    def initialised(seed):
        return flatten_parameters(make_model("mlp_100", (1, 28, 28), 10, seed)).sum().item()

    seeds = list(range(60))
    expected = [initialised(seed) for seed in seeds]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(initialised, seeds)) == expected
