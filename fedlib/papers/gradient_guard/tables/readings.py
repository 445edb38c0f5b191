"""Gradient Guard by the readings of its text: a table, and the verdict on the headline by each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fedlib.evidence.claims import Claim, Judgement
from fedlib.evidence.report import Archive, CellResult, Note, Table, basis_of, plural
from fedlib.evidence.statistics import FAR_APART
from fedlib.evidence.verdicts import FAILS, HOLDS
from fedlib.papers.gradient_guard.claims import AT_30_AND_50, AT_EVERY_SHARE
from fedlib.papers.gradient_guard.claims.makers import named
from fedlib.papers.gradient_guard.keys import Watched, line, reading_cell
from fedlib.papers.gradient_guard.measures import BREAKS, HONEST, LAST, late_accuracy, percent_kept
from fedlib.papers.gradient_guard.settings import ABLATED, ATTACK_TITLES, FULL, HALVED, READINGS
from fedlib.papers.gradient_guard.tables.scores import shown_separation
from fedlib.papers.gradient_guard.tables.verdicts import claims_table


def readings_table(archive: Archive) -> Table:
    """Accuracy of Gradient Guard at 30 and 50 %, and separation at 30 %, by reading of its text.

    All cells of an attack and share are of one scale.

    Parameters
    ----------
    archive
        The stored runs of the grid.
    """
    at_30, at_50 = (
        [[str(reading_cell(*place, reading)) for reading in READINGS] for place in places]
        for places in (ABLATED, HALVED)
    )
    watched = [[str(Watched(cell)) for cell in cells] for cells in at_30]
    columns, honest, half = (
        [archive.together(cells) for cells in group] for group in (at_30, watched, at_50)
    )
    rows = []
    for number, reading in enumerate(READINGS):
        row = [reading]
        for place in range(len(ABLATED)):
            result, cell = columns[place][number], at_30[place][number]
            row += [
                archive.linked(_shown_accuracy(result), cell),
                archive.linked(shown_separation(result), cell),
                archive.linked(shown_separation(honest[place][number]), watched[place][number]),
                archive.linked(_shown_accuracy(half[place][number]), at_50[place][number]),
            ]
        rows.append(tuple(row))
    heads = [
        head
        for place, at in zip(ABLATED, HALVED, strict=True)
        for head in (
            f"{_title(place)}\naccuracy, %",
            "\nseparation",
            "\nwatched",
            f"{_title(at)}\naccuracy, %",
        )
    ]
    held = [r for column in (*columns, *honest, *half) for r in column if r is not None]
    return Table(
        ("reading", *heads),
        tuple(rows),
        f"Readings of the text. Accuracy is the mean of the last {LAST} evaluations. Seeds that "
        f"are more than {FAR_APART:g} points apart are listed, because none of them has their "
        "mean. Separation "
        "uses the rule's own reference, which is the last aggregate, or the server's update in "
        "the readings with a trusted reference. Watched is the separation if scores are taken "
        f"against the {HONEST} (against the server's update in the readings with a trusted "
        "reference), in runs in which the honest clients alone make the model. A "
        "reading that penalises the highest scores needs a separation near 0, and one that "
        f"penalises the lowest needs a separation near 1. The runs: {basis_of(held)}",
    )


def _title(place: tuple[str, str, str]) -> str:
    """The attack and the share of a place in words."""
    _, attack, share = place
    return f"{ATTACK_TITLES[attack]}, {share} %"


def _shown_accuracy(result: CellResult | None) -> str:
    """The late accuracy with its spread over seeds, or a dash if there is no result.

    Seeds that are far apart are shown one by one, because none of them has their mean.
    """
    if result is None:
        return "–"
    each = [late_accuracy(result.of_seed(seed)).mean for seed in result.seeds]
    if max(each) - min(each) > FAR_APART:
        return ", ".join(f"{value:.1f}" for value in each)
    found = late_accuracy(result)
    return f"{found.mean:.2f}" + ("" if found.spread is None else f" ± {found.spread:.2f}")


def headline(archive: Archive) -> Note:
    """Say in which readings the abstract's claim of robustness to 50 % holds.

    It is said twice: of the shares that all readings are tried at, and of every share, for the
    readings that have them all. The claim holds in a reading if it does on all data sets and under
    all attacks, and it does not hold if it fails on one of them.

    Parameters
    ----------
    archive
        The stored runs of the grid.
    """
    judged = {row.claim: row for row in claims_table(archive).judged}
    return Note(
        "The claim is that Gradient Guard withstands full-trim and full-Krum with full knowledge, "
        "so that at least half of the clean accuracy is left. At 30 and 50 % malicious clients on "
        f"MNIST the claim {_by_reading([judged[claim] for claim in AT_30_AND_50])} At every share "
        "from 10 to 50 %, on MNIST and Fashion-MNIST, the claim "
        f"{_by_reading([judged[c] for c in AT_EVERY_SHARE])} A star marks a verdict that rests on "
        f"one seed.{_fail_beyond_the_limit(archive, judged)}"
    )


def _fail_beyond_the_limit(archive: Archive, judged: Mapping[Claim, Judgement]) -> str:
    """Say in which readings the defence fails only where full-Krum is beyond its own limit."""
    names = []
    for reading in READINGS:
        rows = [judged[c] for c in AT_30_AND_50 if c.reading == named(reading)]
        lines = (
            line("mnist", attack, reading, ("0", "30", *(("50",) if attack == "full_trim" else ())))
            for attack in FULL
        )
        known = [archive.common(keys) for keys in lines]
        if FAILS in {row.kind for row in rows} and all(known):
            kept = [percent_kept([late_accuracy(r).mean for r in held]) for held in known if held]
            if min(kept) >= BREAKS:
                names.append(named(reading))
    if not names:
        return ""
    which = " and ".join(f"*{name}*" for name in names)
    return (
        f" In {plural(len(names), 'reading')} ({which}) the defence fails only under full-Krum at "
        "50 %, which is beyond that attack's own limit."
    )


def _by_reading(rows: Sequence[Judgement]) -> str:
    """Say in which readings the claims hold, in which they do not, and which are undecided.

    A star marks the readings whose verdict rests on one seed.
    """
    kinds: dict[str, set[str]] = {}
    provisional = set()
    for row in rows:
        kinds.setdefault(row.claim.reading, set()).add(row.kind)
        if row.provisional:
            provisional.add(row.claim.reading)
    groups: dict[str, list[str]] = {}
    for reading, found in kinds.items():
        kind = FAILS if FAILS in found else HOLDS if found == {HOLDS} else "is undecided"
        doubt = "*" if reading in provisional and kind != "is undecided" else ""
        groups.setdefault(kind, []).append(reading + doubt)
    return " It ".join(
        f"{kind} in {len(groups[kind])} of {plural(len(kinds), 'reading')} "
        f"({'; '.join(groups[kind])})."
        for kind in (HOLDS, FAILS, "is undecided")
        if kind in groups
    )
