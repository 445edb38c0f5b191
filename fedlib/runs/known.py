"""Which runs a file of the store holds, without reading a file again that has not changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

# The clock of a file system may advance in steps as long as this. Two changes within one step can
# leave the same time behind, so that a file counts as unchanged only if it was older when read.
_STEP_NS = 2_000_000_000

_Mark = tuple[int, int, int, int, int]

_known: dict[Path, tuple[_Mark, frozenset[str]]] = {}


def identities_in(path: Path, read: Callable[[], frozenset[str]]) -> frozenset[str]:
    """Return the identities of the runs in a file.

    Most files of a large store are full and never change. This process reads such a file once. A
    file is read again if its size, its times or its place on the disk are others than when it was
    read, or if it had changed less than two seconds before it was read.

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
    if known is not None and known[0] == mark:
        return known[1]
    found = read()
    if now - max(mark[3:]) > _STEP_NS:
        _known[path] = mark, found
    else:
        _known.pop(path, None)
    return found


def _mark(path: Path) -> _Mark:
    """Return what changes when a file changes: its place, its size, the times of its changes."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
