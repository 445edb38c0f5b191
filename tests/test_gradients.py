"""The client step: every strategy gives the numbers of the plain loop."""

import math
from collections import OrderedDict

import pytest
import torch
from torch import nn

from fedlib.gradients import choose_strategy, forward, gradients, local_updates, saliency_maps
from fedlib.gradients.layers import LAYERS, ClientLayer, LayerKind, register
from fedlib.gradients.replay import Graphs
from fedlib.models import MODELS as SHIPPED
from fedlib.models import ParameterLayout, flatten_parameters, make_model
from fedlib.validation import ConfigError

MODELS = ["cnn_4_8", "cnn_20_50", "elu_4_2", "softmax_regression"]


def double(name):
    return make_model(name, (1, 28, 28), 10, 3).double()


def batches(clients=3, batch=4, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(clients, batch, 1, 28, 28, generator=generator, dtype=dtype)
    return x, torch.randint(10, (clients, batch), generator=generator)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("strategy", ["merged", "grouped", "vmap", "auto"])
@pytest.mark.parametrize(("clients", "batch"), [(3, 4), (1, 3), (2, 1)])
def test_gradients_of_every_strategy_agree(name, strategy, clients, batch):
    model, (x, y) = double(name), batches(clients, batch)
    expected, expected_losses = gradients(model, x, y, strategy="loop")
    found, losses = gradients(model, x, y, strategy=strategy)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(losses, expected_losses, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["cnn_4_8", "cnn_20_50", "cnn_32_64", "three"])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("in_cache", [0, 2**40])
def test_float32_agrees_whoever_convolves(name, threads, in_cache, monkeypatch):
    # One thread convolves by NNPACK, where there is one, 64 images at a time. Weight gradients are
    # formed by products with patches, or by torch where the patches are too many.
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr("fedlib.gradients.layers.convolution._PATCHES_IN_CACHE", in_cache)
    torch.manual_seed(0)
    three = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 5), nn.MaxPool2d(2), nn.ReLU(),
        nn.Conv2d(6, 3, (5, 3)), nn.ReLU(), nn.Conv2d(3, 5, 3), nn.Flatten(), nn.Linear(175, 10),
    )  # fmt: skip
    model = three if name == "three" else make_model(name, (1, 28, 28), 10, 3)
    x, y = batches(3, 30)
    expected, expected_losses = gradients(model.double(), x, y, strategy="loop")
    found, losses = gradients(model.float(), x.float(), y, strategy="merged")
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(losses.double(), expected_losses, rtol=1e-5, atol=1e-5)
    whole = x.float().flatten(0, 1)
    torch.testing.assert_close(forward(model, whole), model(whole).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("in_cache", [0, 2**40])
def test_an_image_that_is_not_finite_spoils_its_own_client_only(in_cache, monkeypatch):
    monkeypatch.setattr("fedlib.gradients.layers.convolution._PATCHES_IN_CACHE", in_cache)
    model, (x, y) = make_model("cnn_20_50", (1, 28, 28), 10, 3), batches(3, 2, torch.float32)
    x[1, 0] = math.nan
    found, _ = gradients(model, x, y, strategy="merged")
    assert found.isfinite().all(1).tolist() == [True, False, True]


def test_no_images_have_no_outputs(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    model = make_model("cnn_4_8", (1, 28, 28), 10, 3)
    assert forward(model, torch.zeros(0, 1, 28, 28)).shape == (0, 10)


def test_without_nnpack_the_numbers_are_the_same(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    model, (x, y) = make_model("cnn_4_8", (1, 28, 28), 10, 3), batches(2, 5, torch.float32)
    found, _ = gradients(model, x, y, strategy="merged")
    monkeypatch.setattr("fedlib.gradients.layers.nnpack.is_available", lambda: False)
    other, _ = gradients(model, x, y, strategy="merged")
    torch.testing.assert_close(found, other, rtol=1e-4, atol=1e-6)


def test_the_loop_is_autograd_of_the_mean_loss():
    model, (x, y) = double("cnn_4_8"), batches()
    found, losses = gradients(model, x, y, strategy="loop")
    loss = nn.functional.cross_entropy(model(x[1]), y[1])
    expected = torch.autograd.grad(loss, list(model.parameters()))
    torch.testing.assert_close(found[1], torch.cat([g.flatten() for g in expected]))
    torch.testing.assert_close(losses[1], loss.detach())


@pytest.mark.parametrize("strategy", ["loop", "merged", "grouped", "vmap"])
def test_out_is_written_and_the_model_left_alone(strategy):
    model, (x, y) = double("cnn_4_8"), batches()
    before = [parameter.clone() for parameter in model.parameters()]
    whole = torch.zeros(5, ParameterLayout.of(model).size, dtype=torch.float64)
    found, _ = gradients(model, x, y, out=whole[:3], strategy=strategy)
    assert found.data_ptr() == whole.data_ptr()
    assert whole[:3].abs().sum() > 0
    assert not whole[3:].any()
    assert all(map(torch.equal, model.parameters(), before))


def test_batch_norm_uses_each_clients_own_batch():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 6), nn.BatchNorm1d(6, track_running_stats=False), nn.ReLU(),
        nn.Linear(6, 10),
    ).double()  # fmt: skip
    x, y = batches()
    expected, _ = gradients(model, x, y, strategy="loop")
    found, _ = gradients(model, x, y, strategy="vmap")
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)
    alone, _ = gradients(model, x[1:2], y[1:2], strategy="loop")
    torch.testing.assert_close(alone[0], expected[1])
    assert choose_strategy(model, torch.device("cpu")) == "loop"


@pytest.mark.parametrize("name", ["resnet20", "resnet9", "elu_cnn"])
@pytest.mark.parametrize("few", [0, 32, 10_000])
def test_grouped_serves_strides_padding_and_batch_norm(name, few, monkeypatch):
    # Whichever way the weight gradients are formed.
    monkeypatch.setattr("fedlib.gradients.layers.convolution._FEW_COLUMNS", few)
    shape = (1, 28, 28) if name == "elu_cnn" else (3, 16, 16)
    model = make_model(name, shape, 10, 3).double()
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, 4, *shape, generator=generator, dtype=torch.float64)
    y = torch.randint(10, (3, 4), generator=generator)
    expected, expected_losses = gradients(model, x, y, strategy="loop")
    found, losses = gradients(model, x, y, strategy="grouped")
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(losses, expected_losses)


@pytest.mark.parametrize("few", [0, 10_000])
def test_grouped_serves_every_setting_of_a_convolution(few, monkeypatch):
    monkeypatch.setattr("fedlib.gradients.layers.convolution._FEW_COLUMNS", few)
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, (5, 3), (2, 1), (0, 2), (1, 3)), nn.ELU(), nn.Conv2d(4, 3, 3, bias=False),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(2), nn.Linear(16, 5, bias=False), nn.Flatten(),
        nn.Linear(15, 10),
    ).double()  # fmt: skip
    x, y = batches()
    expected, _ = gradients(model, x, y, strategy="loop")
    found, _ = gradients(model, x, y, strategy="grouped")
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_grouped_sums_the_gradients_of_a_layer_that_stands_twice():
    torch.manual_seed(0)
    model, (x, y) = shared().double(), batches()
    expected, _ = gradients(model, x, y, strategy="loop")
    found, _ = gradients(model, x, y, strategy="grouped")
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


UNGROUPED = {
    "a layer that mixes samples": lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(784)),
    "statistics that are kept": lambda: nn.Sequential(nn.BatchNorm2d(1), nn.Flatten()),
    "groups": lambda: nn.Sequential(nn.Conv2d(2, 2, 3, groups=2)),
    "padding that is not zeros": lambda: nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect")
    ),
    "random choices": lambda: nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(784, 10)),
    "a subclass with a forward of its own": lambda: nn.Sequential(
        nn.Flatten(), DoubledLinear(784, 10)
    ),
}


@pytest.mark.parametrize("kind", UNGROUPED)
def test_grouped_refuses_a_model_that_it_cannot_serve(kind):
    with pytest.raises(ConfigError, match=r"strategy='grouped' .* loop, vmap"):
        gradients(UNGROUPED[kind](), *batches(dtype=torch.float32), strategy="grouped")
    assert choose_strategy(UNGROUPED[kind](), torch.device("cuda")) == "vmap"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="replays are a GPU's")
@pytest.mark.parametrize("name", ["cnn_4_8", "resnet20"])
def test_a_replayed_step_follows_the_model_and_the_batch(name):
    shape = (3, 32, 32)
    model = make_model(name, shape, 10, 3).cuda().double()
    parameters, graphs = flatten_parameters(model), Graphs()
    out = torch.empty(3, len(parameters), device="cuda", dtype=torch.float64)
    for seed in range(4):
        torch.manual_seed(seed)
        x = torch.randn(3, 4, *shape, device="cuda", dtype=torch.float64)
        y = torch.randint(10, (3, 4), device="cuda")
        found, losses = gradients(model, x, y, out=out, strategy="grouped", graphs=graphs)
        expected, expected_losses = gradients(model, x, y, strategy="loop")
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)
        torch.testing.assert_close(losses, expected_losses)
        parameters.sub_(found.mean(0))


def test_merged_refuses_a_model_that_it_cannot_serve():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(2 * 784, 10))
    with pytest.raises(ConfigError, match=r"strategy='merged' .* loop, vmap"):
        gradients(model, *batches(dtype=torch.float32), strategy="merged")
    with pytest.raises(ConfigError, match="did you mean 'merged'"):
        gradients(model, *batches(dtype=torch.float32), strategy="merge")


@pytest.mark.parametrize("name", [name for name in SHIPPED if not name.startswith("fasttext")])
def test_the_processor_takes_merged_where_it_can(name):
    # Residual connections, padding and strides are not provided for.
    expected = "loop" if name.startswith(("resnet", "elu_cnn")) else "merged"
    assert choose_strategy(double(name), torch.device("cpu")) == expected
    assert choose_strategy(double(name), torch.device("cuda")) == "grouped"


class DoubledLinear(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def shared():
    layer = nn.Linear(784, 784)
    return nn.Sequential(nn.Flatten(), layer, nn.ReLU(), layer, nn.ReLU(), nn.Linear(784, 10))


LOOKALIKES = {
    "a subclass with a forward of its own": lambda: nn.Sequential(
        nn.Flatten(), DoubledLinear(784, 10)
    ),
    "pooling that rounds sizes up": lambda: nn.Sequential(
        nn.MaxPool2d(3, ceil_mode=True), nn.Flatten(), nn.Linear(100, 10)
    ),
    "a layer that stands twice": shared,
    "a Linear on the rows of an image": lambda: nn.Sequential(
        nn.Linear(28, 2), nn.Flatten(), nn.Linear(56, 10)
    ),
}


@pytest.mark.parametrize("kind", LOOKALIKES)
def test_models_that_only_look_as_if_merged_could_serve_them(kind):
    torch.manual_seed(0)
    model, (x, y) = LOOKALIKES[kind]().double(), batches()
    expected, _ = gradients(model, x, y, strategy="loop")
    found, _ = gradients(model, x, y)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(forward(model, x[0]), model(x[0]).detach())
    with pytest.raises(ConfigError, match="strategy='merged'"):
        gradients(model, x, y, strategy="merged")


@pytest.mark.parametrize("name", MODELS)
def test_forward_is_the_model(name):
    model, (x, _) = double(name), batches()
    found = forward(model, x[0])
    torch.testing.assert_close(found, model(x[0]).detach(), rtol=1e-10, atol=1e-12)
    assert not found.requires_grad


def test_merged_serves_layers_that_have_names():
    layers = OrderedDict(flat=nn.Flatten(), hidden=nn.Linear(784, 5), out=nn.Linear(5, 10))
    model, (x, y) = nn.Sequential(layers).double(), batches()
    expected, _ = gradients(model, x, y, strategy="loop")
    found, _ = gradients(model, x, y, strategy="merged")
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


# --- layers of a new kind ----------------------------------------------------------------


class Scale(nn.Module):
    """Each feature times a weight of its own: a layer that fedlib does not know."""

    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(1 + torch.rand(features))

    def forward(self, x):
        return x * self.weight


class ClientScale(ClientLayer):
    def forward(self, x):
        return (x.view(-1, *self.weight.shape) * self.weight).view_as(x)


class ScaleKind(LayerKind[Scale]):
    takes = "features"

    def fits_merged(self, layer):
        return True

    def weight_gradients(self, layer, kept, g, n_clients, places):
        products = (g * kept[0]).view(n_clients, -1, len(layer.weight))
        torch.sum(products, 1, out=places["weight"])

    def input_gradient(self, layer, kept, g):
        return g * layer.weight

    def fits_grouped(self, layer):
        return True

    def for_clients(self, layer):
        return ClientScale(layer)


class TanhKind(LayerKind[nn.Tanh]):
    def fits_merged(self, layer):
        return True

    def forward(self, layer, h):
        h = h.tanh()
        return h, (h,)

    def input_gradient(self, layer, kept, g):
        return g * (1 - kept[0] ** 2)

    def fits_grouped(self, layer):
        return True


@pytest.fixture
def layers(monkeypatch):
    """The table of layer kinds, which a test may change."""
    for cls in (Scale, nn.Tanh):
        # Entered and taken out, so that the table is put back to what it is now.
        monkeypatch.setitem(LAYERS, cls, LayerKind())
        del LAYERS[cls]
    return LAYERS


def with_new_layers():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 5), nn.MaxPool2d(4), nn.Tanh(), nn.Flatten(), Scale(108), nn.Linear(108, 7),
        nn.Tanh(), Scale(7), nn.Linear(7, 10),
    ).double()  # fmt: skip


def test_a_new_kind_of_layer_is_one_entry(layers):
    model, (x, y) = with_new_layers(), batches()
    assert choose_strategy(model, torch.device("cpu")) == "loop"
    assert choose_strategy(model, torch.device("cuda")) == "vmap"
    parameters = ParameterLayout.of(model).size
    expected, expected_losses = gradients(model, x, y)
    one = flatten_parameters(model).view(1, parameters)
    expected_map = saliency_maps(model, one, x[0], y[0])
    register(Scale)(ScaleKind)
    register(nn.Tanh)(TanhKind)
    assert choose_strategy(model, torch.device("cpu")) == "merged"
    assert choose_strategy(model, torch.device("cuda")) == "grouped"
    for strategy in ("merged", "grouped"):
        found, losses = gradients(model, x, y, strategy=strategy)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(losses, expected_losses, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(forward(model, x[0]), model(x[0]).detach())
    torch.testing.assert_close(saliency_maps(model, one, x[0], y[0]), expected_map)


def test_a_kind_says_which_pass_can_serve_it(layers):
    @register(nn.Tanh)
    class GroupedTanh(LayerKind[nn.Tanh]):
        def fits_grouped(self, layer):
            return True

    model = nn.Sequential(nn.Flatten(), nn.Tanh(), nn.Linear(784, 10))
    assert choose_strategy(model, torch.device("cpu")) == "loop"
    assert choose_strategy(model, torch.device("cuda")) == "grouped"
    assert isinstance(LAYERS[nn.Tanh], GroupedTanh)


def test_a_class_of_layers_has_one_kind():
    register(nn.Linear)(type(LAYERS[nn.Linear]))  # a module that is loaded again
    with pytest.raises(ValueError, match="Linear is already served by"):
        register(nn.Linear)(TanhKind)


def test_a_kind_without_gradients_says_so(layers):
    @register(nn.Tanh)
    class Unfinished(LayerKind[nn.Tanh]):
        def fits_merged(self, layer):
            return True

    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.Tanh())
    with pytest.raises(NotImplementedError, match="Unfinished forms no gradient of its inputs"):
        gradients(model, *batches(dtype=torch.float32))


# --- local epochs ------------------------------------------------------------------------


def local(strategy, schedule, momentum=0.9, name="cnn_4_8", out=None, optimizer="sgd", adjust=None):
    model = double(name)
    start = flatten_parameters(model).clone()
    x, y = batches(1, 12)
    return local_updates(
        model, start, (x[0], y[0]), torch.tensor(schedule),
        learning_rate=0.1, momentum=momentum, optimizer=optimizer, strategy=strategy, out=out,
        adjust=adjust,
    )  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("momentum", "optimizer"), [(0.0, "sgd"), (0.9, "sgd"), (0.0, "adam")])
@pytest.mark.parametrize("strategy", ["merged", "vmap"])
def test_local_strategies_agree_with_unequal_clients(name, momentum, optimizer, strategy):
    schedule = [
        [[0, 1, 2], [3, 4, -1], [0, 4, 2]],
        [[5, -1, -1], [-1, -1, -1], [5, -1, -1]],
        [[6, 7, 8], [9, 10, 11], [6, -1, -1]],
    ]
    expected, expected_losses = local("loop", schedule, momentum, name, None, optimizer)
    found, losses = local(strategy, schedule, momentum, name, None, optimizer)
    # Adam divides by the size of gradients that may be next to nothing.
    tight = {"rtol": 1e-8, "atol": 1e-10 if optimizer == "sgd" else 1e-5}
    torch.testing.assert_close(found, expected, **tight)
    torch.testing.assert_close(losses, expected_losses, **tight)


def test_local_adam_is_torchs():
    schedule = [[[0, 1, 2], [3, 4, 5], [6, 7, 8]]]
    found, _ = local("loop", schedule, optimizer="adam")
    model, (x, y) = double("cnn_4_8"), batches(1, 12)
    start = torch.cat([p.detach().flatten() for p in model.parameters()])
    adam = torch.optim.Adam(model.parameters(), lr=0.1)
    for index in schedule[0]:
        adam.zero_grad()
        nn.functional.cross_entropy(model(x[0, index]), y[0, index]).backward()
        adam.step()
    moved = start - torch.cat([p.detach().flatten() for p in model.parameters()])
    torch.testing.assert_close(found[0], moved, rtol=1e-6, atol=1e-7)


def test_one_local_step_is_the_gradient_times_the_rate():
    x, y = batches(1, 12)
    expected, _ = gradients(double("cnn_4_8"), x[:, :3], y[:, :3], strategy="loop")
    found, _ = local("loop", [[[0, 1, 2]]])
    torch.testing.assert_close(found, 0.1 * expected)


def test_local_momentum_by_hand():
    """Two steps on the same batch: the second moves by rate * (g2 + momentum g1)."""
    x, y = batches(1, 12)
    model = double("cnn_4_8")
    flat = flatten_parameters(model)
    first, _ = gradients(model, x[:, :3], y[:, :3], strategy="loop")
    flat -= 0.1 * first[0]
    second, _ = gradients(model, x[:, :3], y[:, :3], strategy="loop")
    found, _ = local("loop", [[[0, 1, 2], [0, 1, 2]]], momentum=0.5)
    torch.testing.assert_close(found[0], 0.1 * (first[0] + second[0] + 0.5 * first[0]))


@pytest.mark.parametrize("strategy", ["loop", "merged", "vmap"])
def test_a_client_without_samples_changes_nothing(strategy):
    found, losses = local(strategy, [[[0, 1], [2, -1]], [[-1, -1], [-1, -1]]])
    assert found[0].abs().sum() > 0
    assert not found[1].any()
    assert losses[1] == 0


@pytest.mark.parametrize(("momentum", "optimizer"), [(0.0, "sgd"), (0.9, "sgd"), (0.0, "adam")])
@pytest.mark.parametrize("bad", [torch.inf, torch.nan])
def test_a_clients_empty_places_do_not_see_another_clients_sample(momentum, optimizer, bad):
    model, (x, y) = double("cnn_4_8"), batches(1, 12)
    start = flatten_parameters(model).clone()
    x[0, 0] = bad
    schedule = torch.tensor([
        [[0, 1, 2], [3, 4, -1], [0, 4, 2]],
        [[5, -1, -1], [-1, -1, -1], [-1, 5, 6]],
        [[7, 8, -1], [7, 9, 8], [-1, -1, -1]],
    ])  # fmt: skip
    found = {}
    for strategy in ("loop", "vmap"):
        found[strategy] = local_updates(
            model, start, (x[0], y[0]), schedule,
            learning_rate=0.1, momentum=momentum, optimizer=optimizer, strategy=strategy,
        )  # fmt: skip
    for ours, theirs in zip(found["vmap"], found["loop"], strict=True):
        assert ours[1:].isfinite().all()
        torch.testing.assert_close(ours[1:], theirs[1:], rtol=1e-8, atol=1e-5)
    assert not found["vmap"][0][0].isfinite().all()


@pytest.mark.parametrize("strategy", ["loop", "merged", "vmap"])
def test_local_out_is_written_in_place(strategy):
    whole = torch.zeros(3, ParameterLayout.of(double("cnn_4_8")).size, dtype=torch.float64)
    found, _ = local(strategy, [[[0, 1]], [[2, 3]]], out=whole[:2])
    assert found.data_ptr() == whole.data_ptr()
    torch.testing.assert_close(whole[:2], local("loop", [[[0, 1]], [[2, 3]]])[0])
    assert not whole[2].any()


@pytest.mark.parametrize("strategy", ["loop", "merged", "vmap"])
def test_local_updates_neither_read_nor_change_the_model(strategy):
    model, (x, y) = double("cnn_4_8"), batches(1, 12)
    flat = flatten_parameters(model)
    start = flat.clone()
    flat.fill_(7)
    update, _ = local_updates(
        model, start, (x[0], y[0]), torch.tensor([[[0, 1, 2]]]),
        learning_rate=0.1, strategy=strategy,
    )  # fmt: skip
    assert (flat == 7).all()
    torch.testing.assert_close(update, local(strategy, [[[0, 1, 2]]], momentum=0.0)[0])


# --- local epochs whose gradients are adjusted -------------------------------------------

UNEQUAL = [
    [[0, 1, 2], [3, 4, -1], [0, 4, 2]],
    [[5, -1, -1], [-1, -1, -1], [5, -1, -1]],
    [[6, 7, 8], [9, 10, 11], [6, -1, -1]],
]


def proximal(grad, parameters, start):
    return grad + 2.0 * (parameters - start)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("momentum", "optimizer"), [(0.0, "sgd"), (0.9, "sgd"), (0.0, "adam")])
@pytest.mark.parametrize("strategy", ["merged", "grouped", "vmap"])
def test_every_strategy_adjusts_gradients_alike(name, momentum, optimizer, strategy):
    given = momentum, name, None, optimizer, proximal
    expected, expected_losses = local("loop", UNEQUAL, *given)
    found, losses = local(strategy, UNEQUAL, *given)
    tight = {"rtol": 1e-8, "atol": 1e-10 if optimizer == "sgd" else 1e-5}
    torch.testing.assert_close(found, expected, **tight)
    torch.testing.assert_close(losses, expected_losses, **tight)
    assert not torch.allclose(found, local(strategy, UNEQUAL, *given[:-1])[0])


@pytest.mark.parametrize("strategy", ["loop", "merged", "grouped", "vmap"])
def test_a_gradient_that_is_returned_as_it_is_changes_nothing(strategy):
    seen = []

    def watch(grad, parameters, start):
        seen.append((grad.shape, parameters.shape, start.shape))
        assert not parameters.requires_grad
        return grad

    expected, _ = local(strategy, UNEQUAL)
    found, _ = local(strategy, UNEQUAL, adjust=watch)
    assert torch.equal(found, expected)
    d = (expected.shape[1],)
    clients = (3, *d)
    each = [(d, d, d)] * 8 if strategy in ("loop", "merged") else [(clients, clients, d)] * 3
    assert seen == each  # a client without samples takes no step


@pytest.mark.parametrize("strategy", ["loop", "merged", "vmap"])
def test_local_steps_with_a_proximal_term_by_hand(strategy):
    x, y = batches(1, 12)
    model = double("cnn_4_8")
    flat = flatten_parameters(model)
    start = flat.clone()
    for _ in range(3):
        grad, _ = gradients(model, x[:, :3], y[:, :3], strategy="loop")
        flat -= 0.1 * (grad[0] + 2.0 * (flat - start))
    found, _ = local(strategy, [[[0, 1, 2]] * 3], momentum=0.0, adjust=proximal)
    torch.testing.assert_close(found[0], start - flat)


# --- local epochs that give summed gradients ---------------------------------------------


@pytest.mark.parametrize("strategy", ["loop", "merged", "grouped", "vmap"])
def test_summed_gradients_of_plain_sgd_are_what_its_steps_change(strategy):
    model, schedule = double("cnn_4_8"), torch.tensor(UNEQUAL)
    start = flatten_parameters(model).clone()
    x, y = batches(1, 12)
    moved, losses = local(strategy, UNEQUAL, momentum=0.0)
    # Rows that held something else before, as they do from the second round on.
    out = torch.full_like(moved, math.nan)
    found, same_losses = local_updates(
        model, start, (x[0], y[0]), schedule, learning_rate=0.1, strategy=strategy, out=out,
        gradient_rate=0.3,
    )  # fmt: skip
    assert found is out
    torch.testing.assert_close(found, 3 * moved)
    torch.testing.assert_close(losses, same_losses)


@pytest.mark.parametrize("strategy", ["loop", "merged", "vmap"])
def test_summed_gradients_of_adam_by_hand(strategy):
    seen = []

    def watch(grad, parameters, start):
        seen.append(grad.reshape(-1).clone())
        return grad

    model = double("cnn_4_8")
    x, y = batches(1, 12)
    found, _ = local_updates(
        model, flatten_parameters(model).clone(), (x[0], y[0]), torch.tensor([[[0, 1], [2, 3]]]),
        learning_rate=0.1, optimizer="adam", strategy=strategy, adjust=watch, gradient_rate=0.5,
    )  # fmt: skip
    assert len(seen) == 2
    torch.testing.assert_close(found[0], 0.5 * (seen[0] + seen[1]))
