"""In which readings of the text Gradient Guard withstands what it claims to withstand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fedlib.evidence.claims import Judgement
from fedlib.evidence.links import joined
from fedlib.evidence.report import Archive
from fedlib.evidence.verdicts import FAILS, HOLDS
from fedlib.papers.gradient_guard.claims import AT_30_AND_50, AT_EVERY_SHARE
from fedlib.papers.gradient_guard.tables.verdicts import claims_table


@dataclass(frozen=True)
class Readings:
    """The verdicts on the claim of the abstract, by reading of the text."""

    by_name: Mapping[str, Sequence[Judgement]]

    @property
    def held(self) -> list[str]:
        """The readings in which all rows hold."""
        return [name for name, rows in self.by_name.items() if {r.kind for r in rows} == {HOLDS}]

    @property
    def failed(self) -> list[str]:
        """The readings in which some row does not hold."""
        return [name for name, rows in self.by_name.items() if FAILS in {r.kind for r in rows}]

    def rows(self, names: Iterable[str]) -> list[Judgement]:
        """Return the rows of some readings."""
        return [row for name in names for row in self.by_name[name]]


def readings_judged(archive: Archive) -> Readings:
    """Return the verdicts at 30 % and 50 % in every reading."""
    judged = {row.claim: row for row in claims_table(archive).judged}
    by_name: dict[str, list[Judgement]] = {}
    for claim in AT_30_AND_50:
        by_name.setdefault(claim.reading, []).append(judged[claim])
    return Readings(by_name)


def readings_in_words(archive: Archive) -> str:
    """Say in how many readings of the text the claim of the abstract holds."""
    readings = readings_judged(archive)
    held, failed, count = readings.held, readings.failed, len(readings.by_name)
    start = (
        f"The paper's text can be understood in many ways. {count} such readings are "
        "tried on MNIST with 30 % and 50 % malicious clients, under the attacks full-trim and "
        "full-Krum"
    )
    if not held and not failed:
        return f"{start}. Whether the defence withstands them is not decided in any reading yet."
    open_ = count - len(held) - len(failed)
    rows = readings.rows((*held, *failed))
    cells = [cell for row in rows for cell in row.claim.cells]
    which = f" ({'; '.join(held)})" if 0 < len(held) <= 3 else ""
    alone = sum(any(row.provisional for row in readings.by_name[n]) for n in (*held, *failed))
    rests = "rests" if alone == 1 else "rest"
    one_seed = f" {alone} of these {len(held) + len(failed)} verdicts {rests} on one seed."
    return joined(
        f"{start}. The defence withstands both attacks at both shares in ",
        archive.linked(f"{len(held)} of {count} readings", *cells),
        f"{which}, and it does not in {len(failed)}. {open_} "
        f"{'reading is' if open_ == 1 else 'readings are'} undecided.",
        one_seed if alone else "",
        _at_every_share(_judged_at_every_share(archive), held),
    )


def _judged_at_every_share(archive: Archive) -> list[Judgement]:
    """Return the verdicts of the readings that are tried at every share."""
    judged = {row.claim: row for row in claims_table(archive).judged}
    return [judged[claim] for claim in AT_EVERY_SHARE]


def _at_every_share(rows: Sequence[Judgement], held: Sequence[str]) -> str:
    """Say what readings that withstand 30 and 50 % do at every share, on two data sets."""
    kinds = {name: {row.kind for row in rows if row.claim.reading == name} for name in held}
    every = [name for name, found in kinds.items() if found == {HOLDS}]
    if not every:
        return ""
    which = f"{len(every)} of these {len(held)} readings"
    if len(every) == len(held):
        which = {1: "this reading", 2: "both of these readings"}.get(len(held), f"all {which}")
    return (
        " At every share from 10 to 50 %, on MNIST and on Fashion-MNIST, the defence withstands "
        f"both attacks in {which}. Attackers with partial knowledge and CIFAR-10 are not tried "
        "there."
    )
