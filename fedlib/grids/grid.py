"""A paper's grid: its cells, and which of them to compute."""

from __future__ import annotations

import difflib
import fnmatch
import importlib
import pkgutil
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from fedlib.data import DataConfig, resolve_source
from fedlib.data.datasets import EMBEDDED_VARIANT, SOURCES
from fedlib.data.errors import AbsentDataError, DataError
from fedlib.registry import parts_entered
from fedlib.runs import RunConfig
from fedlib.runs.store import SCALES
from fedlib.validation import ConfigError, check_int, check_kind, check_name

Origin = tuple[str, str]
"""Where a data set comes from: ``source`` and ``variant`` as in :class:`fedlib.data.DataConfig`."""
GENERATED: Origin = ("embedded", EMBEDDED_VARIANT)
MOST_SEEDS = 1000
"""More seeds of a cell than anybody needs: every cell of a grid is made for each of them."""


@dataclass(frozen=True)
class Cell:
    """One run of a grid under the name that the paper's tables give it.

    Attributes
    ----------
    key
        The name, such as ``table_iv/mnist_iid/rop/cc_tau1/0.99``.
    config
        The run's configuration.
    reduced
        What the run has less of than the protocol of its scale, in words, such as ``10 of 100
        epochs``. Such a run never counts as one by the paper's protocol. It is empty for a run by
        the protocol.
    tells
        Whether the run says anything of the paper. One that does not is neither shown nor judged,
        as the run of a network that is too small for its data.
    minutes
        How many minutes of one core the run takes. It counts as long as no run like it is stored.
        None if nobody has measured it.
    """

    key: str
    config: RunConfig
    reduced: str = ""
    tells: bool = True
    minutes: float | None = None


def _never_superseded(_: str) -> bool:
    """Say of every cell that it is not superseded."""
    return False


@dataclass(frozen=True)
class Grid:
    """The runs of a paper.

    Attributes
    ----------
    slug, title
        The paper's short name in code and its title.
    cells
        This function takes a scale, a seed and a function ``data``, and returns the cells of that
        seed in the order in which to compute them. ``data`` takes the name of a data set and says
        where the data set comes from.
    seeds
        The number of seeds at each scale, which is used unless the caller gives another.
    heading
        What headings call the paper. Without it they use the words of the slug.
    superseded
        This function says of the key of a cell whether other cells have taken its place. The runs
        of such a cell stay, and no claim is about it.
    """

    slug: str
    title: str
    cells: Callable[[str, int, Callable[[str], DataConfig]], list[Cell]]
    seeds: dict[str, int]
    heading: str = ""
    superseded: Callable[[str], bool] = _never_superseded
    _known: dict[tuple[Any, ...], tuple[Cell, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def cells_on(
        self,
        scale: str,
        seed: int,
        origins: Mapping[str, Origin] | None = None,
        others: Origin = GENERATED,
    ) -> tuple[Cell, ...]:
        """Return the cells of one seed, and keep them for the next time.

        Many pages and commands ask for the same cells, and to make them takes long.

        Parameters
        ----------
        scale, seed
            The scale and the seed of the runs.
        origins
            Where data sets come from, by their names.
        others
            Where all other data sets come from. By default the library generates them.
        """
        asked = (scale, seed, frozenset((origins or {}).items()), others)
        # A grid may have a cell for every rule and attack that there is.
        known = self._known.get((*asked, parts_entered()))
        if known is None:
            found = dict(origins or {})
            known = tuple(
                self.cells(scale, seed, lambda name: DataConfig(name, *found.get(name, others)))
            )
            # To make the cells may have imported parts, which have then entered.
            self._known[*asked, parts_entered()] = known
        return known

    def cells_at(self, scale: str) -> tuple[Cell, ...]:
        """Return the cells of seed 1 on any data, for what does not depend on the data.

        Parameters
        ----------
        scale
            The scale of the runs.
        """
        entered = parts_entered()
        for (at, seed, *_, then), known in list(self._known.items()):
            if (at, seed, then) == (scale, 1, entered):
                return known
        return self.cells_on(scale, 1)

    @property
    def name(self) -> str:
        """The paper's name in headings and tables, such as ``Gradient Guard``."""
        return self.heading or self.slug.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Variant:
    """A choice that is taken the other way, to see what it changes.

    It is a choice that the paper leaves open, or that its text and its authors' code make
    differently.

    Attributes
    ----------
    key
        The variant's part of its cells' keys.
    question, used, other
        These say in words what is chosen, how the grid chooses it, and what the other way is.
    change
        This function takes a run of the grid and returns the same run with the other choice.
    cells
        The keys of the grid's cells on which the variant is shown.
    """

    key: str
    question: str
    used: str
    other: str
    change: Callable[[RunConfig], RunConfig]
    cells: tuple[str, ...]

    def cell(self, base: str) -> str:
        """Return the key of the variant of a cell, as ``variants/momentum/figure_3/10/ours``.

        Parameters
        ----------
        base
            The key of the grid's own cell.
        """
        return f"variants/{self.key}/{base}"


def varied(variants: Iterable[Variant], found: Mapping[str, RunConfig]) -> list[Cell]:
    """Return the cells of the variants.

    Parameters
    ----------
    variants
        The variants of a grid.
    found
        The runs of the grid's own cells, by key. It must have every cell that a variant is shown
        on.
    """
    return [
        Cell(variant.cell(base), variant.change(found[base]))
        for variant in variants
        for base in variant.cells
    ]


def with_changes(part: str, **changes: Any) -> Callable[[RunConfig], RunConfig]:
    """Return a function that changes fields of one part of a run, for :class:`Variant`.

    Parameters
    ----------
    part
        The part's name, such as ``attack`` or ``client``.
    changes
        The new values of the part's fields.
    """
    return lambda run: run.with_(**{part: replace(getattr(run, part), **changes)})


def paper_slugs() -> list[str]:
    """Return the short names of the papers, in alphabetical order."""
    return _packages("fedlib.papers")


def grid_slugs() -> list[str]:
    """Return the short names of all grids: those of the papers, then those of the arenas."""
    return [*paper_slugs(), *_packages("fedlib.arenas")]


def _packages(room: str) -> list[str]:
    """Return the names of the packages in a room of the library."""
    # Found by its name: a grid's package imports this module, not the other way round.
    path = importlib.import_module(room).__path__
    return sorted(module.name for module in pkgutil.iter_modules(path) if module.ispkg)


def load_grid(slug: str) -> Grid:
    """Return the grid of a paper or of an arena.

    Parameters
    ----------
    slug
        The short name, one of :func:`grid_slugs`.

    Raises
    ------
    ConfigError
        If no grid has this name.

    Examples
    --------
    >>> from fedlib import load_grid
    >>> load_grid("centered_clipping").slug
    'centered_clipping'
    """
    check_name("slug", slug, grid_slugs())
    room = "papers" if slug in paper_slugs() else "arenas"
    grid: Grid = importlib.import_module(f"fedlib.{room}.{slug}.grid").GRID
    return grid


def expand(
    grid: Grid,
    scale: str,
    seeds: int | None = None,
    data: str = "auto",
    only: str | Sequence[str] | None = None,
) -> list[Cell]:
    """Return the cells to compute: seed 1 of every cell first, then seed 2 of every cell.

    With several patterns all cells of the first pattern come first, and each cell comes once. A
    warning about a data set is passed on only if a chosen cell uses the data set.

    Parameters
    ----------
    grid
        The paper's grid.
    scale
        One of ``SCALES``.
    seeds
        The number of seeds. None takes the grid's number for the scale.
    data
        ``auto``, ``real`` or ``embedded``: where the data sets come from.
    only
        A shell pattern that a cell's key must match, such as ``*/rop/cc_tau1/*``, or several of
        them in a list or tuple. None, an empty text and an empty list take all cells.

    Raises
    ------
    ConfigError
        If the scale or the source of the data is unknown, if ``seeds`` is no number from 1 to
        ``MOST_SEEDS``, or if ``only`` is no pattern, or no cell matches one of the patterns.
    DataError
        If the data set of a chosen cell is absent or cannot be used.

    Examples
    --------
    >>> from fedlib import expand, load_grid
    >>> grid = load_grid("centered_clipping")
    >>> only = "table_iv/mnist_noniid/rop/tm/0.9"
    >>> [cell.key for cell in expand(grid, "smoke", data="embedded", only=only)]
    ['table_iv/mnist_noniid/rop/tm/0.9']
    """
    check_kind("grid", grid, Grid, "a Grid", "load_grid('gradient_guard')")
    check_name("scale", scale, SCALES)
    check_name("data", data, SOURCES)
    patterns(only)
    count = check_int("seeds", grid.seeds[scale] if seeds is None else seeds, 1, MOST_SEEDS)
    # A missing data set is an error only if a chosen cell uses it, which is known at the end.
    troubles: dict[str, Exception | list[warnings.WarningMessage]] = {}

    @cache
    def resolve(name: str) -> DataConfig:
        try:
            with warnings.catch_warnings(record=True) as troubles[name]:
                warnings.simplefilter("always")
                return resolve_source(name, data)
        except (ConfigError, DataError) as error:
            troubles[name] = error
            return DataConfig(name, *GENERATED)

    found = [cell for seed in range(1, count + 1) for cell in grid.cells(scale, seed, resolve)]
    chosen = [found[place] for place in matching([cell.key for cell in found], only, grid.slug)]
    for name in sorted({cell.config.data.name for cell in chosen}):
        trouble = troubles[name]
        if isinstance(trouble, AbsentDataError):
            advice = "Or use generated data: data='embedded'."
            raise AbsentDataError(f"{trouble}\n{advice}") from trouble
        if isinstance(trouble, Exception):
            raise trouble
        for warning in trouble:
            warnings.warn(warning.message, stacklevel=2)
    return chosen


def patterns(only: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the shell patterns that a caller has given, ``*`` if there are none.

    Parameters
    ----------
    only
        A pattern, or several in a list or tuple. None and empty texts stand for all cells.

    Raises
    ------
    ConfigError
        If ``only`` is something else.
    """
    several: Sequence[Any] = (
        only if isinstance(only, list | tuple) else ["" if only is None else only]
    )
    for pattern in several:
        if not isinstance(pattern, str):
            raise ConfigError(
                f"only={only!r} must be a pattern, such as '*/rop/*', or a list of patterns."
            )
    return tuple(pattern or "*" for pattern in several) or ("*",)


def matching(keys: Sequence[str], only: str | Sequence[str] | None, where: str) -> list[int]:
    """Return the places of the keys that match, those of the first pattern first, each once.

    Parameters
    ----------
    keys
        The keys of cells. There must be at least one.
    only
        The patterns, as for :func:`patterns`.
    where
        What the cells belong to, in words, for the message.

    Raises
    ------
    ConfigError
        If ``only`` is no pattern, or if a pattern matches none of the keys.
    """
    chosen: dict[int, None] = {}
    for pattern in patterns(only):
        fitting = [place for place, key in enumerate(keys) if fnmatch.fnmatchcase(key, pattern)]
        if not fitting:
            raise none_matches(pattern, keys, where)
        chosen.update(dict.fromkeys(fitting))
    return list(chosen)


def none_matches(only: str | None, keys: Sequence[str], where: str) -> ConfigError:
    """Return the error for a pattern that matches no cell.

    Parameters
    ----------
    only
        The pattern.
    keys
        The keys that do not match. There must be at least one.
    where
        What the cells belong to, in words.
    """
    several = list(dict.fromkeys(keys))
    near = difflib.get_close_matches(only or "", several, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"their keys look like {several[0]!r}."
    return ConfigError(f"only={only!r} matches none of the {len(several)} cells of {where}; {hint}")
