"""Where the data of stored records come from, which says what cells of a grid to make."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fedlib.grids.grid import Origin


def origins_of(records: Iterable[dict[str, Any]]) -> list[tuple[int, dict[str, Origin]]]:
    """Return the seeds of the records, each with where the data sets of its records come from.

    To make the cells of a grid takes long, so that they are made only for what is stored, and for
    all data sets at once. If records of one seed are on several copies of a data set, the seed
    stands there several times, and each data set has its next copy then.

    Parameters
    ----------
    records
        The records of one scale, as :meth:`fedlib.runs.store.Store.read` returns them.
    """
    found: dict[int, dict[str, dict[Origin, None]]] = {}
    sources: dict[str, None] = {}
    for record in records:
        data = record["config"]["data"]
        sources[data["source"]] = None
        of_seed = found.setdefault(record["seed"], {})
        of_seed.setdefault(data["name"], {})[data["source"], data["variant"]] = None
    # The sources stand in the order of the records.
    rank = {source: place for place, source in enumerate(sources)}
    several = []
    for seed, by_name in sorted(found.items()):
        ordered = {
            name: sorted(copies, key=lambda copy: (rank[copy[0]], copy[1]))
            for name, copies in by_name.items()
        }
        for turn in range(max(map(len, ordered.values()))):
            several.append(
                (seed, {name: each[turn] for name, each in ordered.items() if turn < len(each)})
            )
    return several
