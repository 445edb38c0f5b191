"""What a chapter has found, in a few sentences that are computed from the stored runs."""

from __future__ import annotations

import html
import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from fedlib.evidence.links import Linked, as_html, joined
from fedlib.evidence.report import Archive
from fedlib.evidence.results import CellResult, range_of


class Headed(Linked):
    """A finding that begins with a headline.

    The first sentence of the headline is the finding itself. What else the headline has says what
    it depends on.

    Attributes
    ----------
    head, body
        The headline, and what follows it. The text has both, with a space between them.

    Parameters
    ----------
    head
        The headline. It has no links.
    parts
        The parts of what follows it, as :func:`~fedlib.evidence.links.joined` takes them.
    """

    head: str
    body: Linked

    def __new__(cls, head: str, *parts: str) -> Self:
        body = joined(*parts)
        made = super().__new__(cls, f"{head} {body}", body.links)
        made.head, made.body = head, body
        return made

    @property
    def first_and_rest(self) -> tuple[str, str]:
        """The first sentence of the headline, and the others."""
        first, *rest = re.split(r"(?<=[.!?]) (?=[A-Z(])", self.head, maxsplit=1)
        return first, "".join(rest)


@dataclass(frozen=True)
class Found:
    """The box at the head of a chapter.

    A notebook shows it as HTML, everything else as text.

    Attributes
    ----------
    sentences
        What was found, the most important first. A sentence may be a
        :class:`~fedlib.evidence.links.Linked` text, and it may be :class:`Headed`.
    title
        The head of the box.
    """

    sentences: tuple[str, ...]
    title: str = "What we found"

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{unbroken(_item(sentence))}</li>" for sentence in self.sentences)
        head = f"<p><strong>{html.escape(self.title)}</strong></p>"
        return f'<div class="fedlib-note fedlib-found">{head}<ul>{items}</ul></div>'

    def __repr__(self) -> str:
        return "\n".join([self.title, *(f"- {sentence}" for sentence in self.sentences)])


def _item(sentence: str) -> str:
    """Return a finding as HTML."""
    if isinstance(sentence, Headed):
        first, rest = map(html.escape, sentence.first_and_rest)
        return f"<strong>{first}</strong> {rest}{' ' if rest else ''}{as_html(sentence.body)}"
    return as_html(sentence)


def unbroken(text: str) -> str:
    """Return text in which no line ends between a number and its spread or its percent sign."""
    return re.sub(r"(?<=\d) (?=%)|(?<=\d) (?=±)|(?<=±) (?=\d)", "\u00a0", text)


def found_in(slug: str, archive: Archive) -> Found:
    """Return what a paper's chapter has found.

    The sentences are those of the function ``found`` in ``fedlib.papers.<slug>.found``. It takes
    the archive and returns a list of texts. The first one stands on the front page of the book. It
    is :class:`Headed` where one short sentence can say what it says.

    Parameters
    ----------
    slug
        The paper's short name.
    archive
        The paper's stored runs.
    """
    # A paper imports this room, and not the other way round.
    module = importlib.import_module(f"fedlib.papers.{slug}.found")
    return Found(tuple(module.found(archive)))


def resting_on(results: Sequence[CellResult], largest: str = "the paper's scale") -> str:
    """Say what runs a finding rests on: ``one seed, at the paper's scale``.

    Parameters
    ----------
    results
        The results that the numbers of a sentence are from, at least one.
    largest
        What the scale ``paper`` is called. A paper that prints no protocol has no scale of its own.
    """
    counts = [len(result.seeds) for result in results]
    seeds = "one seed" if max(counts) == 1 else range_of(counts)
    protocols = sorted({result.protocol for result in results})
    scale = largest if protocols == ["paper"] else f"scale {' and '.join(protocols)}"
    real = all(result.real for result in results)
    return f"{seeds}, at {scale}" + ("" if real else ", on generated data")
