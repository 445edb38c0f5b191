"""Where data come from: real sets, most through torchvision, or embedded ones.

A root folder (``FEDLIB_DATA``, else the user's cache) holds the real sets in the layout that
torchvision reads. Each file is verified before it is used: against the checksums of
the canonical release, or, where the root carries ``fedlib-manifest.json``, against the
manifest's own, and then under the manifest's name for the variant.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fedlib.compat import import_torchvision
from fedlib.data.glyphs import GLYPHS_VERSION, make_glyphs
from fedlib.data.tables import (
    LOAN_FEATURES,
    LOAN_STATUSES,
    REVIEW_LENGTH,
    load_circle,
    load_loans,
    load_reviews,
    make_circle,
    make_loans,
    make_reviews,
)
from fedlib.seeds import stream
from fedlib.validation import ConfigError, check_int, check_name

MANIFEST = "fedlib-manifest.json"
SOURCES = ("auto", "real", "embedded")
EMBEDDED_VARIANT = f"glyphs-{GLYPHS_VERSION}"
# The embedded set's sizes where the configuration names none.
EMBEDDED_TRAIN, EMBEDDED_TEST = 12_000, 2_000
_GLYPH_SEED = 20_240_101


class DataError(RuntimeError):
    """A data set that is absent, truncated or not what its checksum says."""


@dataclass(frozen=True)
class DatasetInfo:
    """What a data set is: shapes, files with checksums, normalisation, embedded stand-in."""

    title: str
    n_classes: int
    shape: tuple[int, int, int]
    files: dict[str, str]
    """Canonical checksums by path; sha256, or md5 as torchvision publishes it ("" unknown)."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    first_glyph: int
    load: Callable[[Path, bool], tuple[Any, ...]]
    """(root, train) to samples ``(n, C, H, W)``, labels ``(n,)`` and perhaps groups ``(n,)``.

    Images are uint8; other samples float32, and left as they are.
    """
    generate: Callable[[int, int], tuple[Any, ...]] | None = None
    """(count, seed) to the same, generated; None has glyphs."""


def _load_idx(class_name: str, **options: Any) -> Callable[[Path, bool], Any]:
    def load(root: Path, train: bool) -> tuple[np.ndarray, np.ndarray]:
        datasets = import_torchvision().datasets
        data = getattr(datasets, class_name)(str(root), train=train, download=False, **options)
        images = data.data.numpy()[:, None]
        if class_name == "EMNIST":  # stored transposed
            images = np.ascontiguousarray(images.transpose(0, 1, 3, 2))
        return images, data.targets.numpy()

    return load


def _load_cifar(class_name: str) -> Callable[[Path, bool], Any]:
    def load(root: Path, train: bool) -> tuple[np.ndarray, np.ndarray]:
        base = getattr(import_torchvision().datasets, class_name)

        class Verified(base):  # type: ignore[misc, valid-type]
            def _check_integrity(self) -> bool:
                return True  # verify_files has compared every file already

        data = Verified(str(root), train=train, download=False)
        images = np.ascontiguousarray(data.data.transpose(0, 3, 1, 2))
        return images, np.asarray(data.targets)

    return load


def _idx_files(folder: str, checksums: tuple[str, str, str, str]) -> dict[str, str]:
    stems = ("t10k-images-idx3", "t10k-labels-idx1", "train-images-idx3", "train-labels-idx1")
    return {
        f"{folder}/raw/{stem}-ubyte": checksum
        for stem, checksum in zip(stems, checksums, strict=True)
    }


DATASETS: dict[str, DatasetInfo] = {
    "mnist": DatasetInfo(
        "MNIST",
        10,
        (1, 28, 28),
        _idx_files(
            "MNIST",
            (
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
        ),
        (0.1307,),
        (0.3081,),
        0,
        _load_idx("MNIST"),
    ),
    "fashion_mnist": DatasetInfo(
        "Fashion-MNIST",
        10,
        (1, 28, 28),
        _idx_files(
            "FashionMNIST",
            (
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            ),
        ),
        (0.2860,),
        (0.3530,),
        10,
        _load_idx("FashionMNIST"),
    ),
    "emnist_byclass": DatasetInfo(
        "EMNIST by-class",
        62,
        (1, 28, 28),
        {
            f"EMNIST/raw/emnist-byclass-{part}-{kind}-ubyte": ""
            for part in ("test", "train")
            for kind in ("images-idx3", "labels-idx1")
        },
        (0.1736,),
        (0.3317,),
        0,
        _load_idx("EMNIST", split="byclass"),
    ),
    "cifar10": DatasetInfo(
        "CIFAR-10",
        10,
        (3, 32, 32),
        {
            f"cifar-10-batches-py/{name}": md5
            for name, md5 in {
                "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
                "data_batch_1": "c99cafc152244af753f735de768cd75f",
                "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
                "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
                "data_batch_4": "634d18415352ddfa80567beed471001a",
                "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
                "test_batch": "40351d587109b95175f43aff81a1287e",
            }.items()
        },
        (0.4914, 0.4822, 0.4465),
        (0.2470, 0.2435, 0.2616),
        0,
        _load_cifar("CIFAR10"),
    ),
    "cifar100": DatasetInfo(
        "CIFAR-100",
        100,
        (3, 32, 32),
        {
            "cifar-100-python/meta": "7973b15100ade9c7d40fb424638fde48",
            "cifar-100-python/test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
            "cifar-100-python/train": "16019d7e3df5f24257cddd939b257f8d",
        },
        (0.5071, 0.4865, 0.4409),
        (0.2673, 0.2564, 0.2762),
        0,
        _load_cifar("CIFAR100"),
    ),
    "amazon_reviews": DatasetInfo(
        "Kindle Store reviews",
        2,
        (1, 1, REVIEW_LENGTH),
        {"tables/kindle_store_reviews.csv": ""},
        (0.0,),
        (1.0,),
        0,
        load_reviews,
        make_reviews,
    ),
    "lending_club": DatasetInfo(
        "Lending Club loans",
        len(LOAN_STATUSES),
        (1, 1, LOAN_FEATURES),
        {"tables/lending_club_2007_2011.csv": ""},
        (0.0,),
        (1.0,),
        0,
        load_loans,
        make_loans,
    ),
    # Made, not measured: there is no file, and the set is the paper's own.
    "circle": DatasetInfo(
        "points in a circle",
        2,
        (1, 1, 2),
        {},
        (0.0,),
        (1.0,),
        0,
        load_circle,
        make_circle,
    ),
}
DOWNLOADABLE = tuple(name for name, info in DATASETS.items() if info.generate is None)


@dataclass(frozen=True)
class DataConfig:
    """Which data a run sees; part of the run's identity.

    Parameters
    ----------
    name
        One of ``DATASETS``.
    source
        ``"real"`` or ``"embedded"`` (``"auto"`` must be resolved first, see
        :func:`resolve_source`: an identity cannot depend on what lies on a disk).
    variant
        ``"canonical"``, the manifest's name for the copy, or the glyphs' version.
    train_samples, test_samples
        A random subset of this size, the same for every run seed; None takes all.
    normalise
        Whether pixels in [0, 1] are standardised by the set's mean and deviation.
    per_pixel
        With True, by each pixel's own mean and deviation over the training samples instead, to
        which 1e-6 is added (the code of clustering_with_outliers).
    """

    name: str = "mnist"
    source: str = "real"
    variant: str = "canonical"
    train_samples: int | None = None
    test_samples: int | None = None
    normalise: bool = True
    per_pixel: bool = False

    def __post_init__(self) -> None:
        check_name("data.name", self.name, DATASETS)
        if self.per_pixel and not self.normalise:
            raise ConfigError(
                "data.per_pixel=True is a way to standardise, which data.normalise=False leaves "
                "out: must be False."
            )
        check_name("data.source", self.source, ("real", "embedded"))
        for field in ("train_samples", "test_samples"):
            if getattr(self, field) is not None:
                check_int(f"data.{field}", getattr(self, field), 1)

    def to_dict(self) -> dict[str, Any]:
        """The fields, as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Dataset:
    """A data set as tensors, with where it came from.

    ``x_*`` are float32 ``(n, C, H, W)``, ``y_*`` int64 ``(n,)``. ``checksum`` is the sha256 of
    the raw bytes used. ``groups`` ``(n_train,)`` says which natural group, such as a state, a
    training sample belongs to, where the set has any.
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
        """Shape of one sample, (C, H, W)."""
        c, h, w = self.x_train.shape[1:]
        return c, h, w

    @property
    def black(self) -> tuple[float, ...]:
        """What a black pixel is in each channel; of ``per_pixel`` the mean, as each differs."""
        info = DATASETS[self.config.name]
        if not self.config.normalise or self.config.per_pixel:
            return (0.0,) * self.shape[0]
        return tuple(-mean / std for mean, std in zip(info.mean, info.std, strict=True))

    @property
    def label(self) -> str:
        """For captions: the set's title, and its variant where it is not the canonical one."""
        return describe(self.config)


def describe(config: DataConfig) -> str:
    """A caption's words for a data configuration."""
    title = DATASETS[config.name].title
    if config.source == "embedded":
        what = "glyphs" if DATASETS[config.name].generate is None else "generated samples"
        return f"embedded {what} in place of {title}"
    return title if config.variant == "canonical" else f"{title} ({config.variant})"


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the real sets: ``root``, else ``FEDLIB_DATA``, else the user's cache."""
    if root is not None:
        return Path(root).expanduser()
    if os.environ.get("FEDLIB_DATA"):
        return Path(os.environ["FEDLIB_DATA"]).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "fedlib"


def read_manifest(root: Path) -> dict[str, Any]:
    """The root's manifest by data set name, empty where there is none."""
    path = root / MANIFEST
    if not path.exists():
        return {}
    try:
        manifest = json.loads(path.read_text())
        for entry in manifest.values():
            if not isinstance(entry["variant"], str) or not isinstance(entry["files"], dict):
                raise TypeError("variant must be text, files a table")
            if not all(isinstance(checksum, str) for checksum in entry["files"].values()):
                raise TypeError("checksums must be text")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not a valid manifest: {error}") from error
    return manifest


def write_manifest(root: Path, name: str, variant: str) -> Path:
    """Record the files of data set ``name`` under ``root`` as they are, as ``variant``."""
    info = DATASETS[check_name("data.name", name, DATASETS)]
    manifest = read_manifest(root)
    files = {}
    for relative in info.files:
        path = root / relative
        if not path.exists():
            raise _absent(name, root)
        files[relative] = _digest(path, "sha256")
    manifest[name] = {"variant": variant, "files": files}
    path = root / MANIFEST
    scratch = path.with_suffix(".part")
    scratch.write_text(json.dumps(manifest, indent=1) + "\n")
    scratch.replace(path)
    return path


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, algorithm).hexdigest()


def _absent(name: str, root: Path) -> DataError:
    info = DATASETS[name]
    get = f"Get it with `python -m fedlib data --download {name}`"
    if info.generate is not None:
        get = "It cannot be downloaded: put it there"
    return DataError(
        f"{info.title} is not on disk: looked for {', '.join(sorted(info.files))}\n"
        f"under {root} (set FEDLIB_DATA to use another folder).\n"
        f"{get}, or use data='embedded'."
    )


def on_disk(name: str, root: Path | None = None) -> bool:
    """Whether every file of the set is there (not yet whether they are right)."""
    folder = data_root(root)
    return all((folder / relative).exists() for relative in DATASETS[name].files)


def verify_files(name: str, root: Path) -> tuple[str, str]:
    """Check the set's files; return ``(variant, checksum)``.

    Raises
    ------
    DataError
        If a file is absent, or differs from the manifest or the canonical release.
    """
    info = DATASETS[name]
    if not on_disk(name, root):
        raise _absent(name, root)
    entry = read_manifest(root).get(name)
    total = hashlib.sha256()
    for relative in sorted(info.files):
        path = root / relative
        sha256 = _digest(path, "sha256")
        total.update(sha256.encode())
        expected = entry["files"].get(relative) if entry else info.files[relative]
        if not expected:
            raise DataError(
                f"{path} cannot be verified: no checksum of it is published.\n"
                f"If you trust this copy, record it once with\n"
                f"`python -m fedlib data --trust {name} --variant NAME`."
            )
        found = sha256 if len(expected) == 64 else _digest(path, "md5")
        if found != expected:
            origin = f"the manifest {root / MANIFEST}" if entry else "the canonical release"
            raise DataError(
                f"{path} is not the file of {origin}: {path.stat().st_size} bytes, checksum\n"
                f"{found}, expected {expected}: truncated or another variant.\n"
                f"Fetch it again, or record it with `python -m fedlib data --trust {name} "
                f"--variant NAME`."
            )
    return (entry["variant"] if entry else "canonical"), total.hexdigest()


def download(name: str, root: Path | None = None) -> None:
    """Fetch a real set through torchvision into the root.

    Raises
    ------
    ConfigError
        If it is none of ``DOWNLOADABLE``.
    DataError
        If it cannot be reached.
    """
    folder = data_root(root)
    if name in DATASETS and name not in DOWNLOADABLE:
        files = ", ".join(DATASETS[name].files)
        why = f"cannot be downloaded, goes to {files}" if files else "is made on the spot"
        raise ConfigError(f"download={name!r} {why}. Allowed: {', '.join(sorted(DOWNLOADABLE))}.")
    check_name("download", name, DOWNLOADABLE)
    datasets = import_torchvision().datasets
    classes = {
        "mnist": (datasets.MNIST, {}),
        "fashion_mnist": (datasets.FashionMNIST, {}),
        "emnist_byclass": (datasets.EMNIST, {"split": "byclass"}),
        "cifar10": (datasets.CIFAR10, {}),
        "cifar100": (datasets.CIFAR100, {}),
    }
    cls, options = classes[name]
    fresh = not on_disk(name, folder)
    try:
        cls(str(folder), download=True, **options)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{_absent(name, folder)}\nThe download failed: {error}") from error
    if fresh and not all(DATASETS[name].files.values()):
        # torchvision has verified the archive; its members have no published checksums.
        write_manifest(folder, name, "canonical")


def resolve_source(name: str, source: str = "auto", root: Path | None = None) -> DataConfig:
    """Turn a wish (``auto``, ``real``, ``embedded``) into the data that a run will see.

    ``auto`` takes the real set where it lies on disk, else the embedded one with a warning;
    ``real`` also tries to download it and fails if it can't.
    """
    check_name("data.name", name, DATASETS)
    check_name("data", source, SOURCES)
    folder = data_root(root)
    if source == "embedded" or (source == "auto" and not on_disk(name, folder)):
        if source == "auto":
            warnings.warn(
                f"EMBEDDED DATA: {DATASETS[name].title} is not under {folder}; generated "
                "samples stand in for it, and every result says so.",
                stacklevel=2,
            )
        return DataConfig(name, "embedded", EMBEDDED_VARIANT)
    if not on_disk(name, folder):
        if name not in DOWNLOADABLE:
            raise _absent(name, folder)
        download(name, folder)
    variant, _ = _verified(name, _state(name, folder))
    return DataConfig(name, "real", variant)


_State = tuple[str, tuple[tuple[int, int, int] | None, ...]]


def _state(name: str, root: Path) -> _State:
    """The absolute root, and what tells that a file of the set or the manifest has changed."""

    def mark(path: Path) -> tuple[int, int, int] | None:
        try:
            status = path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    folder = root.absolute()
    return str(folder), tuple(mark(folder / file) for file in (MANIFEST, *DATASETS[name].files))


@lru_cache(maxsize=8)
def _verified(name: str, state: _State) -> tuple[str, str]:
    return verify_files(name, Path(state[0]))


@lru_cache(maxsize=4)
def _raw(config: DataConfig, state: _State) -> tuple[Any, ...]:
    """Samples and labels of both parts, the checksum's hex text, and groups or None."""
    info = DATASETS[config.name]
    if config.source == "embedded":
        if config.variant != EMBEDDED_VARIANT:
            raise DataError(
                f"data.variant={config.variant!r} is wanted, but the embedded data are "
                f"{EMBEDDED_VARIANT!r}."
            )
        sizes = (config.train_samples or EMBEDDED_TRAIN, config.test_samples or EMBEDDED_TEST)
        parts: list[Any] = []
        groups = None
        digest = hashlib.sha256()
        for offset, size in enumerate(sizes):
            images, labels, *more = _generated(info, size, _GLYPH_SEED + offset)
            digest.update(images.tobytes())
            parts += [images, labels]
            groups = more[0] if more and offset == 0 else groups
        return (*parts, np.array(digest.hexdigest()), groups)
    folder = Path(state[0])
    variant, checksum = _verified(config.name, state)
    if variant != config.variant:
        raise DataError(
            f"data.variant={config.variant!r} is wanted, but {folder} holds the variant "
            f"{variant!r} of {info.title}."
        )
    parts, groups = [], None
    for train, wanted in ((True, config.train_samples), (False, config.test_samples)):
        held = [part for part in info.load(folder, train) if part is not None]
        if wanted is not None and wanted < len(held[1]):
            chosen = stream(0, f"subset-{config.name}", int(train)).permutation(len(held[1]))
            held = [part[chosen[:wanted]] for part in held]
        parts += held[:2]
        groups = held[2] if train and len(held) > 2 else groups
    return (*parts, np.array(checksum), groups)


def _generated(info: DatasetInfo, size: int, seed: int) -> tuple[Any, ...]:
    """Samples, labels and perhaps groups of an embedded set."""
    if info.generate is not None:
        return info.generate(size, seed)
    images, labels = make_glyphs(
        size,
        n_classes=info.n_classes,
        colour=info.shape[0] == 3,
        seed=seed,
        first_class=info.first_glyph,
    )
    return (images[:, None] if images.ndim == 3 else images), labels


def load_dataset(config: DataConfig, root: Path | None = None) -> Dataset:
    """Load the data that ``config`` describes, verified, as CPU tensors.

    Raises
    ------
    DataError
        If it is absent, fails its checksum or is another variant.
    ConfigError
        If more samples are wanted than there are.
    """
    info = DATASETS[config.name]
    # The embedded set is the same whatever lies on the disk.
    state = ("", ()) if config.source == "embedded" else _state(config.name, data_root(root))
    x_train, y_train, x_test, y_test, checksum, groups = _raw(config, state)
    for field, labels in (("train_samples", y_train), ("test_samples", y_test)):
        wanted = getattr(config, field)
        if wanted is not None and wanted > len(labels):
            raise ConfigError(f"data.{field}={wanted} is more than the {len(labels)} there are.")

    mean = torch.tensor(info.mean).view(1, -1, 1, 1)
    std = torch.tensor(info.std).view(1, -1, 1, 1)
    if config.per_pixel and x_train.dtype == np.uint8:
        pixels = torch.from_numpy(x_train.mean(0, keepdims=True) / 255)
        deviations = torch.from_numpy(x_train.std(0, keepdims=True) / 255 + 1e-6)
        mean, std = pixels.float(), deviations.float()

    def tensor(images: np.ndarray) -> torch.Tensor:
        if images.dtype != np.uint8:
            # Runs may change their samples, but not those of the cache.
            return torch.from_numpy(images.copy())
        scaled = torch.from_numpy(images).float().div_(255)
        return scaled.sub_(mean).div_(std) if config.normalise else scaled

    return Dataset(
        config,
        tensor(x_train),
        torch.from_numpy(y_train.astype(np.int64)),
        tensor(x_test),
        torch.from_numpy(y_test.astype(np.int64)),
        info.n_classes,
        str(checksum),
        groups,
    )
