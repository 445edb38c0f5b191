"""From the stored runs of an arena to its ranks.

A rule is as good as its worst case. This is the smallest accuracy that an attack leaves it, where
each accuracy is the mean over the seeds. The rank of a rule is one more than the number of rules
that are clearly better, that is, whose worst case is better beyond the noise between seeds. It is
never better than the rank of a rule whose worst case is better.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from fedlib.arenas.comparing import leaves_more
from fedlib.evidence.noise import NoiseBook
from fedlib.evidence.results import CellResult, basis_of
from fedlib.evidence.statistics import FAR_APART, Estimate, estimate

_MOST = 0.9
"""An attack counts once this share of the rules has met it."""
_ENOUGH = 0.5
"""Rules are ranked once this share of the attacks counts. A worst case of few attacks is none."""


@dataclass(frozen=True)
class Columns:
    """What the columns of an arena are.

    Attributes
    ----------
    clean
        The column in which all clients are honest.
    attacks
        All other columns, in their order.
    adaptive
        The attacks that know which rule they face.
    against
        The rows that an attack is made against although it is not told the rule, by the attack.
    backdoors
        The attacks that want a label for samples with a trigger. They do not count for the worst
        case, because they leave the accuracy as it is. Their success has a column of its own.
    waiting
        The attacks that too few rules have met so far. They do not count yet.
    """

    clean: str
    attacks: tuple[str, ...]
    adaptive: frozenset[str]
    backdoors: frozenset[str]
    waiting: frozenset[str] = frozenset()
    against: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def knows(self, attack: str, row: str) -> bool:
        """Return whether an attack knows the rule of a row, or is made against it."""
        return attack in self.adaptive or row in self.against.get(attack, ())

    @property
    def enough(self) -> bool:
        """Whether so many attacks count that rules can be ranked."""
        return len(self.counted) >= _ENOUGH * len(self.untargeted)

    @property
    def counted(self) -> tuple[str, ...]:
        """The attacks that count for the worst case."""
        return tuple(name for name in self.untargeted if name not in self.waiting)

    @property
    def untargeted(self) -> tuple[str, ...]:
        """The attacks that count for the worst case once all rules have met them."""
        return tuple(name for name in self.attacks if name not in self.backdoors)


@dataclass(frozen=True)
class Row:
    """A rule in one setting.

    Attributes
    ----------
    name
        The name of the row.
    columns
        What the columns are.
    results
        The stored runs by column. A column that is not computed has no entry.
    rank
        The rank by the worst case, 1 for the best. None if too little is computed, or if the worst
        case is under an attack that does not count yet.
    shared
        Whether another row has the same rank.
    """

    name: str
    columns: Columns
    results: Mapping[str, CellResult]
    rank: int | None = None
    shared: bool = False

    @property
    def missing(self) -> tuple[str, ...]:
        """The untargeted attacks, and the clean runs, that are not computed."""
        wanted = (self.columns.clean, *self.columns.counted)
        return tuple(name for name in wanted if name not in self.results)

    @property
    def clean(self) -> Estimate | None:
        """The accuracy in percent when all clients are honest."""
        found = self.results.get(self.columns.clean)
        return found.accuracy if found else None

    @cached_property
    def worst(self) -> tuple[str, Estimate] | None:
        """The attack that leaves the least accuracy, and what it leaves in percent.

        An attack that does not count yet is looked at too, so that nobody takes a rule for better
        than its stored runs are.
        """
        return self._least(self.columns.untargeted)

    @cached_property
    def adaptive(self) -> tuple[str, Estimate] | None:
        """The attack, of those that know the rule, that leaves the least accuracy in percent."""
        columns = self.columns
        return self._least([a for a in columns.untargeted if columns.knows(a, self.name)])

    @cached_property
    def backdoor(self) -> tuple[str, Estimate] | None:
        """The backdoor with the largest success above the floor, and this excess in points.

        The success is the share of samples with the trigger that get the label that the attacker
        wants. The floor is the same share for a model that nobody has attacked. A seed counts only
        if its clean run is stored too.
        """
        clean = self.results.get(self.columns.clean)
        found = []
        for name in self.columns.backdoors & self.results.keys():
            held = self.results[name]
            seeds = [seed for seed in held.seeds if clean and seed in clean.seeds]
            if clean is not None and seeds:
                excess = [_success(held, seed) - _success(clean, seed) for seed in seeds]
                found.append((name, estimate(excess)))
        return max(found, key=lambda one: one[1].mean, default=None)

    def _least(self, names: Sequence[str]) -> tuple[str, Estimate] | None:
        found = [(name, self.results[name].accuracy) for name in names if name in self.results]
        return min(found, key=lambda one: one[1].mean, default=None)

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of which all columns that count for the rank are stored."""
        if self.missing:
            return ()
        wanted = (self.columns.clean, *self.columns.counted)
        return tuple(sorted(set.intersection(*(set(self.results[a].seeds) for a in wanted))))

    @property
    def can_be_ranked(self) -> bool:
        """Whether enough is computed for a rank, and the attack of the worst case counts."""
        columns = self.columns
        worst_counts = self.worst is not None and self.worst[0] in columns.counted
        return bool(self.seeds) and columns.enough and worst_counts

    def breaks(self, below: float) -> bool:
        """Return whether an attack leaves less accuracy than this, in percent, in most seeds."""
        return any(
            _is_below_in_most(self.results[name], below)
            for name in self.columns.untargeted
            if name in self.results
        )


def _success(result: CellResult, seed: int) -> float:
    return result.of_seed(seed).final("attack_success").mean


def far_apart(result: CellResult) -> bool:
    """Return whether the seeds end so far apart that no seed has their mean."""
    ends = [result.of_seed(seed).accuracy.mean for seed in result.seeds]
    return max(ends) - min(ends) > FAR_APART


def _is_below_in_most(result: CellResult, limit: float) -> bool:
    """Return whether more than half of the seeds have less accuracy than this, in percent."""
    below = sum(result.of_seed(seed).accuracy.mean < limit for seed in result.seeds)
    return 2 * below > len(result.seeds)


@dataclass(frozen=True)
class Standing:
    """The ranks of one setting.

    Attributes
    ----------
    rows
        All rows that play in the setting. The rows with a rank come first, from the best down.
    columns
        What the columns are.
    basis
        A text that names the scale, the data and the seeds of the runs.
    noise
        The spread of the accuracies between seeds.
    """

    rows: tuple[Row, ...]
    columns: Columns
    basis: str
    noise: NoiseBook

    @property
    def ranked(self) -> list[Row]:
        """The rows that have a rank."""
        return [row for row in self.rows if row.rank is not None]

    def row(self, name: str) -> Row:
        """Return the row of this name."""
        return next(row for row in self.rows if row.name == name)


def standing(
    columns: Columns,
    names: Sequence[str],
    find: Callable[[str, str], CellResult | None],
    others: Iterable[CellResult] = (),
) -> Standing:
    """Rank the rows of one setting.

    An attack that fewer than nine of ten rules have met does not count yet. No rule has a rank
    before half of the attacks count. A rule has no rank if it has not met all attacks that count,
    or if an attack that does not count yet leaves it less accuracy than these.

    Parameters
    ----------
    columns
        What the columns are.
    names
        The names of the rows that can play in this setting.
    find
        This function takes a row and a column and returns the stored runs of their cell, or None.
        All runs must be of one scale, and all on real or all on embedded data.
    others
        Further stored runs, such as those of other settings. Their seeds tell the noise if this
        setting has too few.
    """
    held = {
        name: {
            column: result
            for column in (columns.clean, *columns.attacks)
            if (result := find(name, column)) is not None
        }
        for name in names
    }
    known = [result for results in held.values() for result in results.values()]
    playing = [results for results in held.values() if results]
    waiting = [
        name
        for name in columns.untargeted
        if sum(name in results for results in playing) < _MOST * len(playing)
    ]
    columns = replace(columns, waiting=frozenset(waiting))
    noise = NoiseBook([*others, *known], other_partitions=True)
    rows = ranked([Row(name, columns, held[name]) for name in names], noise)
    # Of the rows that can be ranked, the seeds that all of their bouts have are those that tell.
    complete = [
        result.of_seeds(row.seeds)
        for row in rows
        if row.seeds
        for name, result in row.results.items()
        if name in (columns.clean, *columns.counted)
    ]
    return Standing(tuple(rows), columns, basis_of(complete or known), noise)


def ranked(rows: Sequence[Row], noise: NoiseBook) -> list[Row]:
    """Return the rows with their ranks, the best first, and those without a rank last.

    The rank of a row is one more than the number of rows that are clearly better. The statistics
    that decide all verdicts of this book say which are. The seeds of some rows disagree so much
    that hardly any row is clearly better. So that this does not lift them, no row has a better rank
    than a row whose worst case is better.

    Parameters
    ----------
    rows
        The rows of one setting.
    noise
        The spread of the accuracies between seeds.
    """

    def place(row: Row) -> tuple[float, str]:
        return (-row.worst[1].mean if row.worst else math.inf, row.name)

    full = sorted((row for row in rows if row.can_be_ranked), key=place)
    # A row that an attack which does not count yet keeps from a rank may still be better.
    rivals = [row for row in rows if row.seeds]
    ranks: dict[str, int] = {}
    rank = 1
    for row in full:
        rank = max(rank, 1 + sum(better(other, row, noise) for other in rivals))
        ranks[row.name] = rank
    counts = Counter(ranks.values())
    others = sorted((row for row in rows if row.name not in ranks), key=place)
    return [
        Row(row.name, row.columns, row.results, ranks.get(row.name),
            counts[ranks.get(row.name, 0)] > 1)
        for row in [*full, *others]
    ]  # fmt: skip


def better(one: Row, other: Row, noise: NoiseBook) -> bool:
    """Return whether the worst case of one row is better than that of another beyond the noise.

    Parameters
    ----------
    one, other
        The rows. All runs that count for the rank must be computed.
    noise
        The spread of the accuracies between seeds.
    """
    if one.worst is None or other.worst is None:
        return False
    return leaves_more(one.results[one.worst[0]], other.results[other.worst[0]], noise)


def columns_by_harm(standing: Standing) -> list[str]:
    """Return the untargeted attacks. The one that leaves the least accuracy on average is first."""

    def left(attack: str) -> float:
        values = [
            row.results[attack].accuracy.mean for row in standing.rows if attack in row.results
        ]
        return math.fsum(values) / len(values) if values else 100.0

    return sorted(standing.columns.untargeted, key=left)
