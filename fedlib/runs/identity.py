"""A run's identity today, and the identities that it has had before its parts were revised."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from fedlib.runs.config import RunConfig


def identities_of(run: RunConfig) -> Iterator[str]:
    """Give today's identity of a run, and then those that it may have had before.

    Every revision of a part gives the runs that it concerns a new identity. The records that were
    stored before keep theirs. A run's earlier identities are those with a lower version of one or
    more of its parts.

    Parameters
    ----------
    run
        The configuration of the run.
    """
    yield run.id
    versions = {
        (id(part), name): range(1, number + 1)
        for part in _parts(run)
        for name, number in _newest(part).items()
    }
    for numbers in itertools.product(*versions.values()):
        chosen = dict(zip(versions, numbers, strict=True))

        def revisions(part: Any, _: Any, chosen: dict[tuple[int, str], int] = chosen) -> Any:
            return {
                name: number
                for (of, name), number in chosen.items()
                if of == id(part) and number > 1
            }

        yield run.identity(revisions)


def _parts(held_by: Any) -> Iterator[Any]:
    """Give all parts of a run, and the parts that these hold themselves."""
    for field in fields(held_by):
        part = getattr(held_by, field.name)
        if is_dataclass(part):
            yield part
            yield from _parts(part)


def _newest(part: Any) -> dict[str, int]:
    """Return the highest number of a part's revisions, by the name under which they enter."""
    newest: dict[str, int] = {}
    for base in type(part).__mro__:
        for revision in vars(base).get("revisions", ()):
            newest[revision.of] = max(revision.number, newest.get(revision.of, 1))
    return newest
