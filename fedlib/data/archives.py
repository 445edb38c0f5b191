"""The archives in which image data sets are published: fetching them and unpacking them."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, cast

from fedlib.compat import import_torchvision


@dataclass(frozen=True)
class Archive:
    """An archive, and the files of a data set that it holds.

    Parameters
    ----------
    path
        The path of the archive under the root. Its name ends in ``.tar.gz``, ``.zip`` or ``.gz``.
    md5
        The md5 checksum that torchvision publishes.
    members
        The name in the archive of each file, by the file's path under the root. The name is empty
        if the archive is a single compressed file. A member of a ``.zip`` archive is compressed
        with gzip as well.
    """

    path: str
    md5: str
    members: dict[str, str]

    def is_right(self, root: Path) -> bool:
        """Return whether the archive lies under the root and has its checksum."""
        path = root / self.path
        if not path.is_file():
            return False
        status = path.stat()
        return _md5(path.absolute(), status.st_ino, status.st_size, status.st_mtime_ns) == self.md5

    @contextmanager
    def open(self, root: Path, file: str) -> Iterator[IO[bytes]]:
        """Open a file of the data set as the archive holds it.

        Parameters
        ----------
        root
            The root folder.
        file
            The path of the file under the root.
        """
        path, member = root / self.path, self.members[file]
        with ExitStack() as stack:
            if path.name.endswith(".tar.gz"):
                found = stack.enter_context(tarfile.open(path)).extractfile(member)
                if found is None:
                    raise OSError(f"{member} in {path} is no file")
                yield stack.enter_context(found)
            elif path.suffix == ".zip":
                packed = stack.enter_context(zipfile.ZipFile(path)).open(member)
                yield _unpacked(stack, stack.enter_context(packed))
            else:
                yield _unpacked(stack, stack.enter_context(path.open("rb")))

    def extract(self, root: Path, file: str) -> Path:
        """Write a file of the data set beside its place under the root.

        It only has to be moved then, so that a reader never meets half a file.

        Parameters
        ----------
        root
            The root folder.
        file
            The path of the file under the root.

        Returns
        -------
        pathlib.Path
            The path of what was written.
        """
        target = root / file
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f"{target.name}.{os.getpid()}.part")
        try:
            with self.open(root, file) as source, scratch.open("wb") as handle:
                shutil.copyfileobj(source, handle)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise
        return scratch


def _unpacked(stack: ExitStack, packed: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], stack.enter_context(gzip.GzipFile(fileobj=packed)))


Fetch = Callable[[Path, Archive], None]
"""Downloads an archive of a data set to its place under a root folder."""


def digest(path: Path, algorithm: str) -> str:
    """Return the checksum of a file in hexadecimal digits.

    Parameters
    ----------
    path
        The path of the file.
    algorithm
        ``"sha256"`` or ``"md5"``.
    """
    with path.open("rb") as handle:
        return stream_digest(handle, algorithm)


def stream_digest(content: IO[bytes], algorithm: str) -> str:
    """Return the checksum of what can still be read from ``content``, like :func:`digest`."""
    found = hashlib.new(algorithm)
    while block := content.read(1 << 20):
        found.update(block)
    return found.hexdigest()


@lru_cache(maxsize=32)
def _md5(path: Path, *_: int) -> str:
    """Return the md5 checksum of a file, only once for each state of the file."""
    return digest(path, "md5")


def gzip_archives(files: dict[str, str], checksums: tuple[str, ...]) -> tuple[Archive, ...]:
    """Return the archives of a data set of which each file is compressed by itself.

    Parameters
    ----------
    files
        The files of the data set, by path.
    checksums
        The md5 checksum of the archive of each file.
    """
    return tuple(
        Archive(f"{file}.gz", checksum, {file: ""})
        for file, checksum in zip(files, checksums, strict=True)
    )


def fetcher(class_name: str) -> Fetch:
    """Return a function that downloads the archives of a data set.

    torchvision knows the addresses of the archives, and does the download. The class is looked up
    when the function is called, so that torchvision is only imported for a download.

    Parameters
    ----------
    class_name
        The name of the data set's class in ``torchvision.datasets``.
    """

    def fetch(root: Path, archive: Archive) -> None:
        datasets = import_torchvision().datasets
        source = getattr(datasets, class_name)
        path = root / archive.path
        # A data set in one archive has one address, any other one a list of mirrors.
        one = hasattr(source, "url")
        addresses = [source.url] if one else [f"{mirror}{path.name}" for mirror in source.mirrors]
        for number, address in enumerate(addresses, 1):
            try:
                datasets.utils.download_url(address, str(path.parent), path.name, archive.md5)
                return
            except (OSError, RuntimeError):
                if number == len(addresses):
                    raise

    return fetch
