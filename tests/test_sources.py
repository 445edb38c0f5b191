"""Real sets under a root, verified; the embedded one; never one for the other in silence."""

import json
import struct

import numpy as np
import pytest
import torch

from fedlib.compat import import_torchvision
from fedlib.data import datasets
from fedlib.data.catalogue import DATASETS
from fedlib.data.datasets import (
    EMBEDDED_VARIANT,
    DataConfig,
    describe,
    load_dataset,
    resolve_source,
)
from fedlib.data.files import (
    MANIFEST,
    DataError,
    data_root,
    download,
    verify_files,
    write_manifest,
)
from fedlib.validation import ConfigError


def idx(array):
    """``array`` in the format of the MNIST files."""
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


def write_tiny_mnist(root, seed=0):
    """50 training and 20 test images of noise; an image's first pixel is its label."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    for part, n in (("train", 50), ("t10k", 20)):
        images = generator.integers(0, 256, (n, 28, 28))
        images[:, 0, 0] = np.arange(n) % 10
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(n) % 10))
    return root


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A root with a tiny set in MNIST's place."""
    monkeypatch.setenv("FEDLIB_DATA", str(tmp_path))
    return write_tiny_mnist(tmp_path)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setenv("FEDLIB_DATA", str(tmp_path / "none"))
    return tmp_path / "none"


def test_files_that_differ_from_the_canonical_ones_are_refused_without_a_manifest(root):
    with pytest.raises(
        DataError, match=r"(?s)-ubyte is not the file of the canonical release.*--trust mnist"
    ):
        resolve_source("mnist")


def test_a_manifest_names_the_variant_everywhere(root):
    write_manifest(root, "mnist", "tiny")
    config = resolve_source("mnist")
    assert (config.source, config.variant) == ("real", "tiny")
    assert describe(config) == "MNIST (tiny)"
    dataset = load_dataset(config)
    assert dataset.x_train.shape == (50, 1, 28, 28)
    assert dataset.y_test.tolist()[:3] == [0, 1, 2]
    assert dataset.label == "MNIST (tiny)"
    assert len(dataset.checksum) == 64


def test_a_truncated_file_is_named(root):
    write_manifest(root, "mnist", "tiny")
    path = root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
        DataError, match=r"(?s)train-images-idx3-ubyte is not the file of the manifest.*truncated"
    ):
        verify_files("mnist", root)


def test_another_variant_than_configured_is_refused(root):
    write_manifest(root, "mnist", "tiny")
    with pytest.raises(DataError, match=r"data.variant='canonical' is wanted, .* 'tiny'"):
        load_dataset(DataConfig("mnist"))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        '{"mnist": {"variant": 1, "files": {}}}',
        '{"mnist": {}}',
        '{"mnist": {"variant": "x", "files": {"MNIST/raw/train-images-idx3-ubyte": 5}}}',
    ],
)
def test_a_broken_manifest_is_named(root, text):
    (root / MANIFEST).write_text(text)
    with pytest.raises(DataError, match="is not a valid manifest"):
        verify_files("mnist", root)


def test_a_set_without_published_checksums_has_to_be_trusted(tmp_path):
    folder = tmp_path / "EMNIST" / "raw"
    folder.mkdir(parents=True)
    for relative in DATASETS["emnist_byclass"].files:
        (tmp_path / relative).write_bytes(b"x")
    with pytest.raises(DataError, match="no checksum of it is published"):
        verify_files("emnist_byclass", tmp_path)
    write_manifest(tmp_path, "emnist_byclass", "mine")
    assert verify_files("emnist_byclass", tmp_path)[0] == "mine"


def test_auto_without_the_set_is_embedded_with_a_banner(empty):
    with pytest.warns(UserWarning, match="EMBEDDED DATA: MNIST is not under"):
        config = resolve_source("mnist", "auto")
    assert config == DataConfig("mnist", "embedded", EMBEDDED_VARIANT)
    assert describe(config) == "embedded glyphs in place of MNIST"


def test_real_without_the_set_and_without_network_tells_what_where_and_how(empty, monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no route")

    monkeypatch.setattr(import_torchvision().datasets, "FashionMNIST", unreachable)
    with pytest.raises(DataError) as error:
        resolve_source("fashion_mnist", "real")
    lines = str(error.value).splitlines()
    assert lines[0].startswith("Fashion-MNIST is not on disk: looked for FashionMNIST/raw/")
    assert str(empty) in lines[1]
    assert "data --download fashion_mnist" in lines[2]
    assert "no route" in lines[3]


@pytest.mark.parametrize(
    ("name", "class_name", "options"),
    [
        ("mnist", "MNIST", {}),
        ("fashion_mnist", "FashionMNIST", {}),
        ("emnist_byclass", "EMNIST", {"split": "byclass"}),
        ("cifar10", "CIFAR10", {}),
        ("cifar100", "CIFAR100", {}),
    ],
)
def test_a_set_is_downloaded_as_its_entry_says(empty, monkeypatch, name, class_name, options):
    called = []

    def fake(root, **arguments):
        called.append((root, arguments))
        for relative in DATASETS[name].files:
            (empty / relative).parent.mkdir(parents=True, exist_ok=True)
            (empty / relative).write_bytes(b"x")

    monkeypatch.setattr(import_torchvision().datasets, class_name, fake)
    download(name)
    assert called == [(str(empty), {"download": True, **options})]
    # Where no checksums are published, the files that were just fetched are recorded.
    assert (empty / MANIFEST).exists() == (name == "emnist_byclass")


def test_images_of_emnist_are_turned_upright(tmp_path):
    folder = tmp_path / "EMNIST" / "raw"
    folder.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28))
    for part in ("train", "test"):
        (folder / f"emnist-byclass-{part}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"emnist-byclass-{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(6)))
    write_manifest(tmp_path, "emnist_byclass", "six")
    dataset = load_dataset(DataConfig("emnist_byclass", "real", "six", normalise=False), tmp_path)
    upright = torch.from_numpy(images.transpose(0, 2, 1)).float() / 255
    torch.testing.assert_close(dataset.x_train[:, 0], upright)
    assert dataset.y_test.tolist() == [0, 1, 2, 3, 4, 5]


def test_embedded_never_looks_at_the_disk(root):
    assert resolve_source("mnist", "embedded").source == "embedded"


@pytest.mark.parametrize("name", DATASETS)
def test_every_set_has_an_embedded_stand_in(name):
    config = DataConfig(name, "embedded", EMBEDDED_VARIANT, 130, 40)
    dataset = load_dataset(config)
    info = DATASETS[name]
    assert dataset.shape == info.shape
    assert dataset.x_test.shape[0] == 40
    assert int(dataset.y_train.max()) < dataset.n_classes == info.n_classes
    assert not torch.equal(dataset.x_train[:40], dataset.x_test)


def test_a_subset_is_the_same_every_time_and_a_part_of_the_whole(root):
    write_manifest(root, "mnist", "tiny")
    whole = load_dataset(DataConfig("mnist", "real", "tiny"))
    config = DataConfig("mnist", "real", "tiny", train_samples=10)
    first, second = load_dataset(config), load_dataset(config)
    assert torch.equal(first.x_train, second.x_train)
    assert all((whole.x_train == x).all(dim=(1, 2, 3)).any() for x in first.x_train)
    assert len(first.y_test) == 20


def test_more_samples_than_there_are(root):
    write_manifest(root, "mnist", "tiny")
    with pytest.raises(ConfigError, match=r"data.test_samples=21 is more than the 20"):
        load_dataset(DataConfig("mnist", "real", "tiny", test_samples=21))


def test_normalisation_is_by_the_sets_mean_and_deviation():
    config = DataConfig("mnist", "embedded", EMBEDDED_VARIANT, 20, 10)
    raw = load_dataset(DataConfig(**{**config.to_dict(), "normalise": False})).x_train
    assert 0 <= raw.min() < raw.max() <= 1
    torch.testing.assert_close(load_dataset(config).x_train, (raw - 0.1307) / 0.3081)


def test_each_pixel_may_be_standardised_by_its_own_mean_and_deviation():
    config = DataConfig("mnist", "embedded", EMBEDDED_VARIANT, 20, 10, per_pixel=True)
    raw = load_dataset(DataConfig(**{**config.to_dict(), "per_pixel": False, "normalise": False}))
    found = load_dataset(config)
    x, seen = raw.x_train[:, 0, 14, 14], found.x_train[:, 0, 14, 14]
    mean, deviation = x.mean(), x.std(unbiased=False)
    assert deviation > 0
    torch.testing.assert_close(seen, (x - mean) / (deviation + 1e-6))
    # Test images by the training images' statistics.
    x, seen = raw.x_test[:, 0, 14, 14], found.x_test[:, 0, 14, 14]
    torch.testing.assert_close(seen, (x - mean) / (deviation + 1e-6))
    # Of one image no pixel varies.
    single = load_dataset(DataConfig(**{**config.to_dict(), "train_samples": 1}))
    assert single.x_train.abs().max() < 1
    with pytest.raises(ConfigError, match=r"data\.per_pixel=True"):
        DataConfig(normalise=False, per_pixel=True)


def test_the_root_comes_from_the_argument_the_environment_or_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FEDLIB_DATA", str(tmp_path / "a"))
    assert data_root(tmp_path / "b") == tmp_path / "b"
    assert data_root() == tmp_path / "a"
    monkeypatch.delenv("FEDLIB_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    assert data_root() == tmp_path / "c" / "fedlib"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: DataConfig("mnits"), "data.name='mnits' is unknown; did you mean 'mnist'"),
        (lambda: DataConfig(source="auto"), "data.source='auto'"),
        (lambda: DataConfig(train_samples=0), "data.train_samples=0"),
        (lambda: resolve_source("mnist", "reel"), "did you mean 'real'"),
    ],
)
def test_bad_values_are_named(build, message):
    with pytest.raises(ConfigError, match=message):
        build()


def test_manifest_is_text_with_a_checksum_a_file(root):
    path = write_manifest(root, "mnist", "tiny")
    entry = json.loads(path.read_text())["mnist"]
    assert entry["variant"] == "tiny"
    assert set(entry["files"]) == set(DATASETS["mnist"].files)


def test_an_absent_set_is_told_in_three_lines(empty):
    with pytest.raises(DataError) as error:
        load_dataset(DataConfig("mnist"))
    what, where, how = str(error.value).splitlines()
    assert what.startswith("MNIST is not on disk: looked for MNIST/raw/")
    assert str(empty) in where
    assert "FEDLIB_DATA" in where
    assert "data --download mnist" in how
    assert "embedded" in how


@pytest.mark.parametrize("source", ["auto", "real"])
def test_a_set_on_disk_is_taken_without_warning_or_download(root, source, monkeypatch, recwarn):
    monkeypatch.setattr(datasets, "download", lambda *_: pytest.fail("downloads"))
    write_manifest(root, "mnist", "tiny")
    assert resolve_source("mnist", source) == DataConfig("mnist", "real", "tiny")
    assert not recwarn.list


def test_a_file_that_the_manifest_leaves_out_is_named(root):
    (root / MANIFEST).write_text('{"mnist": {"variant": "x", "files": {}}}')
    with pytest.raises(DataError, match="-ubyte cannot be verified"):
        resolve_source("mnist")


def test_a_subset_is_random_and_keeps_images_with_their_labels(root):
    write_manifest(root, "mnist", "tiny")
    dataset = load_dataset(DataConfig("mnist", "real", "tiny", 30, 10, normalise=False))
    for x, y in ((dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)):
        assert torch.equal((x[:, 0, 0, 0] * 255).round().long(), y)
    assert dataset.y_train.tolist() != [i % 10 for i in range(30)]


# --- what is kept between calls never outlives the files ---------------------------------


def test_two_roots_are_two_sets(tmp_path, monkeypatch):
    config = DataConfig("mnist", "real", "tiny")
    for seed, name in enumerate(("a", "b")):
        write_manifest(write_tiny_mnist(tmp_path / name / "data", seed), "mnist", "tiny")
    first, second = (load_dataset(config, tmp_path / name / "data") for name in "ab")
    assert first.checksum != second.checksum
    assert not torch.equal(first.x_train, second.x_train)
    for name, expected in (("a", first), ("b", second)):  # the same relative path, twice
        monkeypatch.chdir(tmp_path / name)
        found = load_dataset(config, "data")
        assert found.checksum == expected.checksum
        assert torch.equal(found.x_train, expected.x_train)


def test_a_set_that_is_damaged_after_its_first_use_is_refused(root):
    write_manifest(root, "mnist", "tiny")
    load_dataset(resolve_source("mnist"))
    path = root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-100])
    for size in (None, 10):
        with pytest.raises(DataError, match="train-images-idx3-ubyte is not the file"):
            load_dataset(DataConfig("mnist", "real", "tiny", train_samples=size))
    with pytest.raises(DataError, match="train-images-idx3-ubyte is not the file"):
        resolve_source("mnist")


def test_a_set_that_is_recorded_anew_has_its_new_name(root):
    write_manifest(root, "mnist", "tiny")
    assert resolve_source("mnist").variant == "tiny"
    write_manifest(root, "mnist", "small")
    assert resolve_source("mnist").variant == "small"
    assert load_dataset(DataConfig("mnist", "real", "small")).label == "MNIST (small)"


def test_the_embedded_set_of_another_version_is_refused():
    with pytest.raises(DataError, match=r"'canonical' is wanted, but the embedded data are 'gly"):
        load_dataset(DataConfig("mnist", "embedded"))


def test_what_a_caller_does_to_a_set_does_not_reach_the_next(root):
    write_manifest(root, "mnist", "tiny")
    config = DataConfig("mnist", "real", "tiny")
    first = load_dataset(config)
    kept = first.x_train.clone(), first.y_train.clone()
    first.x_train.zero_(), first.y_train.zero_()
    again = load_dataset(config)
    assert torch.equal(again.x_train, kept[0])
    assert torch.equal(again.y_train, kept[1])
