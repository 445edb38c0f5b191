"""Random crops and flips of training images."""

import numpy as np
import pytest
import torch

from fedlib import engine
from fedlib.clients import MomentumSGD
from fedlib.data import DataConfig, load_dataset, resolve_source
from fedlib.data.augment import crop_and_flip, draw_moves
from fedlib.data.datasets import EMBEDDED_VARIANT
from fedlib.runs import RunConfig
from fedlib.validation import ConfigError

DATA = DataConfig("cifar10", "embedded", EMBEDDED_VARIANT, 200, 50)


def test_it_is_a_border_a_crop_and_a_flip():
    x = torch.rand(6, 3, 12, 10, generator=torch.Generator().manual_seed(1))
    moves = torch.tensor([[4, 4, 0], [4, 4, 1], [0, 0, 0], [8, 8, 1], [0, 8, 0], [3, 5, 1]])
    found = crop_and_flip(x, moves, (0.5, 0.5, 0.5))
    for image, after, (top, left, flipped) in zip(x, found, moves.tolist(), strict=True):
        padded = np.pad(image.numpy(), ((0, 0), (4, 4), (4, 4)), constant_values=0.5)
        expected = padded[:, top : top + 12, left : left + 10]
        assert np.array_equal(after.numpy(), expected[..., ::-1] if flipped else expected)
    channels = crop_and_flip(x[:1], torch.tensor([[0, 4, 0]]), (1.0, 2.0, 3.0))
    assert (channels[0, :, :4] == torch.tensor([1.0, 2.0, 3.0])[:, None, None]).all()


def test_every_move_is_drawn():
    moves = draw_moves(np.random.default_rng(1), 2000)
    assert moves.shape == (2000, 3)
    assert [sorted(set(column)) for column in moves.T.tolist()] == [
        list(range(9)), list(range(9)), [0, 1],
    ]  # fmt: skip


@pytest.mark.parametrize("normalise", [True, False])
def test_black_is_what_a_black_pixel_becomes(normalise):
    dataset = load_dataset(DataConfig("mnist", "embedded", EMBEDDED_VARIANT, 50, 10, normalise))
    (black,) = dataset.black
    assert float(dataset.x_train.min()) == pytest.approx(black)


def federation(n_clients, augment="crop_flip", **changes):
    return RunConfig(
        data=DATA,
        model="softmax_regression",
        n_clients=n_clients,
        client=MomentumSGD(batch_size=8, augment=augment),
        rounds=2,
        eval_every=1,
        **changes,
    )


def test_clients_train_on_changed_images():
    dataset = load_dataset(DATA)
    seen = {}
    for augment in ("none", "crop_flip"):
        runs = [engine.run(federation(4, augment), dataset) for _ in range(2)]
        assert runs[0] == runs[1]
        seen[augment] = runs[0]["test_accuracy"], runs[0]["train_loss"]
    assert seen["none"] != seen["crop_flip"]
    assert federation(4).id != federation(4, "none").id


def test_the_update_is_the_gradient_on_the_moved_batch():
    dataset, setting = load_dataset(DATA), federation(3)
    federated, state = engine.prepare(setting, dataset)
    before, other = engine.prepare(setting, dataset)[1], engine.prepare(setting, dataset)[1]
    engine.play_round(federated, state)
    index = other.streams("batches").draw([1], 8, "shuffle")[0]
    # Each client's moves come from a stream of its own.
    moves = torch.from_numpy(draw_moves(other.client.moves[1], 8))
    x = crop_and_flip(dataset.x_train[index], moves, dataset.black)
    loss = torch.nn.functional.cross_entropy(before.model(x), dataset.y_train[index])
    grads = torch.autograd.grad(loss, list(before.model.parameters()))
    torch.testing.assert_close(state.updates[1], torch.cat([g.flatten() for g in grads]))


def test_what_is_no_image_is_refused():
    setting = federation(3).with_(data=resolve_source("circle"), model="elu_4_2")
    with pytest.raises(ConfigError, match="augment='crop_flip' is for images, not for data of"):
        engine.prepare(setting, load_dataset(setting.data))
    with pytest.raises(ConfigError, match="augment='mirror'"):
        MomentumSGD(augment="mirror")
