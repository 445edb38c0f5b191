"""A figure of the book: it is drawn sharply at every size, and says in words what it shows.

It also knows where its points lie, so that a reader who hovers over one learns its values.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fedlib.compat import require

try:
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox
except ModuleNotFoundError:
    require("matplotlib")
    raise

from fedlib.evidence.hover import Cells, points_of

POINTS_SUFFIX = ".points.json"
"""The end of the name of a file that says where the points of the picture beside it lie."""
_RIM = 0.1
"""The rim of a saved picture, in inches."""
_MOST_LETTERS = 250_000
"""A drawing with more letters than these is stored as points."""


class Picture(Figure):
    """A figure with an alternative text, for readers who do not see it.

    A notebook shows it and stores the text in the metadata of the output, from which the site
    takes it. matplotlib makes one where ``FigureClass=Picture`` is given.

    Attributes
    ----------
    alt
        The alternative text.
    vector
        Whether a notebook gets a drawing of lines, which is sharp at every size. Otherwise it gets
        points, which need less space where there are images. A drawing of very many lines is
        replaced by points too.
    """

    alt: str = ""
    vector: bool = True

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._cells: dict[Axes, Cells] = {}
        self._box: Bbox | None = None

    def get_tightbbox(self, *given: Any, **named: Any) -> Bbox:
        """Return the part of the figure that has something on it, in inches.

        matplotlib asks for it when it saves the figure. The answer is remembered, because the
        places of the points count from there.
        """
        self._box = super().get_tightbbox(*given, **named)
        return self._box

    def telling(self, axis: Axes, cells: Cells) -> None:
        """Let the cells of a panel tell what they stand for when a reader hovers over them.

        Parameters
        ----------
        axis, cells
            The panel, and what its cells tell.
        """
        self._cells[axis] = cells

    def saying(self, alt: str, vector: bool = True) -> Picture:
        """Finish the figure with its alternative text.

        Parameters
        ----------
        alt, vector
            As in the class.

        Returns
        -------
        Picture
            The figure itself. matplotlib shows it no more by itself.
        """
        plt.close(self)
        _show_once()
        self.alt, self.vector = " ".join(alt.split()), vector
        return self

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, Any]]:
        """Return what a notebook shows, and metadata with the picture's text and points."""
        if self.vector:
            drawing, points = self._saved("svg")
            kind, content = "image/svg+xml", _rounded(drawing.decode())
        if not self.vector or len(content) > _MOST_LETTERS:
            # Twice the points of a usual screen, so that it is sharp on a phone as well.
            drawing, points = self._saved("png", dpi=192)
            kind, content = "image/png", base64.b64encode(drawing).decode()
        said = {"alt": self.alt, "points": points} if points else {"alt": self.alt}
        # A check of the outputs compares the plain text. The alternative text may name the data,
        # which are others where the real ones are absent.
        return {kind: content, "text/plain": repr(self)}, {kind: said}

    def save(self, path: Path) -> None:
        """Write the figure into a file, and into another one where its points lie.

        Parameters
        ----------
        path
            The file, which ends in ``.svg`` or ``.png``. The other one has the same name with
            ``POINTS_SUFFIX`` as its end.
        """
        drawing, points = self._saved(path.suffix[1:])
        path.write_bytes(drawing)
        path.with_suffix(POINTS_SUFFIX).write_text(points, encoding="utf-8")

    def _saved(self, kind: str, **options: Any) -> tuple[bytes, str]:
        """Return the picture as ``"svg"`` or ``"png"``, and where its points lie, as JSON."""
        buffer = io.BytesIO()
        if kind == "svg":
            options["metadata"] = {"Date": None}
        # The same figure must give the same text, so that executing again changes nothing.
        with plt.rc_context({"svg.hashsalt": "fedlib"}):
            self.savefig(buffer, format=kind, bbox_inches="tight", pad_inches=_RIM, **options)
        if self._box is None:
            raise AssertionError("matplotlib has not asked for the part that is saved")
        return buffer.getvalue(), points_of(self, self._box.padded(_RIM), self._cells)


def _show_once() -> None:
    """Keep a notebook from storing each picture a second time, as a PNG like any other figure."""
    try:
        from IPython import get_ipython
    except ModuleNotFoundError:
        return
    shell = get_ipython()
    if shell is not None:
        shell.display_formatter.formatters["image/png"].for_type(Picture, lambda picture: None)


def _rounded(drawing: str) -> str:
    """Return a drawing whose lines are accurate to a hundredth of a point, in half the space."""

    def shorter(line: re.Match[str]) -> str:
        return re.sub(r"(\.\d\d)\d+", r"\1", line[0])

    return re.sub(r' d="[^"]*"', shorter, drawing)


def ends_in_words(ends: Mapping[str, float], unit: str = "") -> str:
    """Say between which ends the lines of a panel lie: ``from ROP at 9.8 to ALIE at 91``.

    Parameters
    ----------
    ends
        The last value of each line, by the line's name.
    unit
        What follows a value, such as `` %``.
    """
    if not ends:
        return "nothing is stored"
    low, high = min(ends, key=lambda name: ends[name]), max(ends, key=lambda name: ends[name])
    if low == high:
        return f"{low} ends at {ends[low]:.3g}{unit}"
    return (
        f"the lines end between {low} at {ends[low]:.3g}{unit} and {high} at {ends[high]:.3g}{unit}"
    )
