"""The files of the real data sets: where they are, and what they are.

A root folder holds the real data sets in the layout that torchvision reads. It is the folder in
the environment variable ``FEDLIB_DATA``, or else one in the user's cache. Checksums alone decide
what the files are. They are the canonical release, or a copy that the catalogue knows by name. Any
other copy has to be trusted once (:func:`fedlib.data.trust.trust`), and its checksum becomes part
of its name. So one name never stands for two contents.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from fedlib.data.archives import digest, stream_digest
from fedlib.data.catalogue import DATASETS, DatasetInfo
from fedlib.data.errors import AbsentDataError, DataError
from fedlib.data.manifest import MANIFEST, read_manifest

CANONICAL = "canonical"
"""The variant of the canonical release."""


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of the real data sets.

    Parameters
    ----------
    root
        The folder to use. None takes the one in ``FEDLIB_DATA``, or else one in the user's cache.

    Raises
    ------
    DataError
        If the folder begins with ``~`` and there is no such home.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "fedlib"
    folder = Path(root if root is not None else os.environ.get("FEDLIB_DATA") or cache)
    try:
        return folder.expanduser()
    except RuntimeError as error:
        raise DataError(f"the data folder {folder} cannot be found: {error}") from error


def absent_error(name: str, root: Path) -> AbsentDataError:
    """Return the error that says which data set is absent, where it was looked for, and what to do.

    Parameters
    ----------
    name
        The name of the data set, one of ``DATASETS``.
    root
        The root folder that lacks the data set.
    """
    info = DATASETS[name]
    get = f"Get it with `python -m fedlib data --download {name}`"
    if info.fetch is None:
        get = "It cannot be downloaded: put it there"
    return AbsentDataError(
        f"{info.title} is not on disk: looked for {', '.join(sorted(info.files))}\n"
        f"under {root} (set FEDLIB_DATA to use another folder).\n"
        f"{get}."
    )


def on_disk(name: str, root: Path | None = None) -> bool:
    """Return whether every file of the data set exists. The files may still be wrong.

    Raises
    ------
    DataError
        If the folder may not be looked into.
    """
    folder = data_root(root)
    try:
        return all((folder / relative).is_file() for relative in DATASETS[name].files)
    except OSError as error:
        raise DataError(f"{DATASETS[name].title} cannot be looked for: {error}") from error


class Verified(NamedTuple):
    """What the files of a data set are.

    Attributes
    ----------
    variant
        ``"canonical"``, the name that the catalogue gives to this content, or the name that the
        user gives to it, followed by its checksum.
    checksum
        The sha256 checksum of the sha256 checksums of all files.
    files
        The sha256 checksum of each file, by the file's path under the root.
    trusted
        Whether nothing but the user's manifest vouches for the files.
    """

    variant: str
    checksum: str
    files: dict[str, str]
    trusted: bool

    def read(self, root: Path, file: str) -> bytes:
        """Return the content of a file, which is exactly the content that has been verified.

        Parameters
        ----------
        root
            The root folder.
        file
            The path of the file under the root.

        Raises
        ------
        DataError
            If the file cannot be read, or if it has changed since it was verified.
        """
        path = root / file
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error}") from error
        if hashlib.sha256(content).hexdigest() != self.files[file]:
            raise DataError(f"{path} has changed since its checksum was verified: run it again.")
        return content


def checksums(name: str, root: Path) -> dict[str, str]:
    """Return the sha256 checksum of each file of a data set, by the file's path under the root.

    Raises
    ------
    AbsentDataError
        If a file is absent.
    DataError
        If a file cannot be read.
    """
    if not on_disk(name, root):
        raise absent_error(name, root)
    try:
        return {file: digest(root / file, "sha256") for file in sorted(DATASETS[name].files)}
    except OSError as error:
        raise DataError(f"{DATASETS[name].title} cannot be read: {error}") from error


def total_checksum(files: dict[str, str]) -> str:
    """Return the sha256 checksum of the sha256 checksums of all files, in the order of paths."""
    return hashlib.sha256("".join(files[file] for file in sorted(files)).encode()).hexdigest()


def name_of_content(name: str, root: Path, files: dict[str, str]) -> str | None:
    """Return the name of the content of the files, None if it has no name.

    Parameters
    ----------
    name
        The name of the data set, one of ``DATASETS``.
    root
        The root folder.
    files
        The sha256 checksum of each file, as :func:`checksums` returns them.

    Returns
    -------
    str or None
        ``"canonical"`` if every file is that of the canonical release, or else the name under
        which the catalogue knows this content.
    """
    info = DATASETS[name]
    known = info.known.get(total_checksum(files))
    if known is None and all(is_canonical(info, root, file, files[file]) for file in files):
        return CANONICAL
    return known


def is_canonical(info: DatasetInfo, root: Path, file: str, sha256: str) -> bool:
    """Return whether a file is that of the canonical release.

    Parameters
    ----------
    info
        The data set.
    root
        The root folder.
    file
        The path of the file under the root.
    sha256
        The sha256 checksum of the file.
    """
    published = info.files[file]
    if published:
        return (sha256 if len(published) == 64 else digest(root / file, "md5")) == published
    # Nobody publishes a checksum of the file. The archive that it comes from has one.
    for archive in info.archives:
        if file in archive.members and archive.is_right(root):
            with archive.open(root, file) as content:
                return stream_digest(content, "sha256") == sha256
    return False


def verify_files(name: str, root: Path) -> Verified:
    """Find out by their checksums what the files of a data set are.

    Parameters
    ----------
    name
        The name of the data set, one of ``DATASETS``.
    root
        The root folder.

    Raises
    ------
    DataError
        If a file is absent; or if the content of the files has no name, and the manifest does not
        record it or records it under a name that belongs to another content.
    """
    files = checksums(name, root)
    total = total_checksum(files)
    try:
        variant = name_of_content(name, root, files)
    except OSError as error:
        raise DataError(f"{DATASETS[name].title} cannot be read: {error}") from error
    if variant is not None:
        return Verified(variant, total, files, trusted=False)
    entry = read_manifest(root).get(name)
    _compare(name, root, files, entry)
    assert entry is not None
    if entry["variant"] in reserved_names(name):
        raise DataError(
            f"The manifest {root / MANIFEST} calls the copy of {DATASETS[name].title} "
            f"{entry['variant']!r}, but this is the name of another content.\n"
            f"{_what_to_do(name)}"
        )
    return Verified(f"{entry['variant']}, sha256 {total[:16]}", total, files, trusted=True)


def reserved_names(name: str) -> set[str]:
    """Return the names that no copy may have unless its content is the one with this name."""
    return {CANONICAL, *DATASETS[name].known.values()}


def _compare(name: str, root: Path, files: dict[str, str], entry: dict[str, Any] | None) -> None:
    """Raise the error about the first file that is not the one that is recorded or published."""
    info = DATASETS[name]
    for file, sha256 in files.items():
        path = root / file
        expected = entry["files"].get(file) if entry else info.files[file]
        if not expected:
            raise DataError(
                f"{path} cannot be verified: no checksum of it is published.\n{_what_to_do(name)}"
            )
        found = sha256 if len(expected) == 64 else digest(path, "md5")
        if found != expected:
            origin = f"the manifest {root / MANIFEST}" if entry else "the canonical release"
            raise DataError(
                f"{path} is not the file of {origin}: {path.stat().st_size} bytes, checksum\n"
                f"{found}, expected {expected}: truncated or another variant.\n{_what_to_do(name)}"
            )


def _what_to_do(name: str) -> str:
    """Say how to get the canonical release, or how to trust another copy."""
    again = ""
    if DATASETS[name].fetch is not None:
        again = f"Fetch it again with `python -m fedlib data --download {name}`.\n"
    return (
        f"{again}If you trust this copy, record it once with\n"
        f"`python -m fedlib data --trust {name} --variant NAME`."
    )


FileState = tuple[str, tuple[tuple[int, int, int] | None, ...]]
"""An absolute root folder, and marks that change when a file in it changes."""


def file_state(name: str, root: Path) -> FileState:
    """Describe the present state of the files of a data set.

    What is kept in memory between two calls is only valid while this state stays the same.

    Parameters
    ----------
    name
        The name of the data set, one of ``DATASETS``.
    root
        The root folder.

    Returns
    -------
    FileState
        The absolute root folder; and the inode, size in bytes and time of the last change of the
        manifest, of each file and of each archive, None for a file that does not exist.
    """

    def mark(path: Path) -> tuple[int, int, int] | None:
        try:
            status = path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    folder, info = root.absolute(), DATASETS[name]
    files = (MANIFEST, *info.files, *(archive.path for archive in info.archives))
    return str(folder), tuple(mark(folder / file) for file in files)


@lru_cache(maxsize=8)
def verify_state(name: str, state: FileState) -> Verified:
    """Do what :func:`verify_files` does, but only once for each state of the files."""
    return verify_files(name, Path(state[0]))
