"""How the pages and answers of an arena name its rows and columns, and write its numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fedlib.evidence.statistics import Estimate


@dataclass(frozen=True)
class Names:
    """How a page names rows and columns, and where it links to.

    Attributes
    ----------
    rule, attack
        These functions return the titles of a row and of a column.
    cell
        This function takes a row and a column and returns the key of their cell.
    link
        This function takes a key and returns the address of its records, or nothing.
    """

    rule: Callable[[str], str]
    attack: Callable[[str], str]
    cell: Callable[[str, str], str]
    link: Callable[[str], str]


def percent(value: Estimate | None) -> str:
    """Return an accuracy with its spread, if it has one: ``81.2 ± 0.3``."""
    if value is None:
        return "–"
    spread = "" if value.spread is None else f" ± {value.spread:.1f}"
    return f"{value.mean:.1f}{spread}"
