"""The files of one scale: which there are, in which order, and which of their lines are whole.

The records of a scale go on in a next file when a file is full: ``paper.jsonl`` is followed by
``paper.2.jsonl``, then ``paper.3.jsonl``, and so on. A file that is full is never written again.
"""

from __future__ import annotations

import codecs
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from fedlib.runs.records import BEGINNING, StoreError, is_json

FULL = 2_000_000
"""A file of this many bytes gets no more records.

A repository keeps every version of a file that has changed, and services that host repositories
warn of large files.
"""


def files_of(first: Path) -> list[Path]:
    """Return the files of a scale that are there, in the order in which they were written.

    Parameters
    ----------
    first
        The path of the first file, such as ``results/two_stage_attack/paper.jsonl``.

    Raises
    ------
    StoreError
        If a file between them is missing, because its runs would count as not done.
    """
    pattern = re.compile(rf"{re.escape(first.stem)}\.([1-9]\d*){re.escape(first.suffix)}")
    try:
        matches = [pattern.fullmatch(path.name) for path in first.parent.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreError(f"{first.parent} cannot be read: {error}") from error
    numbers = sorted(number for match in matches if match and (number := int(match[1])) > 1)
    if not numbers:
        return [first] if first.exists() else []
    files = [numbered(first, number) for number in range(1, numbers[-1] + 1)]
    missing = [path for path in files if not path.exists()]
    if missing:
        raise StoreError(
            f"{missing[0]} is missing, though {files[-1].name} is there. Get it back, or its runs "
            "would count as not done."
        )
    return files


def numbered(first: Path, number: int) -> Path:
    """Return the path of a scale's file by its number, which counts from 1."""
    return first if number == 1 else first.with_suffix(f".{number}{first.suffix}")


def whole_length(data: bytes) -> int:
    """Return how many bytes of a file are whole lines; what follows them is a torn line.

    A torn line is the beginning of a line that the store writes. Where a machine has lost power
    there may be zeros instead of some of it. Any other text without a newline was not written by
    the store, so that it counts as a whole line. It is then read as a record or named as an error,
    but never cut off.

    Parameters
    ----------
    data
        The content of the file.
    """
    last = data[max(data.rfind(b"\n"), data.rfind(b"\r")) + 1 :]
    written = last.rstrip(b"\0")
    begins = written.startswith(BEGINNING) or BEGINNING.startswith(written)
    if not last or not begins or is_json(last):
        return len(data)
    return len(data) - len(last)


def cut_torn_line(path: Path, data: bytes) -> int:
    """Cut a torn last line off a file, with a warning, and return how many bytes are left.

    Parameters
    ----------
    path
        The file.
    data
        Its content.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    end = whole_length(data)
    if end < len(data):
        torn = len(data) - end
        warnings.warn(f"{path}: a torn last line of {torn} bytes is cut off.", stacklevel=3)
        os.truncate(path, end)
    return end


def lines_of(path: Path, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Give the whole lines of a file, each after its place in words.

    Parameters
    ----------
    path
        The file, for the place.
    data
        Its content.
    """
    whole = data[: whole_length(data)]
    for number, line in enumerate(whole.removeprefix(codecs.BOM_UTF8).splitlines(), 1):
        if line.strip():  # An editor may leave an empty line, which says nothing.
            yield f"{path}, line {number}", line
