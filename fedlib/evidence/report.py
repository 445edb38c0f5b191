"""The archive of a grid: the best stored runs of each cell, and how far the grid is computed."""

from __future__ import annotations

import difflib
import fnmatch
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from fedlib.data import DataConfig
from fedlib.data.datasets import describe, difference_from_canonical
from fedlib.evidence.agreement import verdict
from fedlib.evidence.collection import no_garbage_collection
from fedlib.evidence.links import Linked, leading_to
from fedlib.evidence.noise import NoiseBook, Shared
from fedlib.evidence.origins import origins_of
from fedlib.evidence.results import CellResult, basis_of, data_named, range_of
from fedlib.evidence.table import Note, Table, plural
from fedlib.grids import Grid
from fedlib.grids.grid import patterns
from fedlib.runs.store import SCALES, Store
from fedlib.validation import ConfigError, check_kind, check_name

# A paper's tables import all that they are made of from here.
__all__ = [
    "Archive",
    "CellResult",
    "Note",
    "Table",
    "basis_of",
    "data_named",
    "plural",
    "verdict",
]


class Archive:
    """The stored runs of a grid, by cell.

    Runs on real data are better than runs on embedded data, and among these the runs of a larger
    scale are better. Only the records of the grid's present configurations count, because a run
    of another configuration has another identity.

    Parameters
    ----------
    grid
        The paper's grid.
    store
        Where its records are. None takes the default store.
    scales
        The scales to look at.

    Raises
    ------
    ConfigError
        If a parameter is of the wrong kind, or if a scale is unknown. The methods raise it if a
        key, a scale or a pattern is of the wrong kind, or if a key or a scale is unknown.

    Examples
    --------
    >>> import tempfile
    >>> from fedlib import Archive, expand, load_grid, run_grid
    >>> from fedlib.runs.store import Store
    >>> grid = load_grid("two_stage_attack")
    >>> cells = expand(grid, "smoke", only="circle/ipm/median")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(grid.slug, folder)
    ...     outcome = run_grid(cells, store, "smoke", device="cpu", jobs=1, progress=False)
    ...     held = Archive(grid, store).held("circle/ipm/median")
    >>> str(held)
    'smoke (points in a circle, 1 seed)'
    """

    def __init__(
        self, grid: Grid, store: Store | None = None, scales: Sequence[str] = SCALES
    ) -> None:
        check_kind("grid", grid, Grid, "a Grid", "load_grid('gradient_guard')")
        if store is not None:
            check_kind("store", store, Store, "a Store or None", "Store('gradient_guard')")
        # A text is a sequence too, but of letters.
        check_kind("scales", scales, (list, tuple), "a list of scales", "['paper']")
        self.grid = grid
        self.store = store or Store(grid.slug)
        self.scales = tuple(check_name("scales", scale, SCALES) for scale in scales)
        self._known_keys: dict[str, dict[str, Shared]] = {}

    @cached_property
    def _found(self) -> dict[str, dict[tuple[bool, int], CellResult]]:
        """The results of every cell, by whether the data are real and the index of the scale."""
        with no_garbage_collection():
            return self._find()

    def _find(self) -> dict[str, dict[tuple[bool, int], CellResult]]:
        """Read the records, and find the cell that each of them belongs to."""
        found: dict[str, dict[tuple[bool, int], CellResult]] = {}
        for index, scale in enumerate(SCALES):
            records = self.store.read(scale) if scale in self.scales else {}
            by_cell: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
            for seed, origins in origins_of(records.values()):
                for cell in self.grid.cells_on(scale, seed, origins):
                    data = cell.config.data
                    if not cell.tells or data.name not in origins:
                        continue
                    record = records.get(cell.config.id)
                    if record is not None:
                        place = (cell.key, data.source, data.variant, cell.reduced)
                        by_cell.setdefault(place, []).append(record)
            for (key, source, variant, reduced), held in by_cell.items():
                config = DataConfig(**held[0]["config"]["data"])
                real = source == "real"
                caveat = difference_from_canonical(config) if real else ""
                result = CellResult(
                    key,
                    scale,
                    describe(config),
                    real,
                    variant == "canonical" or bool(caveat),
                    tuple(held),
                    caveat,
                    reduced,
                )
                known = found.setdefault(key, {}).get((real, index))
                if known is None or _precedes(result, known):
                    found[key][real, index] = result
        return found

    @cached_property
    def _keys(self) -> list[str]:
        """The keys of the cells that the grid has at any scale."""
        return list(
            dict.fromkeys(key for scale in reversed(SCALES) for key in self._keys_at(scale))
        )

    def _keys_at(self, scale: str) -> dict[str, Shared]:
        """Return the keys of the cells that the grid has at one scale, with their data."""
        if scale not in self._known_keys:
            _ = self._found  # To find the records makes cells, which then serve here too.
            self._known_keys[scale] = {
                cell.key: Shared.of(cell.config.data.name, cell.config.partition.to_dict())
                for cell in self.grid.cells_at(scale)
            }
        return self._known_keys[scale]

    def _of(self, key: str) -> dict[tuple[bool, int], CellResult]:
        """Return the results of a cell, by whether the data are real and the index of the scale."""
        check_kind("cell", key, str, "the key of a cell", "archive.cells()[0]")
        # The keys of the first scale serve almost always, and no other scale need be looked at.
        known = key in self._found or key in self._keys_at(SCALES[0])
        if not known and key not in self._keys:
            near = difflib.get_close_matches(key, self._keys, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"they look like {self._keys[0]!r}."
            raise ConfigError(
                f"cell={key!r} is none of the {len(self._keys)} cells of {self.grid.slug}; {hint}"
            )
        return self._found.get(key, {})

    def _of_all(self, keys: Iterable[str]) -> list[dict[tuple[bool, int], CellResult]]:
        """Return the results of several cells, each as :meth:`_of` does."""
        if isinstance(keys, str) or not isinstance(keys, Iterable):
            raise ConfigError(f"keys={keys!r} must be keys of cells, such as archive.cells().")
        return [self._of(key) for key in keys]

    @cached_property
    def noise(self) -> NoiseBook:
        """How far apart the accuracies of a cell's seeds are, pooled over comparable cells."""
        return NoiseBook(self.results())

    def results(self, keys: Iterable[str] | None = None) -> list[CellResult]:
        """Return all stored results of some cells, at every scale.

        Parameters
        ----------
        keys
            The cells. None takes all cells of the grid.
        """
        held = self._found.values() if keys is None else self._of_all(keys)
        return [result for results in held for result in results.values()]

    def seeds(self, key: str, scale: str) -> list[int]:
        """Return the seeds of a cell that are stored at one scale on real data.

        Parameters
        ----------
        key
            The cell.
        scale
            One of ``SCALES``.
        """
        found = self.at(key, scale)
        return found.seeds if found is not None else []

    def at(self, key: str, scale: str) -> CellResult | None:
        """Return the stored runs of a cell at one scale on real data, or None if there are none.

        Parameters
        ----------
        key
            The cell.
        scale
            One of ``SCALES``.
        """
        return self._of(key).get((True, SCALES.index(check_name("scale", scale, SCALES))))

    def data_set(self, key: str) -> str:
        """Return the name of the data set that a cell's runs are on.

        Parameters
        ----------
        key
            The cell.
        """
        return self.shared(key).data_set

    def shared(self, key: str) -> Shared:
        """Return the data set of a cell's runs, and how it is shared out at the largest scale.

        Parameters
        ----------
        key
            The cell.
        """
        self._of(key)  # an error if the grid has no such cell
        return next(at[key] for at in map(self._keys_at, reversed(SCALES)) if key in at)

    def best(self, key: str) -> CellResult | None:
        """Return the best stored runs of a cell, or None if there are none."""
        results = self._of(key)
        return results[max(results)] if results else None

    def common(self, keys: Sequence[str]) -> list[CellResult] | None:
        """Return runs of several cells that can be compared.

        They are of the best scale that all cells have, and all on real or all on embedded data.

        Parameters
        ----------
        keys
            The cells.

        Returns
        -------
        list or None
            A result for each cell. None if there is no scale at which all cells are stored.

        Raises
        ------
        ConfigError
            If there is no key at all. The errors that the class names are raised too.
        """
        results = self._of_all(keys)
        if not results:
            raise ConfigError(f"keys={keys!r} must have at least one key of a cell.")
        shared = set(results[0]).intersection(*results[1:])
        return [found[max(shared)] for found in results] if shared else None

    def alike(self, keys: Sequence[str]) -> list[CellResult] | None:
        """Return runs of several cells that can be compared seed by seed.

        They are those of :meth:`common`, of the seeds that all cells have.

        Parameters
        ----------
        keys
            The cells.

        Returns
        -------
        list or None
            A result for each cell. None if there is no scale and no seed that all cells have.
        """
        known = self.common(keys)
        if known is None:
            return None
        seeds = set.intersection(*(set(result.seeds) for result in known))
        return [result.of_seeds(seeds) for result in known] if seeds else None

    def together(self, keys: Sequence[str]) -> list[CellResult | None]:
        """Return runs of one scale for as many of the cells as possible.

        Use it if :meth:`common` gives None because a cell is missing. The runs are on real data if
        there are any on real data. They are of the scale that most of the cells have. If two scales
        have equally many cells, the larger scale is taken.

        Parameters
        ----------
        keys
            The cells.

        Returns
        -------
        list
            A result for each cell. It is None for a cell that is not stored at that scale.
        """
        results = self._of_all(keys)
        counts = Counter(place for found in results for place in found)
        if not counts:
            return [None] * len(results)
        chosen = max(counts, key=lambda place: (place[0], counts[place], place[1]))
        return [found.get(chosen) for found in results]

    def cells(self, only: str | Sequence[str] | None = None) -> list[str]:
        """Return the keys of the grid's cells, or of those that match a shell pattern.

        Parameters
        ----------
        only
            The pattern, such as ``*/rop/*``, or several in a list or tuple. None, an empty text and
            an empty list take all cells. The keys are in the order of the grid.
        """
        chosen = patterns(only)
        return [
            key
            for key in self._keys_at(SCALES[0])
            if any(fnmatch.fnmatchcase(key, pattern) for pattern in chosen)
        ]

    def all_cells(self) -> list[str]:
        """Return the keys of the cells that the grid has at any scale."""
        return list(self._keys)

    def linked(self, text: str, *keys: str) -> Linked:
        """Return the text of a cell of a table with a link to the records of cells of the grid.

        Parameters
        ----------
        text
            The text. :func:`fedlib.evidence.links.leading_to` says which part of it becomes a link.
        keys
            The cells that the text is about, at least one. They need not be stored: the page of
            records says how a cell is computed.
        """
        if not keys:
            raise ConfigError(f"keys={keys!r} must have at least one key of a cell.")
        self._of_all(keys)
        return leading_to(text, self.grid.slug, keys)

    def held(self, key: str) -> str:
        """Say what is stored of a cell: ``paper (MNIST, 2 seeds); quick (MNIST, 1 seed)``."""
        results = self._of(key)
        return "; ".join(
            f"{result.protocol} ({result.data}, {plural(len(result.records), 'seed')})"
            for _, result in sorted(results.items(), reverse=True)
        )

    def coverage(self, only: str | Sequence[str] | None = None) -> str:
        """Say how many cells are computed at which scale.

        Parameters
        ----------
        only
            The patterns of the cells to count, as for :meth:`cells`.
        """
        keys = self.cells(only)
        # Runs by the protocol of their scale come before those that have less.
        held: dict[tuple[bool, int, bool, str], list[int]] = {}
        for key in keys:
            best = self.best(key)
            if best is not None:
                place = (*best.rank, best.protocol)
                held.setdefault(place, []).append(len(best.records))
        parts = []
        for (real, _, _, protocol), seeds in sorted(held.items(), reverse=True):
            scale = protocol + ("" if real else ", embedded data")
            count = range_of(seeds)
            parts.append(f"{len(seeds)} at scale {scale} ({count})")
        if missing := len(keys) - sum(map(len, held.values())):
            parts.append(f"{missing} not computed")
        return f"{plural(len(keys), 'cell')}: " + ", ".join(parts)


def _precedes(one: CellResult, other: CellResult) -> bool:
    """Return which of two results on copies of one data set counts: of the release itself first."""

    def place(result: CellResult) -> tuple[bool, int]:
        canonical = result.records[0]["config"]["data"]["variant"] == "canonical"
        return canonical, len(result.records)

    return place(one) > place(other)
