"""What the chapters have found, for the front page."""

from __future__ import annotations

import html

from fedlib.evidence.found import Headed, found_in, unbroken
from fedlib.evidence.links import as_html
from fedlib.evidence.pages.markdown import raw_html
from fedlib.evidence.pages.marks import Page, page_mark
from fedlib.evidence.pages.opened import opened
from fedlib.grids import load_grid


@page_mark("found:SLUG")
def found(page: Page, slug: str) -> str:
    """Return the most important sentence of a chapter, with a link to the chapter."""
    sentence = found_in(slug, opened(slug)).sentences[0]
    return folded(sentence, load_grid(slug).name, f"../notebooks/{slug}.html", "The chapter")


def folded(sentence: str, of: str, address: str, where: str) -> str:
    """Return a finding whose headline unfolds it, as a block of HTML.

    Parameters
    ----------
    sentence
        The finding. If it is not :class:`~fedlib.evidence.found.Headed`, it is not folded.
    of
        The paper, or the part of the book, whose finding it is. It stands first.
    address, where
        The page that says more, and what the link to it says.
    """
    of = f'<span class="fedlib-of">{html.escape(of)}:</span>'
    more = f'<a href="{html.escape(address)}">{html.escape(where)}</a> says more.'
    if isinstance(sentence, Headed):
        first, rest = map(html.escape, sentence.first_and_rest)
        after = f' <span class="fedlib-rest">{rest}</span>' if rest else ""
        text = (
            f'<details class="fedlib-finding"><summary>{of} {first}{after}</summary>'
            f"<p>{as_html(sentence.body)} {more}</p></details>"
        )
    else:
        text = f'<p class="fedlib-finding">{of} {as_html(sentence)} {more}</p>'
    # The prose around it has typographic apostrophes too.
    return raw_html(unbroken(text.replace("&#x27;", "\u2019")))
