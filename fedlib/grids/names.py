"""The cells of a grid by the identity of their runs, to find what a stored run is called."""

from __future__ import annotations

from typing import Any

from fedlib.data import DataConfig
from fedlib.grids.grid import Grid
from fedlib.validation import ConfigError, construct


class CellNames:
    """The names that a grid gives to stored runs.

    A record is found by the identity of its run, because a grid may give a cell another name
    later, and because two cells may be the same run.

    Parameters
    ----------
    grid
        The paper's grid.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self._known: dict[tuple[str, int, str, str], dict[str, list[str]]] = {}

    def at(self, scale: str, seed: int, source: str, variant: str) -> dict[str, list[str]]:
        """Return the keys of all cells by the identity of their runs.

        Parameters
        ----------
        scale, seed
            The scale and the seed of the runs.
        source, variant
            Where every data set comes from, as in :class:`fedlib.data.DataConfig`.
        """
        place = (scale, seed, source, variant)
        if place not in self._known:
            found: dict[str, list[str]] = {}
            for cell in self.grid.cells_on(scale, seed, others=(source, variant)):
                found.setdefault(cell.config.id, []).append(cell.key)
            self._known[place] = found
        return self._known[place]

    def of(self, scale: str, record: dict[str, Any]) -> list[str]:
        """Return the keys of the cells whose run a record holds. It is empty if there is none.

        Parameters
        ----------
        scale
            The scale of the record.
        record
            The record, as :func:`fedlib.runs.store.make_record` returns it.
        """
        try:
            data = construct("data", DataConfig, record["config"]["data"])
        except ConfigError:
            return []  # These data are not known here, so no cell has them.
        known = self.at(scale, record["seed"], data.source, data.variant)
        return known.get(record["id"], [])
