"""Real sets under a root, verified; the embedded one; never one for the other in silence."""

import json
import struct

import numpy as np
import pytest
import torch

from fedlib.data import sources
from fedlib.data.sources import (
    DATASETS,
    DataConfig,
    DataError,
    data_root,
    describe,
    load_dataset,
    resolve_source,
    verify_files,
    write_manifest,
)
from fedlib.validation import ConfigError


def idx(array):
    """``array`` in the format of the MNIST files."""
    head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A root with a tiny set in MNIST's place."""
    monkeypatch.setenv("FEDLIB_DATA", str(tmp_path))
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for part, n in (("train", 50), ("t10k", 20)):
        images = generator.integers(0, 256, (n, 28, 28))
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(n) % 10))
    return tmp_path


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
    "text", ["{", "[]", '{"mnist": {"variant": 1, "files": {}}}', '{"mnist": {}}']
)
def test_a_broken_manifest_is_named(root, text):
    (root / sources.MANIFEST).write_text(text)
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
    assert config == DataConfig("mnist", "embedded", sources.EMBEDDED_VARIANT)
    assert describe(config) == "embedded glyphs in place of MNIST"


def test_real_without_the_set_and_without_network_tells_what_where_and_how(empty, monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no route")

    datasets = sources.import_torchvision().datasets
    monkeypatch.setattr(datasets, "FashionMNIST", unreachable)
    with pytest.raises(DataError) as error:
        resolve_source("fashion_mnist", "real")
    lines = str(error.value).splitlines()
    assert lines[0].startswith("Fashion-MNIST is not on disk: looked for FashionMNIST/raw/")
    assert str(empty) in lines[1]
    assert "data --download fashion_mnist" in lines[2]
    assert "no route" in lines[3]


def test_embedded_never_looks_at_the_disk(root):
    assert resolve_source("mnist", "embedded").source == "embedded"


@pytest.mark.parametrize("name", DATASETS)
def test_every_set_has_an_embedded_stand_in(name):
    config = DataConfig(name, "embedded", sources.EMBEDDED_VARIANT, 130, 40)
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
    config = DataConfig("mnist", "embedded", sources.EMBEDDED_VARIANT, 20, 10)
    raw = load_dataset(DataConfig(**{**config.to_dict(), "normalise": False})).x_train
    assert 0 <= raw.min() < raw.max() <= 1
    torch.testing.assert_close(load_dataset(config).x_train, (raw - 0.1307) / 0.3081)


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
