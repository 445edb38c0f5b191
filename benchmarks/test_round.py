"""One federated round of 25 clients x 32 samples, against byzfl's loop over clients.

Same network, same data; also against one merged forward and backward pass over all samples,
which has no gradient of each client and is a floor for any engine.
"""

import byzfl
import byzfl.fed_framework.models as byzfl_models
import pytest
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from fedlib import engine
from fedlib.aggregators import AGGREGATORS
from fedlib.data import DataConfig, load_dataset
from fedlib.models import make_model
from fedlib.runs import MomentumSGD, RunConfig

N_CLIENTS, BATCH, MOMENTUM = 25, 32, 0.9
SHAPE, CLASSES = (1, 28, 28), 10
DATA = DataConfig("mnist", "embedded", "glyphs-1", 5000, 100)
MODELS = ["cnn_4_8", "cnn_20_50"]


def timed(benchmark, function, model, library):
    benchmark.group = f"round {model}"
    benchmark.extra_info.update(kind="round", name=model, library=library, size=[N_CLIENTS, BATCH])
    benchmark.pedantic(function, rounds=10, warmup_rounds=2, iterations=1)


@pytest.fixture(scope="module")
def dataset():
    return load_dataset(DATA)


@pytest.mark.parametrize("model", MODELS)
def test_fedlib(benchmark, dataset, model):
    config = RunConfig(
        data=DATA,
        model=model,
        n_clients=N_CLIENTS,
        client=MomentumSGD(BATCH, MOMENTUM),
        aggregator=AGGREGATORS["mean"](),
    )
    federation, state = engine.prepare(config, dataset)
    timed(benchmark, lambda: engine.play_round(federation, state), model, "fedlib")


@pytest.mark.parametrize("model", MODELS)
def test_byzfl(benchmark, dataset, model, monkeypatch):
    monkeypatch.setattr(
        byzfl_models, model, lambda: make_model(model, SHAPE, CLASSES, 1), raising=False
    )
    shares = torch.arange(len(dataset.y_train)).chunk(N_CLIENTS)

    def loader(rows):
        data = TensorDataset(dataset.x_train[rows], dataset.y_train[rows])
        return DataLoader(data, batch_size=BATCH, shuffle=True, drop_last=True)

    clients = [
        byzfl.Client(
            {
                "model_name": model,
                "device": "cpu",
                "optimizer_name": None,
                "learning_rate": None,
                "weight_decay": None,
                "milestones": None,
                "loss_name": "CrossEntropyLoss",
                "LabelFlipping": False,
                "nb_labels": CLASSES,
                "momentum": MOMENTUM,
                "training_dataloader": loader(rows),
                "store_per_client_metrics": False,
            }
        )
        for rows in shares
    ]
    server = byzfl.Server(
        {
            "device": "cpu",
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

    def one_round():
        for client in clients:
            client.compute_gradients()
        server.update_model_with_gradients(
            [client.get_flat_gradients_with_momentum() for client in clients]
        )
        parameters = server.get_dict_parameters()
        for client in clients:
            client.set_model_state(parameters)

    timed(benchmark, one_round, model, "byzfl")


@pytest.mark.parametrize("model", MODELS)
def test_merged_pass_without_client_gradients(benchmark, dataset, model):
    network = make_model(model, SHAPE, CLASSES, 1)
    rows = torch.arange(N_CLIENTS * BATCH)
    x, y = dataset.x_train[rows], dataset.y_train[rows]

    def step():
        network.zero_grad()
        F.cross_entropy(network(x), y).backward()

    timed(benchmark, step, model, "merged pass")
