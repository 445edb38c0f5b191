"""How far the papers' grids are computed, and which of the papers' claims are decided."""

from __future__ import annotations

import importlib

from fedlib.evidence import claims
from fedlib.evidence.pages.markdown import escaped, table
from fedlib.evidence.pages.marks import Page, page_mark
from fedlib.evidence.published import published_slugs
from fedlib.evidence.report import Archive
from fedlib.grids import load_grid, paper_slugs


@page_mark("coverage:SLUG")
def coverage(page: Page, slug: str) -> str:
    """Say how far a paper's grid is computed."""
    return Archive(load_grid(slug)).coverage()


@page_mark("tally:SLUG")
def tally(page: Page, slug: str) -> str:
    """Say how many of a paper's sentences hold, do not hold, and are undecided."""
    return claims.tally(_judged(slug))


@page_mark("verdicts:SLUG")
def verdicts(page: Page, slug: str) -> str:
    """Return tables of a paper's claims, and of this book's questions, that are decided."""
    decided = [row for row in _judged(slug).judged if row.decided]
    tables = []
    for own, title in ((False, "claim"), (True, "question of this book")):
        rows = [
            (row.text if own else f"{row.text} ({row.place})", row.needed, row.here,
             f"{row.verdict}: {row.runs}")
            for row in decided
            if row.own == own
        ]  # fmt: skip
        if rows:
            heads = (title, "needed", "here", "verdict, of runs")
            tables.append(table(heads, [list(map(escaped, row)) for row in rows]))
    return "\n\n".join(tables) or "None is decided yet."


@page_mark("all_verdicts")
def all_verdicts(page: Page) -> str:
    """Return a section on each paper that has claims: those that are decided, and where all are."""
    sections = []
    for slug in paper_slugs():
        title = load_grid(slug).name
        chapter = f"All of the claims are in {{doc}}`../notebooks/{slug}`."
        sections.append(f"### {title}\n\n{verdicts(page, slug)}\n\n{chapter}")
    return "\n\n".join(sections)


@page_mark("contradicted")
def contradicted(page: Page) -> str:
    """Return a table of the claims, of all papers, that a paper's own numbers contradict."""
    rows = []
    for slug in published_slugs():
        title = load_grid(slug).name
        for row in claims.contradicted(_judged(slug)):
            cells = (title, f"{row.text} ({row.place})", row.needed, row.in_print)
            rows.append(list(map(escaped, cells)))
    heads = ("paper", "claim", "needed", "its own numbers give")
    return table(heads, rows) if rows else "None."


def _judged(slug: str) -> claims.ClaimsTable:
    """Return the claims of a paper, judged by the stored runs."""
    grid = load_grid(slug)  # it also checks the name
    tables = importlib.import_module(f"fedlib.papers.{slug}.tables")
    judged: claims.ClaimsTable = tables.claims_table(Archive(grid))
    return judged
