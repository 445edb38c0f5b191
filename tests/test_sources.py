"""Real sets under a root, verified; the embedded one; never one for the other in silence."""

import dataclasses
import hashlib
import json
import math
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from small import recorded_calls

from fedlib.data import datasets
from fedlib.data.catalogue import DATASETS
from fedlib.data.contents import check_samples, read_part
from fedlib.data.datasets import (
    EMBEDDED_VARIANT,
    DataConfig,
    describe,
    load_dataset,
    resolve_source,
)
from fedlib.data.errors import DataError
from fedlib.data.files import checksums, data_root, total_checksum, verify_files
from fedlib.data.manifest import MANIFEST, write_entry
from fedlib.data.samples import LabelledSamples
from fedlib.data.trust import trust
from fedlib.evidence.class_counts import counts_of, majority
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
def tiny(root):
    """The configuration of the tiny set, once it is trusted."""
    trust("mnist", root, "tiny")
    return resolve_source("mnist")


@pytest.fixture
def empty(tmp_path, monkeypatch):
    monkeypatch.setenv("FEDLIB_DATA", str(tmp_path / "none"))
    return tmp_path / "none"


def test_files_that_differ_from_the_canonical_ones_are_refused_without_a_manifest(root):
    with pytest.raises(
        DataError, match=r"(?s)-ubyte is not the file of the canonical release.*--trust mnist"
    ):
        resolve_source("mnist")


def test_a_trusted_copy_has_its_checksum_in_its_name_everywhere(root, tiny):
    checksum = total_checksum(json.loads((root / MANIFEST).read_text())["mnist"]["files"])
    name = f"tiny, sha256 {checksum[:16]}"
    assert (tiny.source, tiny.variant) == ("real", name)
    assert describe(tiny) == f"MNIST ({name})"
    dataset = load_dataset(tiny)
    assert dataset.x_train.shape == (50, 1, 28, 28)
    assert dataset.y_test.tolist()[:3] == [0, 1, 2]
    assert dataset.label == f"MNIST ({name})"
    assert dataset.checksum == checksum


def test_other_files_under_the_same_name_are_another_set(root, tiny):
    path = root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + bytes([path.read_bytes()[-1] ^ 1]))
    trust("mnist", root, "tiny")
    other = resolve_source("mnist")
    assert other.variant.startswith("tiny, sha256 ")
    assert other.variant != tiny.variant
    with pytest.raises(DataError, match=r"variant='tiny, sha256 .*' is wanted"):
        load_dataset(tiny)


@pytest.mark.parametrize("form", ["command", "manifest"])
@pytest.mark.parametrize("name", ["canonical", "my known copy"])
def test_no_other_content_may_have_a_name_that_belongs_to_one(root, monkeypatch, form, name):
    known = {"0" * 64: "my known copy"}
    monkeypatch.setitem(DATASETS, "mnist", dataclasses.replace(DATASETS["mnist"], known=known))
    if form == "command":
        with pytest.raises(ConfigError, match=f"variant='{name}' is the name of another content"):
            trust("mnist", root, name)
        assert not (root / MANIFEST).exists()
    else:
        write_entry(root, "mnist", name, checksums("mnist", root))
        with pytest.raises(DataError, match=f"'{name}', but this is the name of another content"):
            resolve_source("mnist")


def test_a_known_content_has_its_name_without_a_manifest_and_no_other_name(root, monkeypatch):
    known = {total_checksum(checksums("mnist", root)): "my known copy"}
    monkeypatch.setitem(DATASETS, "mnist", dataclasses.replace(DATASETS["mnist"], known=known))
    assert resolve_source("mnist") == DataConfig("mnist", "real", "my known copy")
    with pytest.raises(ConfigError, match=r"variant='x' cannot be the name .* 'my known copy'"):
        trust("mnist", root, "x")
    trust("mnist", root, "my known copy")
    assert verify_files("mnist", root)[:1] == ("my known copy",)
    # A manifest cannot give it another name either.
    write_entry(root, "mnist", "x", checksums("mnist", root))
    assert verify_files("mnist", root).variant == "my known copy"


def test_the_canonical_files_are_canonical_whatever_the_manifest_says(root, monkeypatch):
    files = checksums("mnist", root)
    monkeypatch.setitem(DATASETS, "mnist", dataclasses.replace(DATASETS["mnist"], files=files))
    write_entry(root, "mnist", "my copy", files)
    assert resolve_source("mnist") == DataConfig("mnist")
    with pytest.raises(ConfigError, match=r"variant='my copy' cannot be the name .*'canonical'"):
        trust("mnist", root, "my copy")


def test_the_checksum_of_a_copy_does_not_depend_on_the_order_of_its_files():
    assert total_checksum({"b": "2", "a": "1"}) == hashlib.sha256(b"12").hexdigest()


def test_the_copies_of_the_stored_runs_keep_their_names():
    """The records of these runs bear these names, which enter the identities of the runs."""
    results = Path(__file__).parent.parent / "results"
    stored = set()
    for path in results.glob("*/*.jsonl"):
        for record in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            data = record["config"]["data"]
            if data["source"] == "real" and data["variant"] != "canonical":
                stored.add((data["name"], record["provenance"]["data_checksum"], data["variant"]))
    known = {
        (name, checksum, variant)
        for name, info in DATASETS.items()
        for checksum, variant in info.known.items()
    }
    assert stored == known
    assert len(known) == 5


@pytest.mark.parametrize("variant", ["", "  ", "a\nb", "x" * 61])
def test_the_name_of_a_copy_fits_into_a_caption(root, variant):
    with pytest.raises(ConfigError, match="must be a name of 1 to 60 printable letters"):
        trust("mnist", root, variant)


def test_a_set_without_files_cannot_be_trusted(root):
    with pytest.raises(ConfigError, match="trust='circle' is generated by fedlib"):
        trust("circle", root, "x")


def test_a_manifest_that_cannot_be_written_is_named(root):
    (root / f"fedlib-manifest.{os.getpid()}.part").mkdir()
    with pytest.raises(DataError, match=r"fedlib-manifest.json cannot be written, so that the co"):
        trust("mnist", root, "tiny")


def test_a_manifest_that_cannot_be_read_is_named(root):
    (root / MANIFEST).mkdir()
    with pytest.raises(DataError, match=r"fedlib-manifest.json cannot be read: Is a directory"):
        resolve_source("mnist")
    (root / MANIFEST).rmdir()
    (root / MANIFEST).write_bytes(b"{\xff}")
    with pytest.raises(DataError, match="is not a valid manifest: 'utf-8' codec"):
        resolve_source("mnist")


def test_files_that_cannot_be_read_are_named(root, tiny, monkeypatch):
    def refuse(*_):
        raise PermissionError("not yours")

    monkeypatch.setattr("fedlib.data.files.digest", refuse)
    with pytest.raises(DataError, match="MNIST cannot be read: not yours"):
        verify_files("mnist", root)


def test_a_folder_that_nobody_has_or_that_is_closed_is_named(root, monkeypatch):
    def refuse(path):
        raise PermissionError(f"not yours: {path}")

    monkeypatch.setenv("FEDLIB_DATA", "~nobody-has-this-name/data")
    with pytest.raises(DataError, match="data folder ~nobody-has-this-name/data cannot be found"):
        resolve_source("mnist")
    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(DataError, match="MNIST cannot be looked for: not yours"):
        resolve_source("mnist", root=root)


def test_what_is_read_is_what_was_verified(root, tiny):
    verified = verify_files("mnist", root)
    path = root / "MNIST" / "raw" / "train-labels-idx1-ubyte"
    assert verified.read(root, "MNIST/raw/train-labels-idx1-ubyte") == path.read_bytes()
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    with pytest.raises(DataError, match="train-labels-idx1-ubyte has changed since its checksum"):
        read_part("mnist", root, verified, True)


def test_no_file_beside_the_verified_ones_is_read(root, tiny):
    """torchvision would load these two in place of the files with the right checksums."""
    processed = root / "MNIST" / "processed"
    processed.mkdir()
    for name in ("training.pt", "test.pt"):
        torch.save((torch.zeros(5, 28, 28), torch.zeros(5).long()), processed / name)
    dataset = load_dataset(tiny)
    assert len(dataset.x_train) == 50
    assert dataset.y_train.tolist() == [i % 10 for i in range(50)]


def test_a_truncated_file_is_named(root, tiny):
    path = root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
        DataError, match=r"(?s)train-images-idx3-ubyte is not the file of the manifest.*truncated"
    ):
        verify_files("mnist", root)


def test_a_damaged_set_is_not_taken_for_one_that_is_not_there(root, tiny):
    """Nobody knows the classes of a set that is not there, but damage has to be said."""

    def share(**changes):
        counts_of.cache_clear()
        data = dataclasses.replace(tiny, test_samples=20, **changes)
        return majority({"config": {"data": dataclasses.asdict(data)}, "provenance": {}})

    assert share() == pytest.approx(10)
    for other in ({"variant": "canonical"}, {"source": "embedded", "variant": "glyphs-0"}):
        assert math.isnan(share(**other))
    path = root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte is not the file of the manifest"):
        share()
    path.unlink()
    assert math.isnan(share())
    path.write_bytes(whole)
    (root / MANIFEST).write_text("{")
    with pytest.raises(DataError, match="is not a valid manifest"):
        share()


def test_another_variant_than_configured_is_refused(tiny):
    with pytest.raises(DataError, match=r"data.variant='canonical' is wanted, .* 'tiny, sha256"):
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


def write_tiny_emnist(root):
    """Six images, with rows and columns exchanged, as the training and as the test part."""
    folder = root / "EMNIST" / "raw"
    folder.mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28))
    for part in ("train", "test"):
        (folder / f"emnist-byclass-{part}-images-idx3-ubyte").write_bytes(idx(images))
        (folder / f"emnist-byclass-{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(6)))
    return images


def test_a_set_without_published_checksums_has_to_be_trusted(tmp_path):
    write_tiny_emnist(tmp_path)
    with pytest.raises(DataError, match="no checksum of it is published"):
        verify_files("emnist_byclass", tmp_path)
    trust("emnist_byclass", tmp_path, "mine")
    assert verify_files("emnist_byclass", tmp_path).variant.startswith("mine, sha256 ")


def test_auto_without_the_set_is_embedded_with_a_banner(empty):
    with pytest.warns(UserWarning, match="EMBEDDED DATA: MNIST is not under"):
        config = resolve_source("mnist", "auto")
    assert config == DataConfig("mnist", "embedded", EMBEDDED_VARIANT)
    assert describe(config) == "embedded glyphs in place of MNIST"


def test_images_of_emnist_are_turned_upright(tmp_path):
    images = write_tiny_emnist(tmp_path)
    trust("emnist_byclass", tmp_path, "six")
    config = resolve_source("emnist_byclass", root=tmp_path)
    dataset = load_dataset(dataclasses.replace(config, normalise=False), tmp_path)
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


def test_a_subset_is_the_same_every_time_and_a_part_of_the_whole(tiny):
    whole = load_dataset(tiny)
    config = dataclasses.replace(tiny, train_samples=10)
    first, second = load_dataset(config), load_dataset(config)
    assert torch.equal(first.x_train, second.x_train)
    assert all((whole.x_train == x).all(dim=(1, 2, 3)).any() for x in first.x_train)
    assert len(first.y_test) == 20


@pytest.mark.parametrize("size", [1, 49, 50])
def test_a_subset_has_as_many_samples_as_wanted(tiny, size):
    assert len(load_dataset(dataclasses.replace(tiny, train_samples=size)).x_train) == size


def test_each_part_of_a_subset_has_a_random_stream_of_its_own(tiny, monkeypatch):
    asked = recorded_calls(monkeypatch, datasets, "stream")
    load_dataset(dataclasses.replace(tiny, train_samples=3, test_samples=5))
    assert asked == [(0, "subset-mnist", 1), (0, "subset-mnist", 0)]


def test_more_samples_than_there_are(tiny):
    with pytest.raises(
        ConfigError,
        match=r"data.test_samples=21 is more than the 20 samples .*: must be at most 20",
    ):
        load_dataset(dataclasses.replace(tiny, test_samples=21))


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
    path = trust("mnist", root, "tiny")
    entry = json.loads(path.read_text())["mnist"]
    assert entry["variant"] == "tiny"
    assert set(entry["files"]) == set(DATASETS["mnist"].files)


def test_a_manifest_keeps_its_other_entries_and_leaves_nothing_beside_it(root):
    write_tiny_emnist(root)
    trust("mnist", root, "tiny")
    trust("emnist_byclass", root, "six")
    trust("mnist", root, "small")
    manifest = json.loads((root / MANIFEST).read_text())
    assert {name: entry["variant"] for name, entry in manifest.items()} == {
        "mnist": "small",
        "emnist_byclass": "six",
    }
    assert [path.name for path in root.iterdir() if path.is_file()] == [MANIFEST]


def test_an_absent_set_is_told_in_three_lines(empty):
    with pytest.raises(DataError) as error:
        load_dataset(DataConfig("mnist"))
    what, where, how = str(error.value).splitlines()
    assert what.startswith("MNIST is not on disk: looked for MNIST/raw/")
    assert str(empty) in where
    assert "FEDLIB_DATA" in where
    assert how == "Get it with `python -m fedlib data --download mnist`."


@pytest.mark.parametrize("source", ["auto", "real"])
def test_a_set_on_disk_is_taken_without_warning_or_download(tiny, source, monkeypatch, recwarn):
    monkeypatch.setattr(datasets, "download", lambda *_: pytest.fail("downloads"))
    assert resolve_source("mnist", source) == tiny
    assert not recwarn.list


def test_a_file_that_the_manifest_leaves_out_is_named(root):
    (root / MANIFEST).write_text('{"mnist": {"variant": "x", "files": {}}}')
    with pytest.raises(DataError, match="-ubyte cannot be verified"):
        resolve_source("mnist")


def test_a_subset_is_random_and_keeps_images_with_their_labels(tiny):
    config = dataclasses.replace(tiny, train_samples=30, test_samples=10, normalise=False)
    dataset = load_dataset(config)
    for x, y in ((dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)):
        assert torch.equal((x[:, 0, 0, 0] * 255).round().long(), y)
    assert dataset.y_train.tolist() != [i % 10 for i in range(30)]


# --- what is kept between calls never outlives the files ---------------------------------


def test_two_roots_are_two_sets(tmp_path, monkeypatch):
    found = {}
    for seed, name in enumerate(("a", "b")):
        trust("mnist", write_tiny_mnist(tmp_path / name / "data", seed), "tiny")
        config = resolve_source("mnist", root=tmp_path / name / "data")
        found[name] = config, load_dataset(config, tmp_path / name / "data")
    (first, of_first), (second, of_second) = found.values()
    assert first.variant != second.variant
    assert of_first.checksum != of_second.checksum
    assert not torch.equal(of_first.x_train, of_second.x_train)
    for name, (config, expected) in found.items():  # the same relative path, twice
        monkeypatch.chdir(tmp_path / name)
        again = load_dataset(config, "data")
        assert again.checksum == expected.checksum
        assert torch.equal(again.x_train, expected.x_train)


def test_a_set_that_is_damaged_after_its_first_use_is_refused(root, tiny):
    load_dataset(tiny)
    path = root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-100])
    for size in (None, 10):
        with pytest.raises(DataError, match="train-images-idx3-ubyte is not the file"):
            load_dataset(dataclasses.replace(tiny, train_samples=size))
    with pytest.raises(DataError, match="train-images-idx3-ubyte is not the file"):
        resolve_source("mnist")


def test_a_set_that_is_recorded_anew_has_its_new_name(root, tiny):
    assert tiny.variant.startswith("tiny, ")
    trust("mnist", root, "small")
    small = resolve_source("mnist")
    assert small.variant == tiny.variant.replace("tiny", "small")
    assert load_dataset(small).label == f"MNIST ({small.variant})"


def test_the_embedded_set_of_another_version_is_refused():
    with pytest.raises(DataError, match=r"'canonical' is wanted, but the embedded data are 'gly"):
        load_dataset(DataConfig("mnist", "embedded"))


def test_what_a_caller_does_to_a_set_does_not_reach_the_next(tiny):
    first = load_dataset(tiny)
    kept = first.x_train.clone(), first.y_train.clone()
    first.x_train.zero_(), first.y_train.zero_()
    again = load_dataset(tiny)
    assert torch.equal(again.x_train, kept[0])
    assert torch.equal(again.y_train, kept[1])


# --- contents that no run can use ---------------------------------------------------------


def rewrite(root, name, array):
    (root / "MNIST" / "raw" / name).write_bytes(idx(np.asarray(array)))


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("train-images-idx3-ubyte", np.zeros((10, 28, 28)), "10 samples, but 50 labels"),
        ("t10k-labels-idx1-ubyte", [0] * 19, "20 samples, but 19 labels"),
        ("train-labels-idx1-ubyte", [200] * 50, "has the label 200: labels must be from 0 to 9"),
        ("train-labels-idx1-ubyte", [10] + [0] * 49, "has the label 10: labels must be from 0 to"),
        ("t10k-images-idx3-ubyte", np.zeros((20, 28, 27)), r"images of shape \(1, 28, 27\)"),
        ("t10k-images-idx3-ubyte", np.zeros((20, 784)), "is not in the format of MNIST: it sta"),
    ],
)
def test_images_and_labels_that_do_not_fit_are_named(root, name, array, message):
    rewrite(root, name, array)
    with pytest.raises(DataError, match=message):
        trust("mnist", root, "tiny")
    assert not (root / MANIFEST).exists()
    # A manifest that vouches for them does not help.
    write_entry(root, "mnist", "tiny", checksums("mnist", root))
    with pytest.raises(DataError, match=message):
        load_dataset(resolve_source("mnist"))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (LabelledSamples(np.full((2, 1, 1, 3), np.nan), np.zeros(2)), "number that is not finite"),
        (LabelledSamples(np.zeros((2, 1, 1, 3)), np.zeros(2), np.zeros(1)), "2 labels and 1 group"),
        (LabelledSamples(np.zeros((2, 1, 1, 3)), np.zeros(2), np.zeros(3)), "2 labels and 3 group"),
    ],
)
def test_samples_of_any_loader_are_checked(samples, message):
    with pytest.raises(DataError, match=message):
        check_samples(DATASETS["lending_club"], "test", samples)


def test_a_part_without_samples_is_named(root):
    rewrite(root, "t10k-images-idx3-ubyte", np.zeros((0, 28, 28)))
    rewrite(root, "t10k-labels-idx1-ubyte", [])
    with pytest.raises(DataError, match="the test part of MNIST has no samples"):
        trust("mnist", root, "tiny")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda content: content[:-100],
            r"truncated or damaged: it holds 39100 bytes .*50, 28",
        ),
        (lambda content: content + b"x", "truncated or damaged: it holds 39201 bytes"),
        (lambda content: b"", "is not in the format of MNIST: it starts with ''"),
        (lambda content: content[:9], "is not in the format of MNIST"),
        (lambda content: b"\x1f\x8b" + content[2:], "it starts with '1f 8b 08 03'"),
    ],
)
def test_a_damaged_file_cannot_be_trusted(root, damage, message):
    path = root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=f"train-images-idx3-ubyte .*{message}|{message}"):
        trust("mnist", root, "tiny")
    assert not (root / MANIFEST).exists()
