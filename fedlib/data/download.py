"""Getting the canonical release of a data set, from archives on disk or from the network."""

from __future__ import annotations

import warnings
from http.client import HTTPException
from pathlib import Path

from fedlib.data.archives import Archive, digest
from fedlib.data.catalogue import DATASETS, DOWNLOADABLE, DatasetInfo
from fedlib.data.errors import DataError
from fedlib.data.files import (
    CANONICAL,
    absent_error,
    checksums,
    data_root,
    is_canonical,
    name_of_content,
    on_disk,
    verify_files,
)
from fedlib.data.manifest import read_manifest
from fedlib.validation import ConfigError, check_name


def download(name: str, root: Path | None = None) -> None:
    """Put the canonical release of a data set into the root folder.

    Archives that are there and right are used, and the others are downloaded. A file that is there
    and is wrong is replaced, and what it held is kept beside it under the ending ``.replaced``.

    Parameters
    ----------
    name
        The name of the data set, one of ``DOWNLOADABLE``.
    root
        The root folder. None takes the usual one (:func:`fedlib.data.data_root`).

    Raises
    ------
    ConfigError
        If the data set cannot be downloaded, or there is none of this name.
    DataError
        If the download fails, or if another copy of the data set is there and is trusted.
    """
    folder = data_root(root)
    if name not in DATASETS:
        check_name("download", name, DOWNLOADABLE)
    info = DATASETS[name]
    if info.fetch is None:
        files = ", ".join(info.files)
        why = f"cannot be downloaded, goes to {files}" if files else "is made on the spot"
        raise ConfigError(f"download={name!r} {why}. Allowed: {', '.join(sorted(DOWNLOADABLE))}.")
    complete = on_disk(name, folder)
    if complete and _is_settled(name, folder):
        return
    try:
        for archive in _archives(info, _wrong_files(info, folder)):
            if not archive.is_right(folder):
                info.fetch(folder, archive)
        wrong = _wrong_files(info, folder)
        for archive in _archives(info, wrong):
            for file in archive.members.keys() & wrong:
                scratch = archive.extract(folder, file)
                _keep_replaced(folder / file)
                scratch.replace(folder / file)
    except (OSError, RuntimeError, ImportError, EOFError, HTTPException) as error:
        trouble: object = absent_error(name, folder)
        if complete:
            trouble = f"{info.title} under {folder} is truncated or another variant."
        raise DataError(f"{trouble}\nThe download failed: {error}") from error
    verify_files(name, folder)


def unpack_absent(name: str, root: Path) -> bool:
    """Unpack the files of a data set that are absent, if their archives are there and right.

    Parameters
    ----------
    name
        The name of the data set, one of ``DATASETS``.
    root
        The root folder.

    Returns
    -------
    bool
        Whether every file of the data set is there now.

    Raises
    ------
    DataError
        If an archive is there, but its files cannot be written.
    """
    info = DATASETS[name]
    absent = {file for file in info.files if not (root / file).is_file()}
    archives = _archives(info, absent)
    packed = {file for archive in archives for file in archive.members}
    try:
        if not absent <= packed or not all(archive.is_right(root) for archive in archives):
            return False
        for archive in archives:
            for file in archive.members.keys() & absent:
                archive.extract(root, file).replace(root / file)
    except OSError as error:
        raise DataError(
            f"The archives of {info.title} under {root} cannot be unpacked: {error}"
        ) from error
    return True


def _archives(info: DatasetInfo, files: set[str]) -> list[Archive]:
    """Return the archives that hold at least one of the files."""
    return [archive for archive in info.archives if archive.members.keys() & files]


def _wrong_files(info: DatasetInfo, root: Path) -> set[str]:
    """Return the files that are absent or are not those of the canonical release."""
    return {file for file in info.files if not _is_right(info, root, file)}


def _is_right(info: DatasetInfo, root: Path, file: str) -> bool:
    path = root / file
    return path.is_file() and is_canonical(info, root, file, digest(path, "sha256"))


def _is_settled(name: str, root: Path) -> bool:
    """Return whether the files are the canonical release, and refuse to replace a named copy."""
    files = checksums(name, root)
    known = name_of_content(name, root, files)
    if known == CANONICAL:
        return True
    entry = read_manifest(root).get(name)
    recorded = entry["variant"] if entry is not None and entry["files"] == files else None
    variant = known or recorded
    if variant is not None:
        raise DataError(
            f"{DATASETS[name].title} is under {root} as the copy {variant!r}, which a download "
            "would replace: move its files away first, or set FEDLIB_DATA to another folder."
        )
    return False


def _keep_replaced(path: Path) -> None:
    """Move a file that is there out of the way, and say where it is."""
    if path.is_file():
        kept = path.with_name(f"{path.name}.replaced")
        number = 1
        while kept.exists():
            number += 1
            kept = path.with_name(f"{path.name}.replaced-{number}")
        path.replace(kept)
        warnings.warn(
            f"{path} was not the file of the canonical release; it is now {kept}.", stacklevel=4
        )
