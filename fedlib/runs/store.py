"""The store keeps the records of finished runs as text, in one JSON line each.

The file ``results/<slug>/<scale>.jsonl`` holds the records of one scale, and lines are only added
to it. A line is written in one piece under a lock and flushed to the disk, so that a run is stored
either whole or not at all. The last line can be torn if a machine has lost power. A reader leaves
it out with a warning, and the next writer cuts it off.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

from fedlib.runs import RunConfig
from fedlib.validation import check_name

try:
    import fcntl
except ImportError:  # Windows has no advisory locks, so only one process may run there.
    fcntl = None  # type: ignore[assignment]

SCHEMA = 1
SCALES = ("smoke", "quick", "paper")
_LEAST_FREE = 1 << 20


class StoreError(RuntimeError):
    """The store cannot be read or written. Its contents are left as they are."""


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
    project = Path(__file__).resolve().parents[2]
    return (project if (project / "pyproject.toml").exists() else Path.cwd()) / "results"


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
        """Return the path of the file that holds the records of one scale.

        Raises
        ------
        ConfigError
            If the scale is not in ``SCALES``.
        """
        check_name("scale", scale, SCALES)
        return self.folder / f"{scale}.jsonl"

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
            with path.open("ab"):
                pass
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
        path = self.path(scale)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error}") from error
        lines = data.split(b"\n")
        torn = lines.pop()
        if torn:
            warnings.warn(
                f"{path}: the last line is torn ({len(torn)} bytes) and is left out; its run "
                "counts as not done.",
                stacklevel=2,
            )
        records: dict[str, dict[str, Any]] = {}
        for number, line in enumerate(lines, 1):
            record = _parse(line, f"{path}, line {number}")
            records.setdefault(record["id"], record)
        return records

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
            If the record cannot be written, because the disk is full or permission is missing. The
            file then stays as it was.
        """
        path = self.path(scale)
        line = (json.dumps({"schema": SCHEMA, **record}, allow_nan=False) + "\n").encode()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # The file has no buffer, in which bytes that failed would wait for a second try.
            with path.open("a+b", buffering=0) as handle, _locked(handle):
                handle.seek(0)
                data = handle.read()
                end = data.rfind(b"\n") + 1
                if end < len(data):
                    torn = len(data) - end
                    warnings.warn(
                        f"{path}: a torn last line of {torn} bytes is cut off.", stacklevel=2
                    )
                    handle.truncate(end)
                for number, stored in enumerate(data[:end].splitlines(), 1):
                    if _parse(stored, f"{path}, line {number}")["id"] == record["id"]:
                        return False
                try:
                    _write(handle, line)
                except OSError:
                    handle.truncate(end)
                    raise
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
            partial.write_bytes(content)
            partial.replace(path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise StoreError(f"{path} cannot be written ({error.strerror or error}).") from error
        relative = path.relative_to(self.folder).as_posix()
        return {"path": relative, "sha256": hashlib.sha256(content).hexdigest()}

    def file(self, record: dict[str, Any], name: str) -> bytes:
        """Return the content of the file ``name`` of a stored run.

        Raises
        ------
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
        except OSError as error:
            raise StoreError(f"{path} cannot be read: {error.strerror or error}.") from error
        if hashlib.sha256(content).hexdigest() != files[name]["sha256"]:
            raise StoreError(
                f"{path} is not the file that run {record['id']} stored: its checksum differs."
            )
        return content

    @contextlib.contextmanager
    def claim(self, run_id: str) -> Iterator[bool]:
        """Reserve a run for this process while the context lasts.

        The context gives False if another process has reserved the run, and True if this one has.
        The lock belongs to the process, and it is released when the process ends, in whatever way.

        Raises
        ------
        StoreError
            If the file of the locks cannot be written.
        """
        if fcntl is None:
            yield True
            return
        path = self.folder / ".claims"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = path.open("ab")
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error}") from error
        with handle:
            # One byte of an empty file stands for each run, so nothing must be cleaned up later.
            place = int(run_id[:15], 16)
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
                mine = True
            except OSError as error:
                # These two say that another process has the lock; others that there are no locks.
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    raise StoreError(
                        f"{path} cannot be locked ({error.strerror or error}): the file system has "
                        "no file locks, by which two processes know of each other. Point "
                        "FEDLIB_RESULTS to a folder on another file system."
                    ) from error
                mine = False
            yield mine


def make_record(
    config: RunConfig,
    *,
    slug: str,
    scale: str,
    cell: str,
    metrics: dict[str, Any],
    provenance: dict[str, Any],
) -> dict[str, Any]:
    """Return the record of a run.

    Parameters
    ----------
    config
        The configuration of the run. The record takes identity and seed from it.
    slug
        The short name of the paper.
    scale
        The scale of the run, one of ``SCALES``.
    cell
        The cell of the paper's grid that the run belongs to.
    metrics
        What the run measured, as JSON values.
    provenance
        How and where the run was made, as JSON values.
    """
    return {
        "id": config.id,
        "slug": slug,
        "scale": scale,
        "cell": cell,
        "seed": config.seed,
        "config": config.to_dict(),
        "metrics": metrics,
        "provenance": provenance,
    }


def _parse(line: bytes, place: str) -> dict[str, Any]:
    """Return the record in a line, or raise StoreError with the ``place`` of the line."""
    try:
        record = json.loads(line)
        schema = record["schema"]
        if isinstance(schema, int) and schema <= SCHEMA:
            if not isinstance(record["id"], str):
                raise TypeError("the id is not a text")
            return dict(record)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{place} is no record ({error}); perhaps the file was changed by hand."
        ) from None
    raise StoreError(
        f"{place}: schema={schema!r} is of a newer fedlib; this one reads schemas up to {SCHEMA}. "
        "Update fedlib, or point FEDLIB_RESULTS to another folder."
    )


def _write(handle: FileIO, line: bytes) -> None:
    """Write a whole line and wait until it is on the disk."""
    while line:
        line = line[handle.write(line) :]
    os.fsync(handle.fileno())


@contextlib.contextmanager
def _locked(handle: FileIO) -> Iterator[None]:
    """Hold the exclusive lock of a file while the context lasts."""
    if fcntl is None:
        yield
        return
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)
