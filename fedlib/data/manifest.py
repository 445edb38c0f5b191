"""The manifest of a root folder: the copies of data sets that the user trusts.

The manifest never decides what a copy is. It says that the user trusts files that are neither the
canonical release nor a copy with a name of its own, and what the user calls them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from fedlib.data.errors import DataError

MANIFEST = "fedlib-manifest.json"


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
        If the manifest cannot be read, or if it is not valid.
    """
    path = root / MANIFEST
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        manifest = json.loads(content.decode())
        for entry in manifest.values():
            if not isinstance(entry["variant"], str) or not isinstance(entry["files"], dict):
                raise TypeError("variant must be text, files a table")
            if not all(isinstance(checksum, str) for checksum in entry["files"].values()):
                raise TypeError("checksums must be text")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} is not a valid manifest: {error}") from error
    return dict(manifest)


def write_entry(root: Path, name: str, variant: str, files: dict[str, str]) -> Path:
    """Record a copy of a data set in the manifest of the root folder.

    Parameters
    ----------
    root
        The root folder.
    name
        The name of the data set.
    variant
        What the user calls the copy.
    files
        The sha256 checksum of each file, by the file's path under the root.

    Returns
    -------
    pathlib.Path
        The path of the manifest.

    Raises
    ------
    DataError
        If the manifest is not valid, or if it cannot be written.
    """
    manifest = read_manifest(root)
    manifest[name] = {"variant": variant, "files": files}
    path = root / MANIFEST
    scratch = path.with_suffix(f".{os.getpid()}.part")
    try:
        scratch.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written, so that the copy of {name!r} cannot be recorded: {error}"
        ) from error
    return path
