"""The claims with their verdicts, what choices change, and what explains the differences."""

from __future__ import annotations

from dataclasses import replace

from fedlib.evidence import apart_tables
from fedlib.evidence import claims as evidence
from fedlib.evidence.apart_tables import Compared
from fedlib.evidence.report import Archive, Note, Table
from fedlib.evidence.statistics import MARGIN, WIDEST_MARGIN
from fedlib.grids import Variant
from fedlib.papers.centered_clipping.authors_code import CODE, SINGLE_CHOICES
from fedlib.papers.centered_clipping.claims import CLAIMS
from fedlib.papers.centered_clipping.keys import Key
from fedlib.papers.centered_clipping.published import printed, published_accuracies
from fedlib.papers.centered_clipping.settings import ATTACK_NAMES, RULE_TITLES, SETTING_TITLES
from fedlib.papers.centered_clipping.tables.figures import FIGURE_3
from fedlib.papers.centered_clipping.variants import NETWORK_VARIANT, VARIANT_MOMENTUM, VARIANTS

_CHOICES = (*VARIANTS, *SINGLE_CHOICES, CODE)


def claims_table(archive: Archive) -> evidence.ClaimsTable:
    """Each claim with its statistic, what it needs to be, and the verdict."""
    return evidence.claims_table(archive, CLAIMS, printed)


def margins_table(archive: Archive) -> Table:
    """Show each stated cost whose margin is not 2 points, judged by its margin and by 2 points.

    A class marks the rows in which the costs of the stored runs are inside one of the two ranges
    and outside the other.
    """
    claims = [claim for claim in CLAIMS if claim.needed.margin > MARGIN]
    plain = [replace(claim, needed=_by_two_points(claim.needed)) for claim in claims]
    everything = (*CLAIMS, *plain)
    judged = evidence.claims_table(archive, everything, printed).judged
    found = {(row.text, row.needed): row for row in judged}
    rows: list[tuple[str, ...]] = []
    classes: dict[tuple[int, int], str] = {}
    for claim, other in zip(claims, plain, strict=True):
        ours, twos = (found[_row_of(one)] for one in (claim, other))
        inside = [_inside(archive, one) for one in (other, claim)]
        if inside[0] != inside[1]:
            classes[len(rows), 4] = "untold"
        rows.append(
            (
                f"{claim.text} ({claim.place})",
                evidence.linked_statistic(archive, ours),
                f"{twos.needed}: {inside[0]}",
                twos.verdict,
                f"{ours.needed}: {inside[1]}",
                ours.verdict,
            )
        )
    heads = (
        "claim",
        "cost here",
        "range by 2 points",
        "verdict",
        "range by this book's margin",
        "verdict",
    )
    caption = "Costs that the text states, judged by a margin of 2 points and by this book's margin"
    return Table(heads, tuple(rows), caption, classes)


def _by_two_points(needed: evidence.Range) -> evidence.Range:
    """Return the range of a stated number with a margin of 2 points."""
    less = min(needed.margin, WIDEST_MARGIN) - MARGIN
    return evidence.Range(needed.low + less, needed.high - less, margin=MARGIN)


def _row_of(claim: evidence.Claim) -> tuple[str, str]:
    """Return what tells the row of a claim from that of the same claim with another range."""
    return claim.text + (f" [{claim.reading}]" if claim.reading else ""), str(claim.needed)


def _inside(archive: Archive, claim: evidence.Claim) -> str:
    """Say whether the mean of the stored runs is inside the range of a claim."""
    known = archive.common(claim.cells)
    if known is None:
        return "not computed"
    return "inside" if claim.value(claim.numbers(known)) in claim.needed else "outside"


def variants_table(archive: Archive) -> Table:
    """What each choice changes: accuracy as used and taken the other way, at a shared scale."""
    caption = (
        "What the choices change. The clients' momentum β is "
        f"{VARIANT_MOMENTUM:g} where no other value is named"
    )
    shown = (*VARIANTS, *SINGLE_CHOICES, NETWORK_VARIANT)
    return evidence.variants_table(archive, shown, _where, caption)


def farthest_table(archive: Archive) -> Table | Note:
    """The cells of Table IV that are farthest from the printed ones, and what explains it."""
    return apart_tables.farthest_table(_compared(archive), _CHOICES, _where, "Table IV")


def compared(archive: Archive) -> list[tuple[Compared, tuple[Variant, ...]]]:
    """Return what is compared with the printed numbers, and the choices that may explain it."""
    return [(_compared(archive), _CHOICES)]


def recovery_by_code(archive: Archive) -> Note:
    """How much of Table IV the choices of the authors' code give together."""
    return apart_tables.recovery(_compared(archive), CODE, "Table IV")


def _compared(archive: Archive) -> Compared:
    """The printed numbers of Table IV with the stored runs."""
    return Compared(archive, printed, tuple(map(str, published_accuracies())))


def _where(cell: str) -> str:
    """A cell in words: ``FMNIST, CC, τ = 1, ROP``; the momentum is named where it is another."""
    key = Key.parse(cell)
    attack = {**FIGURE_3, **ATTACK_NAMES}[key.attack]
    words = f"{SETTING_TITLES[key.setting]}, {RULE_TITLES[key.rule]}, {attack}"
    return words if key.momentum == VARIANT_MOMENTUM else f"{words}, β = {key.momentum:g}"
