"""Where stored runs are farthest from what a paper prints, and which choices explain it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fedlib.evidence.claim import PrintedNumber
from fedlib.evidence.compared import Compared, mean
from fedlib.evidence.results import LAST, CellResult
from fedlib.evidence.statistics import MARGIN
from fedlib.evidence.table import plural
from fedlib.evidence.verdicts import ENOUGH_SEEDS
from fedlib.grids import Variant

EMPTY = 10.0
"""A choice that raises the number without any attack by more points than this tells nothing."""


EXPLAINS, MOVES, NO_HELP = "explains", "moves", "no help"
TELLS_NOTHING, UNSTABLE, NOT_COMPUTED = "tells nothing", "unstable", "not computed"


@dataclass(frozen=True)
class Tried:
    """A choice that is taken the other way in a cell, and what this gives.

    Attributes
    ----------
    name
        The choice and the other way to make it, in words.
    cell
        The key of the cell in which it is made the other way.
    kind
        ``explains``: the number comes within the margin of the printed one, or both are at chance.
        ``moves``: it comes nearer by more than 2 points, than twice the noise between seeds and
        than the jumps between the last evaluations, but not within the margin. ``no help``:
        neither. ``tells nothing``: models that nobody attacked have most of the number too.
        ``unstable``: the seeds disagree too far to say, or the number jumps. ``not computed``: the
        runs are not stored, or those without an attack that are needed beside them.
    values
        The number that each seed gives, in percent.
    share
        By how much the choice makes the difference smaller, in percent of the difference.
    remark
        What has to be said with the numbers.
    """

    name: str
    cell: str
    kind: str
    values: tuple[float, ...] = ()
    share: float = 0.0
    remark: str = ""

    def __str__(self) -> str:
        if not self.values:
            return f"{self.name}: {self.kind}"
        remark = f", {self.remark}" if self.remark else ""
        return f"{self.name}: {shown(self.values, self.kind == UNSTABLE)}{remark}"


@dataclass(frozen=True)
class Apart:
    """A cell whose stored number is not within the margin of the printed one.

    Attributes
    ----------
    result
        The cell's runs.
    printed
        The number that the paper prints, in percent.
    values
        The number that each seed gives, in percent.
    unstable
        Whether the seeds disagree so far that more of them are needed, or the number jumps.
    jumps
        Between which numbers the last evaluations jump. None if they do not.
    tried
        The choices that the grid takes the other way in this cell.
    """

    result: CellResult
    printed: PrintedNumber
    values: tuple[float, ...]
    unstable: bool
    jumps: tuple[float, float] | None
    tried: tuple[Tried, ...]

    @property
    def difference(self) -> float:
        """The mean of the seeds minus the printed number, in points."""
        return mean(self.values) - self.printed.value

    @property
    def kind(self) -> str:
        """``explains`` or ``moves`` if some choice does, else ``no help``, or ``unstable``."""
        if self.unstable:
            return UNSTABLE
        kinds = {one.kind for one in self.tried}
        return next((kind for kind in (EXPLAINS, MOVES) if kind in kinds), NO_HELP)

    @property
    def outcome(self) -> str:
        """What the choices explain of the difference, in words."""
        if self.jumps is not None:
            least, most = self.jumps
            last = f"the last {LAST} evaluations of a seed"
            return f"{UNSTABLE}: {last} jump between {least:.0f} and {most:.0f} %"
        if self.unstable:
            return f"{UNSTABLE}: the seeds disagree, and {ENOUGH_SEEDS} are needed"
        found: dict[str, list[str]] = {}
        for one in self.tried:
            share = f" ({one.share:.0f} %)" if one.kind == MOVES else ""
            found.setdefault(one.kind, []).append(one.name + share)
        in_vain = sum(len(found.get(kind, ())) for kind in (NO_HELP, TELLS_NOTHING, UNSTABLE))
        unstable = len(found.get(UNSTABLE, ()))
        if EXPLAINS in found:
            return f"explained by {'; '.join(found[EXPLAINS])}"
        if MOVES in found:
            said = f"moved by {'; '.join(found[MOVES])}; not explained"
        else:
            said = f"open: {plural(in_vain, 'choice')} tried" if in_vain else "open: nothing tried"
            said += f", {unstable} {UNSTABLE}" if unstable else ""
        missing = len(found.get(NOT_COMPUTED, ()))
        return f"{said}, {missing} not computed" if missing else said


@dataclass(frozen=True)
class Differences:
    """How some runs compare with the printed numbers.

    Attributes
    ----------
    compared
        How many printed numbers are compared.
    apart
        The cells outside the margin and not at chance as printed, those that are farthest apart
        first. Unstable cells stand last, because their mean may be a number that no run gave.
    """

    compared: int
    apart: tuple[Apart, ...]


@dataclass(frozen=True)
class Recovery:
    """How near to the printed numbers some cells are before and after a change.

    Attributes
    ----------
    before, after
        The distance of each cell from its printed number, in points, on the same seeds.
    within_before, within_after
        Whether it is within the margin, or at chance as the printed number is.
    printed
        The printed numbers.
    left_out
        How many cells do not count, because their number jumps near the printed one.
    """

    before: tuple[float, ...]
    after: tuple[float, ...]
    within_before: tuple[bool, ...]
    within_after: tuple[bool, ...]
    printed: tuple[float, ...]
    left_out: int = 0


def differences(compared: Compared, variants: Sequence[Variant]) -> Differences:
    """Find the cells that are outside the margin, and what the grid's variants give there.

    Parameters
    ----------
    compared
        What is compared.
    variants
        The grid's variants: each takes a choice the other way in some of the cells.
    """
    count, found = 0, []
    for key in compared.cells:
        number, result = compared.number(key), compared.result(key)
        if number is None or result is None:
            continue
        count += 1
        values, unstable = compared.values(result), compared.unstable(result, number)
        if not unstable and compared.within(result, number):
            continue
        tried = tuple(_try(compared, one, result, number) for one in variants if key in one.cells)
        jumps = None if compared.disagree(result) else compared.jumps(result, number)
        found.append(Apart(result, number, values, unstable, jumps, tried))
    found.sort(key=lambda one: (one.unstable, -abs(one.difference)))
    return Differences(count, tuple(found))


def recovered(compared: Compared, variant: Variant) -> Recovery:
    """Compare a variant with the cells that it changes, where both are stored.

    A cell does not count if its number jumps between the last evaluations and comes near to the
    printed one, with the variant or without it.

    Parameters
    ----------
    compared
        What is compared.
    variant
        The variant.
    """
    rows, left_out = [], 0
    for key in compared.cells:
        number, base = compared.number(key), compared.result(key)
        other = compared.result(variant.cell(key)) if key in variant.cells else None
        if number is not None and base is not None and other is not None:
            both = _of_same_seeds(base, other)
            if any(compared.jumps(one, number) for one in both):
                left_out += 1
                continue
            distances = (compared.distance(one, number) for one in both)
            within = (compared.within(one, number) for one in both)
            rows.append((*distances, *within, number.value))
    before, after, within_before, within_after, printed = (
        zip(*rows, strict=True) if rows else ((),) * 5
    )
    return Recovery(before, after, within_before, within_after, printed, left_out)


def _try(compared: Compared, variant: Variant, base: CellResult, number: PrintedNumber) -> Tried:
    """Say what a cell gives if a choice is taken the other way, compared over the same seeds."""
    name, cell = f"{variant.question}: {variant.other}", variant.cell(base.key)
    result = compared.result(cell)
    if result is None:
        return Tried(name, cell, NOT_COMPUTED)
    found = _found_by(compared, variant, base, result, number)
    remarks = [one for one in (found.remark, _other_device(*_of_same_seeds(base, result))) if one]
    return replace(found, name=name, remark=", ".join(remarks))


def _found_by(
    compared: Compared, variant: Variant, base: CellResult, result: CellResult,
    number: PrintedNumber,
) -> Tried:  # fmt: skip
    """Say what the stored runs of a choice give; its name in words is left to the caller."""
    name, cell, values = "", result.key, compared.values(result)
    if compared.unstable(result, number):
        jumps = None if compared.disagree(result) else compared.jumps(result, number)
        remark = "" if jumps is None else "jumping between {:.0f} and {:.0f} %".format(*jumps)
        return Tried(name, cell, UNSTABLE, values, remark=remark)
    raised = _raised_floor(compared, variant, base.key)
    if raised is None:
        return Tried(name, cell, NOT_COMPUTED, values, remark="without an attack not computed")
    if raised > EMPTY:
        remark = f"but this choice adds {raised:.0f} points even if nobody attacks"
        return Tried(name, cell, TELLS_NOTHING, values, remark=remark)
    before, after = (compared.distance(one, number) for one in _of_same_seeds(base, result))
    share = 100 * (before - after) / before if before else 0.0
    if compared.within(result, number):
        remark = "at chance, as printed" if compared.at_chance(result, number) else ""
        return Tried(name, cell, EXPLAINS, values, share, remark)
    noise, (lowest, highest) = compared.noise.of(base), compared.jumps(base) or (0.0, 0.0)
    least = max(MARGIN, 2 * noise.sd if noise else 0.0, highest - lowest)
    return Tried(name, cell, MOVES if before - after > least else NO_HELP, values, share)


def _other_device(base: CellResult, result: CellResult) -> str:
    """Say that all runs of a choice are from another kind of device than those without it.

    A GPU rounds more than a CPU, so that a small change may come from there.
    """
    used, other = (
        {record["provenance"].get("device", "cpu").split(":")[0] for record in one.records}
        for one in (base, result)
    )
    if used & other:
        return ""
    return (
        f"computed on a {_DEVICES[min(other)]}, and the row's own runs on a {_DEVICES[min(used)]}"
    )


_DEVICES = {"cpu": "CPU", "cuda": "GPU"}


def _of_same_seeds(first: CellResult, second: CellResult) -> tuple[CellResult, CellResult]:
    """Return the runs of two cells with the seeds that both have, or all if they share none."""
    seeds = set(first.seeds) & set(second.seeds)
    if not seeds:
        return first, second
    return first.of_seeds(seeds), second.of_seeds(seeds)


def _raised_floor(compared: Compared, variant: Variant, key: str) -> float | None:
    """Return by how many points a choice raises what is measured on models without an attack.

    It is 0 if the grid does not take the choice the other way without an attack, and None if such
    runs are not stored.
    """
    floor = compared.unattacked(key)
    if floor is None or floor not in variant.cells:
        return 0.0
    used, other = compared.result(floor), compared.result(variant.cell(floor))
    if used is None or other is None:
        return None
    return mean(compared.values(other)) - mean(compared.values(used))


def shown(values: Sequence[float], each: bool = False) -> str:
    """Return the mean of the seeds and how many there are, as ``7.20 ×1``.

    Parameters
    ----------
    values
        The number that each seed gives.
    each
        Whether the numbers are shown one by one, because their mean says nothing.
    """
    if each:
        return ", ".join(f"{value:.2f}" for value in values)
    return f"{mean(values):.2f} ×{len(values)}"
