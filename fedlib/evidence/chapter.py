"""How a chapter opens: its parameters, the runs that it computes, and what it shows."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

from fedlib import hardware
from fedlib.data import DataConfig, data_root, resolve_source
from fedlib.data.datasets import SOURCES
from fedlib.evidence.found import Found, found_in
from fedlib.evidence.report import Archive
from fedlib.evidence.table import Note, Table, plural
from fedlib.grids import expand, load_grid, matching, run_grid
from fedlib.grids.grid import MOST_SEEDS
from fedlib.runs.store import SCALES, Store
from fedlib.validation import ConfigError, check_int, check_kind, check_name, check_real

PARAMETERS = ("scale", "seeds", "device", "jobs", "data", "only")
# A notebook has these names before anybody has written a cell.
_IPYTHON = ("In", "Out")


@dataclass(frozen=True)
class Chapter:
    """A paper's stored runs as one execution of its notebook sees them.

    Attributes
    ----------
    archive
        The stored runs.
    data
        The notebook's parameter ``data``: ``auto``, ``real`` or ``embedded``.
    banner
        The statement at the head of the chapter.
    """

    archive: Archive
    data: str
    banner: Note

    def found(self) -> Found:
        """Return what the chapter has found, as the box at its head."""
        return found_in(self.archive.grid.slug, self.archive)

    def provenance(self) -> Table:
        """Return a table of the code, machines and versions that made the shown runs."""
        groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for key in self.archive.cells():
            result = self.archive.best(key)
            if result is None:
                continue
            for record in result.records:
                made = record["provenance"]
                versions = ", ".join(f"{name} {v}" for name, v in made["versions"].items())
                device = made["device_name"] + (", TF32" if made.get("tf32") else "")
                group = (result.protocol, made["commit"], device, versions)
                groups.setdefault(group, []).append(record)
        rows = []
        for (scale, commit, device, versions), records in sorted(groups.items()):
            sets = Counter(record["provenance"]["data"] for record in records)
            hours = sum(record["provenance"]["wall_time_s"] for record in records) / 3600
            rows.append(
                (
                    scale,
                    str(len(records)),
                    ", ".join(sorted(sets)),
                    f"{hours:.2f} h",
                    commit,
                    device,
                    versions,
                )
            )
        return Table(
            ("scale", "runs", "data", "time of all", "commit", "device", "versions"),
            tuple(rows),
            "Where the shown runs come from"
            + (
                " (+: with changes that were committed later)"
                if any(row[4].endswith("+") for row in rows)
                else ""
            ),
        )


def open_chapter(slug: str, names: Mapping[str, Any], demo: Sequence[str] = ()) -> Chapter:
    """Check a notebook's parameters, compute what they ask for, and return what is stored.

    Parameters
    ----------
    slug
        The paper's short name.
    names
        The notebook's ``globals()`` right after its parameters cell. They must hold these names
        and no other plain values:

        * ``scale``: ``best`` shows the best stored runs and computes nothing. One of ``SCALES``
          computes the missing cells of that scale and shows that scale alone.
        * ``seeds``: the number of seeds. None takes the grid's number.
        * ``device``: ``auto``, ``cpu``, ``cuda``, or another name of a device.
        * ``jobs``: how many runs are computed side by side. None takes as many as cores and memory
          allow.
        * ``data``: ``auto``, ``real`` or ``embedded``.
        * ``only``: a pattern of the cells to compute, or several in a list. An empty text takes all
          cells.
    demo
        The names of further parameters, which the chapter's small demonstrations take. Each must
        be in the parameters cell and be a finite number.

    Raises
    ------
    ConfigError
        If a parameter is unknown, is missing or cannot be used.
    RuntimeError
        If a run fails.
    """
    check_kind("names", names, Mapping, "the names of a notebook", "globals()")
    given = _parameters(names, demo)
    grid = load_grid(slug)
    scale = check_name("scale", given["scale"], ("best", *SCALES))
    data = check_name("data", given["data"], SOURCES)
    seeds = given["seeds"]
    if seeds is not None:
        check_int("seeds", seeds, 1, MOST_SEEDS)
    if given["jobs"] is not None:
        check_int("jobs", given["jobs"], 1)
    # These are of no use at scale "best", but a reader who has mistyped them expects to be told.
    hardware.check_device(given["device"])
    archive = Archive(grid)
    matching(archive.all_cells(), given["only"], slug)
    if scale == "best" and not any(archive.best(key) for key in archive.cells()):
        scale = "smoke"
    notes = []
    if scale != "best":
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            cells = expand(grid, scale, seeds, data, given["only"])
        # A page is read on other machines, where a folder of this one tells nothing.
        folder = str(data_root())
        notes += [str(warning.message).replace(folder, "the data folder") for warning in caught]
        how = {"device": given["device"], "jobs": given["jobs"]}
        outcome = run_grid(cells, Store(slug), scale, **how, progress=False)
        if outcome.failed:
            key, reason = next(iter(outcome.failed.items()))
            raise RuntimeError(f"{plural(len(outcome.failed), 'run')} failed; {key}: {reason}")
        if outcome.elsewhere:
            count = plural(len(outcome.elsewhere), "run")
            notes.append(f"Another process is computing {count}: execute the chapter again later.")
        archive = Archive(grid, scales=(scale,))
    used = {result.data for key in archive.cells() if (result := archive.best(key)) is not None}
    if any("embedded" in name for name in used):
        notes.append(f"Some of the runs shown are on generated data: {', '.join(sorted(used))}.")
    shown = "at the best scale that is stored" if scale == "best" else f"at scale {scale}"
    head = (
        f"This page shows each cell, which is one configuration of a table or figure, {shown}. "
        f"{archive.coverage()}."
    )
    return Chapter(archive, data, Note(head, tuple(dict.fromkeys(notes))))


def data_of_a_figure(name: str, source: str) -> DataConfig:
    """Find out which data a figure shows that is drawn from the data themselves.

    Where the real data are absent, generated samples stand in for them. The figure must name its
    data, because no warning is given.

    Parameters
    ----------
    name
        The data set.
    source
        ``auto``, ``real`` or ``embedded``.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="EMBEDDED DATA")
        return resolve_source(name, source)


def _parameters(names: Mapping[str, Any], demo: Sequence[str]) -> dict[str, Any]:
    """Return the parameters among a notebook's names.

    Any other name with a plain value is a mistake, because the cell sets parameters alone.
    """
    allowed = (*PARAMETERS, *demo)
    plain = {
        name: value
        for name, value in names.items()
        if not name.startswith("_") and name not in _IPYTHON
        if value is None or isinstance(value, str | Number | list | tuple | dict | set)
    }
    for name in plain:
        check_name("parameter", name, allowed)
    missing = [name for name in allowed if name not in plain]
    if missing:
        raise ConfigError(f"parameter {missing[0]!r} is missing from the parameters cell.")
    for name in demo:
        check_real(name, plain[name])
    return plain
