"""The files of the real data sets: where they are, whether they are right, how to get them.

A root folder holds the real data sets in the layout that torchvision reads. It is the folder in
the environment variable ``FEDLIB_DATA``, or else one in the user's cache. Each file is compared
with a checksum before it is used. The checksums are those of the canonical release. If the root
holds the manifest ``fedlib-manifest.json`` and the manifest lists the data set, they are the
checksums in the manifest, and the data set then has the variant name that the manifest gives it.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from fedlib.data.catalogue import DATASETS, DOWNLOADABLE
from fedlib.validation import ConfigError, check_name

MANIFEST = "fedlib-manifest.json"


class DataError(RuntimeError):
    """A data set is absent or truncated, or a file differs from its checksum."""


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of the real data sets.

    Parameters
    ----------
    root
        The folder to use. None takes the one in ``FEDLIB_DATA``, or else one in the user's cache.
    """
    if root is not None:
        return Path(root).expanduser()
    if os.environ.get("FEDLIB_DATA"):
        return Path(os.environ["FEDLIB_DATA"]).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "fedlib"


def read_manifest(root: Path) -> dict[str, Any]:
    """Read the manifest of a root folder.

    Returns
    -------
    dict
        The ``variant`` and the checksums of the ``files`` of each data set, by the data set's
        name. It is empty if there is no manifest.

    Raises
    ------
    DataError
        If the manifest is not valid.
    """
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
    """Record the files of a data set, as they are now, in the manifest of the root folder.

    Parameters
    ----------
    root
        The root folder.
    name
        The name of the data set, one of ``DATASETS``.
    variant
        What to call this copy of the data set.

    Returns
    -------
    pathlib.Path
        The path of the manifest.

    Raises
    ------
    DataError
        If a file is absent.
    """
    info = DATASETS[check_name("data.name", name, DATASETS)]
    manifest = read_manifest(root)
    files = {}
    for relative in info.files:
        path = root / relative
        if not path.exists():
            raise absent_error(name, root)
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


def absent_error(name: str, root: Path) -> DataError:
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
    return DataError(
        f"{info.title} is not on disk: looked for {', '.join(sorted(info.files))}\n"
        f"under {root} (set FEDLIB_DATA to use another folder).\n"
        f"{get}, or use data='embedded'."
    )


def on_disk(name: str, root: Path | None = None) -> bool:
    """Return whether every file of the data set exists. The files may still be wrong."""
    folder = data_root(root)
    return all((folder / relative).exists() for relative in DATASETS[name].files)


def verify_files(name: str, root: Path) -> tuple[str, str]:
    """Compare the files of a data set with their checksums.

    Parameters
    ----------
    name
        The name of the data set, one of ``DATASETS``.
    root
        The root folder.

    Returns
    -------
    variant : str
        ``"canonical"``, or the variant that the manifest names.
    checksum : str
        The sha256 checksum of the sha256 checksums of all files.

    Raises
    ------
    DataError
        If a file is absent, or differs from the manifest or the canonical release.
    """
    info = DATASETS[name]
    if not on_disk(name, root):
        raise absent_error(name, root)
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
        manifest and of each file, None for a file that does not exist.
    """

    def mark(path: Path) -> tuple[int, int, int] | None:
        try:
            status = path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns

    folder = root.absolute()
    return str(folder), tuple(mark(folder / file) for file in (MANIFEST, *DATASETS[name].files))


@lru_cache(maxsize=8)
def verify_state(name: str, state: FileState) -> tuple[str, str]:
    """Do what :func:`verify_files` does, but only once for each state of the files."""
    return verify_files(name, Path(state[0]))


def download(name: str, root: Path | None = None) -> None:
    """Download a real data set into the root folder.

    Parameters
    ----------
    name
        The name of the data set, one of ``DOWNLOADABLE``.
    root
        The root folder. None takes the usual one (:func:`data_root`).

    Raises
    ------
    ConfigError
        If the data set cannot be downloaded, or there is none of this name.
    DataError
        If the download fails.
    """
    folder = data_root(root)
    if name not in DATASETS:
        check_name("download", name, DOWNLOADABLE)
    info = DATASETS[name]
    if info.fetch is None:
        files = ", ".join(info.files)
        why = f"cannot be downloaded, goes to {files}" if files else "is made on the spot"
        raise ConfigError(f"download={name!r} {why}. Allowed: {', '.join(sorted(DOWNLOADABLE))}.")
    fresh = not on_disk(name, folder)
    try:
        info.fetch(folder)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{absent_error(name, folder)}\nThe download failed: {error}") from error
    if fresh and not all(info.files.values()):
        # torchvision has verified the archive, but nobody publishes checksums of its members.
        write_manifest(folder, name, "canonical")
