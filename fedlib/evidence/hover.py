"""What a reader who hovers over a figure learns: the names, places and values of its points.

The page that shows a figure cannot read its lines. So each figure says beforehand where the points
of its lines lie in the saved picture, and which values they have.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

STEPS = 10_000
"""The width and the height of a picture are divided into so many steps."""
_MOST_POINTS = 60
"""A line has no more points than these."""
_FEW_POINTS = 20
"""A line with so few points keeps all of them."""
_APART = 0.07
"""Two points of a long line are at least so far apart, in inches of the picture."""

_NO_MARKS = (None, "", " ", "None", "none")

Value = float | str


@dataclass(frozen=True)
class Line:
    """A line of a panel, or a row of its cells.

    Attributes
    ----------
    name
        What the line is called.
    colour
        The colour of its mark, such as ``#0072b2``.
    places
        Where its points lie, in the coordinates of the axes' data, ``(n, 2)``.
    x, y
        What is said of each point: a number, or a text.
    all_seen
        Whether every point has a mark of its own in the picture. Then none is left out before
        there are too many.
    """

    name: str
    colour: str
    places: np.ndarray
    x: Sequence[Value]
    y: Sequence[Value]
    all_seen: bool = False


@dataclass(frozen=True)
class Cells:
    """What is said of a panel whose points are cells, as in a heat map.

    Attributes
    ----------
    rows
        The rows of cells. The places are the centres.
    x, y
        What the first and the second text of a cell are about.
    size
        The width and the height of a cell, in the coordinates of the axes' data.
    """

    rows: Sequence[Line]
    x: str
    y: str
    size: tuple[float, float] = (1.0, 1.0)


def points_of(figure: Figure, box: Bbox, cells: Mapping[Axes, Cells] | None = None) -> str:
    """Say where the points of a figure lie in its saved picture, and what they stand for.

    Only lines and groups of points with a label count. Points outside their panel are left out.
    Of a long line as many points are kept as a reader can tell apart.

    Parameters
    ----------
    figure
        The figure after it was saved, so that its layout is known.
    box
        The part of the figure that was saved, in inches.
    cells
        What is said of panels that have cells and no lines.

    Returns
    -------
    str
        JSON with an entry in ``panels`` for each panel that has points. It has a ``title``, the
        names and units of ``x`` and ``y``, and ``lines``. A line has a ``name``, a ``colour`` and
        three lists: ``at`` has the distances of each point from the left and from the top of the
        picture, in steps, and ``x`` and ``y`` have the values. A panel of cells also has the
        width and height of a ``cell`` in steps. The text is empty if there are no points.
    """
    panels = []
    for axis in figure.axes:
        told = (cells or {}).get(axis)
        lines = _lines_of(axis) if told is None else told.rows
        found = [entry for line in lines if (entry := _entry(axis, line, box))]
        if not found:
            continue
        panel: dict[str, Any] = {"title": " ".join(axis.get_title().split())}
        if told is None:
            panel |= {
                "x": _name_and_unit(_label(axis, "x")),
                "y": _name_and_unit(_label(axis, "y")),
            }
        else:
            corners = _in_steps(axis, np.array([(0.0, 0.0), told.size]), box)
            panel |= {"x": [told.x, ""], "y": [told.y, ""]}
            panel["cell"] = np.abs(corners[1] - corners[0]).round().astype(int).tolist()
        panels.append({**panel, "lines": found})
    if not panels:
        return ""
    return json.dumps({"panels": panels}, ensure_ascii=False, separators=(",", ":"))


def _lines_of(axis: Axes) -> list[Line]:
    """Return the lines and the groups of points of a panel that have a label."""
    named: list[tuple[str, Any]] = [(str(line.get_label()), line) for line in axis.lines]
    named += [
        (str(container.get_label()), container.lines[0])
        for container in axis.containers
        if isinstance(container, ErrorbarContainer)
    ]
    named += [(str(group.get_label()), group) for group in axis.collections]
    found = []
    for name, drawn in named:
        # matplotlib gives a name with an underscore to what has none.
        if not name or name.startswith("_") or drawn is None or not drawn.get_visible():
            continue
        if isinstance(drawn, Line2D) and drawn.get_transform() == axis.transData:
            places = np.asarray(drawn.get_xydata(), dtype=float)
            # A line may have a mark at some of its points alone.
            marks_all = drawn.get_markevery() is None
            colour, marked = drawn.get_color(), marks_all and drawn.get_marker() not in _NO_MARKS
        elif isinstance(drawn, PathCollection) and len(drawn.get_facecolor()):
            places = np.ma.getdata(drawn.get_offsets()).astype(float)
            colour, marked = drawn.get_facecolor()[0], True
        else:
            continue
        x, y = ([_number(value) for value in values] for values in places.T)
        found.append(Line(" ".join(name.split()), to_hex(colour), places, x, y, marked))
    return found


def _entry(axis: Axes, line: Line, box: Bbox) -> dict[str, Any] | None:
    """Return the entry of a line in the JSON. It is None if none of the points can be seen."""
    if not len(line.places):
        return None
    shown = axis.transData.transform(line.places)
    panel = axis.bbox.padded(0.5)
    # A place that is no number is never in the panel.
    kept = np.flatnonzero(((shown >= panel.min) & (shown <= panel.max)).all(1))
    if not len(kept):
        return None
    kept = kept[thinned(shown[kept] / axis.figure.dpi, line.all_seen)]
    return {
        "name": line.name,
        "colour": line.colour,
        "at": _in_steps(axis, line.places[kept], box).round().astype(int).ravel().tolist(),
        "x": [line.x[index] for index in kept],
        "y": [line.y[index] for index in kept],
    }


def _in_steps(axis: Axes, places: np.ndarray, box: Bbox) -> np.ndarray:
    """Return how far places are from the left and from the top of the picture."""
    x, y = (axis.transData.transform(places) / axis.figure.dpi).T
    return STEPS * np.column_stack([(x - box.x0) / box.width, (box.y1 - y) / box.height])


def thinned(places: np.ndarray, all_seen: bool = False) -> np.ndarray:
    """Return which points of a line are kept.

    The first and the last one always are.

    Parameters
    ----------
    places
        Where the points lie, in inches, ``(n, 2)``.
    all_seen
        As in :class:`Line`.

    Returns
    -------
    np.ndarray
        The numbers of the points that are kept, in their order.
    """
    kept = list(range(len(places)))
    if not all_seen and len(places) > _FEW_POINTS:
        kept = [0]
        for number in range(1, len(places)):
            if np.hypot(*(places[number] - places[kept[-1]])) >= _APART:
                kept.append(number)
        kept[len(kept) - (len(kept) > 1) :] = [len(places) - 1]
    if len(kept) > _MOST_POINTS:
        kept = [kept[i] for i in np.linspace(0, len(kept) - 1, _MOST_POINTS).round().astype(int)]
    return np.asarray(kept)


def _label(axis: Axes, which: str) -> str:
    """Return the label of a panel's axis, or the one that it has in common with other panels."""
    alike = getattr(axis, f"get_shared_{which}_axes")().get_siblings(axis)
    # Panels have an order, siblings have none.
    panels = [axis, *(other for other in axis.figure.axes if other in alike)]
    labels = [getattr(panel, f"get_{which}label")() for panel in panels]
    labels.append(getattr(axis.figure, f"get_sup{which}label")())
    return next((label for label in labels if label), which)


def _name_and_unit(label: str) -> list[str]:
    """Take a label apart: ``["test accuracy", "%"]`` of ``"test accuracy, %"``."""
    parts = [part for part in " ".join(label.split()).split(", ") if part]
    units = [part for part in parts if part in _UNITS]
    return [", ".join(part for part in parts if part not in _UNITS), *(units[:1] or [""])]


_UNITS = ("%", "ms", "s")
"""What stands behind a number where it stands behind a comma in a label, or alone."""


def _number(value: float) -> float | int:
    """Return a value as a reader can use it: with three figures, or as a whole number."""
    if not np.isfinite(value):
        return 0  # Such a point is not in the picture.
    shorter = float(f"{value:.3g}") if abs(value) < 1000 else float(round(value))
    return int(shorter) if shorter.is_integer() else shorter
