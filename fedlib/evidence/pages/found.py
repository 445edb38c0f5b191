"""What the chapters have found, for the front page."""

from __future__ import annotations

from fedlib.evidence.found import Headed, found_in, unbroken
from fedlib.evidence.pages.markdown import escaped
from fedlib.evidence.pages.marks import Page, page_mark
from fedlib.evidence.pages.opened import opened


@page_mark("found:SLUG")
def found(page: Page, slug: str) -> str:
    """Return the most important sentence of a chapter, with a link to the chapter."""
    sentence = found_in(slug, opened(slug)).sentences[0]
    text = escaped(str(sentence))
    if isinstance(sentence, Headed):
        text = f"**{escaped(sentence.head)}** {escaped(str(sentence.body))}"
    return f"{unbroken(text)} {{doc}}`More <../notebooks/{slug}>`"
