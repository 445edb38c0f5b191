"""The store keeps the records of finished runs as text, in one JSON line each.

The file ``results/<slug>/<scale>.jsonl`` holds the records of one scale, and lines are only added
to it. When it is full, the records go on in ``<scale>.2.jsonl``, see :mod:`fedlib.runs.files`. A
line is written in one piece under a lock and flushed to the disk, so that a run is stored either
whole or not at all. The last line can be torn if a machine has lost power. A reader leaves it out
with a warning, and the next writer cuts it off.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import warnings
from collections.abc import Iterator
from io import BufferedIOBase, FileIO
from pathlib import Path
from typing import Any

from fedlib import hardware
from fedlib.runs.claims import claim
from fedlib.runs.config import Made
from fedlib.runs.files import FULL, cut_torn_line, files_of, lines_of, numbered, whole_length
from fedlib.runs.known import identities_in, note_written, written_size
from fedlib.runs.records import (
    MissingFileError,
    RecordError,
    StoreError,
    check_identity,
    line_of,
    make_record,
    parse,
)
from fedlib.validation import check_name

try:
    import fcntl
except ImportError:  # Windows has no advisory locks, so only one process may run there.
    fcntl = None  # type: ignore[assignment]

__all__ = ["SCALES", "MissingFileError", "Store", "StoreError", "make_record", "results_root"]

SCALES = ("smoke", "quick", "paper")
_LEAST_FREE = 1 << 20


def results_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder that holds all results.

    It is ``root`` if that is given. If it is not, it is the folder that the environment variable
    ``FEDLIB_RESULTS`` names. If that is not set either, it is the folder ``results`` of the
    project. An installed library has no project around it. It takes the folder ``results`` of the
    working folder.
    """
    if root is not None:
        return Path(root)
    if os.environ.get("FEDLIB_RESULTS"):
        return Path(os.environ["FEDLIB_RESULTS"]).expanduser()
    return (hardware.project_folder() or Path.cwd()) / "results"


class Store:
    """A store holds the finished runs of one paper.

    Parameters
    ----------
    slug
        The short name of the paper.
    root
        The results folder, as for :func:`results_root`.
    """

    def __init__(self, slug: str, root: str | os.PathLike[str] | None = None) -> None:
        self.slug = slug
        self.folder = results_root(root) / slug

    def path(self, scale: str) -> Path:
        """Return the path of the first file that holds the records of one scale.

        Raises
        ------
        ConfigError
            If the scale is not in ``SCALES``.
        """
        check_name("scale", scale, SCALES)
        return self.folder / f"{scale}.jsonl"

    def paths(self, scale: str) -> list[Path]:
        """Return all files that hold records of one scale, in the order of the records.

        Raises
        ------
        ConfigError
            If the scale is not in ``SCALES``.
        StoreError
            If a file between them is missing.
        """
        return files_of(self.path(scale))

    def check_writable(self, scale: str) -> None:
        """Check that a record can be written now, before a run spends time on computing.

        Raises
        ------
        StoreError
            If the file cannot be written, or if its disk is almost full.
        """
        path = self.path(scale)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # A file that is full is not written any more.
            path = (self.paths(scale) or [path])[-1]
            with path.open("ab"):
                pass
            if path.stat().st_size >= FULL and not os.access(path.parent, os.W_OK):
                raise PermissionError(errno.EACCES, "its next file cannot be made")
            free = shutil.disk_usage(path.parent).free
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror or error}.") from error
        if free < _LEAST_FREE:
            raise StoreError(
                f"{path.parent}: only {free} bytes are free on its disk; at least {_LEAST_FREE} "
                "are needed before a run is begun."
            )
        with self.claim("0" * 16):
            pass  # where there are no locks this says so

    def read(self, scale: str) -> dict[str, dict[str, Any]]:
        """Return all records of a scale by run identity, in the order in which they were stored.

        Raises
        ------
        StoreError
            If a newer version of fedlib has written a line, or if a line other than a torn last
            one cannot be read.
        """
        records: dict[str, dict[str, Any]] = {}
        made: Made = {}
        for place, line in self.lines(scale):
            record = self.parse(scale, line, place, made)
            records.setdefault(record["id"], record)
        return records

    def lines(self, scale: str) -> Iterator[tuple[str, bytes]]:
        """Give all whole lines of a scale as they are, each after its place in words.

        Unlike :meth:`read` it goes on after a bad line. A torn last line is left out and warned of.

        Raises
        ------
        StoreError
            If a file cannot be read.
        """
        for path in self.paths(scale):
            data = _content(path)
            torn = len(data) - whole_length(data)
            if torn:
                warnings.warn(
                    f"{path}: the last line is torn ({torn} bytes) and is left out; its run counts "
                    "as not done.",
                    stacklevel=3,
                )
            yield from lines_of(path, data)

    def parse(
        self, scale: str, line: bytes, place: str, made: Made | None = None
    ) -> dict[str, Any]:
        """Return the record in a line, whose form and identity are checked.

        Parameters
        ----------
        scale
            The scale of the file.
        line, place
            The line and its place in words, as :meth:`lines` gives them.
        made
            The parts of the runs in the lines before.

        Raises
        ------
        StoreError
            If the line is no record, or if a newer version of fedlib has written it.
        """
        record = parse(line, self.slug, scale, place)
        key = hash((self.slug, scale, line))
        if key not in _identities:
            try:
                check_identity(record, made)
            except RecordError as error:
                raise StoreError(
                    f"{place} is no record ({error}); perhaps the file was changed by hand."
                ) from None
            _identities[key] = record["id"]
        return record

    def holds(self, scale: str, run_id: str) -> bool:
        """Return whether a run is stored.

        This looks only into files that another process has changed since this one last looked into
        them.

        Raises
        ------
        StoreError
            As for :meth:`read`.
        """
        return any(run_id in self._identities(scale, path) for path in self.paths(scale))

    def _identities(self, scale: str, path: Path) -> frozenset[str]:
        """Return the identities of the runs in one file."""

        def read() -> frozenset[str]:
            lines = lines_of(path, _content(path))
            made: Made = {}
            return frozenset(self._identity(scale, line, place, made) for place, line in lines)

        try:
            return identities_in(path, read)
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error}") from error

    def _identity(self, scale: str, line: bytes, place: str, made: Made) -> str:
        """Return the identity of the run in a line, as for :meth:`parse`."""
        known = _identities.get(hash((self.slug, scale, line)))
        return known or str(self.parse(scale, line, place, made)["id"])

    def append(self, scale: str, record: dict[str, Any]) -> bool:
        """Store the record of a finished run.

        Returns
        -------
        bool
            True if the record was written. False if the run was stored already, in which case
            nothing is written.

        Raises
        ------
        StoreError
            If the record has a fault, or if it cannot be written, because the disk is full or
            permission is missing. The files then stay as they were. If a file has a line that is
            no record.
        """
        path = self.path(scale)
        line = line_of(record, self.slug, scale)
        self.paths(scale)  # A first file that is missing must be named before it is made here.
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # The lock of the first file covers all of them, and which of them is the last.
            with path.open("ab") as first, _locked(first):
                paths = self.paths(scale)
                stored = [self._identities(scale, each) for each in paths]
                if any(record["id"] in identities for identities in stored):
                    return False
                path, end = paths[-1], written_size(paths[-1])
                if end is None:
                    data = _content(path)
                    end = cut_torn_line(path, data)
                    if data[:end] and not data[:end].endswith((b"\n", b"\r")):
                        # An editor has left the last record without its newline.
                        line = b"\n" + line
                if end >= FULL:
                    path = numbered(self.path(scale), len(paths) + 1)
                    line, end, stored = line.lstrip(b"\n"), 0, [frozenset()]
                # The file has no buffer, in which bytes that failed would wait for a second try.
                with path.open("ab", buffering=0) as handle:
                    try:
                        _write(handle, line)
                    except OSError:
                        handle.truncate(end)
                        raise
                note_written(path, line, end + len(line), stored[-1] | {record["id"]})
        except OSError as error:
            raise StoreError(
                f"{path} cannot be written ({error.strerror or error}); run {record['id']} is not "
                "stored, and all others are as they were."
            ) from error
        return True

    def keep(self, scale: str, run_id: str, name: str, content: bytes) -> dict[str, str]:
        """Store a file of a run beside the records of the scale, whole or not at all.

        Parameters
        ----------
        scale
            The scale of the run.
        run_id
            The identity of the run.
        name
            The name of the file.
        content
            The bytes of the file.

        Returns
        -------
        dict
            What the record says about the file: its ``path`` relative to the paper's folder, and
            the checksum ``sha256`` of its content.

        Raises
        ------
        StoreError
            If the file cannot be written.
        """
        path = self.folder / scale / f"{run_id[:16]}-{name}"
        partial = path.with_suffix(f".{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb", buffering=0) as handle:
                # The file must be on the disk before the record that names it.
                _write(handle, content)
            partial.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):  # The first error is the one to report.
                partial.unlink(missing_ok=True)
            raise StoreError(f"{path} cannot be written ({error.strerror or error}).") from error
        relative = path.relative_to(self.folder).as_posix()
        return {"path": relative, "sha256": hashlib.sha256(content).hexdigest()}

    def file(self, record: dict[str, Any], name: str) -> bytes:
        """Return the content of the file ``name`` of a stored run.

        Raises
        ------
        MissingFileError
            If the file is not there, as with files that ``.gitignore`` keeps out of the repository.
        StoreError
            If the run has no file of this name, if the file cannot be read, or if its checksum is
            not the one in the record.
        """
        files = record["provenance"].get("files", {})
        if name not in files:
            known = ", ".join(files) or "none"
            raise StoreError(f"run {record['id']} has no file {name!r}; it has {known}.")
        path = self.folder / files[name]["path"]
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise MissingFileError(
                f"{path} is not there, though run {record['id']} names it. The repository leaves "
                "out the policies of scale quick, see .gitignore; others may have been deleted. "
                "The run makes the file again if it is computed into another results folder, which "
                "FEDLIB_RESULTS names."
            ) from error
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror or error}.") from error
        if hashlib.sha256(content).hexdigest() != files[name]["sha256"]:
            raise StoreError(
                f"{path} is not the file that run {record['id']} stored: its checksum differs."
            )
        return content

    def claim(self, run_id: str) -> contextlib.AbstractContextManager[bool]:
        """Reserve a run for this thread while the context lasts.

        The context gives False if another process or another thread of this one has reserved the
        run, and True if this thread has. The lock is released when the process ends, in whatever
        way.

        Raises
        ------
        StoreError
            If the file of the locks cannot be written, or if the file system has no locks.
        """
        return claim(self.folder.resolve() / ".claims", run_id)


# The identities of the lines that this process has read and checked, by a hash of paper, scale and
# line. To compute one takes long, and the file that grows is read once for each run.
_identities: dict[int, str] = {}


def _content(path: Path) -> bytes:
    """Return the content of a file of the store."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error}") from error


def _write(handle: FileIO, content: bytes) -> None:
    """Write all bytes and wait until they are on the disk."""
    while content:
        content = content[handle.write(content) :]
    os.fsync(handle.fileno())


@contextlib.contextmanager
def _locked(handle: BufferedIOBase) -> Iterator[None]:
    """Hold the exclusive lock of a file while the context lasts."""
    if fcntl is None:
        yield
        return
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)
