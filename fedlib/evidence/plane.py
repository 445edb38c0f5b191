"""A picture of updates with two coordinates: points, circles and paths in a plane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from fedlib.evidence.colours import colours_of
from fedlib.evidence.pictures import Picture
from fedlib.evidence.plots import STYLE

_MARKERS = "oXDs^v"


def plane(
    points: Mapping[str, Any],
    alt: str,
    paths: Mapping[str, Any] | None = None,
    circle: tuple[Any, float, str] | None = None,
    axes: tuple[str, str] = ("first coordinate", "second coordinate"),
    equal: bool = True,
    ends: bool = True,
    parts: Mapping[str, str] | None = None,
) -> Picture:
    """Draw groups of points in a plane, each group with a colour and a mark of its own.

    Parameters
    ----------
    points
        The points of each group, ``(n, 2)``, or one point, by the name of the group.
    alt
        What the picture shows, in words.
    paths
        Points that are joined by a line, ``(n, 2)``, by the name of the line. A path has the
        colour of the group with the same name, if there is one.
    circle
        The centre, the radius and the name of a circle.
    axes
        The names of the x axis and the y axis.
    equal
        Whether both axes have the same scale, so that a circle is round.
    ends
        Whether a star marks the last point of each path.
    parts
        The registered name of the rule or attack that a group or path shows. It gives the colour.

    Returns
    -------
    Picture
        The picture with its alternative text.
    """
    colours = colours_of(dict.fromkeys([*points, *(paths or {})]), parts)
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(6, 4), layout="constrained", FigureClass=Picture)
        for number, (name, group) in enumerate(points.items()):
            x, y = np.atleast_2d(np.asarray(group, dtype=float)).T
            marker = _MARKERS[number % len(_MARKERS)]
            axis.scatter(x, y, 36, colours[name], marker=marker, label=name, alpha=0.75, zorder=3)
        for name, path in (paths or {}).items():
            x, y = np.asarray(path, dtype=float).T
            label = None if name in points else name
            axis.plot(x, y, color=colours[name], linewidth=1.2, label=label)
            if ends:
                axis.scatter(x[-1:], y[-1:], 60, colours[name], marker="*", zorder=4)
        if circle is not None:
            centre, radius, label = circle
            x, y = np.asarray(centre, dtype=float)
            turn = np.linspace(0, 2 * np.pi, 200)
            axis.plot(
                x + radius * np.cos(turn), y + radius * np.sin(turn), "--", color="grey",
                linewidth=1, label=label,
            )  # fmt: skip
        axis.set(xlabel=axes[0], ylabel=axes[1], aspect="equal" if equal else "auto")
        axis.grid(alpha=0.25)
        figure.legend(loc="outside right upper", fontsize=8)
    return figure.saying(alt)
