"""Files from anybody are read without running what they ask for."""

import dataclasses
import io
import os
import pickle

import numpy as np
import pytest
import torch

from fedlib.agents.inversion import load_samples
from fedlib.agents.two_stage import load_policy
from fedlib.data.catalogue import DATASETS
from fedlib.data.datasets import load_dataset, resolve_source
from fedlib.data.errors import DataError
from fedlib.data.files import checksums
from fedlib.data.manifest import MANIFEST, write_entry
from fedlib.data.pickles import read_pickled_table
from fedlib.data.trust import trust
from fedlib.runs.store import Store, StoreError
from fedlib.validation import ConfigError

CIFAR10 = tuple(DATASETS["cifar10"].files)


class Payload:
    """A pickle of this makes a folder if anything runs it."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def write_cifar10(root, write=pickle.dumps, **changes):
    """Two images in each batch; every pixel of an image is its label."""
    (root / "cifar-10-batches-py").mkdir(parents=True)
    for number, path in enumerate(CIFAR10):
        labels = [number, number + 1]
        data = np.repeat(np.array(labels, dtype=np.uint8)[:, None], 3072, axis=1)
        table = {"data": data, "labels": labels, "batch_label": "batch", **changes}
        (root / path).write_bytes(write(table))
    return root


@pytest.mark.parametrize("path", [file for file in CIFAR10 if "batch_" in file])
def test_a_hostile_folder_is_not_executed(tmp_path, path):
    root, mark = write_cifar10(tmp_path / "data"), tmp_path / "executed"
    (root / path).write_bytes(pickle.dumps({"data": Payload(mark), "labels": [1]}))
    write_entry(root, "cifar10", "mine", checksums("cifar10", root))
    config = resolve_source("cifar10", root=root)
    with pytest.raises(DataError, match=rf"{path} cannot be read .* asks for .*\.mkdir"):
        load_dataset(config, root)
    assert not mark.exists()
    (root / MANIFEST).unlink()
    with pytest.raises(DataError, match="which is not allowed"):
        trust("cifar10", root, "mine")
    assert not mark.exists()
    assert not (root / MANIFEST).exists()


def python_2(table):
    """A pickle in the form of the canonical batches, which Python 2 wrote.

    All texts in it, and the elements of the array, are strings of bytes.
    """
    raw, labels = table["data"].tobytes(), bytes(table["labels"])
    minus_one = b"J\xff\xff\xff\xff"
    return b"".join(
        [
            b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85",
            b"U\x01b\x87R(K\x01K\x02M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R",
            b"(K\x03U\x01|NNN" + minus_one + minus_one + b"K\x00tb",
            b"\x89T" + len(raw).to_bytes(4, "little") + raw + b"tb",
            b"U\x06labels](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e",
            b"U\x08filenameU\x09some\xe9.pngu.",
        ]
    )


@pytest.mark.parametrize(
    "write",
    [
        pickle.dumps,
        python_2,
        lambda table: pickle.dumps(table, protocol=2),
        lambda table: pickle.dumps({**table, "labels": np.array(table["labels"])}),
        lambda table: pickle.dumps({**table, "labels": list(np.array(table["labels"]))}),
        lambda table: pickle.dumps({**table, "data": np.asfortranarray(table["data"])}),
        # NumPy 2 has another name for the module of NumPy 1. Protocol 2 does not count letters.
        lambda table: pickle.dumps(table, protocol=2).replace(b"numpy._core", b"numpy.core"),
        lambda table: pickle.dumps(table, protocol=2).replace(b"numpy.core", b"numpy._core"),
    ],
    ids=[
        "python 3",
        "python 2",
        "for python 2",
        "array",
        "numbers",
        "columns",
        "numpy 1",
        "numpy 2",
    ],
)
def test_batches_of_cifar_are_read(tmp_path, write):
    root = write_cifar10(tmp_path, write)
    trust("cifar10", root, "mine")
    dataset = load_dataset(resolve_source("cifar10", root=root), root)
    assert dataset.x_train.shape == (10, 3, 32, 32)
    assert dataset.y_train.tolist() == [1, 2, 2, 3, 3, 4, 4, 5, 5, 6]
    assert dataset.y_test.tolist() == [6, 7]
    scaled = dataset.x_test[:, 0] * 0.2470 + 0.4914
    torch.testing.assert_close(scaled, torch.tensor([6, 7]).view(2, 1, 1).expand(2, 32, 32) / 255)


def test_channels_rows_and_columns_of_cifar_are_in_their_order(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (2, 3072), dtype=np.uint8)
    root = write_cifar10(tmp_path, data=image)
    trust("cifar10", root, "mine")
    config = resolve_source("cifar10", root=root)
    config = dataclasses.replace(config, normalise=False)
    pixels = (load_dataset(config, root).x_test[1] * 255).round().int()
    # The first 1024 numbers are the red pixels, row by row; green and blue ones follow.
    assert pixels[:, 0, 1].tolist() == image[1, [1, 1025, 2049]].tolist()
    assert pixels[:, 31, 0].tolist() == image[1, [992, 2016, 3040]].tolist()


def test_fine_labels_are_those_of_cifar100(tmp_path):
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name, label in (("train", 99), ("test", 1), ("meta", 0)):
        data = np.zeros((1, 3072), dtype=np.uint8)
        table = {"data": data, "fine_labels": [label], "coarse_labels": [19]}
        (folder / name).write_bytes(pickle.dumps(table))
    trust("cifar100", tmp_path, "mine")
    dataset = load_dataset(resolve_source("cifar100", root=tmp_path), tmp_path)
    assert (dataset.y_train.tolist(), dataset.y_test.tolist()) == ([99], [1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": [1]}, "10 samples, but 5 labels"),
        ({"labels": [1, 10]}, "has the label 10: labels must be from 0 to 9"),
        ({"labels": [1, -1]}, "has the label -1"),
        ({"labels": [1, 2.5]}, "'labels' in .* must be a list of whole numbers"),
        ({"labels": np.array([1.0, 2.0])}, "'labels' in .* must be a list of whole numbers"),
        ({"labels": "12"}, "'labels' in .* must be a list of whole numbers"),
        ({"data": np.zeros((2, 3071), dtype=np.uint8)}, "'data' in .* must be an array of bytes"),
        ({"data": np.zeros((2, 3072))}, "'data' in .* must be an array of bytes, 3072 for each"),
        ({"data": [1, 2]}, "'data' in .* must be an array of bytes"),
        ({"data": np.array([None, 1])}, r"elements of type .O8. are not allowed"),
    ],
)
def test_batches_that_do_not_fit_are_named(tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        trust("cifar10", write_cifar10(tmp_path, **changes), "mine")
    assert not (tmp_path / MANIFEST).exists()


def test_a_batch_without_labels_is_named(tmp_path):
    root = write_cifar10(tmp_path, lambda table: pickle.dumps({"data": table["data"]}))
    with pytest.raises(DataError, match="holds data, but must hold 'data' and 'labels'"):
        trust("cifar10", root, "mine")


GOOD = pickle.dumps({"data": np.arange(12).reshape(3, 4)}, protocol=2)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        GOOD[:-20],
        b"not a pickle",
        pickle.dumps([1, 2]),
        pickle.dumps(np.arange(3)),
        pickle.dumps({"a": np.dtype("U3")}),
        GOOD.replace(b"latin1", b"utf-16"),
        GOOD.replace(b"K\x03K\x04\x86", b"K\x03K\x05\x86"),  # the shape
        pickle.dumps({"a": eval}),
        pickle.dumps({"a": np.add}),
        pickle.dumps({"a": torch.zeros(1)}),
        b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.",
        b"\x80\x02cfedlib.data.pickles\n_Array\n.",
    ],
)
def test_whatever_is_no_table_of_plain_arrays_is_refused(content):
    with pytest.raises(DataError, match=r"^some/file (cannot be read as a pickle|holds a)"):
        read_pickled_table(content, "some/file")


def test_the_changed_pickle_of_the_test_above_is_right_without_the_change():
    assert b"latin1" in GOOD
    assert b"K\x03K\x04\x86" in GOOD
    found = read_pickled_table(GOOD, "some/file")["data"]
    assert np.array_equal(found, np.arange(12).reshape(3, 4))
    assert found.dtype == np.int64


def test_the_byte_order_of_an_array_is_kept():
    table = {"data": np.arange(300, 303, dtype=">i4"), "n": np.float32(1.5)}
    found = read_pickled_table(pickle.dumps(table), "some/file")
    assert found["data"].tolist() == [300, 301, 302]
    assert found["n"] == 1.5


# --- what is stored beside the records ----------------------------------------------------


def hostile(mark):
    """The ways in which a payload may be packed."""
    protocols = [pickle.dumps(Payload(mark), protocol=protocol) for protocol in (0, 2, 4)]
    archive, array = io.BytesIO(), io.BytesIO()
    torch.save({"0.weight": torch.zeros(2, 2), "x": Payload(mark)}, archive)
    np.save(array, np.array([Payload(mark)], dtype=object), allow_pickle=True)
    arrays = io.BytesIO()
    np.savez(arrays, x=np.array([Payload(mark)], dtype=object), allow_pickle=True)
    return [*protocols, archive.getvalue(), array.getvalue(), arrays.getvalue()]


@pytest.mark.filterwarnings("ignore:Detected pickle protocol 4")
@pytest.mark.parametrize("number", range(6))
def test_a_stored_policy_is_not_executed(tmp_path, number):
    mark = tmp_path / "executed"
    with pytest.raises(ConfigError, match="holds no policy"):
        load_policy(hostile(mark)[number])
    assert not mark.exists()


@pytest.mark.parametrize("number", range(6))
def test_stored_samples_are_not_executed(tmp_path, number):
    mark = tmp_path / "executed"
    with pytest.raises(ConfigError, match="some/file holds no learned samples"):
        load_samples(hostile(mark)[number], source="some/file")
    assert not mark.exists()


def test_stored_records_are_not_executed(tmp_path):
    mark = tmp_path / "executed"
    for content in hostile(mark):
        store = Store("gradient_guard", tmp_path / "results")
        path = store.path("smoke")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content + b"\n")
        with pytest.raises(StoreError):
            store.read("smoke")
        assert not mark.exists()


def test_the_payload_would_work(tmp_path):
    """What the tests above look for happens if a pickle is read as usual."""
    for number in range(6):
        mark = tmp_path / str(number)
        content = hostile(mark)[number]
        if number < 3:
            pickle.loads(content)
        elif number == 3:
            torch.load(io.BytesIO(content), weights_only=False)
        else:
            found = np.load(io.BytesIO(content), allow_pickle=True)
            _ = found if number == 4 else found["x"]
        assert mark.is_dir()
