"""The verdicts: bars that count them, and all claims in groups of one sentence, with a filter."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile

from fedlib.evidence.claim import ABSTRACT
from fedlib.evidence.claims import OWN, ClaimsTable
from fedlib.evidence.judgement import Judgement
from fedlib.evidence.links import VERDICTS_PAGE, records_page, sentence_anchor
from fedlib.evidence.pages.kinds import (
    LOOKS,
    bar,
    chip,
    counted_rows,
    legend,
)
from fedlib.evidence.pages.markdown import raw_html
from fedlib.evidence.pages.marks import Page, page_mark
from fedlib.evidence.pages.opened import judged_claims
from fedlib.evidence.table import plural
from fedlib.evidence.tally import (
    FAILS_MOSTLY,
    HOLDS_PARTLY,
    in_words,
    kind_of_row,
    kind_of_sentence,
    sentences,
    whole_rows,
)
from fedlib.evidence.verdicts import FAILS, HOLDS, TIE
from fedlib.grids import load_grid, paper_slugs

_MANY = 4
"""From so many readings on, a sentence says in how many of them it holds."""
_KINDS_OF_ROWS = [kind for kind in LOOKS if kind not in (HOLDS_PARTLY, FAILS_MOSTLY)]


@page_mark("tally_bars")
def tally_bars(page: Page) -> str:
    """Return a bar for each paper that counts the verdicts on its sentences, and a legend."""
    lines = []
    for slug in paper_slugs():
        counts = _of_sentences(judged_claims(slug))
        if not counts:
            continue
        name = html.escape(load_grid(slug).name)
        lines.append(
            f'<div class="fedlib-tally" data-paper="{slug}">'
            f'<a href="{VERDICTS_PAGE}?paper={slug}#verdicts">{name}</a>'
            f"{bar(counts, 'sentences')}{legend(counts)}</div>"
        )
    return raw_html("".join(lines))


@page_mark("abstracts")
def abstracts(page: Page) -> str:
    """Return the sentences of each paper that its abstract says or sums up, with links to them."""
    papers = []
    for slug in paper_slugs():
        items = "".join(
            f'<li>{chip(kind_of_sentence(rows))} <a href="{VERDICTS_PAGE}#'
            f'{_anchors(slug, place, rows)[0]}">{html.escape(says)}</a> '
            f'<span class="fedlib-place">{html.escape(_where(place, rows))}</span></li>'
            for (place, says), rows in sentences(judged_claims(slug)).items()
            if any(row.claim.in_abstract for row in rows)
        )
        if items:
            name = html.escape(load_grid(slug).name)
            papers.append(f'<div class="fedlib-tally"><span>{name}</span><ul>{items}</ul></div>')
    return raw_html(f'<div class="fedlib-abstracts">{"".join(papers)}</div>')


@page_mark("verdicts:SLUG")
def verdicts(page: Page, slug: str) -> str:
    """Return all claims of a paper, in groups of one sentence, below bars that count them."""
    judged = judged_claims(slug)
    own = [row for row in judged.judged if row.own]
    of_paper = list(sentences(judged).items())
    counts, of_rows = _of_sentences(judged), counted_rows([r for r in judged.judged if not r.own])
    said = (
        f'<div class="fedlib-tally" data-paper="{slug}"><span>Sentences of the paper</span>'
        f"{bar(counts, 'sentences')}{legend(counts)}</div>"
        f'<div class="fedlib-tally"><span>Rows: a sentence in a setting or reading</span>'
        f"{bar(of_rows, 'rows')}{legend(of_rows)}</div>"
    )
    asked: dict[str, list[Judgement]] = {}
    for row in own:
        asked.setdefault(row.claim.says, []).append(row)
    of_book = [((OWN, says), rows) for says, rows in asked.items()]
    firsts = {_anchors(slug, place, rows)[0] for (place, _), rows in [*of_paper, *of_book]}
    used: set[str] = set()
    groups, questions = (
        [_group(slug, place, says, rows, firsts, used) for (place, says), rows in found]
        for found in (of_paper, of_book)
    )
    title = '<p class="fedlib-own">Questions that no paper answers, but this book asks:</p>'
    return raw_html(
        f'<div class="fedlib-verdicts" data-paper="{slug}" '
        f'data-words="{html.escape(load_grid(slug).name.lower())} {slug.replace("_", " ")}">'
        f'{said}<div class="fedlib-sentences">{"".join(groups)}</div>'
        + (f'<div class="fedlib-sentences">{title}{"".join(questions)}</div>' if own else "")
        + "</div>"
    )


@page_mark("all_verdicts")
def all_verdicts(page: Page) -> str:
    """Return a filter and a section on each paper that has claims."""
    counts: Counter[str] = Counter()
    sections = []
    for slug in paper_slugs():
        counts += counted_rows(judged_claims(slug).judged)
        chapter = f"The chapter on these claims is {{doc}}`../notebooks/{slug}`."
        sections.append(f"### {load_grid(slug).name}\n\n{chapter}\n\n{verdicts(page, slug)}")
    return "\n\n".join([raw_html(_filter(counts)), *sections])


def _filter(counts: Counter[str]) -> str:
    """Return the form that filters the claims; a script shows it and does what it says."""
    papers = "".join(
        f'<option value="{slug}">{html.escape(load_grid(slug).name)}' for slug in paper_slugs()
    )
    kinds = "".join(
        f'<button type="button" class="fedlib-kind fedlib-is-{LOOKS[kind].css}" '
        f'data-kind="{kind}" aria-pressed="false"><span aria-hidden="true">{LOOKS[kind].sign}'
        f"</span> {kind} <b>{counts[kind]}</b></button>"
        for kind in _KINDS_OF_ROWS
    )
    return (
        '<form class="fedlib-filter fedlib-claims-filter" role="search" hidden>'
        '<label>Words <input type="search" name="words" placeholder="ROP ALIE"></label>'
        '<label>Paper <select name="paper"><option value="">all papers</option>'
        f"{papers}</select></label>"
        f'<div class="fedlib-kinds" role="group" aria-label="Verdicts">{kinds}</div>'
        '<p class="fedlib-count" role="status"></p></form>'
    )


def _of_sentences(judged: ClaimsTable) -> Counter[str]:
    """Return how many sentences of a paper there are of each kind."""
    return Counter(kind_of_sentence(rows) for rows in sentences(judged).values())


def _anchors(slug: str, place: str, rows: Sequence[Judgement]) -> list[str]:
    """Return the anchor of a sentence, and those of the sentences that its rows had before."""
    found = (row.claim.at_first for row in rows)
    return list(
        dict.fromkeys(
            sentence_anchor(slug, place if f.place is None else f.place, f.says) for f in found
        )
    )


def _group(
    slug: str,
    place: str,
    says: str,
    rows: Sequence[Judgement],
    firsts: set[str],
    used: set[str],
) -> str:
    """Return the HTML of a sentence, which unfolds into its rows.

    Links to a sentence that has become a part of another one lead to that one. ``firsts`` are the
    anchors of the sentences of this page. Those that the page has already are in ``used``, to which
    the new ones are added. Two sentences that were one before share their first anchor, and the
    second of them gets one of its present words.
    """
    kind = kind_of_sentence(rows)
    first, *others = _anchors(slug, place, rows)
    anchor = sentence_anchor(slug, place, says) if first in used else first
    former = [one for one in others if one not in firsts | used]
    used.update([anchor, *former])
    # Those that are decided come first, otherwise the rows stand in the order of the claims.
    items = "".join(_row(slug, row) for row in sorted(rows, key=lambda row: not row.decided))
    return (
        f'<details class="fedlib-sentence" id="{anchor}" data-kind="{kind}"><summary>{chip(kind)} '
        + "".join(f'<span id="{one}"></span>' for one in former)
        + f'<span class="fedlib-says">{html.escape(says)}</span> '
        f'<span class="fedlib-place">{html.escape(place)}; {_in_settings(rows)}</span></summary>'
        f"<ul>{items}</ul></details>\n"
    )


def _in_settings(rows: Sequence[Judgement]) -> str:
    """Say in how many rows a sentence holds: ``holds in 5 of 6 decided rows, 2 undecided``."""
    if len(rows) == 1:
        return "1 row"
    if any(row.claim.is_part for row in rows):
        joined = whole_rows(rows)
        kinds = Counter(kind_of_row(row) for row in joined)
        counted = ((kind, kinds[kind]) for kind in _KINDS_OF_ROWS if kinds[kind])
        said = ", ".join(f"{count} {in_words(kind, count)}" for kind, count in counted)
        return f"{plural(len(rows), 'row')}, which are parts; all parts together: {said}"
    counts = counted_rows(rows)
    decided = sum(counts[kind] for kind in (HOLDS, FAILS, TIE))
    parts = [f"holds in {counts[HOLDS]} of {plural(decided, 'decided row')}"] if decided else []
    if tied := counts[TIE]:
        parts.append(plural(tied, "tie"))
    parts += [
        f"{plural(counts[kind], 'row')} {kind}" if parts else f"{counts[kind]} {kind}"
        for kind in _KINDS_OF_ROWS
        if kind not in (HOLDS, FAILS, TIE) and counts[kind]
    ]
    return "; ".join([", ".join(parts), *(_only_reading(rows) or _by_reading(rows))])


def _where(place: str, rows: Sequence[Judgement]) -> str:
    """Say what is common to the settings of a sentence, where it stands, and how many rows hold.

    The place is left out if it is the abstract.
    """
    settings = [row.text.rpartition(": ")[0] and row.text.partition(": ")[0] for row in rows]
    parts = [setting.split(", ") for setting in settings]
    common = takewhile(lambda same: len(set(same)) == 1, zip(*parts, strict=False))
    shared = ", ".join(same[0] for same in common)
    where = [part for part in (shared, "" if place == ABSTRACT else place) if part]
    return "; ".join([*where, _in_settings(rows)])


def _only_reading(rows: Sequence[Judgement]) -> list[str]:
    """Name the reading of the decided rows if there is only one, and other rows have others."""
    of_decided = {row.claim.reading for row in rows if row.decided}
    if len(of_decided) == 1 < len({row.claim.reading for row in rows}):
        reading = of_decided.pop() or "as the text says it"
        return [f"the only decided reading: {reading}"]
    return []


def _by_reading(rows: Sequence[Judgement]) -> list[str]:
    """Say in how many readings all rows hold, if a sentence is tested in many readings.

    Rows alone would count readings that hardly differ several times. Readings of which some rows,
    or all, are not decided are counted apart.
    """
    kinds: dict[str, set[str]] = {}
    for row in rows:
        kinds.setdefault(row.claim.reading, set()).add(row.kind if row.decided else "open")
    undecided = sum(found == {"open"} for found in kinds.values())
    if len(kinds) - undecided < _MANY:
        return []
    held = sum(found == {HOLDS} for found in kinds.values())
    rest = sum(found == {HOLDS, "open"} for found in kinds.values())
    said = [f"in {held or 'none'} of {len(kinds)} readings all rows hold"]
    if rest:
        said.append(f"in {rest} all decided rows hold")
    if undecided:
        said.append(f"in {undecided} no row is decided")
    return [", ".join(said)]


def _row(slug: str, row: Judgement) -> str:
    """Return the HTML of a row, with a link to the records of the cells that decide it."""
    anchor, kind = row.claim.anchor(slug), kind_of_row(row)
    address = f"{records_page(slug)}#{anchor}"
    words = {part for cell in row.claim.cells for part in cell.split("/")}
    facts = [
        f"Needed: {html.escape(row.needed)}",
        f'Here: <a href="{address}">{html.escape(row.here)}</a>',
        *([f"In print: {html.escape(row.in_print)}"] if row.in_print != "–" else []),
        *([html.escape(row.remark[:1].upper() + row.remark[1:])] if row.remark else []),
        *([f"Runs: {html.escape(row.runs)}"] if row.runs != "–" else []),
    ]
    return (
        f'<li id="{anchor}" data-kind="{kind}" data-words="{html.escape(" ".join(sorted(words)))}">'
        f"{chip(kind)} {html.escape(row.text)}"
        f'<div class="fedlib-facts">{". ".join(facts)}. '
        f'<a href="{address}">Records and command</a></div>'
    )
