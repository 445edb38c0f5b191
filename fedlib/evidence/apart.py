"""Where stored runs are farthest from what a paper prints, and which choices explain it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from fedlib.evidence.claim import Printed, PrintedNumber
from fedlib.evidence.noise import NoiseBook
from fedlib.evidence.report import Archive
from fedlib.evidence.results import CellResult
from fedlib.evidence.statistics import MARGIN, agrees, estimate, margin
from fedlib.evidence.table import plural
from fedlib.evidence.verdicts import ENOUGH_SEEDS
from fedlib.grids import Variant

ACCURACY = "test_accuracy"
EXPLAINS, MOVES, NO_HELP = "explains", "moves", "no help"
UNSTABLE, NOT_COMPUTED = "unstable", "not computed"


@dataclass(frozen=True)
class Tried:
    """A choice that is taken the other way in a cell, and what this gives.

    Attributes
    ----------
    name
        The choice and the other way to make it, in words.
    kind
        ``explains``: the number comes within the margin of the printed one. ``moves``: it comes
    XX
        ``unstable``: its seeds disagree too far to say. ``not computed``: it is not stored.
    values
        The number that each seed gives, in percent.
    share
        By how much the choice makes the difference smaller, in percent of the difference.
    """

    name: str
    kind: str
    values: tuple[float, ...] = ()
    share: float = 0.0

    def __str__(self) -> str:
        if not self.values:
            return f"{self.name}: {self.kind}"
        return f"{self.name}: {shown(self.values, self.kind == UNSTABLE)}"


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
        Whether the seeds disagree so far that more of them are needed.
    tried
        The choices that the grid takes the other way in this cell.
    """

    result: CellResult
    printed: PrintedNumber
    values: tuple[float, ...]
    unstable: bool
    tried: tuple[Tried, ...]

    @property
    def difference(self) -> float:
        """The mean of the seeds minus the printed number, in points."""
        return _mean(self.values) - self.printed.value

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
        if self.unstable:
            return f"{UNSTABLE}: the seeds disagree, and {ENOUGH_SEEDS} are needed"
        found: dict[str, list[str]] = {}
        for one in self.tried:
            share = f" ({one.share:.0f} %)" if one.kind == MOVES else ""
            found.setdefault(one.kind, []).append(one.name + share)
        if EXPLAINS in found:
            return f"explained by {'; '.join(found[EXPLAINS])}"
        if MOVES in found:
            said = f"moved by {'; '.join(found[MOVES])}; not explained"
        elif names := found.get(NO_HELP, []) + found.get(UNSTABLE, []):
            said = f"open: tried {'; '.join(names)}"
        else:
            said = "open: nothing tried"
        missing = len(found.get(NOT_COMPUTED, ()))
        return f"{said}; {plural(missing, 'choice')} not computed" if missing else said


@dataclass(frozen=True)
class Differences:
    """The comparison of a paper's printed numbers with the runs by its protocol.

    Attributes
    ----------
    compared
        How many printed numbers are compared.
    apart
        The cells outside the margin, those that are farthest apart first. Unstable cells stand
        last, because their mean may be a number that no run gave.
    """

    compared: int
    apart: tuple[Apart, ...]


def differences(
    archive: Archive,
    printed: Printed,
    cells: Iterable[str],
    variants: Sequence[Variant],
    quantity: str = ACCURACY,
) -> Differences:
    """Compare what a paper prints with the runs at the paper's scale and on real data.

    Parameters
    ----------
    archive
        The stored runs.
    printed
        The numbers that the paper prints. Cells of which it prints none do not count, nor do those
        of which only bounds are known.
    cells
        The keys of the cells. None of them is a variant.
    variants
        The grid's variants: each takes a choice the other way in some of the cells.
    quantity
        The name of the recorded share that is compared, after the last round.
    """
    keys = tuple(cells)
    measure = partial(_percent, quantity)
    book = archive.noise
    if quantity != ACCURACY:
        book = NoiseBook(archive.results(keys), measure, at_chance=False)
    compared, found = 0, []
    for key in keys:
        number, result = printed(key, quantity), _by_protocol(archive, key, quantity)
        if number is None or number.least is not None or result is None:
            continue
        compared += 1
        values = _values(result, quantity)
        unstable = _too_unstable(book, result)
        if not unstable and agrees(_mean(values), number.value, number.spread):
            continue
        tried = tuple(
            _try(archive, book, variant, result, number, quantity)
            for variant in variants
            if key in variant.cells
        )
        found.append(Apart(result, number, values, unstable, tried))
    found.sort(key=lambda one: (one.unstable, -abs(one.difference)))
    return Differences(compared, tuple(found))


@dataclass(frozen=True)
class Recovery:
    """How near to the printed numbers some cells are before and after a change.

    Attributes
    ----------
    before, after
        The distance of each cell from its printed number, in points, on the same seeds.
    within_before, within_after
        Whether it is within the margin.
    """

    before: tuple[float, ...]
    after: tuple[float, ...]
    within_before: tuple[bool, ...]
    within_after: tuple[bool, ...]


def recovered(
    archive: Archive, printed: Printed, variant: Variant, quantity: str = ACCURACY
) -> Recovery:
    """Compare a variant with the cells that it changes, where both are stored by the protocol.

    Parameters
    ----------
    archive, printed, quantity
        As for :func:`differences`.
    variant
        The variant.
    """
    rows = []
    for key in variant.cells:
        number = printed(key, quantity)
        base = _by_protocol(archive, key, quantity)
        other = _by_protocol(archive, variant.cell(key), quantity)
        if number is not None and number.least is None and base and other:
            distances = _both_distances(base, other, number, quantity)
            rows.append((*distances, *(one <= margin(number.spread) for one in distances)))
    columns = list(zip(*rows, strict=True)) or [()] * 4
    return Recovery(*columns)


def _try(
    archive: Archive,
    book: NoiseBook,
    variant: Variant,
    base: CellResult,
    number: PrintedNumber,
    quantity: str,
) -> Tried:
    """Say what a choice gives in a cell, beside the runs of the cell with the same seeds."""
    name = f"{variant.question}: {variant.other}"
    result = _by_protocol(archive, variant.cell(base.key), quantity)
    if result is None:
        return Tried(name, NOT_COMPUTED)
    values = _values(result, quantity)
    if _too_unstable(book, result):
        return Tried(name, UNSTABLE, values)
    before, after = _both_distances(base, result, number, quantity)
    share = 100 * (before - after) / before if before else 0.0
    if agrees(_mean(values), number.value, number.spread):
        return Tried(name, EXPLAINS, values, share)
    noise = book.of(base)
    least = max(MARGIN, 2 * noise.sd if noise else 0.0)
    return Tried(name, MOVES if before - after > least else NO_HELP, values, share)


def _both_distances(
    base: CellResult, other: CellResult, number: PrintedNumber, quantity: str
) -> tuple[float, float]:
    """Return how far a cell and its variant are from a printed number, on seeds of both if any."""
    seeds = [seed for seed in base.seeds if seed in other.seeds]
    distances = []
    for result in (base, other):
        values = [_percent(quantity, result.of_seed(seed)) for seed in seeds or result.seeds]
        distances.append(abs(_mean(values) - number.value))
    return distances[0], distances[1]


def _by_protocol(archive: Archive, key: str, quantity: str) -> CellResult | None:
    """Return the runs of a cell at the paper's scale on real data that have the quantity."""
    for result in archive.results([key]):
        if result.scale == "paper" and result.real and result.has(quantity):
            values = _values(result, quantity)
            # A share of no samples is not a number, and there is nothing to compare.
            return result if all(value == value for value in values) else None
    return None


def _values(result: CellResult, quantity: str) -> tuple[float, ...]:
    return tuple(_percent(quantity, result.of_seed(seed)) for seed in result.seeds)


def _percent(quantity: str, result: CellResult) -> float:
    """Return the mean of a recorded share over the seeds after the last round, in percent."""
    return result.final(quantity).mean


def _mean(values: Sequence[float]) -> float:
    return estimate(values).mean


def _too_unstable(book: NoiseBook, result: CellResult) -> bool:
    """Whether the seeds disagree beyond the noise, and are too few to be averaged."""
    return len(result.seeds) < ENOUGH_SEEDS and book.unstable(result)


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
    return f"{_mean(values):.2f} ×{len(values)}"
