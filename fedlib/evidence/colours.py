"""The colours of the figures: every rule and every attack has one colour in the whole book."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources

import numpy as np

from fedlib.compat import require

try:
    from matplotlib.colors import to_hex, to_rgb
except ModuleNotFoundError:
    require("matplotlib")
    raise

# Colour-blind readers can tell these colours apart (Okabe and Ito). Black is for the baseline.
PALETTE = (
    "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#000000", "#56b4e9", "#8c6d31",
)  # fmt: skip
_REST = ("#cc79a7", "#6680ff", "#8c6d31", "#4d3300", "#777777", "#999933", "#3300cc", "#e08080")
"""What names that are in no table get, in this order."""


@cache
def table() -> Mapping[str, str]:
    """Return the colours of rules and attacks by the names that they are registered under."""
    path = resources.files("fedlib.evidence") / "colours.csv"
    with path.open(encoding="utf-8") as file:
        return {row["name"]: row["colour"] for row in csv.DictReader(file)}


def colours_of(names: Iterable[str], parts: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the colours of the lines of a figure.

    Parameters
    ----------
    names
        The names of the lines.
    parts
        The rule or attack that a line shows, for each line that is not named as it is registered.

    Returns
    -------
    dict
        A colour for each name. A line of a rule or attack has its colour in the book. Further
        lines of the same rule or attack have paler shades of it. The others have colours that no
        line of the figure has yet, as long as there are any.
    """
    names = list(names)
    known = {name: (parts or {}).get(name, name) for name in names}
    taken = {table()[part] for part in known.values() if part in table()}
    free = [colour for colour in (*_REST, *PALETTE) if colour not in taken]
    colours: dict[str, str] = {}
    seen: Counter[str] = Counter()
    others = 0
    for name, part in known.items():
        if part in table():
            colours[name] = paler(table()[part], seen[part])
            seen[part] += 1
        else:
            colours[name] = free[others % len(free)]
            others += 1
    return colours


def paler(colour: str, times: int = 1) -> str:
    """Return a paler shade of a colour, or the colour itself for zero times."""
    white = 1 - 0.6**times
    return str(to_hex(white + (1 - white) * np.array(to_rgb(colour))))
