"""Which runs a file of the store holds, without reading a file again that has not changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

# The clock of a file system may advance in steps as long as this. Two changes within one step can
# leave the same time behind, so that a file counts as unchanged only if it was older when read, or
# if it still ends with what this process has written last.
_STEP_NS = 2_000_000_000
_ENDING = 4096

_Mark = tuple[int, int, int, int, int]


class _Known(NamedTuple):
    """What is known of a file. Its last bytes are kept if this process has written them."""

    mark: _Mark
    identities: frozenset[str]
    ending: bytes = b""


_known: dict[Path, _Known] = {}


def identities_in(path: Path, read: Callable[[], frozenset[str]]) -> frozenset[str]:
    """Return the identities of the runs in a file.

    Most files of a large store are full and never change. This process reads such a file once. A
    file is read again if its size, its times or its place on the disk are others than when it was
    read, or if it had changed less than two seconds before it was read. A file to which this
    process alone adds records is not read again either, see :func:`note_written`.

    Parameters
    ----------
    path
        The file.
    read
        This function reads the file and returns the identities in it.

    Raises
    ------
    OSError
        If the file system does not say what the file's size and times are.
    """
    mark, now = _mark(path), time.time_ns()
    known = _known.get(path)
    if known is not None and known.mark == mark and _ends_with(path, known.ending):
        return known.identities
    found = read()
    if now - max(mark[3:]) > _STEP_NS:
        _known[path] = _Known(mark, found)
    else:
        _known.pop(path, None)
    return found


def note_written(path: Path, line: bytes, size: int, identities: frozenset[str]) -> None:
    """Note that this process has added a line to a file, so that it need not read the file again.

    The caller must hold the lock of the store, so that no other process adds a line meanwhile.

    Parameters
    ----------
    path
        The file.
    line
        The line, with the newline at its end.
    size
        How many bytes the file must have with the line.
    identities
        The identities of all runs in the file, that of the line among them.

    Raises
    ------
    OSError
        If the file system does not say what the file's size and times are.
    """
    mark = _mark(path)
    if mark[2] == size:
        _known[path] = _Known(mark, identities, line[-_ENDING:])
    else:
        _known.pop(path, None)  # Somebody who does not ask for the lock has changed it.


def written_size(path: Path) -> int | None:
    """Return the size of a file if this process has made its last change by adding a line.

    Such a file consists of whole lines with a newline each. The answer is None if another process
    may have changed the file since, or if this process has never written to it.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    OSError
        If the file system does not say what the file's size and times are.
    """
    mark, known = _mark(path), _known.get(path)
    if known is None or not known.ending or known.mark != mark:
        return None
    return mark[2] if _ends_with(path, known.ending) else None


def _ends_with(path: Path, ending: bytes) -> bool:
    """Return whether a file ends with these bytes. Everything ends with no bytes at all."""
    if not ending:
        return True
    with path.open("rb") as handle:
        handle.seek(max(0, handle.seek(0, 2) - len(ending)))
        return handle.read() == ending


def _mark(path: Path) -> _Mark:
    """Return what changes when a file changes: its place, its size, the times of its changes."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
