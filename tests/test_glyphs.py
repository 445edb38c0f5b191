"""The embedded data: the same bytes everywhere, balanced, and no task for a linear model."""

import hashlib

import numpy as np
import pytest
import torch

from fedlib.data.glyphs import GLYPHS_VERSION, make_glyphs
from fedlib.models import make_model

PINNED = {
    (): "8559f396e9c96194",
    (("n_classes", 10),): "913e1597c477f47f",
    (("n_classes", 10), ("first_class", 10), ("seed", 3)): "92970f3e49823b12",
    (("n_classes", 100), ("colour", True)): "aaa6b4e4c7adebee",
    (("n_classes", 124), ("colour", True)): "3edc7f95694c3942",
    (("n_classes", 10), ("n", 1300)): "70630d91c2bed3ea",  # into the second random block
}


def digest(arguments):
    images, labels = make_glyphs(**{"n": 130, **dict(arguments)})
    return hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("arguments", PINNED)
def test_the_bytes_are_those_of_this_version(arguments):
    assert GLYPHS_VERSION == "1"
    assert digest(arguments) == PINNED[arguments], "images changed: raise GLYPHS_VERSION"


@pytest.mark.parametrize("colour", [False, True])
def test_shapes_types_and_range(colour):
    images, labels = make_glyphs(70, colour=colour)
    assert images.shape == ((70, 3, 32, 32) if colour else (70, 28, 28))
    assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
    assert images.min() < 60
    assert images.max() > 200
    assert set(labels) <= set(range(62))


def test_a_larger_set_begins_with_a_smaller_one():
    small, large = make_glyphs(100, n_classes=10), make_glyphs(1500, n_classes=10)
    assert np.array_equal(large[0][:100], small[0])
    assert np.array_equal(large[1][:100], small[1])


@pytest.mark.parametrize("n_classes", [10, 47, 62])
def test_classes_are_balanced_in_every_first_part(n_classes):
    _, labels = make_glyphs(500, n_classes=n_classes)
    for end in (n_classes, 123, 500):
        counts = np.bincount(labels[:end], minlength=n_classes)
        assert np.ptp(counts) <= 1


def test_the_second_random_block_is_not_the_first_again():
    images, _ = make_glyphs(1250, n_classes=10)
    assert not np.array_equal(images[1240:], images[:10])


def test_in_colour_a_larger_set_begins_with_a_smaller_one():
    small, large = (make_glyphs(n, n_classes=100, colour=True) for n in (30, 300))
    assert np.array_equal(large[0][:30], small[0])
    assert np.array_equal(large[1][:30], small[1])


def test_124_classes_are_62_glyphs_in_two_colour_schemes():
    images, labels = make_glyphs(248, n_classes=124, colour=True)
    assert (np.bincount(labels, minlength=124) == 2).all()
    # The ground fills most of an image: cool under warm ink, warm under cool ink.
    redness = (images[:, 0].astype(float) - images[:, 2]).mean(axis=(1, 2))
    assert redness[labels < 62].mean() < -20
    assert redness[labels >= 62].mean() > 20


def test_other_seeds_give_other_images():
    assert not np.array_equal(make_glyphs(10, seed=1)[0], make_glyphs(10, seed=2)[0])


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"n": 0}, "n=0"),
        ({"n": 5, "n_classes": 63}, "n_classes=63"),
        ({"n": 5, "n_classes": 125, "colour": True}, "n_classes=125"),
        ({"n": 5, "seed": -1}, "seed=-1"),
        ({"n": True}, "n=True"),
        ({"n": 5, "n_classes": 0}, "n_classes=0"),
        ({"n": 5, "n_classes": 124, "colour": True, "first_class": 1}, "first_class=1"),
        ({"n": 5, "n_classes": 10, "first_class": 60}, "first_class=60"),
    ],
)
def test_bad_arguments_are_named(arguments, field):
    with pytest.raises(ValueError, match=field):
        make_glyphs(**arguments)


def test_a_linear_model_stays_clearly_below_a_network():
    """Ten classes, 4,000 images: what is learned in the same number of passes."""
    images, labels = make_glyphs(5000, n_classes=10)
    x = torch.from_numpy(images).float().div(255)[:, None]
    y = torch.from_numpy(labels)
    accuracy = {}
    for name in ("softmax_regression", "cnn_4_8"):
        model = make_model(name, (1, 28, 28), 10, 0)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        generator = torch.Generator().manual_seed(0)
        for _ in range(15):
            for rows in torch.randperm(4000, generator=generator).split(64):
                optimiser.zero_grad()
                torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
                optimiser.step()
        with torch.no_grad():
            correct = model(x[4000:]).argmax(1) == y[4000:]
        accuracy[name] = float(correct.float().mean())
    assert accuracy["cnn_4_8"] > accuracy["softmax_regression"] + 0.15, accuracy
