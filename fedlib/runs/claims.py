"""Claims: a run is computed by one process and one thread at a time.

The lock of a process on one byte of an empty file stands for each run. It ends with the process,
in whatever way that ends, so nothing must be cleaned up later. Such locks do not keep the threads
of one process apart, and all of them end when the process closes the file, however often it has
opened it. The claims of this process are therefore counted here, and the file stays open as long as
there is one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from fedlib.runs.records import StoreError, is_identity

try:
    import fcntl
except ImportError:  # Windows has no advisory locks, so only one process may run there.
    fcntl = None  # type: ignore[assignment]


@dataclass
class _ClaimsFile:
    """An open file of claims, and the bytes of it that this process has locked."""

    handle: FileIO
    places: set[int] = field(default_factory=set)


_files: dict[Path, _ClaimsFile] = {}
_guard = threading.Lock()


@contextlib.contextmanager
def claim(path: Path, run_id: str) -> Iterator[bool]:
    """Reserve a run for this thread while the context lasts.

    The context gives True if this thread has reserved the run. It gives False if another thread or
    process has reserved it.

    Parameters
    ----------
    path
        The file of the claims, which is made if it is missing.
    run_id
        The identity of the run.

    Raises
    ------
    StoreError
        If the file cannot be opened or has no locks, or if the identity has another form.
    """
    if not is_identity(run_id):
        raise StoreError(f"run {run_id!r} cannot be claimed: this is no identity of a run.")
    place = int(run_id[:15], 16)
    with _guard:
        mine = _take(path, place)
    try:
        yield mine
    finally:
        if mine:
            with _guard:
                _give_back(path, place)


def _take(path: Path, place: int) -> bool:
    """Lock a byte of the file, and return whether nobody else had it."""
    known = _files.get(path)
    if known is not None and place in known.places:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = known or _ClaimsFile(path.open("ab", buffering=0))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from error
    _files[path] = file
    mine = False
    try:
        mine = _lock(file.handle, path, place)
    finally:
        if mine:
            file.places.add(place)
        _close_unused(path)
    return mine


def _lock(handle: FileIO, path: Path, place: int) -> bool:
    """Lock a byte for this process, and return whether no other process had it."""
    if fcntl is None:
        return True
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
    except OSError as error:
        # These two say that another process has the lock; others that there are no locks.
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        raise StoreError(
            f"{path} cannot be locked ({error.strerror or error}): the file system has no file "
            "locks, by which two processes know of each other. Point FEDLIB_RESULTS to a folder on "
            "another file system."
        ) from error
    return True


def _give_back(path: Path, place: int) -> None:
    """Unlock a byte of the file."""
    file = _files[path]
    file.places.discard(place)
    if fcntl is not None and file.places:
        fcntl.lockf(file.handle, fcntl.LOCK_UN, 1, place)
    _close_unused(path)


def _close_unused(path: Path) -> None:
    """Close the file if this process has no claim in it, which ends all of its locks."""
    if not _files[path].places:
        _files.pop(path).handle.close()


def _forget() -> None:
    """Forget the claims of the parent in a process that was forked: it has none of its locks."""
    global _guard
    _guard = threading.Lock()
    _files.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
