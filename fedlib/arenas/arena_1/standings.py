"""The ranks of arena-1, setting by setting."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fedlib.arenas.arena_1.grid import (
    GRID,
    column_names,
    is_adaptive,
    is_backdoor,
    row_names,
    rule_of,
)
from fedlib.arenas.arena_1.keys import Bout
from fedlib.arenas.arena_1.settings import ATTACK_TITLES, CLEAN, MADE_AGAINST, ROW_TITLES, SETTINGS
from fedlib.arenas.names import Names
from fedlib.arenas.ranking import Columns, Standing, standing
from fedlib.evidence.report import Archive, CellResult
from fedlib.validation import check_name


def columns() -> Columns:
    """Return what the columns are."""
    names = column_names()
    return Columns(
        clean=CLEAN,
        attacks=tuple(name for name in names if name != CLEAN),
        adaptive=frozenset(name for name in names if is_adaptive(name)),
        backdoors=frozenset(name for name in names if is_backdoor(name)),
        against=MADE_AGAINST,
    )


def standing_in(
    setting: str,
    archive: Archive | None = None,
    at: tuple[bool, str] | None = None,
    guests: Archive | None = None,
    seeds: Iterable[int] | None = None,
) -> Standing:
    """Return the ranks of one setting.

    Parameters
    ----------
    setting
        One of ``SETTINGS``.
    archive
        The stored runs. None takes those of the default store.
    at
        Whether the runs are on real data, and their scale. None takes real data if there are any,
        and the scale at which most cells are stored.
    guests
        The stored runs of rows and columns that the archive does not have.
    seeds
        The seeds that count. A worst case over 24 attacks is lower with one seed than the mean of
        three is, so that rules are compared by the same seeds. All other seeds still tell the
        noise. None takes all.

    Raises
    ------
    ConfigError
        If there is no such setting.
    """
    check_name("setting", setting, SETTINGS)
    archive = archive or Archive(GRID)
    f = SETTINGS[setting].n_byzantine
    rows = [row for row in row_names() if rule_of(row, f) is not None]
    table = columns()
    places = [(row, column) for row in rows for column in (table.clean, *table.attacks)]
    keys = [str(Bout(setting, *place)) for place in places]
    if at is None:
        found = archive.together(keys)
    else:
        found = [_at(archive, key, at) or _at(guests, key, at) for key in keys]
    if seeds is not None:
        found = [_of_seeds(result, set(seeds)) for result in found]
    held = dict(zip(places, found, strict=True))
    # The seeds of the other settings tell the noise of a setting that has one seed.
    return standing(table, rows, lambda row, column: held[row, column], archive.results())


def _of_seeds(result: CellResult | None, seeds: set[int]) -> CellResult | None:
    """Return the runs of a cell with some of these seeds, or None if it has none of them."""
    kept = [seed for seed in result.seeds if seed in seeds] if result else []
    return result.of_seeds(kept) if result and kept else None


def _at(archive: Archive | None, key: str, at: tuple[bool, str]) -> CellResult | None:
    """Return the runs of a cell on real or on embedded data at one scale."""
    if archive is None:
        return None
    return next((one for one in archive.results([key]) if (one.real, one.scale) == at), None)


def names(setting: str, link: Callable[[str], str] = lambda key: "") -> Names:
    """Return how pages name rows and columns.

    Parameters
    ----------
    setting
        One of ``SETTINGS``.
    link
        This function takes the key of a cell and returns the address of its records.
    """
    return Names(
        rule=row_title,
        attack=attack_title,
        cell=lambda row, column: str(Bout(setting, row, column)),
        link=link,
    )


def row_title(name: str) -> str:
    """Return the title of a row."""
    return ROW_TITLES.get(name, name.replace("_", " "))


def attack_title(name: str) -> str:
    """Return the title of a column."""
    return ATTACK_TITLES.get(name, name.replace("_", " "))
