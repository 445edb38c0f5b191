"""Reading the records of a table that a user has put into the data folder."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fedlib.data.errors import DataError


class Record(NamedTuple):
    """A record of a table.

    Attributes
    ----------
    place
        The file and the line where the record ends, for messages.
    values
        The text of each field by name. It is empty if the field is missing.
    """

    place: str
    values: dict[str, str]


def read_records(
    content: bytes, path: str, needed: Sequence[str], *, with_notes: bool = False
) -> Iterator[Record]:
    """Yield the records of a CSV file with a heading, or of a file with a JSON object per line.

    Parameters
    ----------
    content
        The content of the file.
    path
        The path of the file, for messages.
    needed
        The fields that each record must have.
    with_notes
        Whether a CSV file may hold a line of notes before its heading, and lines of notes between
        its records, as the public loan statistics do.

    Raises
    ------
    DataError
        If the file is not in UTF-8, if the heading lacks a needed field or names a field twice, if
        a line cannot be read, or if a record has another number of fields than the heading.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8, in which the "
            "file must be."
        ) from error
    if text.startswith("{"):
        return _json_records(text, path, needed)
    return _csv_records(text, path, needed, with_notes)


def _json_records(text: str, path: str, needed: Sequence[str]) -> Iterator[Record]:
    for number, line in enumerate(io.StringIO(text), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{place} is not a JSON object: {error}") from error
        if not isinstance(values, dict):
            raise DataError(f"{place} is not a JSON object, but {type(values).__name__}.")
        for name in needed:
            if not isinstance(values.get(name), str | int | float):
                raise DataError(
                    f"{place}: {name}={values.get(name)!r} must be a text or a number, which each "
                    "record must have."
                )
        texts = {name: "" if value is None else str(value) for name, value in values.items()}
        yield Record(place, texts)


def _csv_records(text: str, path: str, needed: Sequence[str], with_notes: bool) -> Iterator[Record]:
    # A reader that is not strict takes all lines after an open quote for one field.
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        heading = _heading(path, next(rows, []), needed, rows if with_notes else None)
        for row in rows:
            place = f"{path}, line {rows.line_num}"
            if len(row) == len(heading):
                yield Record(place, dict(zip(heading, row, strict=True)))
            elif row and not (with_notes and len(row) == 1 and " " in row[0].strip()):
                raise DataError(
                    f"{place}: a record has {len(row)} fields, but the heading has {len(heading)}."
                )
    except csv.Error as error:
        raise DataError(
            f"{path}, line {rows.line_num}: {error}; is there an open quote in it, or before it?"
        ) from error


def _heading(
    path: str, first: list[str], needed: Sequence[str], after_notes: Iterator[list[str]] | None
) -> list[str]:
    """Return the names of the fields: the first row, or the row after a line of notes."""
    found = [first]
    if after_notes is not None and not set(needed) <= set(first):
        found.append(next(after_notes, []))
    heading = found[-1]
    if not set(needed) <= set(heading) or len(set(heading)) < len(heading):
        shown = " and then ".join(repr(",".join(row)[:200]) for row in found)
        raise DataError(
            f"{path} must start with the names of its fields, once each and separated by commas, "
            f"{' and '.join(needed)} among them; it starts with {shown}."
        )
    return heading
