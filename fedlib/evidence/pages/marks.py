"""The marks of a page, and the functions that make what takes their place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fedlib.validation import ConfigError

_MARK = re.compile(r"\{(\w+)(?::(\w+))?\}")


@dataclass(frozen=True)
class Page:
    """A page that is filled, and where its makers find what is not in the store.

    Attributes
    ----------
    text
        The text of the page with its marks.
    benchmarks
        The folder of the files that the benchmarks wrote.
    """

    text: str
    benchmarks: Path = Path("benchmarks")

    def benchmark(self, name: str) -> str:
        """Return the text of a file of the benchmarks.

        Raises
        ------
        ConfigError
            If the file is missing.
        """
        path = self.benchmarks / name
        if not path.is_file():
            raise ConfigError(
                f"benchmarks={str(self.benchmarks)!r} has no file {name!r}: must be the folder of "
                "the benchmarks' results (--benchmarks DIR)."
            )
        return path.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Mark:
    """A kind of mark.

    Attributes
    ----------
    form
        How the mark is written between its braces: ``times``, or ``coverage:SLUG`` if it has an
        argument.
    make
        This function takes the page, and the argument if the mark has one. It returns the text
        that takes the mark's place.
    """

    form: str
    make: Callable[..., str]

    def text(self, page: Page, argument: str | None) -> str:
        """Return what takes the mark's place.

        Raises
        ------
        ConfigError
            If the mark lacks its argument or has one too many.
        """
        if (argument is not None) != (":" in self.form):
            written = self.form.partition(":")[0] + ("" if argument is None else f":{argument}")
            raise ConfigError(f"mark={{{written}}} must have the form {{{self.form}}}.")
        return self.make(page) if argument is None else self.make(page, argument)


MARKS: dict[str, Mark] = {}
"""The kinds of marks by name."""

FIGURES: list[tuple[str, str, Callable[[Page, Path], None]]] = []
"""The figures: the mark whose pages show it, its file name, and the function that draws it."""

Make = TypeVar("Make", bound=Callable[..., str])
Draw = Callable[[Page, Path], None]


def page_mark(form: str) -> Callable[[Make], Make]:
    """Enter the function below as the maker of a mark.

    Parameters
    ----------
    form
        The form of the mark, as in :class:`Mark`.
    """
    name = form.partition(":")[0]

    def enter(make: Make) -> Make:
        if name in MARKS:
            raise ValueError(f"the mark {name!r} is already made by {MARKS[name].make}.")
        MARKS[name] = Mark(form, make)
        return make

    return enter


def page_figure(mark: str, file_name: str) -> Callable[[Draw], Draw]:
    """Enter the function below, which takes a page and a path, as the one that draws a figure.

    Parameters
    ----------
    mark
        The figure is drawn for every page that has this mark.
    file_name
        The figure's file in the folder ``_static`` beside the page.
    """

    def enter(draw: Draw) -> Draw:
        FIGURES.append((mark, file_name, draw))
        return draw

    return enter


def fill(page: Page) -> str:
    """Return the text of a page with every mark replaced.

    Raises
    ------
    ConfigError
        If a mark has the wrong form, or what it asks for does not exist.
    """

    def replacement(found: re.Match[str]) -> str:
        mark = MARKS.get(found[1])
        # Other names in braces are roles of the book's Markdown, such as {doc}.
        return found[0] if mark is None else mark.text(page, found[2])

    return _MARK.sub(replacement, page.text)


def fill_file(path: Path, benchmarks: Path) -> None:
    """Fill a page in place, and draw its figures beside it.

    Parameters
    ----------
    path
        The page, a Markdown file.
    benchmarks
        The folder of the files that the benchmarks wrote.

    Raises
    ------
    ConfigError
        If the page is missing or cannot be filled. Then it stays as it is.
    """
    if not path.is_file():
        raise ConfigError(f"page={str(path)!r} must be a file that exists.")
    page = Page(path.read_text(encoding="utf-8"), benchmarks)
    filled = fill(page)
    marks = {found[1] for found in _MARK.finditer(page.text)}
    for mark, file_name, draw in FIGURES:
        if mark in marks:
            folder = path.parent / "_static"
            folder.mkdir(exist_ok=True)
            draw(page, folder / file_name)
    path.write_text(filled, encoding="utf-8")
