"""Image data sets, in the file formats of MNIST and of CIFAR.

The functions of this module make the ``load`` and the ``files`` of an entry in the catalogue.
"""

from __future__ import annotations

import math

import numpy as np

from fedlib.data.errors import DataError
from fedlib.data.pickles import read_pickled_table
from fedlib.data.samples import LabelledSamples, Load, ReadFile

_CIFAR_SHAPE = (3, 32, 32)


def idx_files(folder: str, checksums: tuple[str, str, str, str]) -> dict[str, str]:
    """Return the files of a data set in the layout of MNIST, with their checksums.

    Parameters
    ----------
    folder
        The folder of the data set under the root.
    checksums
        The checksums of the test images, test labels, training images and training labels.

    Returns
    -------
    dict of str to str
        The checksum of each file by the file's path under the root.
    """
    stems = ("t10k-images-idx3", "t10k-labels-idx1", "train-images-idx3", "train-labels-idx1")
    return {
        f"{folder}/raw/{stem}-ubyte": checksum
        for stem, checksum in zip(stems, checksums, strict=True)
    }


def idx_loader(prefix: str, test: str = "t10k", *, transposed: bool = False) -> Load:
    """Return a function that reads a data set in the file format of MNIST.

    Parameters
    ----------
    prefix
        What the paths of all files under the root begin with, such as ``MNIST/raw/``.
    test
        What the names of the test files begin with. Those of the training files begin with
        ``train``.
    transposed
        Whether the files hold each image with its rows and columns exchanged.
    """

    def load(read: ReadFile, train: bool) -> LabelledSamples:
        start = f"{prefix}{'train' if train else test}"
        images = _read_idx(read, f"{start}-images-idx3-ubyte", 3)
        labels = _read_idx(read, f"{start}-labels-idx1-ubyte", 1)
        if transposed:
            images = np.ascontiguousarray(images.transpose(0, 2, 1))
        return LabelledSamples(images[:, None], labels.astype(np.int64))

    return load


def _read_idx(read: ReadFile, path: str, dimensions: int) -> np.ndarray:
    """Read an array of bytes from a file in the format of MNIST.

    The file starts with two zeros, the number 8 for bytes, and the number of dimensions. The size
    of each dimension follows as a number of four bytes, and then the elements follow.
    """
    content = read(path)
    start = 4 * (dimensions + 1)
    if content[:4] != bytes([0, 0, 8, dimensions]) or len(content) < start:
        raise DataError(
            f"{path} is not in the format of MNIST: it starts with {content[:4].hex(' ')!r}, but "
            f"must start with '00 00 08 0{dimensions}' and {dimensions} sizes."
        )
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], dtype=">u4"))
    if len(content) - start != math.prod(shape):
        raise DataError(
            f"{path} is truncated or damaged: it holds {len(content) - start} bytes after its "
            f"heading, which names the shape {shape}."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def cifar_loader(folder: str, train: tuple[str, ...], test: str, labels: str) -> Load:
    """Return a function that reads a data set in the file format of CIFAR.

    Parameters
    ----------
    folder
        The folder of the data set under the root.
    train
        The names of the training files.
    test
        The name of the test file.
    labels
        The name of the labels in each file.
    """

    def load(read: ReadFile, training: bool) -> LabelledSamples:
        names = train if training else (test,)
        batches = [_read_batch(read, f"{folder}/{name}", labels) for name in names]
        x = np.concatenate([batch.x for batch in batches])
        return LabelledSamples(x, np.concatenate([batch.labels for batch in batches]))

    return load


def _read_batch(read: ReadFile, path: str, label_name: str) -> LabelledSamples:
    table = read_pickled_table(read(path), path)
    missing = {"data", label_name} - set(table)
    if missing:
        found = ", ".join(sorted(table)) or "nothing"
        raise DataError(f"{path} holds {found}, but must hold 'data' and {label_name!r}.")
    images = table["data"]
    size = math.prod(_CIFAR_SHAPE)
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.size % size:
        raise DataError(f"'data' in {path} must be an array of bytes, {size} for each image.")
    labels = table[label_name]
    if isinstance(labels, list) and all(isinstance(label, int) for label in labels):
        labels = np.array(labels, dtype=np.int64)
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise DataError(f"{label_name!r} in {path} must be a list of whole numbers.")
    return LabelledSamples(images.reshape(-1, *_CIFAR_SHAPE), labels.astype(np.int64))
