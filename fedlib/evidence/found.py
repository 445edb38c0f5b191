"""What a chapter has found, in a few sentences that are computed from the stored runs."""

from __future__ import annotations

import html
import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from fedlib.evidence.links import as_html
from fedlib.evidence.report import Archive
from fedlib.evidence.results import CellResult, range_of


@dataclass(frozen=True)
class Found:
    """The box at the head of a chapter.

    A notebook shows it as HTML, everything else as text.

    Attributes
    ----------
    sentences
        What was found, the most important first. A sentence may be a
        :class:`~fedlib.evidence.links.Linked` text.
    title
        The head of the box.
    """

    sentences: tuple[str, ...]
    title: str = "What we found"

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{unbroken(as_html(sentence))}</li>" for sentence in self.sentences)
        head = f"<p><strong>{html.escape(self.title)}</strong></p>"
        return f'<div class="fedlib-note fedlib-found">{head}<ul>{items}</ul></div>'

    def __repr__(self) -> str:
        return "\n".join([self.title, *(f"- {sentence}" for sentence in self.sentences)])


def unbroken(text: str) -> str:
    """Return text in which no line ends between a number and its spread or its percent sign."""
    return re.sub(r"(?<=\d) (?=%)|(?<=\d) (?=±)|(?<=±) (?=\d)", "\u00a0", text)


def found_in(slug: str, archive: Archive) -> Found:
    """Return what a paper's chapter has found.

    The sentences are those of the function ``found`` in ``fedlib.papers.<slug>.found``. It takes
    the archive and returns a list of texts.

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


def resting_on(results: Sequence[CellResult]) -> str:
    """Say what runs a finding rests on: ``one seed, at the paper's scale``.

    Parameters
    ----------
    results
        The results that the numbers of a sentence are from, at least one.
    """
    counts = [len(result.seeds) for result in results]
    seeds = "one seed" if max(counts) == 1 else range_of(counts)
    protocols = sorted({result.protocol for result in results})
    scale = "the paper's scale" if protocols == ["paper"] else f"scale {' and '.join(protocols)}"
    real = all(result.real for result in results)
    return f"{seeds}, at {scale}" + ("" if real else ", on generated data")
