"""Trusting a copy of a data set that is not the canonical release."""

from __future__ import annotations

from pathlib import Path

from fedlib.data.catalogue import DATASETS
from fedlib.data.contents import read_part
from fedlib.data.files import (
    Verified,
    checksums,
    name_of_content,
    reserved_names,
    total_checksum,
)
from fedlib.data.manifest import write_entry
from fedlib.validation import ConfigError, check_name

LONGEST_NAME = 60
"""The largest number of letters in the name of a copy. The name enters captions."""


def trust(name: str, root: Path, variant: str) -> Path:
    """Record the files of a data set, as they are now, in the manifest of the root folder.

    The files are read and checked first, so that nothing is recorded that a run cannot use.

    Parameters
    ----------
    name
        The name of the data set, one of ``DATASETS``.
    root
        The root folder.
    variant
        What to call this copy of the data set.

    Returns
    -------
    pathlib.Path
        The path of the manifest.

    Raises
    ------
    ConfigError
        If there is no data set of this name or it has no files, if the name of the copy cannot be
        used or belongs to another content, or if the content has another name already.
    DataError
        If a file is absent or its content cannot be used, or if the manifest cannot be written.
    """
    info = DATASETS[check_name("trust", name, DATASETS)]
    if not info.files:
        raise ConfigError(f"trust={name!r} is made on the spot: it has no files to record.")
    if not variant.strip() or not variant.isprintable() or len(variant) > LONGEST_NAME:
        raise ConfigError(
            f"variant={variant!r} must be a name of 1 to {LONGEST_NAME} printable letters."
        )
    files = checksums(name, root)
    known = name_of_content(name, root, files)
    if known not in (None, variant):
        raise ConfigError(
            f"variant={variant!r} cannot be the name of these files of {info.title}: they are "
            f"{known!r} and need not be recorded."
        )
    if known is None and variant in reserved_names(name):
        raise ConfigError(
            f"variant={variant!r} is the name of another content of {info.title}, from which "
            "these files differ: choose another name."
        )
    read_all(name, root, Verified(variant, total_checksum(files), files, trusted=True))
    return write_entry(root, name, variant, files)


def read_all(name: str, root: Path, verified: Verified) -> None:
    """Read both parts of a data set to see whether a run can use them.

    Parameters
    ----------
    name
        The name of the data set, one of ``DATASETS``.
    root
        The root folder.
    verified
        What the files are.

    Raises
    ------
    DataError
        If a file is damaged or its content cannot be used.
    """
    for train in (True, False):
        read_part(name, root, verified, train)
