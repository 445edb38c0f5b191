"""The cells of the tables that show the published values below ours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from fedlib.evidence.published import PublishedValue, load_published
from fedlib.evidence.report import Archive, CellResult, Table, data_named, verdict
from fedlib.evidence.results import seeds_in_words
from fedlib.evidence.statistics import FAR_APART
from fedlib.papers.residual_reweighting.keys import key_at


def published() -> dict[tuple[str, str], PublishedValue]:
    """The printed values by cell key and quantity, averages left out."""
    return {
        (key_at(value.item, value.setting, value.aggregator), value.quantity): value
        for value in load_published("residual_reweighting")
        if value.setting != "average"
    }


def published_averages(item: str) -> dict[str, float]:
    """The printed averages of an item's rules."""
    return {
        value.aggregator: value.value
        for value in load_published("residual_reweighting", item)
        if value.setting == "average"
    }


class TableCells:
    """The cells of one table as text, and what the table has to know of those already made.

    Attributes
    ----------
    archive
        The stored runs.
    published
        The printed values by cell key and quantity.
    classes
        The CSS class of cells by row and column.
    data
        The names of the data sets of the cells that were shown.
    """

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.published = published()
        self.classes: dict[tuple[int, int], str] = {}
        self.data: set[str] = set()

    def text(
        self, cell: str, row: int, column: int, quantity: str = "test_accuracy", short: bool = False
    ) -> str:
        """The text of a cell: our value, what runs it is of, and the published value.

        Its class and data are kept for the table.

        Parameters
        ----------
        cell
            The key of the cell.
        row, column
            Where the cell stands in the table.
        quantity
            The quantity that is shown.
        short
            Whether our value and its runs share a line.
        """
        result, value = self.archive.best(cell), self.published.get((cell, quantity))
        printed = "not published" if value is None else f"{value.value:.2f}"
        if result is None:
            text = f"–\n{printed}" if short else f"–\n\n{printed}"
            return self.archive.linked(text, cell)
        self.data.add(result.data)
        self.classes[row, column] = _css_class(self.archive, result, value, quantity)
        separator = " " if short else "\n"
        ours = f"{_measured(result, quantity)}{separator}{_basis(result, quantity)}"
        return self.archive.linked(f"{ours}\n{printed}", cell)

    def table(self, header: Iterable[str], rows: Sequence[tuple[str, ...]], title: str) -> Table:
        """The table of these rows, with the data of the cells that were shown in its caption."""
        where = f"on {data_named(self.data)}" if self.data else "not computed yet"
        caption = (
            f"{title}, {where}. Each cell has our number, the number of its seeds, and its scale "
            "if that is not the paper's, and below them the published number. Seeds that are more "
            f"than {FAR_APART:g} points apart are listed, because none of them has their mean"
        )
        return Table(tuple(header), tuple(rows), caption, self.classes, compact=True)


def scale_class(result: CellResult) -> str:
    """The CSS class of a cell that has no verdict."""
    return f"scale-{result.scale}"


def _css_class(
    archive: Archive, result: CellResult, value: PublishedValue | None, quantity: str
) -> str:
    """The verdict of an accuracy that has one, and else the scale."""
    if value is not None and quantity == "test_accuracy":
        unstable = archive.noise.unstable(result)
        found = verdict(result, value.value, None, unstable=unstable)
        if found in ("agrees", "differs"):
            return found
    return scale_class(result)


def _measured(result: CellResult, quantity: str) -> str:
    """Our value, with its spread where there is one, or the seeds' values if they are far apart."""
    found = result.final(quantity)
    if math.isnan(found.mean):
        return "no such sample"
    each = [result.of_seed(seed).final(quantity).mean for seed in result.seeds]
    if max(each) - min(each) > FAR_APART:
        return ", ".join(f"{value:.1f}" for value in each)
    spread = "" if found.spread is None else f" ± {found.spread:.2f}"
    return f"{found.mean:.2f}{spread}"


def _basis(result: CellResult, quantity: str) -> str:
    """The scale, the data if they are generated, and the number of seeds."""
    return seeds_in_words(result.scale, result.final(quantity).n, result.real)
