"""Links from a number to the records that it is computed from, and the anchors that they lead to.

The site has a page of records for each paper, ``book/records/<slug>.html``. The chapters and the
pages of the book lie one folder below the root of the site, so that one relative address serves
all of them.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Sequence
from typing import NamedTuple, Self
from urllib.parse import urlencode

VERDICTS_PAGE = "../book/verdicts.html"
"""The address of the verdict page, from a chapter or a page of the book."""

ALL_CELLS = "cells"
"""The anchor of the list of all cells on a page of records."""

_MOST_WORDS = 48
"""How many letters of a sentence stand in its anchor."""


class Link(NamedTuple):
    """A part of a text that leads somewhere.

    Attributes
    ----------
    shown
        The part of the text.
    target
        The address that it leads to.
    """

    shown: str
    target: str


class Linked(str):
    """The text of a cell of a table, parts of which are links.

    Everything that takes a text takes it too. Only its HTML has the links.

    Parameters
    ----------
    text
        The text.
    links
        The links, in the order in which their parts stand in the text.

    Raises
    ------
    ValueError
        If the text does not have the parts of the links in this order.
    """

    links: tuple[Link, ...]

    def __new__(cls, text: str = "", links: Sequence[Link] = ()) -> Self:
        made = super().__new__(cls, text)
        made.links = tuple(links)
        place = 0
        for link in made.links:
            found = text.find(link.shown, place)
            if found < 0:
                raise ValueError(f"links: {link.shown!r} must stand in the text {text!r}, in order")
            place = found + len(link.shown)
        return made


def joined(*parts: str) -> Linked:
    """Return a text that is made of several, with the links of all of them.

    Parameters
    ----------
    parts
        The texts in their order. A part that is a :class:`Linked` text keeps its links.
    """
    links = [link for part in parts if isinstance(part, Linked) for link in part.links]
    return Linked("".join(parts), links)


def as_html(text: str) -> str:
    """Return a text as HTML, with its links if it is a :class:`Linked` text."""
    parts, rest = [], str(text)
    for link in text.links if isinstance(text, Linked) else ():
        before, _, rest = rest.partition(link.shown)
        address = html.escape(link.target)
        parts.append(f'{escaped(before)}<a href="{address}">{escaped(link.shown)}</a>')
    return "".join([*parts, escaped(rest)])


def escaped(text: str) -> str:
    """Return a text as HTML, with its lines one below the other."""
    return html.escape(text).replace("\n", "<br>")


def leading_to(text: str, slug: str, keys: Sequence[str]) -> Linked:
    """Return the text of a cell of a table whose first line leads to the records of cells.

    If the first line has as many parts, with arrows between them, as there are keys, each part
    leads to the records of its own cell. Otherwise the whole line leads to all of the cells.

    Parameters
    ----------
    text
        The text, such as ``97.39 paper, 1 seed`` or ``97.39 → 95.10``.
    slug
        The paper's short name.
    keys
        The keys of the cells. There is at least one.
    """
    line = text.partition("\n")[0]
    parts = line.split(" → ")
    if 1 < len(keys) == len(parts):
        links = [Link(part, records_of(slug, key)) for part, key in zip(parts, keys, strict=True)]
    else:
        links = [Link(line, records_of(slug, *keys))]
    return Linked(text, links)


def records_page(slug: str) -> str:
    """Return the address of a paper's page of records, from a chapter or a page of the book."""
    return f"../book/records/{slug}.html"


def records_of(slug: str, *keys: str) -> str:
    """Return the address of the records of one cell, or of several cells together.

    Parameters
    ----------
    slug
        The paper's short name.
    keys
        The keys of the cells. There is at least one. If there are several, the page shows these
        cells alone.
    """
    if len(keys) == 1:
        return f"{records_page(slug)}#{cell_anchor(keys[0])}"
    chosen = urlencode([("only", key) for key in dict.fromkeys(keys)], safe="/,'")
    return f"{records_page(slug)}?{chosen}#{ALL_CELLS}"


def cell_anchor(key: str) -> str:
    """Return the anchor of a cell, which is made of its key alone."""
    return "cell-" + re.sub(r"[^\w./-]", "_", key)


def sentence_anchor(slug: str, place: str, says: str) -> str:
    """Return the anchor of a sentence of a paper, which several claims may test.

    Parameters
    ----------
    slug
        The paper's short name.
    place, says
        Where the sentence stands, and the sentence.
    """
    return text_anchor("sentence", says, slug, place)


def text_anchor(kind: str, words: str, *others: str) -> str:
    """Return an anchor that a reader can recognise and that no other text has.

    Parameters
    ----------
    kind
        What the anchor begins with, such as ``claim``.
    words
        The text whose first words stand in the anchor.
    others
        What else tells the text from others that begin like it.
    """
    whole = "\n".join([words, *others])
    sign = hashlib.sha256(whole.encode("utf-8")).hexdigest()[:8]
    readable = re.sub(r"[^a-z0-9]+", "-", words.lower())[:_MOST_WORDS].strip("-")
    return f"{kind}-{readable}-{sign}"
