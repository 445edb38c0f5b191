"""The table of Gradient Guard by the readings of its text."""

from __future__ import annotations

from collections.abc import Sequence

from fedlib.evidence.report import Archive, CellResult, Table, basis_of
from fedlib.papers.gradient_guard.keys import Watched, reading_cell
from fedlib.papers.gradient_guard.measures import HONEST, LAST, late_accuracy
from fedlib.papers.gradient_guard.settings import ABLATED, ATTACK_TITLES, READINGS
from fedlib.papers.gradient_guard.tables.scores import shown_separation


def readings_table(archive: Archive) -> Table:
    """Accuracy and separation of Gradient Guard at 30 %, by the readings of its text.

    All cells of an attack's columns are of one scale.

    Parameters
    ----------
    archive
        The stored runs of the grid.
    """
    columns = [[str(reading_cell(*place, reading)) for reading in READINGS] for place in ABLATED]
    results = [archive.together(column) for column in columns]
    honest = [archive.together([str(Watched(cell)) for cell in column]) for column in columns]
    rows = []
    for number, reading in enumerate(READINGS):
        row = [reading]
        for column, watch in zip(results, honest, strict=True):
            result = column[number]
            found = None if result is None else late_accuracy(result)
            spread = "" if found is None or found.spread is None else f" ± {found.spread:.2f}"
            row.append("–" if found is None else f"{found.mean:.2f}{spread}")
            row += [shown_separation(result), shown_separation(watch[number])]
        rows.append(tuple(row))

    def scale_of(column: Sequence[CellResult | None]) -> str:
        scales = {result.scale for result in column if result is not None}
        return f" ({scales.pop()})" if scales else ""

    heads = [
        head
        for (_, attack, share), column, watch in zip(ABLATED, results, honest, strict=True)
        for head in (
            f"{ATTACK_TITLES[attack]}, {share} %{scale_of(column)}\naccuracy, %",
            "\nseparation",
            f"\nwatched{scale_of(watch) if scale_of(watch) != scale_of(column) else ''}",
        )
    ]
    basis = basis_of([r for column in (*results, *honest) for r in column if r is not None])
    return Table(
        ("reading", *heads),
        tuple(rows),
        f"Readings of the text: accuracy (mean of the last {LAST} evaluations); separation by the "
        "rule's own reference, which is the last aggregate, or the server's update where that is "
        f"trusted; and the same, watched, where the server takes the {HONEST}. Where the highest "
        f"are penalised, 0 is what would serve. {basis}",
    )
