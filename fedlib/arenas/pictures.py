"""The pictures of an arena: the heat map of all bouts, and what protection costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from fedlib.arenas.names import percent
from fedlib.arenas.ranking import Row, Standing, columns_by_harm, far_apart
from fedlib.evidence.hover import Cells, Line
from fedlib.evidence.pictures import Picture
from fedlib.evidence.plots import PALETTE, STYLE
from fedlib.evidence.report import CellResult, plural

Name = Callable[[str], str]


def heat_map(standing: Standing, rule: Name, attack: Name) -> Picture:
    """Draw the accuracy that every rule keeps under every attack.

    The best rule is at the top. The first two columns are the worst case and the runs without an
    attack. The attacks follow, and the one that harms most on average comes first. A star marks
    the attacks that know the rule. A bout that is not computed stays white. A cell tells a reader
    who hovers over it its rule, its attack, its accuracy and its seeds.

    Parameters
    ----------
    standing
        The ranks of one setting.
    rule, attack
        These functions return the titles of a row and of a column.
    """
    rows, attacks = list(standing.rows), columns_by_harm(standing)
    values = np.full((len(rows), len(attacks) + 2), np.nan)
    daggers = np.zeros_like(values, dtype=bool)
    for i, row in enumerate(rows):
        if row.worst:
            values[i, 0] = row.worst[1].mean
            daggers[i, 0] = far_apart(row.results[row.worst[0]])
        if row.clean:
            values[i, 1] = row.clean.mean
        for j, name in enumerate(attacks):
            if name in row.results:
                values[i, j + 2] = row.results[name].accuracy.mean
                daggers[i, j + 2] = far_apart(row.results[name])
    stars = ["*" if name in standing.columns.adaptive else "" for name in attacks]
    heads = ["worst case", "no attack"]
    heads += [attack(name) + star for name, star in zip(attacks, stars, strict=True)]
    with matplotlib.rc_context(STYLE):
        size = (0.36 * values.shape[1] + 2.6, 0.22 * len(rows) + 1.6)
        figure = Picture(figsize=size, layout="constrained")
        axis = figure.subplots()
        shown = np.insert(values, 2, np.nan, axis=1)  # a gap between the two parts
        daggers = np.insert(daggers, 2, False, axis=1)
        image = axis.imshow(shown, cmap="cividis", vmin=0, vmax=100, aspect="auto")
        places = [0, 1, *range(3, shown.shape[1])]
        axis.set_xticks(places, heads, rotation=50, ha="left", rotation_mode="anchor")
        axis.xaxis.tick_top()
        axis.set_yticks(range(len(rows)), [_ranked(row, rule) for row in rows])
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        for i, j in np.argwhere(np.isfinite(shown)):
            colour = "black" if shown[i, j] > 55 else "white"
            weight = "bold" if j == 0 else "normal"
            text = f"{shown[i, j]:.0f}" + ("†" if daggers[i, j] else "")
            axis.text(j, i, text, ha="center", va="center", color=colour, fontsize=7,
                      fontweight=weight)  # fmt: skip
        figure.colorbar(image, ax=axis, label="test accuracy, %", pad=0.01, aspect=40)
        lines = [_told(row, i, attacks, rule(row.name), attack) for i, row in enumerate(rows)]
        figure.telling(axis, Cells(lines, "attack", "test accuracy"))
    return figure


def _told(row: Row, place: int, attacks: Sequence[str], title: str, attack: Name) -> Line:
    """Return what the cells of a row of the heat map tell.

    Parameters
    ----------
    row, place
        The row, and its number from the top.
    attacks
        The attacks in the order of their columns.
    title, attack
        The title of the row, and the function that returns the title of an attack.
    """
    told: list[tuple[int, str, str]] = []
    if row.worst:
        name = row.worst[0]
        told.append((0, f"{attack(name)} (worst case)", _accuracy(row.results[name])))
    if row.clean:
        told.append((1, "none", _accuracy(row.results[row.columns.clean])))
    told += [
        (column, attack(name), _accuracy(row.results[name]))
        for column, name in enumerate(attacks, 3)
        if name in row.results
    ]
    places = np.array([(column, place) for column, _, _ in told], dtype=float)
    return Line(
        title, "#000000", places, [x for _, x, _ in told], [y for _, _, y in told], all_seen=True
    )


def _accuracy(result: CellResult) -> str:
    """Return the accuracy of a cell and how many seeds it has: ``81.2 ± 0.3 %, 3 seeds``."""
    return f"{percent(result.accuracy)} %, {plural(len(result.seeds), 'seed')}"


def _ranked(row: Row, rule: Name) -> str:
    """Return the title of a row with its rank."""
    if row.rank is None:
        return f"{rule(row.name)}   – "
    return f"{rule(row.name)}  {row.rank}{'=' if row.shared else ' '}"


def price(standing: Standing, cost: Mapping[str, float], rule: Name, unit: str) -> Picture:
    """Draw the worst case against the accuracy without an attack, and against the cost.

    The best rules of each panel carry their names. The others tell theirs to a reader who hovers
    over them.

    Parameters
    ----------
    standing
        The ranks of one setting.
    cost
        The cost of a rule, by row. A row without a cost is not in the second panel.
    rule
        This function returns the title of a row.
    unit
        The label of the cost's axis.
    """
    rows = [row for row in standing.rows if row.worst and row.clean]
    with matplotlib.rc_context(STYLE):
        figure = Picture(figsize=(9, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for axis, xs in (
            (left, {row.name: row.clean.mean for row in rows if row.clean}),
            (right, dict(cost)),
        ):
            drawn = [row for row in rows if row.name in xs]
            for row in drawn:
                best = row in drawn[:_NAMED]
                axis.plot(xs[row.name], row.worst[1].mean if row.worst else np.nan, "o",
                          color=PALETTE[1] if best else "#8a8a8a", markersize=5,
                          label=rule(row.name))  # fmt: skip
            _name_points(axis, drawn[:_NAMED], xs, rule)
            axis.grid(alpha=0.25)
        left.set(xlabel="accuracy without an attack, %", ylabel="accuracy in the worst case, %")
        right.set(xlabel=unit, xscale="log")
        # Costs span less than two powers of ten, so that those alone would be one mark.
        right.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        right.xaxis.set_major_formatter("{x:g}")
        right.xaxis.set_minor_formatter(NullFormatter())
    return figure


_NAMED = 6
"""The points of this many rules carry the rule's name. They are the best rules."""
_APART = 4.0
"""The distance between two names in points of accuracy. It keeps them from overlapping."""


def _name_points(axis: Axes, rows: Sequence[Row], xs: Mapping[str, float], rule: Name) -> None:
    """Write the names of rules at the right of a panel, each with a line to its point."""
    place = np.inf
    for row in sorted(rows, key=lambda row: -(row.worst[1].mean if row.worst else 0)):
        y = row.worst[1].mean if row.worst else 0.0
        place = min(y, place - _APART)
        axis.annotate(
            rule(row.name), (xs[row.name], y), (1.03, place), va="center", fontsize=7,
            textcoords=axis.get_yaxis_transform(),
            arrowprops={
                "arrowstyle": "-", "linewidth": 0.4, "color": "#8a8a8a", "relpos": (0, 0.5),
            },
        )  # fmt: skip
