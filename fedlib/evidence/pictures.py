"""A figure of the book: it is drawn sharply at every size, and says in words what it shows."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from typing import Any

from fedlib.compat import require

try:
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure
except ModuleNotFoundError:
    require("matplotlib")
    raise


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
        """Return what a notebook shows, and the alternative text as its metadata."""
        buffer = io.BytesIO()
        if self.vector:
            # The same figure must give the same text, so that executing again changes nothing.
            with plt.rc_context({"svg.hashsalt": "fedlib"}):
                self.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
            kind, content = "image/svg+xml", _rounded(buffer.getvalue().decode())
        if not self.vector or len(content) > _MOST_LETTERS:
            buffer = io.BytesIO()
            # Twice the points of a usual screen, so that it is sharp on a phone as well.
            self.savefig(buffer, format="png", bbox_inches="tight", dpi=192)
            kind, content = "image/png", base64.b64encode(buffer.getvalue()).decode()
        # A check of the outputs compares the plain text. The alternative text may name the data,
        # which are others where the real ones are absent.
        return {kind: content, "text/plain": repr(self)}, {kind: {"alt": self.alt}}


def _show_once() -> None:
    """Keep a notebook from storing a picture once more, as the points of any other figure."""
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
