"""The data sets that a run can name. One entry of ``DATASETS`` is all that a data set needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from fedlib.data.archives import Archive, Fetch, fetcher, gzip_archives
from fedlib.data.glyphs import make_glyphs
from fedlib.data.images import cifar_loader, idx_files, idx_loader
from fedlib.data.samples import Generate, LabelledSamples, Load
from fedlib.data.tables import (
    LOAN_FEATURES,
    LOAN_STATUSES,
    LOANS_FILE,
    REVIEW_LENGTH,
    REVIEWS_FILE,
    load_circle,
    load_loans,
    load_reviews,
    make_circle,
    make_loans,
    make_reviews,
)


@dataclass(frozen=True)
class DatasetInfo:
    """What a data set is, where its files are, and how it is fetched, read and generated.

    Parameters
    ----------
    title
        The name of the data set in captions.
    n_classes
        The number of classes.
    shape
        The shape of one sample, (C, H, W).
    files
        The checksum of each file of the canonical release, by the file's path under the root. It
        is a sha256 checksum or, where torchvision publishes one of these, an md5 checksum. It is
        empty where nobody publishes one.
    mean, std
        The mean and the standard deviation of each channel, for pixels from 0 to 1.
    load
        Reads the training or test part from the files.
    archives
        The archives of the canonical release. A file without a published checksum is canonical if
        such an archive is on disk and holds the same content.
    fetch
        Downloads an archive into the root. None if the data set cannot be downloaded.
    known
        The names of copies that are not canonical but have a name of their own, by the checksum of
        the whole copy (:func:`fedlib.data.files.verify_files`). Only this content has this name.
    generate
        Makes the samples of the embedded data set, which stands in for the real one. None takes
        glyphs.
    first_glyph
        The glyph that stands for class 0, where the embedded samples are glyphs.
    nearly_canonical
        The variants that count as the canonical release because so few samples differ that no
        result can, each with the words that say how far. Results on them are shown with these
        words.
    """

    title: str
    n_classes: int
    shape: tuple[int, int, int]
    files: dict[str, str]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    load: Load
    archives: tuple[Archive, ...] = ()
    fetch: Fetch | None = None
    known: dict[str, str] = field(default_factory=dict)
    generate: Generate | None = None
    first_glyph: int = 0
    nearly_canonical: dict[str, str] = field(default_factory=dict)

    @property
    def stand_in(self) -> str:
        """What captions call the samples of the embedded data set."""
        return "glyphs" if self.generate is None else "generated samples"

    def embedded(self, count: int, seed: int) -> LabelledSamples:
        """Make samples of the embedded data set.

        Parameters
        ----------
        count
            The number of samples.
        seed
            The seed of the random numbers.
        """
        if self.generate is not None:
            return self.generate(count, seed)
        images, labels = make_glyphs(
            count,
            n_classes=self.n_classes,
            colour=self.shape[0] == 3,
            seed=seed,
            first_class=self.first_glyph,
        )
        return LabelledSamples(images[:, None] if images.ndim == 3 else images, labels)


_MNIST_FILES = idx_files(
    "MNIST",
    (
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
)
_FASHION_FILES = idx_files(
    "FashionMNIST",
    (
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
)
_EMNIST_FILES = [
    f"emnist-byclass-{part}-{kind}-ubyte"
    for part in ("test", "train")
    for kind in ("images-idx3", "labels-idx1")
]
_CIFAR10_FILES = {
    "cifar-10-batches-py/batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
    "cifar-10-batches-py/data_batch_1": "c99cafc152244af753f735de768cd75f",
    "cifar-10-batches-py/data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "cifar-10-batches-py/data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "cifar-10-batches-py/data_batch_4": "634d18415352ddfa80567beed471001a",
    "cifar-10-batches-py/data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "cifar-10-batches-py/test_batch": "40351d587109b95175f43aff81a1287e",
}
_CIFAR100_FILES = {
    "cifar-100-python/meta": "7973b15100ade9c7d40fb424638fde48",
    "cifar-100-python/test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "cifar-100-python/train": "16019d7e3df5f24257cddd939b257f8d",
}

DATASETS: dict[str, DatasetInfo] = {
    "mnist": DatasetInfo(
        title="MNIST",
        n_classes=10,
        shape=(1, 28, 28),
        files=_MNIST_FILES,
        mean=(0.1307,),
        std=(0.3081,),
        load=idx_loader("MNIST/raw/"),
        archives=gzip_archives(
            _MNIST_FILES,
            (
                "9fb629c4189551a2d022fa330f9573f3",
                "ec29112dd5afa0611ce80d1b7f02629c",
                "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                "d53e105ee54ea40749a09fcbcd1e9432",
            ),
        ),
        fetch=fetcher("MNIST"),
    ),
    "fashion_mnist": DatasetInfo(
        title="Fashion-MNIST",
        n_classes=10,
        shape=(1, 28, 28),
        files=_FASHION_FILES,
        mean=(0.2860,),
        std=(0.3530,),
        load=idx_loader("FashionMNIST/raw/"),
        archives=gzip_archives(
            _FASHION_FILES,
            (
                "bef4ecab320f06d8554ea6380940ec79",
                "bb300cfdad3c16e7a12a480ee83cd310",
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                "25c81989df183df01b3e8a0aad5dffbe",
            ),
        ),
        fetch=fetcher("FashionMNIST"),
        first_glyph=10,
    ),
    "emnist_byclass": DatasetInfo(
        title="EMNIST by-class",
        n_classes=62,
        shape=(1, 28, 28),
        files={f"EMNIST/raw/{file}": "" for file in _EMNIST_FILES},
        mean=(0.1736,),
        std=(0.3317,),
        load=idx_loader("EMNIST/raw/emnist-byclass-", "test", transposed=True),
        archives=(
            Archive(
                "EMNIST/raw/gzip.zip",
                "58c8d27c78d21e728a6bc7b3cc06412e",
                {f"EMNIST/raw/{file}": f"gzip/{file}.gz" for file in _EMNIST_FILES},
            ),
        ),
        fetch=fetcher("EMNIST"),
        known={
            "343ee4c380844dfe0f129a4d4236301ce065ca5c8247b8977f515bc950b5111a": (
                "LEAF FEMNIST sample"
            )
        },
    ),
    "cifar10": DatasetInfo(
        title="CIFAR-10",
        n_classes=10,
        shape=(3, 32, 32),
        files=_CIFAR10_FILES,
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2470, 0.2435, 0.2616),
        load=cifar_loader(
            "cifar-10-batches-py",
            tuple(f"data_batch_{number}" for number in range(1, 6)),
            "test_batch",
            "labels",
        ),
        archives=(
            Archive(
                "cifar-10-python.tar.gz",
                "c58f30108f718f92721af3b95e74349a",
                {file: file for file in _CIFAR10_FILES},
            ),
        ),
        fetch=fetcher("CIFAR10"),
        known={
            "679510791cf6be1d2179d162a1b9c5e1bb8765f4aabda2ae1a8cafc1665a5e59": (
                "93 images from JPEG"
            )
        },
        # 73 of the images are for training, and 20 of the 10,000 for testing.
        nearly_canonical={
            "93 images from JPEG": "93 of 60,000 images from JPEG: at most 0.2 points",
        },
    ),
    "cifar100": DatasetInfo(
        title="CIFAR-100",
        n_classes=100,
        shape=(3, 32, 32),
        files=_CIFAR100_FILES,
        mean=(0.5071, 0.4865, 0.4409),
        std=(0.2673, 0.2564, 0.2762),
        load=cifar_loader("cifar-100-python", ("train",), "test", "fine_labels"),
        archives=(
            Archive(
                "cifar-100-python.tar.gz",
                "eb9058c3a382ffc7106e4002c42a8d85",
                {file: file for file in _CIFAR100_FILES},
            ),
        ),
        fetch=fetcher("CIFAR100"),
        known={
            "1a6c1729af9dd5bb368308aa62783202ae78479e9ba27cd966f2a33f827df73c": (
                "subset of 20,000 + 5,000"
            )
        },
    ),
    "amazon_reviews": DatasetInfo(
        title="Kindle Store reviews",
        n_classes=2,
        shape=(1, 1, REVIEW_LENGTH),
        files={REVIEWS_FILE: ""},
        mean=(0.0,),
        std=(1.0,),
        load=load_reviews,
        known={"aeabd1da6ee333b02d5d5a019a3a1e5b198e15010cdf863de4779a1d29e1e91a": "4,441 reviews"},
        generate=make_reviews,
    ),
    "lending_club": DatasetInfo(
        title="Lending Club loans",
        n_classes=len(LOAN_STATUSES),
        shape=(1, 1, LOAN_FEATURES),
        files={LOANS_FILE: ""},
        mean=(0.0,),
        std=(1.0,),
        load=load_loans,
        known={"1205d3893a29a7cfa9629c22913d411e0c1b500a110deaa83b954953fce62a92": "2007-2011"},
        generate=make_loans,
    ),
    # The paper makes this data set with a formula, so there is no file.
    "circle": DatasetInfo(
        title="points in a circle",
        n_classes=2,
        shape=(1, 1, 2),
        files={},
        mean=(0.0,),
        std=(1.0,),
        load=load_circle,
        generate=make_circle,
    ),
}

DOWNLOADABLE = tuple(name for name, info in DATASETS.items() if info.fetch is not None)
"""The names of the data sets that can be downloaded."""
