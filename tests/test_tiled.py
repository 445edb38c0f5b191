"""The compiled passes over tiles of samples, beside autograd in double precision."""

import math

import pytest
import torch
from small import config
from torch import nn

from fedlib import engine, kernels
from fedlib.clients import LocalSGD, MomentumSGD
from fedlib.gradients import base as strategies
from fedlib.gradients import (
    choose_strategy,
    forward,
    gradients,
    local_updates,
    saliency_maps,
    tiled,
)
from fedlib.models import flatten_parameters, make_model
from fedlib.validation import ConfigError

pytestmark = pytest.mark.skipif(not kernels.available(), reason=kernels.lack())

CPU = torch.device("cpu")


def conv(*settings, **more):
    return nn.Conv2d(*settings, **more)


# Layers of all sizes that blocks of four, eight and sixteen do and do not divide, with the sides of
# their images.
LAYERS = {
    "linear": (1, 1, [nn.Flatten(), nn.Linear(1, 2)]),
    "linear without bias": (2, 3, [nn.Flatten(), nn.Linear(18, 5, bias=False)]),
    "linear of odd sizes": (3, 5, [nn.Flatten(), nn.Linear(75, 37), nn.ReLU(), nn.Linear(37, 13)]),
    "linear of even sizes": (1, 8, [nn.Flatten(), nn.Linear(64, 64), nn.Linear(64, 8)]),
    "ReLU at the end": (1, 4, [nn.Flatten(), nn.Linear(16, 9), nn.ReLU()]),
    "ReLU twice": (
        1, 4, [nn.Flatten(), nn.Linear(16, 9), nn.ReLU(), nn.ReLU(), nn.Linear(9, 4)],
    ),
    "convolution": (2, 7, [conv(2, 5, 3), nn.Flatten(), nn.Linear(125, 4)]),
    "convolution without bias": (1, 6, [conv(1, 3, 5, bias=False), nn.Flatten(), nn.Linear(12, 4)]),
    "convolution of one number": (3, 4, [conv(3, 6, 4), nn.Flatten(), nn.Linear(6, 3)]),
    "window of one number": (2, 4, [conv(2, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)]),
    "window of 5x3": (1, 11, [conv(1, 6, (5, 3)), conv(6, 5, (3, 5)), nn.Flatten(),
                              nn.Linear(125, 4)]),
    "window of 7x2": (1, 11, [conv(1, 4, (7, 2)), nn.ReLU(), conv(4, 9, (2, 7)), nn.ReLU(),
                              nn.Flatten(), nn.Linear(144, 4)]),
    "convolutions": (
        3, 12, [conv(3, 4, 3), nn.ReLU(), conv(4, 7, 3), nn.ReLU(), conv(7, 2, 2), nn.ReLU(),
                conv(2, 9, 3), nn.Flatten(), nn.Linear(225, 4)],
    ),
    "pooling first": (2, 9, [nn.MaxPool2d(2), conv(2, 4, 3), nn.Flatten(), nn.Linear(16, 4)]),
    "pooling alone": (2, 5, [nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 4)]),
    "pooling of odd sides": (1, 11, [conv(1, 4, 3), nn.MaxPool2d(2), nn.ReLU(), conv(4, 5, 2),
                                     nn.MaxPool2d(2), nn.Flatten(), nn.Linear(5, 4)]),
    "pooling after ReLU": (1, 14, [conv(1, 4, 5), nn.ReLU(), nn.MaxPool2d(2), conv(4, 6, 2),
                                   nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24, 4)]),
    "pooling twice": (1, 14, [conv(1, 4, 3), nn.MaxPool2d(2), nn.MaxPool2d(2), nn.ReLU(),
                              nn.Flatten(), nn.Linear(36, 4)]),
}  # fmt: skip


def drawn(layers, clients, batch, channels, side):
    torch.manual_seed(1)
    model = nn.Sequential(*layers)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    x = torch.randn(clients, batch, channels, side, side)
    classes = [layer for layer in model if isinstance(layer, nn.Linear)][-1].out_features
    return model, x, torch.randint(classes, (clients, batch))


def exact(model, x, y):
    """Gradients and losses by autograd in double precision, and the model as it was."""
    found = gradients(model.double(), x.double(), y, strategy="loop")
    model.float()
    return [one.float() for one in found]


@pytest.fixture(autouse=True)
def every_batch(monkeypatch):
    """Small batches are not given to another strategy."""
    monkeypatch.setattr(tiled, "FEWEST", 1)


def close(found, expected, tolerance=2e-5):
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(("clients", "batch"), [(2, 16), (3, 1), (1, 37)])
def test_gradients_of_every_layer_are_autograds(name, clients, batch):
    channels, side, layers = LAYERS[name]
    model, x, y = drawn(layers, clients, batch, channels, side)
    assert choose_strategy(model, CPU) == "tiled"
    expected, expected_losses = exact(model, x, y)
    out = torch.full_like(expected, math.nan)  # what was there before does not count
    found, losses = gradients(model, x, y, out=out, strategy="tiled")
    assert found is out
    close(found, expected)
    close(losses, expected_losses)
    close(forward(model, x[0]), model(x[0]).detach())


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("threads", [1, 2])
def test_saliency_maps_of_every_layer_are_autograds(name, score, threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    channels, side, layers = LAYERS[name]
    model, x, y = drawn(layers, 1, 37, channels, side)
    x, y = x[0], y[0]
    pixels = x.double().requires_grad_()
    scores = model.double()(pixels)
    scores = scores.softmax(1) if score == "probability" else scores
    expected = torch.autograd.grad(scores.gather(1, y[:, None]).sum(), pixels)[0].float()
    close(tiled.input_gradients(model.float(), x, y, score == "probability"), expected)
    found = saliency_maps(model, flatten_parameters(model)[None], x, y, score)
    close(found, expected.abs().amax(1)[None])


def test_saliency_maps_of_a_model_that_is_not_finite_are_not_finite_and_spoil_no_other():
    channels, side, layers = LAYERS["pooling after ReLU"]
    model, x, y = drawn(layers, 1, 20, channels, side)
    good = flatten_parameters(model).detach().clone()
    bad = good.clone()
    bad[: 4 * 25] = math.nan
    alone = saliency_maps(model, good[None], x[0], y[0])
    both = saliency_maps(model, torch.stack([bad, good]), x[0], y[0])
    assert not both[0].isfinite().all()
    assert torch.equal(both[1], alone[0])


MODELS = ["cnn_4_8", "cnn_20_50", "cnn_32_64", "mlp_100", "mlp_46_23", "softmax_regression"]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("threads", [1, 2])
def test_gradients_of_every_network_are_autograds(name, threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    torch.manual_seed(2)
    shape = (1, 1, 91) if name == "mlp_46_23" else (1, 28, 28)
    model = make_model(name, shape, 10, 3)
    x, y = torch.randn(3, 20, *shape), torch.randint(10, (3, 20))
    expected, expected_losses = exact(model, x, y)
    found, losses = gradients(model, x, y)
    close(found, expected)
    close(losses, expected_losses)
    close(forward(model, x.flatten(0, 1)), model(x.flatten(0, 1)).detach())


def test_colour_images_have_their_channels_in_order():
    model = make_model("cnn_4_8", (3, 32, 32), 10, 3)
    x, y = torch.randn(2, 17, 3, 32, 32), torch.randint(10, (2, 17))
    close(gradients(model, x, y)[0], exact(model, x, y)[0])


def test_the_first_of_several_largest_numbers_gets_the_gradient():
    model = nn.Sequential(conv(1, 4, 1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3))
    x, y = torch.ones(1, 16, 1, 4, 4), torch.zeros(1, 16, dtype=torch.int64)
    x[:, :8, :, 1, 1] = x[:, :8, :, 0, 0] = 3
    close(gradients(model, x, y, strategy="tiled")[0], exact(model, x, y)[0])


# --- local epochs ------------------------------------------------------------------------

UNEQUAL = [
    [[*range(20)], [*range(20, 37), -1, -1, -1], [*range(5, 25)]],
    [[3, *[-1] * 19], [-1] * 20, [-1, 40, *[-1] * 17, 41]],
    [[*range(38, 58)], [*range(20)], [7, *[-1] * 19]],
    [[-1] * 20] * 3,
]


def proximal(grad, parameters, start):
    return grad + 2.0 * (parameters - start)


def local(strategy, name="cnn_4_8", dtype=torch.float32, **options):
    model = make_model(name, (1, 28, 28), 10, 3).to(dtype)
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(60, 1, 28, 28, generator=generator).to(dtype)
    y = torch.randint(10, (60,), generator=generator)
    start = flatten_parameters(model).clone()
    given = {"learning_rate": 0.05, **options}
    return local_updates(model, start, (x, y), torch.tensor(UNEQUAL), strategy=strategy, **given)


OPTIONS = {
    "sgd": {},
    "momentum": {"momentum": 0.9},
    "adam": {"optimizer": "adam", "learning_rate": 0.001},
    "adjusted": {"adjust": proximal, "momentum": 0.5},
    "summed": {"gradient_rate": 0.3, "momentum": 0.9},
    "summed and adjusted": {"gradient_rate": 0.3, "adjust": proximal},
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", ["cnn_4_8", "mlp_100"])
def test_local_epochs_are_autograds(name, option):
    expected, expected_losses = local("loop", name, torch.float64, **OPTIONS[option])
    found, losses = local("tiled", name, **OPTIONS[option])
    # Adam divides by the size of gradients that may be next to nothing.
    far = (found - expected.float()).abs() > 2e-5 + 1e-4 * expected.float().abs()
    assert far.float().mean() < (0.01 if option == "adam" else 1e-4)
    close(losses, expected_losses.float(), 1e-4)
    assert not found[3].any() and losses[3] == 0


def test_clients_do_not_depend_on_one_another(monkeypatch):
    expected, _ = local("tiled", momentum=0.9)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(local("tiled", momentum=0.9)[0], expected)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_sample_that_is_not_finite_stays_its_clients_own(option, bad):
    model = make_model("cnn_4_8", (1, 28, 28), 10, 3)
    start = flatten_parameters(model).clone()
    x, y = torch.randn(40, 1, 28, 28), torch.randint(10, (40,))
    x[0, 0, 4:20, 5:25] = bad
    schedule = torch.tensor([[[0, 1, 2], [3, 4, 5]], [[6, 7, -1], [8, -1, -1]], [[9, 10, 11]] * 2])
    given = {"learning_rate": 0.05, "strategy": "tiled", **OPTIONS[option]}
    found, losses = local_updates(model, start, (x, y), schedule, **given)
    assert not found[0].isfinite().all() and not losses[0].isfinite()
    assert found[1:].isfinite().all() and losses[1:].isfinite().all()
    others, _ = local_updates(model, start, (x[6:], y[6:]), schedule[1:].sub(6).clamp(-1), **given)
    assert torch.equal(found[1:], others)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_gradients_of_a_sample_that_is_not_finite_stay_its_clients_own(bad):
    model = make_model("cnn_4_8", (1, 28, 28), 10, 3)
    x, y = torch.randn(3, 5, 1, 28, 28), torch.randint(10, (3, 5))
    x[1, 2, 0, 10] = bad
    found, losses = gradients(model, x, y, strategy="tiled")
    assert found[[0, 2]].isfinite().all() and losses[[0, 2]].isfinite().all()
    assert not losses[1].isfinite()
    # A tile holds nothing of the one before: the same clients alone.
    assert torch.equal(found[2:], gradients(model, x[2:], y[2:], strategy="tiled")[0])
    whole = gradients(model, x, y, strategy="loop")[0][1]
    assert torch.equal(found[1].isfinite(), whole.isfinite())


# --- which models and tensors it serves ----------------------------------------------------


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


shared = nn.Linear(784, 784)
UNSERVED = {
    "double precision": make_model("cnn_4_8", (1, 28, 28), 10, 3).double(),
    "a subclass": nn.Sequential(nn.Flatten(), Doubled(784, 10)),
    "a layer twice": nn.Sequential(nn.Flatten(), shared, shared, nn.Linear(784, 10)),
    "strides": nn.Sequential(conv(1, 2, 3, 2), nn.Flatten(), nn.Linear(338, 10)),
    "padding": nn.Sequential(conv(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(1568, 10)),
    "groups": nn.Sequential(conv(2, 2, 3, groups=2), nn.Flatten(), nn.Linear(1352, 10)),
    "pooling by 3": nn.Sequential(nn.MaxPool2d(3), nn.Flatten(), nn.Linear(81, 10)),
    "pooling at every place": nn.Sequential(nn.MaxPool2d(2, 1), nn.Flatten(), nn.Linear(729, 10)),
    "sizes rounded up": nn.Sequential(
        nn.MaxPool2d(2, ceil_mode=True), nn.Flatten(), nn.Linear(196, 10)
    ),
    "images at the end": nn.Sequential(conv(1, 10, 28), nn.Flatten()),
    "no Flatten": nn.Sequential(nn.Linear(28, 10)),
    "ReLU on the samples": nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(784, 10)),
    "another layer": nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.ELU()),
    "no layer": nn.Sequential(),
    "no Sequential": nn.Linear(784, 10),
}


@pytest.mark.parametrize("kind", UNSERVED)
def test_other_models_are_refused_by_name_and_left_to_others(kind):
    model = UNSERVED[kind]
    assert not tiled.supports(model)
    with pytest.raises(ConfigError, match=r"strategy='tiled' .* allowed .* loop"):
        choose_strategy(model, CPU, "tiled")
    assert choose_strategy(model, CPU) in ("merged", "loop")


def test_without_kernels_the_merged_pass_serves(monkeypatch):
    model = make_model("cnn_4_8", (1, 28, 28), 10, 3)
    assert choose_strategy(model, CPU) == "tiled"
    monkeypatch.setenv(kernels.SWITCH, "off")
    assert choose_strategy(model, CPU) == "merged"
    with pytest.raises(ConfigError, match=rf"strategy='tiled'.*{kernels.SWITCH} is off"):
        choose_strategy(model, CPU, "tiled")


def test_few_samples_and_rows_with_gaps_are_left_to_the_merged_pass(monkeypatch):
    monkeypatch.setattr(tiled, "FEWEST", 8)
    calls = []

    def spy(model, layout, x, y, out):
        calls.append(tuple(y.shape))
        return tiled.client_gradients(model, layout, x, y, out)

    monkeypatch.setitem(strategies.STRATEGIES, "tiled", spy)
    model = make_model("cnn_4_8", (1, 28, 28), 10, 3)
    wide = torch.zeros(2, 2 * 3146)
    for batch, out in ((7, None), (8, None), (9, wide[:, :3146])):
        x, y = torch.randn(2, batch, 1, 28, 28), torch.randint(10, (2, batch))
        close(gradients(model, x, y, out=out)[0], exact(model, x, y)[0])
    assert calls == [(2, 8)]
    start = flatten_parameters(model).clone()
    given = {"learning_rate": 0.1, "strategy": "tiled"}
    schedule = torch.tensor([[[0, 1, 2]], [[3, 4, 5]]])
    found, _ = local_updates(model, start, (x[0], y[0]), schedule, out=wide[:, :3146], **given)
    close(found, local_updates(model, start, (x[0], y[0]), schedule, **given)[0])
    assert not wide[:, 3146:].any()


@pytest.mark.parametrize("label", [-1, 10])
def test_a_label_without_an_output_is_an_error(label):
    model = make_model("cnn_4_8", (1, 28, 28), 10, 3)
    x, y = torch.randn(2, 3, 1, 28, 28), torch.tensor([[0, 1, 2], [3, label, 4]])
    with pytest.raises(ConfigError, match=rf"y has labels from .*{label}.* from 0 to 9"):
        gradients(model, x, y, strategy="tiled")


def test_a_place_beyond_the_samples_is_an_error():
    model = make_model("cnn_4_8", (1, 28, 28), 10, 3)
    start = flatten_parameters(model).clone()
    data = torch.randn(4, 1, 28, 28), torch.randint(10, (4,))
    for options in ({}, {"optimizer": "adam"}):
        with pytest.raises(IndexError, match="4"):
            local_updates(
                model, start, data, torch.tensor([[[0, 4]]]),
                learning_rate=0.1, strategy="tiled", **options,
            )  # fmt: skip


@pytest.mark.parametrize(("shape", "says"), [((2, 28, 28), "do not fit"), ((1, 4, 4), "too small")])
def test_samples_of_another_shape_are_an_error(shape, says):
    model = make_model("cnn_4_8", (1, 28, 28), 10, 3)
    with pytest.raises(ConfigError, match=rf"samples of shape .* {says}"):
        forward(model, torch.randn(3, *shape))


def test_no_samples_have_no_outputs():
    assert forward(make_model("cnn_4_8", (1, 28, 28), 10, 3), torch.zeros(0, 1, 28, 28)).shape == (
        0,
        10,
    )


@pytest.mark.parametrize("client", [MomentumSGD(25, 0.9), LocalSGD(20, 0.05, 0.5, epochs=2)])
def test_a_run_ends_where_it_ends_without_kernels(dataset, client, monkeypatch):
    setting = config("label_flip", 2, "median", client=client, model="cnn_4_8")
    sent = {}
    for switch in ("on", "off"):
        monkeypatch.setenv(kernels.SWITCH, switch)
        federation, state = engine.prepare(setting, dataset)
        assert federation.strategy == ("tiled" if switch == "on" else "merged")
        engine.play_round(federation, state)
        sent[switch] = state.updates.clone()
    close(sent["on"], sent["off"])


def test_finished_runs_move_no_farther_than_another_seed_moves_them(dataset, monkeypatch):
    """Other last digits make a run another one of the same kind: the mean over seeds stays."""
    client = LocalSGD(10, 0.1, 0.5, epochs=2)
    setting = config(client=client, model="cnn_4_8", rounds=12, eval_every=12, learning_rate=1.0)
    ends = {}
    for switch in ("on", "off"):
        monkeypatch.setenv(kernels.SWITCH, switch)
        ends[switch] = [
            engine.run(setting.with_(seed=seed), dataset)["test_accuracy"][-1] for seed in (1, 2, 3)
        ]
    assert max(ends["off"]) > 0.3  # the runs learn something
    moved = abs(sum(ends["on"]) - sum(ends["off"])) / 3
    assert moved <= max(ends["off"]) - min(ends["off"])
