"""Distributionally robust learning: the inner maximisation, the certificate, the robust client."""

import pytest
import torch
import torch.nn.functional as F

from fedlib import engine
from fedlib.clients import MomentumSGD, RobustSGD
from fedlib.clients.robust import transport
from fedlib.data import load_dataset, resolve_source
from fedlib.federation import Samples
from fedlib.gradients import gradients
from fedlib.models import ParameterLayout, make_model
from fedlib.runs import RunConfig
from fedlib.trackers.robustness import certificate, perturbation_curve, squared_distances
from fedlib.validation import ConfigError


def points(n=40, seed=1):
    x = torch.randn(n, 1, 1, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x, (x.flatten(1).norm(dim=1) > 1).long()


def test_transport_of_a_linear_loss_is_one_step_in_closed_form():
    x, _ = points()
    slope = torch.tensor([3.0, -1.0], dtype=torch.float64).view(1, 1, 2)
    moved = transport(lambda z: (z * slope).sum((1, 2, 3)), x, gamma=2.0, steps=1, rate=1.0)
    torch.testing.assert_close(moved, x + slope / 4)
    assert not moved.requires_grad


def test_transport_of_a_quadratic_loss_has_its_closed_form_as_limit():
    x, _ = points()
    k, gamma = 1.5, 2.0
    moved = transport(lambda z: k / 2 * z.square().sum((1, 2, 3)), x, gamma, steps=200, rate=0.5)
    torch.testing.assert_close(moved, x * 2 * gamma / (2 * gamma - k))
    level = float(squared_distances(moved, x).mean())
    assert level == pytest.approx(
        float(x.square().sum((1, 2, 3)).mean()) * (k / (2 * gamma - k)) ** 2
    )


def test_the_certificate_bounds_the_loss_under_shifts_of_its_level():
    model = make_model("elu_4_2", (1, 1, 2), 2, 0).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    x, y = points(200)
    found = certificate(model, x, y, gamma=2.0, steps=50, rate=0.5)
    plain = float(F.cross_entropy(model(x), y).detach())
    assert found.level > 0
    assert found.surrogate == pytest.approx(found.worst_loss - 2.0 * found.level)
    assert found.worst_loss > found.surrogate > plain
    generator = torch.Generator().manual_seed(2)
    for _ in range(20):
        shift = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        shift *= (found.level / float(squared_distances(shift, 0 * shift).mean())) ** 0.5
        assert float(F.cross_entropy(model(x + shift), y).detach()) < found.worst_loss


def test_test_data_move_farther_and_hurt_more_as_the_price_falls():
    model = make_model("elu_4_2", (1, 1, 2), 2, 3).double()
    x, y = points(100)
    curve = perturbation_curve(model, x, y, (1e6, 4.0, 1.0, 0.25))
    levels = [level for level, _ in curve]
    assert levels == sorted(levels)
    assert curve[0][1] == pytest.approx(float((model(x).argmax(1) != y).double().mean()))
    assert curve[-1][1] >= curve[0][1]


def robust(**changes):
    data = resolve_source("circle")
    values = {
        "data": data,
        "model": "elu_4_2",
        "n_clients": 4,
        "client": RobustSGD(batch_size=20),
        "rounds": 4,
        "eval_every": 2,
        "track": ("robustness",),
    }
    return RunConfig(**{**values, **changes})


def test_the_circle_is_the_papers_own_data_wherever_it_is_run(tmp_path):
    config = resolve_source("circle", "real", tmp_path)
    assert (config.source, config.variant) == ("real", "canonical")
    data = load_dataset(config, tmp_path)
    assert (len(data.y_train), len(data.y_test)) == (50_000, 10_000)
    far = data.x_train.flatten(1).norm(dim=1) > 2
    assert torch.equal(far.long(), data.y_train)


def test_a_robust_client_sends_the_gradient_at_the_moved_samples():
    setting = robust()
    dataset = load_dataset(setting.data)
    federation, state = engine.prepare(setting, dataset)
    _, again = engine.prepare(setting, dataset)
    samples = Samples(federation, again.streams("batches"), range(4))
    x, y = samples.batch(setting.client.batch_size)
    moved = setting.client._altered(x, y, samples, again, again.client)
    assert moved.shape == x.shape
    assert not torch.equal(moved, x)
    expected, _ = gradients(again.model, moved, y)
    engine.play_round(federation, state)
    torch.testing.assert_close(state.updates, expected)


def test_what_is_recorded_of_robustness():
    setting = robust()
    metrics = engine.run(setting, load_dataset(setting.data))
    assert len(metrics["robustness_level"]) == len(metrics["worst_loss"]) == 2
    assert len(metrics["perturbation_level"]) == len(metrics["perturbation_error"]) == 8
    assert metrics["perturbation_level"] == sorted(metrics["perturbation_level"])
    with pytest.raises(ConfigError, match="track='robustness' is for client='robust_sgd'"):
        robust(client=MomentumSGD())


def test_the_price_may_be_in_units_of_the_samples_norm():
    setting = robust(client=RobustSGD(batch_size=20, gamma=0.5, gamma_unit="norm"))
    dataset = load_dataset(setting.data)
    _, state = engine.prepare(setting, dataset)
    norm = float(dataset.x_train.flatten(1).norm(dim=1).mean())
    assert state.client.gamma == pytest.approx(0.5 * norm)
    assert RunConfig.from_dict(setting.to_dict()) == setting
    with pytest.raises(ConfigError, match=r"client\.gamma=0"):
        RobustSGD(gamma=0)


def test_the_networks_have_the_size_of_the_paper():
    assert ParameterLayout.of(make_model("elu_4_2", (1, 1, 2), 2, 0)).size == 28
    model = make_model("elu_cnn", (1, 28, 28), 10, 0)
    assert sum(parameter.numel() for parameter in model[-1].parameters()) == 1290
    with pytest.raises(ConfigError, match="28x28"):
        make_model("elu_cnn", (3, 32, 32), 10, 0)
