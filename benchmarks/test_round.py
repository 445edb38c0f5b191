"""One federated round against byzfl's loop over clients, on the same network and data.

Batches of 32, momentum, plain average. Also against one merged forward and backward pass over
all samples, which has no gradient of each client and is a floor for any engine.
"""

from collections.abc import Callable

import byzfl
import byzfl.fed_framework.models as byzfl_models
import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from fedlib import engine, hardware, kernels
from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.clients import LocalSGD, MomentumSGD
from fedlib.data import DataConfig, Dataset, load_dataset
from fedlib.gradients import gradients, local_updates
from fedlib.gradients.layers import convolution
from fedlib.gradients.replay import Graphs
from fedlib.metrics import evaluate
from fedlib.models import flatten_parameters, make_model
from fedlib.runs import RunConfig

BATCH, MOMENTUM = 32, 0.9
# Each paper's network on data of the form that it has there.
MODELS = {
    "cnn_4_8": ("mnist", 25),
    "cnn_20_50": ("mnist", 25),
    "cnn_32_64": ("emnist_byclass", 25),
    "resnet20_code": ("cifar10", 25),
    "resnet18": ("cifar10", 10),
}


def dataset_of(model: str) -> Dataset:
    return load_dataset(DataConfig(MODELS[model][0], "embedded", "glyphs-1", 5000, 100))


def fedlib_round(
    model: str, n_clients: int, device: str = "cpu", rule: str = "mean", attack: str = "none"
) -> Callable[[], object]:
    dataset = dataset_of(model)
    f = 0 if attack == "none" else n_clients // 5
    config = RunConfig(
        data=dataset.config,
        model=model,
        n_clients=n_clients,
        n_byzantine=f,
        client=MomentumSGD(BATCH, MOMENTUM),
        aggregator=AGGREGATORS[rule](n_byzantine=f),
        attack=ATTACKS[attack](n_byzantine=f),
    )
    federation, state = engine.prepare(config, dataset, device)
    return lambda: engine.play_round(federation, state)


def byzfl_round(model: str, n_clients: int, device: str = "cpu") -> Callable[[], object]:
    dataset = dataset_of(model)
    # byzfl finds networks by name in this module.
    setattr(byzfl_models, model, lambda: make_model(model, dataset.shape, dataset.n_classes, 1))
    shares = torch.arange(len(dataset.y_train)).chunk(n_clients)

    def loader(rows: torch.Tensor) -> DataLoader:
        data = TensorDataset(dataset.x_train[rows], dataset.y_train[rows])
        return DataLoader(data, batch_size=BATCH, shuffle=True, drop_last=True)

    clients = [
        byzfl.Client(
            {
                "model_name": model,
                "device": device,
                "optimizer_name": None,
                "learning_rate": None,
                "weight_decay": None,
                "milestones": None,
                "loss_name": "CrossEntropyLoss",
                "LabelFlipping": False,
                "nb_labels": dataset.n_classes,
                "momentum": MOMENTUM,
                "training_dataloader": loader(rows),
                "store_per_client_metrics": False,
            }
        )
        for rows in shares
    ]
    server = byzfl.Server(
        {
            "device": device,
            "model_name": model,
            "optimizer_name": "SGD",
            "learning_rate": 0.1,
            "weight_decay": 0.0,
            "milestones": [],
            "learning_rate_decay": 1.0,
            "aggregator_info": {"name": "Average", "parameters": {}},
            "pre_agg_list": [],
            "test_loader": loader(shares[0]),
        }
    )

    def one_round() -> None:
        for client in clients:
            client.compute_gradients()
        server.update_model_with_gradients(
            [client.get_flat_gradients_with_momentum() for client in clients]
        )
        parameters = server.get_dict_parameters()
        for client in clients:
            client.set_model_state(parameters)

    return one_round


def merged_pass(model: str, n_clients: int, device: str = "cpu") -> Callable[[], object]:
    dataset = dataset_of(model)
    network = make_model(model, dataset.shape, dataset.n_classes, 1).to(device)
    rows = torch.arange(n_clients * BATCH)
    x, y = dataset.x_train[rows].to(device), dataset.y_train[rows].to(device)

    def step() -> None:
        network.zero_grad()
        F.cross_entropy(network(x), y).backward()

    return step


LIBRARIES = {"fedlib": fedlib_round, "byzfl": byzfl_round, "merged pass": merged_pass}


def timed(benchmark, waited, library, model, n_clients, device):
    function = waited(LIBRARIES[library](model, n_clients, device.type))
    benchmark.group = f"round {model} {n_clients}"
    benchmark.extra_info.update(kind="round", name=model, library=library, size=[n_clients, BATCH])
    slow = model.startswith("resnet") and device.type == "cpu"
    benchmark.pedantic(
        function, rounds=3 if slow else 10, warmup_rounds=1 if slow else 2, iterations=1
    )


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("model", MODELS)
def test_round(benchmark, waited, device, library, model):
    timed(benchmark, waited, library, model, MODELS[model][1], device)


@pytest.mark.parametrize("library", ["fedlib", "byzfl"])
@pytest.mark.parametrize("n_clients", [5, 10, 50, 100])
def test_round_against_clients(benchmark, waited, device, library, n_clients):
    timed(benchmark, waited, library, "cnn_20_50", n_clients, device)


@pytest.mark.parametrize("strategy", ["loop", "vmap", "grouped", "replayed"])
@pytest.mark.parametrize("model", [*MODELS, "resnet20", "resnet9"])
def test_gradients_of_a_gpu(benchmark, waited, device, model, strategy):
    """Gradients of a round's clients; *replayed* is grouped, as one graph."""
    if device.type == "cpu":
        pytest.skip("strategies of a GPU")
    data, n_clients = MODELS.get(model, ("cifar10", 25))
    shape = (3, 32, 32) if data == "cifar10" else (1, 28, 28)
    network = make_model(model, shape, 10, 1).to(device)
    d = len(flatten_parameters(network))
    x = torch.randn(n_clients, BATCH, *shape, device=device)
    y = torch.randint(10, (n_clients, BATCH), device=device)
    out, graphs = torch.empty(n_clients, d, device=device), None
    if strategy == "replayed":
        strategy, graphs = "grouped", Graphs()
    step = waited(lambda: gradients(network, x, y, out=out, strategy=strategy, graphs=graphs))
    benchmark.group = f"strategies {model}"
    library = strategy if graphs is None else "replayed"
    benchmark.extra_info.update(
        kind="strategy", name=model, library=library, size=[n_clients, BATCH]
    )
    benchmark.pedantic(step, rounds=10, warmup_rounds=3, iterations=1)


@pytest.mark.parametrize("strategy", ["loop", "merged", "tiled", "vmap"])
@pytest.mark.parametrize("model", ["cnn_4_8", "cnn_20_50", "cnn_32_64"])
def test_local_epoch(benchmark, strategy, model):
    """One epoch of 10 clients with 320 samples each, in batches of 64."""
    network = make_model(model, (1, 28, 28), 10, 0)
    start = flatten_parameters(network)
    x = torch.rand(3200, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    y = torch.randint(10, (3200,), generator=torch.Generator().manual_seed(2))
    schedule = torch.arange(3200).view(10, 5, 64)
    benchmark.group = f"local epoch {model}"
    benchmark.extra_info.update(kind="local", name=model, library=strategy, size=[10, 64])
    benchmark.pedantic(
        lambda: local_updates(
            network, start, (x, y), schedule, learning_rate=0.01, strategy=strategy
        ),
        rounds=5,
        warmup_rounds=1,
        iterations=1,
    )


@pytest.mark.parametrize("switch", ["on", "off"])
@pytest.mark.parametrize("step", ["local epochs", "gradients", "evaluation"])
@pytest.mark.parametrize("model", ["cnn_4_8", "cnn_20_50", "cnn_32_64"])
def test_kernels_of_networks(benchmark, monkeypatch, model, step, switch):
    """Steps of clients and an evaluation by one thread, with the compiled kernels and without."""
    monkeypatch.setenv(kernels.SWITCH, switch)
    dataset = dataset_of(model)
    network = make_model(model, dataset.shape, dataset.n_classes, 1)
    start = flatten_parameters(network)
    x, y, clients = dataset.x_train[:3200], dataset.y_train[:3200], 25
    schedule = torch.arange(3200).view(clients, -1, BATCH)
    first = x[: clients * BATCH].view(clients, BATCH, *dataset.shape)
    labels = y[: clients * BATCH].view(clients, BATCH)
    out = torch.empty(clients, len(start))
    function, samples = {
        "local epochs": (
            lambda: local_updates(network, start, (x, y), schedule, learning_rate=0.01, out=out),
            3200,
        ),
        "gradients": (lambda: gradients(network, first, labels, out=out), clients * BATCH),
        "evaluation": (lambda: evaluate(network, x, y), 3200),
    }[step]
    benchmark.group = f"network kernels {step} {model}"
    benchmark.extra_info.update(
        kind="network", name=f"{step}, `{model}`", library=switch, size=[samples]
    )
    with hardware.one_thread():
        benchmark.pedantic(function, rounds=8, warmup_rounds=1, iterations=1)


@pytest.mark.parametrize("switch", ["on", "off"])
def test_a_run_of_local_epochs(benchmark, monkeypatch, switch):
    """Two rounds of 100 clients with 5 epochs of 120 samples in one batch, and an evaluation.

    The networks and the rule are those of residual_reweighting's MNIST runs.
    """
    monkeypatch.setenv(kernels.SWITCH, switch)
    dataset = load_dataset(DataConfig("mnist", "embedded", "glyphs-1", 12_000, 2_000))
    config = RunConfig(
        data=dataset.config,
        model="cnn_4_8",
        n_clients=100,
        n_byzantine=10,
        client=LocalSGD(128, 0.01, epochs=5),
        aggregator=AGGREGATORS["residual_reweighting"](n_byzantine=10),
        attack=ATTACKS["label_flip"](n_byzantine=10),
        learning_rate=1.0,
        rounds=2,
        eval_every=2,
    )
    benchmark.group = "run of local epochs"
    benchmark.extra_info.update(
        kind="run", name="100 clients, `cnn_4_8`", library=switch, size=[100, 128]
    )
    with hardware.one_thread():
        benchmark.pedantic(
            lambda: engine.run(config, dataset), rounds=3, warmup_rounds=1, iterations=1
        )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", ["cnn_4_8", "cnn_20_50", "cnn_32_64"])
def test_what_bfloat16_could_gain(benchmark, model, dtype):
    """Gradients of 25 clients with everything in bfloat16, and in float32."""
    dataset = dataset_of(model)
    network = make_model(model, dataset.shape, dataset.n_classes, 1).to(getattr(torch, dtype))
    x = dataset.x_train[: 25 * BATCH].view(25, BATCH, *dataset.shape).to(getattr(torch, dtype))
    y = dataset.y_train[: 25 * BATCH].view(25, BATCH)
    benchmark.group = f"bfloat16 {model}"
    benchmark.extra_info.update(kind="bfloat16", name=model, library=dtype, size=[25, BATCH])
    benchmark.pedantic(
        lambda: gradients(network, x, y, strategy="merged"),
        rounds=10,
        warmup_rounds=2,
        iterations=1,
    )


@pytest.fixture
def one_thread():
    """Let one thread compute, as in a grid's process."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("library", ["oneDNN", "NNPACK"])
@pytest.mark.parametrize("model", ["cnn_4_8", "cnn_20_50", "cnn_32_64"])
def test_who_convolves_in_one_thread(benchmark, monkeypatch, model, library):
    """Gradients of 25 clients by one thread."""
    monkeypatch.setattr("fedlib.gradients.layers.nnpack.is_available", lambda: library == "NNPACK")
    dataset = dataset_of(model)
    network = make_model(model, dataset.shape, dataset.n_classes, 1)
    x = dataset.x_train[: 25 * BATCH].view(25, BATCH, *dataset.shape)
    y = dataset.y_train[: 25 * BATCH].view(25, BATCH)
    benchmark.group = f"nnpack {model}"
    benchmark.extra_info.update(kind="nnpack", name=model, library=library, size=[25, BATCH])
    torch.backends.nnpack.is_available()  # makes it ready
    benchmark.pedantic(
        lambda: gradients(network, x, y, strategy="merged"),
        rounds=20,
        warmup_rounds=2,
        iterations=1,
    )


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("way", ["torch", "products"])
def test_who_forms_the_weight_gradients_of_small_batches(benchmark, monkeypatch, way):
    """Gradients of 35 clients with three images each, as in clustering with outliers."""
    in_cache = 0 if way == "torch" else convolution._PATCHES_IN_CACHE
    monkeypatch.setattr("fedlib.gradients.layers.convolution._PATCHES_IN_CACHE", in_cache)
    dataset = dataset_of("cnn_32_64")
    network = make_model("cnn_32_64", dataset.shape, dataset.n_classes, 1)
    x = dataset.x_train[: 35 * 3].view(35, 3, *dataset.shape)
    y = dataset.y_train[: 35 * 3].view(35, 3)
    benchmark.group = "weight gradients of small batches"
    info = {"kind": "small batches", "name": "cnn_32_64", "library": way, "size": [35, 3]}
    benchmark.extra_info.update(info)
    benchmark.pedantic(
        lambda: gradients(network, x, y, strategy="merged"),
        rounds=40,
        warmup_rounds=5,
        iterations=1,
    )
