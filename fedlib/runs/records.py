"""A record: what is kept of a finished run, and what makes a line of text a record."""

from __future__ import annotations

import json
import math
import operator
import string
from collections.abc import Callable
from functools import partial
from pathlib import PurePosixPath
from typing import Any, NoReturn

from fedlib.runs.config import Made, RunConfig
from fedlib.runs.identity import identities_of
from fedlib.validation import ConfigError

SCHEMA = 1
BEGINNING = b'{"schema": '
"""Every line that the store writes begins with these bytes."""
_ID_LENGTH = 16
_PARTS = ("data", "partition", "client", "aggregator", "attack")


class StoreError(RuntimeError):
    """The store cannot be read or written. Its contents are left as they are."""


class FaultyRecordError(StoreError):
    """A record cannot be stored because of what it holds. Other records still can."""


class MissingFileError(StoreError):
    """A file that a record names is not there."""


class RecordError(ValueError):
    """A value is no record. The message says what is wrong with it."""


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


def line_of(record: dict[str, Any], slug: str, scale: str) -> bytes:
    """Return the line of text that keeps a record, with the newline at its end.

    Parameters
    ----------
    record
        The record, as :func:`make_record` returns it.
    slug, scale
        The paper and the scale of the file that the line is for.

    Raises
    ------
    FaultyRecordError
        If the record has a fault, such as a number that is not finite.
    """
    shown = str(record.get("id", "without an id") if isinstance(record, dict) else record)
    try:
        whole = {**record, "schema": SCHEMA}
        check_record(whole, slug, scale)
        text = json.dumps({"schema": SCHEMA, **whole}, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        # RecordError and json's own errors for values that JSON does not have.
        why = f"run {shown:.80} cannot be stored: {_reason(error)}."
        raise FaultyRecordError(why) from error
    return f"{text}\n".encode()


def parse(line: bytes, slug: str, scale: str, place: str) -> dict[str, Any]:
    """Return the record in a line.

    Parameters
    ----------
    line
        The line, with or without the characters that end it.
    slug, scale
        The paper and the scale that the file is for.
    place
        The file and the number of the line, for the message.

    Raises
    ------
    StoreError
        If the line is no record, or if a newer version of fedlib has written it.
    """
    try:
        record = _DECODER.decode(line.decode())
        check_record(record, slug, scale)
    except (ValueError, RecursionError) as error:
        raise StoreError(
            f"{place} is no record ({_reason(error)}); perhaps the file was changed by hand."
        ) from None
    schema = record["schema"]
    if schema > SCHEMA:
        raise StoreError(
            f"{place}: schema={schema!r} is of a newer fedlib; this one reads schemas up to "
            f"{SCHEMA}. Update fedlib, or point FEDLIB_RESULTS to another folder."
        )
    found: dict[str, Any] = record
    return found


def is_json(line: bytes) -> bool:
    """Return whether a line is whole, even if it is no record."""
    try:
        _DECODER.decode(line.decode())
    except RecordError:
        return True  # It is whole, but it names a number that JSON does not have.
    except RecursionError:
        return True  # It is too deep to tell, and so it must not be taken for a torn line.
    except ValueError:
        return False
    return True


def check_record(record: object, slug: str, scale: str) -> None:
    """Check the form of a record. The identity is checked by :func:`check_identity`.

    Only ``schema`` is looked at in a record of a newer version.

    Parameters
    ----------
    record
        What a line of the file holds.
    slug, scale
        The paper and the scale that the file is for.

    Raises
    ------
    RecordError
        If an entry is missing, is of another kind, or contradicts another entry.
    """
    if not isinstance(record, dict):
        raise RecordError(f"it is {_shown(record)} instead of an object")
    schema = _entry(record, "schema", _is_count, "a whole number from 1")
    if schema > SCHEMA:
        return
    run_id = _entry(record, "id", is_identity, f"a text of {_ID_LENGTH} hexadecimal digits")
    for name, expected in (("slug", slug), ("scale", scale)):
        _entry(record, name, partial(operator.eq, expected), f"{expected!r}, as the file is")
    _entry(record, "cell", _is_text, "a text")
    seed = _entry(record, "seed", _is_whole, "a whole number")
    config = _entry(record, "config", _is_object, "an object")
    for part in _PARTS:
        _entry(config, part, _is_named, "an object with a name", "config.")
    _entry(config, "seed", lambda value: value == seed, f"the record's seed {seed}", "config.")
    metrics = _entry(record, "metrics", _is_object, "an object")
    provenance = _entry(record, "provenance", _is_object, "an object")
    for name in metrics:
        _entry(metrics, name, _is_finite, "of finite numbers, or null", "metrics.")
    if not _is_finite(provenance):
        raise RecordError("provenance must hold finite numbers")
    files = provenance.get("files", {})
    if not isinstance(files, dict):
        raise RecordError(f"provenance.files={_shown(files)} must be an object")
    for name in files:
        _entry(files, name, _is_file, f"a path below the paper's folder and a sha256 of {run_id}",
               "provenance.files.")  # fmt: skip


def check_identity(record: dict[str, Any], made: Made | None = None) -> bool:
    """Check that a record's identity is that of its configuration.

    An identity from before a revision of one of the run's parts counts too, see
    :func:`fedlib.runs.identity.identities_of`.

    Parameters
    ----------
    record
        A record of the right form.
    made
        The parts of runs that were made before, as for ``RunConfig.from_dict``.

    Returns
    -------
    bool
        True if the identity is right. False if it cannot be computed, because this version has not
        all of the parts or fields that the configuration names.

    Raises
    ------
    RecordError
        If the identity is another one.
    """
    try:
        run = RunConfig.from_dict(record["config"], check=False, made=made)
    except (ConfigError, TypeError, AttributeError):
        return False
    for identity in identities_of(run):
        if identity == record["id"]:
            return True
    raise RecordError(f"id={record['id']!r} is not that of its configuration, which is {run.id!r}")


def is_identity(value: object) -> bool:
    """Return whether a value is a text that has the form of a run's identity."""
    return isinstance(value, str) and len(value) == _ID_LENGTH and _HEXADECIMAL.issuperset(value)


_HEXADECIMAL = frozenset(string.digits + "abcdef")


def _entry(
    holder: dict[str, Any], name: str, allowed: Callable[[Any], bool], words: str, prefix: str = ""
) -> Any:
    """Return an entry if it is allowed, or raise RecordError with what is allowed in words."""
    if name not in holder:
        raise RecordError(f"it has no {prefix}{name}, which must be {words}")
    value = holder[name]
    if not allowed(value):
        raise RecordError(f"{prefix}{name}={_shown(value)} must be {words}")
    return value


def _shown(value: object) -> str:
    """Return a value as the text of a message, which must not become long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _reason(error: BaseException) -> str:
    """Say why a line cannot be read."""
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_whole(value) and value >= 1


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_named(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str)


def _is_file(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    path, checksum = value.get("path"), value.get("sha256")
    if not isinstance(path, str) or not isinstance(checksum, str):
        return False
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts


def _is_finite(value: object) -> bool:
    """Return whether all numbers in a JSON value are finite."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, list | tuple):
        try:
            # Most series are numbers alone. Their sum is not finite if one of them is not.
            if math.isfinite(sum(value)):
                return True
        except (TypeError, OverflowError):
            pass
        return all(map(_is_finite, value))
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    return True


def _no_number(name: str) -> NoReturn:
    raise RecordError(f"it holds {name}, which JSON does not have")


_DECODER = json.JSONDecoder(parse_constant=_no_number)
