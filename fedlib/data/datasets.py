"""Which data a run sees, and how they are loaded: a real data set, or an embedded one."""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from fedlib.data.catalogue import DATASETS
from fedlib.data.contents import read_part
from fedlib.data.download import download, unpack_absent
from fedlib.data.errors import AbsentDataError
from fedlib.data.files import (
    CANONICAL,
    FileState,
    absent_error,
    data_root,
    file_state,
    on_disk,
    verify_state,
)
from fedlib.data.glyphs import GLYPHS_VERSION
from fedlib.data.samples import LabelledSamples
from fedlib.seeds import stream
from fedlib.validation import ConfigError, check_int, check_kind, check_name

SOURCES = ("auto", "real", "embedded")
EMBEDDED_VARIANT = f"glyphs-{GLYPHS_VERSION}"
"""The variant of every embedded data set, whether or not its samples are glyphs."""
# The sizes of the embedded data set where the configuration names none.
EMBEDDED_TRAIN, EMBEDDED_TEST = 12_000, 2_000
# The seed of the embedded training samples. The test samples have the next one.
_EMBEDDED_SEED = 20_240_101


@dataclass(frozen=True)
class DataConfig:
    """Which data a run sees. This is part of the run's identity.

    Parameters
    ----------
    name
        The data set, one of ``DATASETS``.
    source
        ``"real"`` or ``"embedded"``. :func:`resolve_source` turns ``"auto"`` into one of them
        beforehand, because an identity cannot depend on the files on a disk.
    variant
        Which files or images the data set consists of. ``"canonical"`` stands for the published
        files. A copy of them has a name of its own (:class:`fedlib.data.files.Verified`). For
        embedded data this is the version of the generated images (glyphs), such as ``"glyphs-1"``.
    train_samples, test_samples
        The size of a random subset, which is the same for every seed of a run. None takes all
        samples.
    normalise
        Whether pixels in [0, 1] are standardised by the mean and the standard deviation of the
        data set.
    per_pixel
        Whether each pixel is standardised by its own mean and standard deviation over the
        training samples instead. As in the code of clustering_with_outliers, 1e-6 is added to
        each standard deviation.

    Raises
    ------
    ConfigError
        If a value is not allowed.

    Examples
    --------
    >>> from fedlib import DataConfig, load_dataset
    >>> config = DataConfig("mnist", "embedded", "glyphs-1", train_samples=60, test_samples=20)
    >>> dataset = load_dataset(config)
    >>> dataset.x_train.shape, dataset.n_classes
    (torch.Size([60, 1, 28, 28]), 10)
    """

    name: str = "mnist"
    source: str = "real"
    variant: str = CANONICAL
    train_samples: int | None = None
    test_samples: int | None = None
    normalise: bool = True
    per_pixel: bool = False

    def __post_init__(self) -> None:
        check_name("data.name", self.name, DATASETS)
        if self.per_pixel and not self.normalise:
            raise ConfigError(
                "data.per_pixel=True must be False if data.normalise=False, because it is a way to "
                "standardise pixels."
            )
        check_name("data.source", self.source, ("real", "embedded"))
        for field in ("train_samples", "test_samples"):
            if getattr(self, field) is not None:
                check_int(f"data.{field}", getattr(self, field), 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Dataset:
    """A data set as tensors on the CPU.

    Attributes
    ----------
    config
        The configuration that describes the data set.
    x_train, x_test
        The samples, float32 of shape (n, C, H, W).
    y_train, y_test
        The labels, int64 of shape (n,).
    n_classes
        The number of classes.
    checksum
        A sha256 checksum of the raw bytes in use.
    groups
        The number of the natural group of each training sample, such as the state that a loan
        comes from, of shape (n_train,). None if the data set has no groups.
    """

    config: DataConfig
    x_train: torch.Tensor
    y_train: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor
    n_classes: int
    checksum: str
    groups: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of one sample, (C, H, W)."""
        c, h, w = self.x_train.shape[1:]
        return c, h, w

    @property
    def black(self) -> tuple[float, ...]:
        """The value of a black pixel in each channel.

        With ``per_pixel`` a black pixel has another value at each place. Then this is 0, which is
        the mean of every pixel.
        """
        info = DATASETS[self.config.name]
        if not self.config.normalise or self.config.per_pixel:
            return (0.0,) * self.shape[0]
        return tuple(-mean / std for mean, std in zip(info.mean, info.std, strict=True))

    @property
    def label(self) -> str:
        """The words for the data set in captions, see :func:`describe`."""
        return describe(self.config)


def describe(config: DataConfig) -> str:
    """Return the words for a data configuration in captions.

    These are the title of the data set, and its variant unless that is the canonical one. A variant
    that nearly is the canonical one is named with how far it differs.
    """
    info = DATASETS[config.name]
    if config.source == "embedded":
        return f"embedded {info.stand_in} in place of {info.title}"
    if config.variant == CANONICAL:
        return info.title
    return f"{info.title} ({difference_from_canonical(config) or config.variant})"


def difference_from_canonical(config: DataConfig) -> str:
    """Say how far a variant differs that counts as the canonical release.

    The words are empty for the canonical release itself, and for a variant that does not count as
    it.
    """
    return DATASETS[config.name].nearly_canonical.get(config.variant, "")


def resolve_source(name: str, source: str = "auto", root: Path | None = None) -> DataConfig:
    """Find out which data a run will see.

    Parameters
    ----------
    name
        The data set, one of ``DATASETS``.
    source
        ``"real"`` takes the real data set, and downloads it if it is not on disk. ``"embedded"``
        takes the embedded one. ``"auto"`` takes the real one if its files or their archives are
        on disk, and otherwise the embedded one with a warning.
    root
        The folder of the real data sets. None takes the usual one
        (:func:`fedlib.data.data_root`).

    Raises
    ------
    ConfigError
        If there is no data set or no source of this name.
    DataError
        If the real data set is wanted, and it is absent and cannot be downloaded; or if a file of
        it is wrong.

    Examples
    --------
    >>> from fedlib import resolve_source
    >>> resolve_source("mnist", "embedded").variant
    'glyphs-1'
    >>> resolve_source("circle").source
    'real'
    """
    check_name("data.name", name, DATASETS)
    check_name("data", source, SOURCES)
    folder = data_root(root)
    there = source != "embedded" and (on_disk(name, folder) or unpack_absent(name, folder))
    if source == "embedded" or (source == "auto" and not there):
        if source == "auto":
            warnings.warn(
                f"EMBEDDED DATA: {DATASETS[name].title} is not under {folder}; generated "
                "samples stand in for it, and every result says so.",
                stacklevel=2,
            )
        return DataConfig(name, "embedded", EMBEDDED_VARIANT)
    if not there:
        if DATASETS[name].fetch is None:
            raise absent_error(name, folder)
        download(name, folder)
    return DataConfig(name, "real", verify_state(name, file_state(name, folder)).variant)


class _RawData(NamedTuple):
    """The samples of both parts before they are normalised, and the checksum of a Dataset."""

    train: LabelledSamples
    test: LabelledSamples
    checksum: str


@lru_cache(maxsize=4)
def _raw_data(config: DataConfig, state: FileState | None) -> _RawData:
    """Return the samples that ``config`` describes.

    ``state`` is that of the files (:func:`fedlib.data.files.file_state`), None for embedded data.
    """
    return _embedded_data(config) if state is None else _real_data(config, state)


def _embedded_data(config: DataConfig) -> _RawData:
    if config.variant != EMBEDDED_VARIANT:
        raise AbsentDataError(
            f"data.variant={config.variant!r} is wanted, but the embedded data are "
            f"{EMBEDDED_VARIANT!r}."
        )
    info = DATASETS[config.name]
    train = info.embedded(config.train_samples or EMBEDDED_TRAIN, _EMBEDDED_SEED)
    test = info.embedded(config.test_samples or EMBEDDED_TEST, _EMBEDDED_SEED + 1)
    digest = hashlib.sha256(train.x.tobytes())
    digest.update(test.x.tobytes())
    return _RawData(train, test, digest.hexdigest())


def _real_data(config: DataConfig, state: FileState) -> _RawData:
    info = DATASETS[config.name]
    folder = Path(state[0])
    verified = verify_state(config.name, state)
    if verified.variant != config.variant:
        raise AbsentDataError(
            f"data.variant={config.variant!r} is wanted, but {folder} holds the variant "
            f"{verified.variant!r} of {info.title}."
        )
    parts = []
    for train, wanted in ((True, config.train_samples), (False, config.test_samples)):
        samples = read_part(config.name, folder, verified, train)
        count = len(samples.labels)
        if wanted is not None and wanted < count:
            order = stream(0, f"subset-{config.name}", int(train)).permutation(count)
            samples = samples.take(order[:wanted])
        parts.append(samples)
    return _RawData(parts[0], parts[1], verified.checksum)


def load_dataset(config: DataConfig, root: str | os.PathLike[str] | None = None) -> Dataset:
    """Load the data that ``config`` describes as tensors on the CPU, after a check of the files.

    Parameters
    ----------
    config
        Which data to load.
    root
        The folder of the real data sets. None takes the usual one
        (:func:`fedlib.data.data_root`).

    Raises
    ------
    AbsentDataError
        If the data set is absent, or the data set on disk is another variant.
    DataError
        If a file differs from its checksum or cannot be used.
    ConfigError
        If more samples are wanted than there are.

    Examples
    --------
    >>> from fedlib import load_dataset, resolve_source
    >>> dataset = load_dataset(resolve_source("circle"))
    >>> dataset.x_train.shape[1:], dataset.n_classes
    (torch.Size([1, 1, 2]), 2)
    """
    check_kind("config", config, DataConfig, "a DataConfig", "DataConfig('mnist')")
    info = DATASETS[config.name]
    # The embedded data set is the same whatever is on the disk.
    embedded = config.source == "embedded"
    raw = _raw_data(config, None if embedded else file_state(config.name, data_root(root)))
    for field, part in (("train_samples", raw.train), ("test_samples", raw.test)):
        wanted, there = getattr(config, field), len(part.labels)
        if wanted is not None and wanted > there:
            raise ConfigError(
                f"data.{field}={wanted} is more than the {there} samples of the data set: must be "
                f"at most {there}."
            )

    mean = torch.tensor(info.mean).view(1, -1, 1, 1)
    std = torch.tensor(info.std).view(1, -1, 1, 1)
    x_train = raw.train.x
    if config.per_pixel and x_train.dtype == np.uint8:
        pixels = torch.from_numpy(x_train.mean(0, keepdims=True) / 255)
        deviations = torch.from_numpy(x_train.std(0, keepdims=True) / 255 + 1e-6)
        mean, std = pixels.float(), deviations.float()

    def tensor(samples: np.ndarray) -> torch.Tensor:
        if samples.dtype != np.uint8:
            # A run may change its samples, but not those that are kept for the next call.
            return torch.from_numpy(samples.copy())
        scaled = torch.from_numpy(samples.astype(np.float32)).div_(255)
        return scaled.sub_(mean).div_(std) if config.normalise else scaled

    return Dataset(
        config,
        tensor(raw.train.x),
        torch.from_numpy(raw.train.labels.astype(np.int64)),
        tensor(raw.test.x),
        torch.from_numpy(raw.test.labels.astype(np.int64)),
        info.n_classes,
        raw.checksum,
        raw.train.groups,
    )
