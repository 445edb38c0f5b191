"""From stored records to what a reader sees: the best scale of each cell, with its label."""

from __future__ import annotations

import difflib
import fnmatch
import html
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

from fedlib.data import DataConfig
from fedlib.data.datasets import EMBEDDED_VARIANT, describe
from fedlib.evidence.statistics import Estimate, agrees, estimate
from fedlib.grids import Grid
from fedlib.runs.store import SCALES, Store
from fedlib.validation import ConfigError, check_name


@dataclass(frozen=True)
class CellResult:
    """All stored runs of one cell at the best scale there is.

    ``data`` names the data for a caption, ``real`` and ``canonical`` say whether it is the paper's;
    ``records`` has one record a seed.
    """

    key: str
    scale: str
    data: str
    real: bool
    canonical: bool
    records: tuple[dict[str, Any], ...]

    @property
    def seeds(self) -> list[int]:
        """Seeds of the records."""
        return [record["seed"] for record in self.records]

    @property
    def accuracy(self) -> Estimate:
        """Test accuracy in percent after the last round."""
        return self.final("test_accuracy")

    def final(self, quantity: str) -> Estimate:
        """A share recorded after the last round, in percent."""
        _, curves = self.curve(quantity)
        return estimate([100 * curve[-1] for curve in curves])

    def has(self, quantity: str) -> bool:
        """Whether the quantity was recorded."""
        return all(quantity in record["metrics"] for record in self.records)

    def mean_of(self, quantity: str) -> Estimate:
        """Mean over the run of a recorded quantity; rounds without one are left out."""
        _, curves = self.curve(quantity)
        known = [[value for value in curve if value == value] for curve in curves]
        return estimate([sum(curve) / max(len(curve), 1) for curve in known])

    def of_seed(self, seed: int) -> CellResult:
        """The run of one seed alone."""
        held = tuple(record for record in self.records if record["seed"] == seed)
        return replace(self, records=held)

    @property
    def comparable(self) -> bool:
        """Whether the runs are those of the paper: its protocol on its data."""
        return self.scale == "paper" and self.real and self.canonical

    def curve(self, quantity: str = "test_accuracy") -> tuple[list[int], list[list[float]]]:
        """Rounds, and the quantity at each of them for every seed; NaN where it is not known.

        An attack's success is not, where no test sample is fit to show it.
        """
        rounds = list(self.records[0]["metrics"]["rounds"])
        none = {"attack_success": [None] * len(rounds)}
        return rounds, [
            [
                float("nan") if value is None else value
                for value in {**none, **record["metrics"]}[quantity]
            ]
            for record in self.records
        ]


class Archive:
    """The stored runs of a grid, by cell.

    A cell's best runs are those on real data before those on embedded data, then those of the
    larger scale. Only records of the grid's present configurations count: a run of another
    configuration has another identity.

    Parameters
    ----------
    grid
        The paper's grid.
    store
        Where its records are; None takes the default store.
    scales
        The scales to look at.

    Raises
    ------
    ConfigError
        If a scale, or later a cell's key, is unknown.
    """

    def __init__(
        self, grid: Grid, store: Store | None = None, scales: Sequence[str] = SCALES
    ) -> None:
        self.grid = grid
        self.store = store or Store(grid.slug)
        self.scales = tuple(check_name("scales", scale, SCALES) for scale in scales)

    @cached_property
    def _found(self) -> dict[str, dict[tuple[bool, int], CellResult]]:
        """Every cell's results by (real, index of scale)."""
        found: dict[str, dict[tuple[bool, int], CellResult]] = {}
        for index, scale in enumerate(SCALES):
            records = self.store.read(scale) if scale in self.scales else {}
            sources = _sources(records.values())
            seeds = sorted({record["seed"] for record in records.values()})
            by_cell: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
            for source, variants in sources.items():
                for seed in seeds:
                    for variant in sorted({v for _, v in variants}):

                        def data(name: str, s: str = source, v: str = variant) -> DataConfig:
                            return DataConfig(name, s, v)

                        for cell in self.grid.cells(scale, seed, data):
                            record = records.get(cell.config.id)
                            if record is not None:
                                by_cell.setdefault((cell.key, source, variant), []).append(record)
            for (key, source, variant), held in by_cell.items():
                config = DataConfig(**held[0]["config"]["data"])
                real = source == "real"
                # Of two variants of a real set the one with more seeds stands for the cell.
                known = found.setdefault(key, {}).get((real, index))
                if known is None or len(known.records) < len(held):
                    found[key][real, index] = CellResult(
                        key, scale, describe(config), real, variant == "canonical", tuple(held)
                    )
        return found

    @cached_property
    def _keys(self) -> list[str]:
        """Keys of the grid's cells; a scale may lack some."""

        def data(name: str) -> DataConfig:
            return DataConfig(name, "embedded", EMBEDDED_VARIANT)

        cells = [cell for scale in reversed(SCALES) for cell in self.grid.cells(scale, 1, data)]
        return list(dict.fromkeys(cell.key for cell in cells))

    def _of(self, key: str) -> dict[tuple[bool, int], CellResult]:
        """A cell's results by (real, index of scale)."""
        if key not in self._found and key not in self._keys:
            near = difflib.get_close_matches(key, self._keys, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"they look like {self._keys[0]!r}."
            raise ConfigError(
                f"cell={key!r} is none of the {len(self._keys)} cells of {self.grid.slug}; {hint}"
            )
        return self._found.get(key, {})

    def best(self, key: str) -> CellResult | None:
        """The best stored runs of a cell; None if there are none."""
        results = self._of(key)
        return results[max(results)] if results else None

    def common(self, keys: Sequence[str]) -> list[CellResult] | None:
        """Runs of several cells that can be compared: the best scale and data they all have.

        None if there is no scale at which all of them are stored.
        """
        results = [self._of(key) for key in keys]
        shared = set(results[0]).intersection(*results[1:])
        return [found[max(shared)] for found in results] if shared else None

    def together(self, keys: Sequence[str]) -> list[CellResult | None]:
        """Runs of cells that stand side by side, all of one scale: None for a cell without any.

        Where :meth:`common` has none because a cell is missing: on real data if there are any, of
        the scale that most of the cells have, the larger of equals.
        """
        results = [self._of(key) for key in keys]
        counts = Counter(place for found in results for place in found)
        if not counts:
            return [None] * len(results)
        chosen = max(counts, key=lambda place: (place[0], counts[place], place[1]))
        return [found.get(chosen) for found in results]

    def cells(self, only: str | None = None) -> list[str]:
        """The grid's cells, those that match the pattern ``only``."""

        def data(name: str) -> DataConfig:
            return DataConfig(name, "embedded", EMBEDDED_VARIANT)

        keys = [cell.key for cell in self.grid.cells(SCALES[0], 1, data)]
        return [key for key in keys if only is None or fnmatch.fnmatchcase(key, only)]

    def held(self, key: str) -> str:
        """What is stored of a cell in words: ``paper (MNIST, 2 seeds); quick (MNIST, 1 seed)``."""
        results = self._of(key)
        return "; ".join(
            f"{result.scale} ({result.data}, {plural(len(result.records), 'seed')})"
            for _, result in sorted(results.items(), reverse=True)
        )

    def coverage(self, only: str | None = None) -> str:
        """How far the grid, or its cells that match ``only``, is computed, in words."""
        keys = self.cells(only)
        held: dict[tuple[bool, int], list[int]] = {}
        for key in keys:
            results = self._of(key)
            if results:
                place = max(results)
                held.setdefault(place, []).append(len(results[place].records))
        parts = []
        for place, seeds in sorted(held.items(), reverse=True):
            real, index = place
            scale = SCALES[index] + ("" if real else ", embedded data")
            count = _range_of(seeds)
            parts.append(f"{len(seeds)} at scale {scale} ({count})")
        if missing := len(keys) - sum(map(len, held.values())):
            parts.append(f"{missing} not computed")
        return f"{plural(len(keys), 'cell')}: " + ", ".join(parts)


def _sources(records: Any) -> dict[str, set[tuple[str, str]]]:
    """Source to the (data set, variant) pairs that occur."""
    sources: dict[str, set[tuple[str, str]]] = {}
    for record in records:
        data = record["config"]["data"]
        sources.setdefault(data["source"], set()).add((data["name"], data["variant"]))
    return sources


def basis_of(results: Sequence[CellResult]) -> str:
    """Scales, data and seeds of some results, for a caption: ``quick scale, MNIST, 2 seeds``."""
    if not results:
        return "nothing stored"
    scales = sorted({f"{result.scale} scale" for result in results})
    data = sorted({result.data for result in results})
    return ", ".join([*scales, *data, _range_of([len(result.seeds) for result in results])])


def data_named(names: Iterable[str]) -> str:
    """Data sets for a caption: ``CIFAR-10 and MNIST``."""
    return " and ".join(sorted(set(names))) or "nothing stored"


def _range_of(counts: Sequence[int]) -> str:
    least, most = min(counts), max(counts)
    return plural(most, "seed") if least == most else f"{least} to {most} seeds"


def plural(count: int, noun: str) -> str:
    """``1 seed``, ``2 seeds``."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def verdict(result: CellResult | None, published: float, spread: float | None) -> str:
    """What a stored cell says of a published value in percent.

    ``agrees`` or ``differs`` where the paper's protocol was run on the paper's data, within the
    margin of :func:`fedlib.evidence.statistics.margin`; else why there is no verdict.
    """
    if result is None:
        return "not computed"
    if not result.real:
        return "no verdict (embedded data)"
    if not result.comparable:
        return f"no verdict ({result.scale})"
    return "agrees" if agrees(result.accuracy.mean, published, spread) else "differs"


@dataclass(frozen=True)
class Note:
    """A statement at the head of a chapter, with warnings that must not be overlooked."""

    text: str
    warnings: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        lines = [f"<p>{html.escape(self.text)}</p>"]
        lines += [f"<p><strong>{html.escape(line)}</strong></p>" for line in self.warnings]
        kind = "warning" if self.warnings else "note"
        return f'<div class="fedlib-note fedlib-{kind}">{"".join(lines)}</div>'

    def __repr__(self) -> str:
        return "\n".join([self.text, *(f"! {line}" for line in self.warnings)])


@dataclass(frozen=True)
class Table:
    """A table that a notebook shows: HTML in the book, aligned text elsewhere.

    ``classes`` names a CSS class for cells by (row, column), such as a verdict's. A cell may have
    several lines. Lines of a ``compact`` table are never broken.
    """

    css: ClassVar[str] = "fedlib-table"

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    classes: Mapping[tuple[int, int], str] = field(default_factory=dict)
    compact: bool = False

    def _repr_html_(self) -> str:
        caption = f"<caption>{html.escape(self.caption)}</caption>" if self.caption else ""
        head = "".join(
            f"<th>{html.escape(cell)}</th>".replace("\n", "<br>") for cell in self.header
        )
        body = "".join(f"<tr>{self._html_row(i)}</tr>" for i in range(len(self.rows)))
        kind = f"{self.css} fedlib-compact" if self.compact else self.css
        return (
            f'<div class="{kind}"><table>{caption}<thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def _html_row(self, row: int) -> str:
        cells = []
        for column, cell in enumerate(self.rows[row]):
            name = self.classes.get((row, column))
            attribute = f' class="{name}"' if name else ""
            text = html.escape(cell).replace("\n", "<br>")
            cells.append(f"<td{attribute}>{text}</td>")
        return "".join(cells)

    def __repr__(self) -> str:
        flat = [[cell.replace("\n", " | ") for cell in row] for row in (self.header, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*flat, strict=True)]
        lines = [self.caption] if self.caption else []
        for row in flat:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)
