"""The archives and the judged claims that the pages share: each is made once for all pages.

To read an archive, and to judge the claims of a paper, takes seconds. Many pages show parts of the
same, and they are filled one after the other. What is kept here is made anew as soon as a file of
the store has changed, or another folder of results is in use.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from fedlib.evidence import claims
from fedlib.evidence.report import Archive
from fedlib.evidence.rooms import tables_of
from fedlib.grids import load_grid
from fedlib.runs.store import SCALES, Store

State = tuple[tuple[Path, int, int], ...]

_FEW = 16
"""How many archives are kept: more than there are grids."""


def opened(slug: str) -> Archive:
    """Return the archive of a grid in the default folder of results.

    Parameters
    ----------
    slug
        The grid's short name.
    """
    return _opened(slug, _state(slug))


def judged_claims(slug: str) -> claims.ClaimsTable:
    """Return the claims of a paper, judged by the stored runs.

    Parameters
    ----------
    slug
        The paper's short name.
    """
    return _judged(slug, _state(slug))


def _state(slug: str) -> State:
    """Return the store's files with their sizes and the times of their last change, in ns."""
    store = Store(load_grid(slug).slug)
    # The folder tells two empty stores apart.
    found = [(store.folder, 0, 0)]
    for scale in SCALES:
        for path in store.paths(scale):
            held = path.stat()
            found.append((path, held.st_size, held.st_mtime_ns))
    return tuple(found)


# The state is only looked at as a part of the key: whatever has another state is made anew.
@lru_cache(_FEW)
def _opened(slug: str, state: State) -> Archive:
    return Archive(load_grid(slug))


@lru_cache(_FEW)
def _judged(slug: str, state: State) -> claims.ClaimsTable:
    judged: claims.ClaimsTable = tables_of(slug).claims_table(_opened(slug, state))
    return judged
