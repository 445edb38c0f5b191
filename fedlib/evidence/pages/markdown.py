"""Markdown for the makers of pages: tables, text and numbers in their cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    """Return a Markdown table.

    Parameters
    ----------
    heads, rows
        The cells, in Markdown.
    numbers
        How many of the last columns hold numbers, which stand at the right.
    """
    texts = len(heads) - numbers
    lines = [_line(heads), _line(["---"] * texts + ["---:"] * numbers), *map(_line, rows)]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    """Return one line of a table."""
    return "| " + " | ".join(cells) + " |"


def raw_html(text: str) -> str:
    """Return HTML as a block of Markdown, which the site shows as it is."""
    return f"```{{raw}} html\n{text}\n```"


def escaped(text: str) -> str:
    """Return plain text as Markdown, which would give a star or a bar another meaning."""
    return re.sub(r"([*_|<>])", r"\\\1", text)


def three_digits(value: float) -> str:
    """Return a number with three digits, or with all digits before the point if it has more."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """Put a number of seconds into words: ``88 s``, ``38 min``."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
