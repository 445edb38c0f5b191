"""Which runs to compute next: those that decide the most in the least time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from fedlib.data import DataConfig, DataError, resolve_source
from fedlib.data.datasets import difference_from_canonical
from fedlib.data.files import CANONICAL
from fedlib.evidence.apart import EXPLAINS, NOT_COMPUTED, differences
from fedlib.evidence.claim import Claim
from fedlib.evidence.judging import Judge
from fedlib.evidence.noise import LEAST_FREEDOM
from fedlib.evidence.report import Archive
from fedlib.evidence.rooms import tables_of
from fedlib.evidence.verdicts import ENOUGH_SEEDS
from fedlib.grids import Cell, grid_slugs, load_grid, paper_slugs
from fedlib.grids.times import StoredTimes
from fedlib.validation import ConfigError

CONFIRMING = 0.25
"""What it counts to confirm a verdict that rests on one seed, where deciding a claim counts 1."""
EXPLAINING = 0.25
"""What it counts to know whether a choice explains a difference from a printed number."""
COMPARING = 0.25
"""What it counts to set the first run of a cell beside a number that the paper prints of it."""
FARTHEST = 10
"""For so many of the differences of each table, the largest ones, causes are looked for."""
_UNKNOWN_MINUTES = 60.0
"""How long a run is taken to last if no run like it is stored."""

Run = tuple[str, str, int]
"""A run of the plan: the paper's short name, the key of the cell, and the seed."""


@dataclass(frozen=True)
class Wanted:
    """A run that is missing, and what it is good for.

    Attributes
    ----------
    slug
        The paper.
    cell
        The run under its name.
    minutes
        How long the run is expected to take.
    measured
        Whether a run like it is stored, so that the time is not a guess.
    decides
        The questions that could be decided once this run and those before it are stored, and not
        before. They are claims, each given by its text, whether a choice explains a large
        difference from a printed number, and whether a number agrees with the printed one.
    needed_by
        The number of these questions that need the run.
    """

    slug: str
    cell: Cell
    minutes: float
    measured: bool
    decides: tuple[str, ...]
    needed_by: int


@dataclass(frozen=True)
class Plan:
    """The runs that are missing, in the order in which to compute them.

    Attributes
    ----------
    runs
        The runs.
    absent
        Why runs on a data set are left out, by the name of the data set.
    """

    runs: tuple[Wanted, ...]
    absent: dict[str, str]


@dataclass(frozen=True)
class _Bundle:
    """The runs that a question waits for.

    Attributes
    ----------
    text
        The question: a claim, or what may explain a difference.
    value
        What it counts to decide it.
    runs
        The runs that are missing.
    """

    text: str
    value: float
    runs: frozenset[Run]


def make_plan(
    scale: str = "paper",
    data: str = "auto",
    device: str = "cpu",
    slugs: Sequence[str] | None = None,
    archives: Callable[[str], Archive] | None = None,
) -> Plan:
    """Return the runs that are missing, those that decide the most per hour first.

    A claim counts 1. To confirm a verdict that rests on one seed counts ``CONFIRMING``, to know
    whether a choice explains one of the largest differences from a printed number counts
    ``EXPLAINING``, and to compare a printed number at all counts ``COMPARING``.

    Parameters
    ----------
    scale
        The scale of the runs. Claims are decided at the paper's scale alone, so that all runs of
        another scale come in the order of their time.
    data
        ``auto`` or ``real``: where the data sets come from. Runs on embedded data decide nothing
        and are left out.
    device
        The device whose stored times count: ``cpu`` or ``cuda``.
    slugs
        The papers. None takes all.
    archives
        A function that returns the archive of a paper. None takes the stored runs.
    """
    open_archive = archives or (lambda slug: Archive(load_grid(slug)))
    missing: dict[Run, Cell] = {}
    absent: dict[str, str] = {}
    bundles: list[_Bundle] = []
    times = StoredTimes(device)
    opened: dict[str, tuple[Archive, _Missing]] = {}
    # An arena makes no claims, so that its runs come after those that decide something.
    with_claims = set(paper_slugs()).intersection(slugs or grid_slugs()) if scale == "paper" else ()
    for slug in with_claims:
        tables_of(slug)  # whoever lacks a package for the claims is told before the archives open
    for slug in slugs or grid_slugs():
        archive = open_archive(slug)
        times.add(archive.store.read(scale).values())
        found = _missing(archive, scale, data, absent)
        missing.update({(slug, *run): cell for run, cell in found.cells.items()})
        opened[slug] = archive, found
    minutes = {run: times.minutes(cell.config) for run, cell in missing.items()}
    cost = {
        run: time if time is not None else _guess(missing[run], times)
        for run, time in minutes.items()
    }
    for slug, (archive, found) in opened.items():
        if slug in with_claims:
            bundles += _bundles(slug, archive, found, cost)
            bundles += _causes(slug, archive, found)
            bundles += _comparisons(slug, archive, found)
    needed_by: dict[Run, int] = {}
    for bundle in bundles:
        for run in bundle.runs:
            needed_by[run] = needed_by.get(run, 0) + 1
    order = _in_order(bundles, cost)
    decisive = {run for run, _ in order}
    rest = sorted(
        (run for run in missing if run not in decisive),
        key=lambda run: (run[2], cost[run]),
    )
    runs = [
        Wanted(run[0], missing[run], cost[run], minutes[run] is not None, decides,
               needed_by.get(run, 0))
        for run, decides in [*order, *((run, ()) for run in rest)]
    ]  # fmt: skip
    return Plan(tuple(runs), absent)


def _guess(cell: Cell, times: StoredTimes) -> float:
    """Return about how many minutes a run takes if no run like it is stored."""
    return cell.minutes or times.guess(cell.config) or _UNKNOWN_MINUTES


class _Missing(NamedTuple):
    """The runs of a grid that are missing.

    Attributes
    ----------
    cells
        The cell of each run, by its key and the seed.
    stands_for
        The run that is computed for each missing key and seed, because several cells may have the
        same run.
    """

    cells: dict[tuple[str, int], Cell]
    stands_for: dict[tuple[str, int], tuple[str, int]]


def _missing(archive: Archive, scale: str, data: str, absent: dict[str, str]) -> _Missing:
    """Return the runs of a grid that are not stored, up to the seeds that any claim may need.

    Beyond the grid's own number of seeds a run is only of use to a claim.
    """

    @cache
    def resolve(name: str) -> DataConfig:
        try:
            source = resolve_source(name, "real" if data == "auto" else data)
        except (ConfigError, DataError) as error:
            absent[name] = str(error)
            return DataConfig(name, "embedded", "absent")
        return source

    stored = archive.store.read(scale)
    found = _Missing({}, {})
    seen: dict[str, tuple[str, int]] = {}
    most = archive.grid.seeds[scale]
    if archive.grid.slug in paper_slugs():
        most = max(ENOUGH_SEEDS, most)
    for seed in range(1, most + 1):
        for cell in archive.grid.cells(scale, seed, resolve):
            run = cell.key, seed
            if cell.config.id in stored or not cell.tells or cell.config.data.name in absent:
                continue
            first = seen.setdefault(cell.config.id, run)
            found.stands_for[run] = first
            if first == run:
                found.cells[run] = cell
    return found


def _bundles(
    slug: str, archive: Archive, missing: _Missing, cost: dict[Run, float]
) -> list[_Bundle]:
    """Return what each claim of a paper waits for."""
    module = tables_of(slug)
    table = module.claims_table(archive)
    judge = Judge(archive, module.CLAIMS)
    bundles = []
    for row in table.judged:
        if not row.next_runs:
            continue
        if not all(run in missing.stands_for for run in row.next_runs):
            continue
        known = frozenset((slug, *missing.stands_for[run]) for run in row.next_runs)
        more = _runs_for_noise(slug, judge, row.claim, missing, cost)
        if more is not None:
            value = CONFIRMING if row.decided else 1.0
            bundles.append(_Bundle(row.text, value, known | more))
    return bundles


def _runs_for_noise(
    slug: str, judge: Judge, claim: Claim, missing: _Missing, cost: dict[Run, float]
) -> frozenset[Run] | None:
    """Return the runs after which the spread between seeds is known on a claim's data sets.

    They are the second seeds of the cells in which two seeds take the least time, and their first
    seeds if these are missing. If there are too few such cells, further seeds come too. The runs
    are the same for all claims that take the same measure. None if no runs would be enough.
    """
    runs: set[Run] = set()
    for shared, freedom in judge.noise_known_on(claim).items():
        wanted = LEAST_FREEDOM - freedom
        cells = [cell for cell in judge.noise_cells(claim)
                 if judge.archive.shared(cell) == shared]  # fmt: skip
        for seed in range(2, ENOUGH_SEEDS + 1):
            # A further seed of a cell adds a degree of freedom, if the cell has the others.
            further: dict[tuple[str, int], set[Run]] = {}
            for cell in cells:
                places = [(cell, number) for number in range(1, seed + 1)]
                new = [missing.stands_for[place] for place in places if place in missing.stands_for]
                if (cell, seed) in missing.stands_for:
                    further[missing.stands_for[cell, seed]] = {(slug, *run) for run in new} - runs
            by_cost = sorted((sum(cost[run] for run in new), sorted(new))
                             for new in further.values())  # fmt: skip
            for _, cheap in by_cost[: max(wanted, 0)]:
                runs.update(cheap)
                wanted -= 1
        if wanted > 0:
            return None
    return frozenset(runs)


def _causes(slug: str, archive: Archive, missing: _Missing) -> list[_Bundle]:
    """Return the runs that decide whether each choice explains a paper's largest differences."""
    tables = tables_of(slug)
    bundles = []
    # A paper that prints no numbers has nothing to be apart from.
    for compared, variants in getattr(tables, "compared", lambda archive: ())(archive):
        found = differences(compared, variants)
        stable = [one for one in found.apart if not one.unstable]
        for one in stable[:FARTHEST]:
            seed = one.result.seeds[0]
            for tried in one.tried:
                run = missing.stands_for.get((tried.cell, seed))
                if one.kind != EXPLAINS and tried.kind == NOT_COMPUTED and run is not None:
                    text = f"whether this explains {one.result.key}: {tried.name}"
                    bundles.append(_Bundle(text, EXPLAINING, frozenset({(slug, *run)})))
    return bundles


def _comparisons(slug: str, archive: Archive, missing: _Missing) -> list[_Bundle]:
    """Return the first run of each cell of which the paper prints a number, on the paper's data."""
    bundles = []
    for compared, _ in getattr(tables_of(slug), "compared", lambda archive: ())(archive):
        for key in compared.cells:
            run = missing.stands_for.get((key, 1))
            if run is None or compared.number(key) is None or compared.result(key) is not None:
                continue
            data = missing.cells[run].config.data
            if data.variant == CANONICAL or difference_from_canonical(data):
                name = compared.quantity.replace("_", " ")
                text = f"whether the {name} of {key} agrees with the printed one"
                bundles.append(_Bundle(text, COMPARING, frozenset({(slug, *run)})))
    return bundles


def _in_order(
    bundles: Iterable[_Bundle], cost: dict[Run, float]
) -> list[tuple[Run, tuple[str, ...]]]:
    """Return the runs of the bundles, and which claims are complete after each.

    Of all bundles the one comes next that, with all that it completes, counts the most per minute
    of what is still to compute. Within it the runs come in the order of their cells.
    """
    left = list(bundles)
    done: set[Run] = set()
    order: list[tuple[Run, tuple[str, ...]]] = []
    before: dict[frozenset[Run], float] = {}
    rates: dict[frozenset[Run], float] = {}
    while left:
        # Bundles that wait for the same runs count together. The first comes first.
        values: dict[frozenset[Run], float] = {}
        for bundle in left:
            runs = bundle.runs - done
            values[runs] = values.get(runs, 0.0) + bundle.value
        # A rate stays as it is unless it counts a bundle that has now fewer runs to wait for.
        changed = [runs for runs in values if values[runs] != before.get(runs)]
        rates = {
            runs: rates[runs] for runs in values if not any(other <= runs for other in changed)
        }
        before = values
        for runs in values:
            if runs not in rates:
                value = math.fsum(values[other] for other in values if other <= runs)
                rates[runs] = value / max(math.fsum(cost[run] for run in runs), 1e-9)
        best = max(values, key=lambda runs: rates[runs])
        done |= best
        complete = tuple(bundle.text for bundle in left if bundle.runs <= done)
        left = [bundle for bundle in left if not bundle.runs <= done]
        new = sorted(best)
        order += [(run, ()) for run in new[:-1]] + [(run, complete) for run in new[-1:]]
    return order
