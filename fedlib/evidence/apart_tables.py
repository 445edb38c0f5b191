"""Tables of where stored runs are farthest from what a paper prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fedlib.evidence.apart import (
    EXPLAINS,
    MOVES,
    NO_HELP,
    Apart,
    Differences,
    differences,
    recovered,
    shown,
)
from fedlib.evidence.compared import ACCURACY, JUMP, Compared
from fedlib.evidence.links import Link, Linked, records_of
from fedlib.evidence.report import Archive
from fedlib.evidence.results import LAST
from fedlib.evidence.statistics import ALIKE, MARGIN
from fedlib.evidence.table import Note, Table, plural
from fedlib.grids import Variant

__all__ = ["MOST", "Compared", "farthest_table", "recovery"]

MOST = 10
"""How many cells a table shows. Unstable cells come in addition."""

_HIGH = 50.0
"""Printed numbers of so many percent or more are high. A run that breaks hardly reaches them."""

_CSS = {EXPLAINS: "agrees", MOVES: "tie", NO_HELP: "differs"}
_HEADS = ("cell", "runs", "printed", "here", "difference", "choices taken the other way", "outcome")


def farthest_table(
    compared: Compared,
    variants: Sequence[Variant],
    where: Callable[[str], str],
    title: str,
    most: int = MOST,
) -> Table | Note:
    """Return a table of the cells that are farthest from the printed numbers, and of the causes.

    Parameters
    ----------
    compared, variants
        These are passed on to :func:`fedlib.evidence.apart.differences`.
    where
        This function takes the key of a cell and puts it into words.
    title
        What the caption begins with.
    most
        How many cells the table shows.

    Returns
    -------
    Table or Note
        A note if there is nothing to show.
    """
    found = differences(compared, variants)
    if not found.compared:
        return Note(f"{title}: no printed number is computed at the paper's scale yet.")
    if not found.apart:
        return Note(f"{title}: all of the {found.compared} computed numbers are within the margin.")
    stable = [one for one in found.apart if not one.unstable]
    rows: list[tuple[str, ...]] = []
    classes = {}
    for one in [*stable[:most], *(one for one in found.apart if one.unstable)]:
        if one.kind in _CSS:
            classes[len(rows), len(_HEADS) - 1] = _CSS[one.kind]
        rows.append(_row(compared.archive, one, where))
    return Table(_HEADS, tuple(rows), _caption(title, found, len(stable), most), classes)


def _row(archive: Archive, one: Apart, where: Callable[[str], str]) -> tuple[str, ...]:
    """Return the row of a cell."""
    result, number = one.result, one.printed
    spread = f" ± {number.spread:.2f}" if number.spread else ""
    slug = archive.grid.slug
    links = [Link(str(tried), records_of(slug, tried.cell)) for tried in one.tried]
    return (
        where(result.key),
        f"{result.scale}, {result.data}",
        f"{number.value:.2f}{spread}",
        archive.linked(shown(one.values, one.unstable), result.key),
        "–" if one.unstable else f"{one.difference:+.2f}",
        Linked("\n".join(str(tried) for tried in one.tried) or "–", links),
        one.outcome,
    )


def _caption(title: str, found: Differences, stable: int, most: int) -> str:
    """Return the caption of the table, which says how to read it."""
    which = f"the {most} farthest of these" if stable > most else "all of these"
    unstable = len(found.apart) - stable
    besides = f", and below them {plural(unstable, 'unstable cell')}" if unstable else ""
    other = any(not one.result.canonical for one in found.apart)
    sample = (
        " The data are not the paper's own, which may explain a part of the differences."
        if other
        else ""
    )
    return (
        f"{title}: {stable} of {found.compared} numbers are outside the margin. The table has "
        f"{which}{besides}. The margin is {MARGIN:g} points, or twice the printed spread if that "
        "is more. If a number and the printed one are both at chance and at most "
        f"{ALIKE:g} points apart, it does not count as outside. All numbers are percentages. A "
        "difference is our number minus the printed one, in points. The sign ×2 means the mean of "
        "two seeds. Each line in the column of choices names one change. We made new runs with "
        "this change, and the number at the end of the line is their result. In the last column, "
        '"explained" means that this result is within the margin, or at chance as printed. '
        f'"Moved" means that it is nearer to the printed number by more than {MARGIN:g} points, by '
        "more than twice the noise between seeds, and by more than the number jumps from one "
        "evaluation to the next. The percentage behind the change says how much of the difference "
        'it removes. "Unstable" means that the seeds disagree, or that the last '
        f"{LAST} evaluations of a seed are more than {JUMP:g} points apart and come near to the "
        f"printed number.{sample}"
    )


def recovery(compared: Compared, variant: Variant, title: str = "") -> Note:
    """Say how much of what is printed a variant gives, beside the runs that it changes.

    Parameters
    ----------
    compared, variant
        These are passed on to :func:`fedlib.evidence.apart.recovered`.
    title
        What the note begins with.
    """
    found = recovered(compared, variant)
    count = len(found.before)
    used, other = (f'"{variant.question}: {way}"' for way in (variant.used, variant.other))
    start = f"{title}: " if title else ""
    one = found.left_out == 1
    left_out = (
        f" {plural(found.left_out, 'number')} more {'is' if one else 'are'} left out, because the "
        f"last round alone decides whether {'it' if one else 'they'} {_agree(found.left_out)}."
        if found.left_out
        else ""
    )
    if not count:
        return Note(
            f"{start}{'no' if title else 'No'} run with {other} can be compared yet.{left_out}"
        )
    first, then = sum(found.within_before), sum(found.within_after)
    both = list(zip(found.within_before, found.within_after, strict=True))
    gained, lost = both.count((False, True)), both.count((True, False))
    before, after = (sum(values) / count for values in (found.before, found.after))
    high = [pair for pair, value in zip(both, found.printed, strict=True) if value >= _HIGH]
    high_first, high_then = sum(pair[0] for pair in high), sum(pair[1] for pair in high)
    chance = (
        "If a number and the printed one are both at chance and at most "
        f"{ALIKE:g} points apart, they count as agreeing. "
        if compared.quantity == ACCURACY
        else ""
    )
    return Note(
        f"{start}{plural(count, 'printed number')} can be compared with two kinds of runs. The "
        f"runs above have {used}, and {first} of them {_agree(first)} with the printed number. "
        f"The other runs have {other}, and {then} of them {_agree(then)}. So the change gains "
        f"{plural(gained, 'number')} that {_agree(gained)}, and loses {lost or 'none'}. "
        f"{chance}The mean distance from the printed number "
        f"goes from {before:.1f} to {after:.1f} points. The printed numbers lie between "
        f"{min(found.printed):.0f} and {max(found.printed):.0f} %. If a change breaks every run, "
        "the results agree with low printed numbers by accident. Only agreement with high numbers "
        "shows that the change is the cause. "
        + (
            f"Of the {plural(len(high), 'printed number')} of {_HIGH:.0f} % or more, "
            f"{high_first} {_agree(high_first)} with the runs above, and {high_then} "
            f"{_agree(high_then)} with the other runs."
            if high
            else f"No printed number is {_HIGH:.0f} % or more."
        )
        + left_out
    )


def _agree(count: int) -> str:
    """Return the verb for so many numbers."""
    return "agrees" if count == 1 else "agree"
