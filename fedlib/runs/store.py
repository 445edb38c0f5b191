"""The store: append-only text records of finished runs, one JSON line each.

``results/<slug>/<scale>.jsonl``. A line is written in one piece under a lock and flushed to the
disk, so that a run is either stored whole or not at all; a torn last line (a machine that
lost power) is left out with a warning when read, and cut off by the next writer.
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
except ImportError:  # Windows has no advisory locks: there, one process at a time
    fcntl = None  # type: ignore[assignment]

SCHEMA = 1
SCALES = ("smoke", "quick", "paper")
_LEAST_FREE = 1 << 20


class StoreError(RuntimeError):
    """A store that cannot be read or written; what it holds is left as it is."""


def results_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Where results lie: ``root``, else ``FEDLIB_RESULTS``, else ``results/`` of the project.

    Of an installed library, which has no project round it, the working folder's.
    """
    if root is not None:
        return Path(root)
    if os.environ.get("FEDLIB_RESULTS"):
        return Path(os.environ["FEDLIB_RESULTS"]).expanduser()
    project = Path(__file__).resolve().parents[2]
    return (project if (project / "pyproject.toml").exists() else Path.cwd()) / "results"


class Store:
    """The finished runs of one paper.

    Parameters
    ----------
    slug
        The paper.
    root
        The results folder; see :func:`results_root`.
    """

    def __init__(self, slug: str, root: str | os.PathLike[str] | None = None) -> None:
        self.slug = slug
        self.folder = results_root(root) / slug

    def path(self, scale: str) -> Path:
        """The file of one scale's records.

        Raises
        ------
        ConfigError
            If the scale is none of ``SCALES``.
        """
        check_name("scale", scale, SCALES)
        return self.folder / f"{scale}.jsonl"

    def check_writable(self, scale: str) -> None:
        """Raise StoreError if a record could not be written now: before compute is spent."""
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
        """All records of a scale by run identity, in the order they were stored.

        Raises
        ------
        StoreError
            If a line is of a newer version, or one other than the last cannot be read.
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
                f"{path}: the last line is torn ({len(torn)} bytes) and left out; its run counts "
                "as not done.",
                stacklevel=2,
            )
        records: dict[str, dict[str, Any]] = {}
        for number, line in enumerate(lines, 1):
            record = _parse(line, f"{path}, line {number}")
            records.setdefault(record["id"], record)
        return records

    def append(self, scale: str, record: dict[str, Any]) -> bool:
        """Store a finished run; False, and nothing written, if it is stored already.

        Raises
        ------
        StoreError
            If it cannot be written (full disk, no permission); the file is as before.
        """
        path = self.path(scale)
        line = (json.dumps({"schema": SCHEMA, **record}, allow_nan=False) + "\n").encode()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered: bytes that could not be written must not wait for a second try.
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
                "stored, all others are as they were."
            ) from error
        return True

    def keep(self, scale: str, run_id: str, name: str, content: bytes) -> dict[str, str]:
        """Lay a run's file beside the scale's records, whole or not at all.

        Returns what the record is to say of it: ``path`` below the paper's folder and ``sha256``.

        Raises
        ------
        StoreError
            If it cannot be written.
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
        """The file ``name`` of a stored run.

        Raises
        ------
        StoreError
            If the run has none of this name, or it is not the one that was stored.
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
            raise StoreError(f"{path} is not the file that run {record['id']} stored.")
        return content

    @contextlib.contextmanager
    def claim(self, run_id: str) -> Iterator[bool]:
        """Reserve a run for this process while the context lasts; False if another has it.

        The lock belongs to the process, and goes with it however it ends.
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
            # One byte of an empty file stands for each run: nothing to clean up afterwards.
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
    """A run's record; identity and seed are taken from its configuration."""
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
    try:
        record = json.loads(line)
        schema = record["schema"]
        if isinstance(schema, int) and schema <= SCHEMA:
            if not isinstance(record["id"], str):
                raise TypeError("id is no text")
            return dict(record)
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{place} is no record ({error}); the file was changed by hand?") from None
    raise StoreError(
        f"{place}: schema={schema!r} is of a newer fedlib; this one reads up to {SCHEMA}. "
        "Update fedlib, or point FEDLIB_RESULTS to another folder."
    )


def _write(handle: FileIO, line: bytes) -> None:
    while line:
        line = line[handle.write(line) :]
    os.fsync(handle.fileno())


@contextlib.contextmanager
def _locked(handle: FileIO) -> Iterator[None]:
    if fcntl is None:
        yield
        return
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)
