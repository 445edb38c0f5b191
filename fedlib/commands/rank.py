"""``rank`` plays a rule against every attack, or an attack against every rule, and ranks it."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fedlib.aggregators import AGGREGATORS
from fedlib.arenas import answers
from fedlib.arenas.arena_1.grid import GRID, rule_of
from fedlib.arenas.arena_1.keys import Bout
from fedlib.arenas.arena_1.settings import (
    ATTACKS_LEFT_OUT,
    N_CLIENTS,
    ROW_VARIANTS,
    RULES_LEFT_OUT,
    SETTINGS,
    VERSION,
)
from fedlib.arenas.arena_1.standings import names, standing_in
from fedlib.arenas.newcomers import Newcomer, check_attack, check_made, check_rule, newcomer
from fedlib.arenas.ranking import Standing
from fedlib.attacks import ATTACKS
from fedlib.commands.helps import DATA_HELP, DEVICE_HELP, sentence
from fedlib.evidence.report import Archive
from fedlib.grids import Cell, expand, run_grid
from fedlib.grids.grid import MOST_SEEDS
from fedlib.runs.store import Store
from fedlib.validation import ConfigError, check_int, check_name

_FEW = 10
"""Ranks among fewer rules than these come with a warning."""


def add_rank(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command ``rank`` to the parser."""
    text = "play a rule or an attack of your own in the arena, and say where it stands"
    rank = commands.add_parser("rank", help=text, description=sentence(text))
    rank.add_argument(
        "part",
        metavar="FILE_OR_NAME",
        help="a Python file that registers one rule, or the name of a rule of the catalogue. With "
        "--attack, the same for an attack",
    )
    rank.add_argument(
        "--attack", action="store_true", help="FILE_OR_NAME is an attack and not a rule"
    )
    rank.add_argument(
        "--quick",
        action="store_true",
        help="play short runs: one seed, and 200 rounds in place of 1,000 (one to three minutes)",
    )
    settings = "; ".join(f"{name}: {setting.title}" for name, setting in SETTINGS.items())
    rank.add_argument(
        "--setting",
        default="iid_f5",
        metavar="S",
        help=f"how the data are shared out, and how many clients attack. {settings} (default: "
        "iid_f5)",
    )
    rank.add_argument(
        "--seeds",
        type=int,
        metavar="K",
        help="play with the seeds 1 to K (default: 3, and 1 with --quick)",
    )
    rank.add_argument(
        "--data",
        default="auto",
        metavar="SOURCE",
        help=f"{DATA_HELP}. Here auto also takes generated data if more rules have stored runs of "
        "this length on them",
    )
    rank.add_argument("--device", default="auto", metavar="D", help=DEVICE_HELP)
    rank.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="how many processes compute runs at the same time. With a rule or attack from a "
        "file it is always one",
    )
    rank.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="the folder for the table and the heat map (default: ranked/NAME)",
    )
    rank.set_defaults(command=print_rank)


def print_rank(options: argparse.Namespace) -> int:
    """Play the bouts of a newcomer that are not stored, and say where it stands."""
    setting = check_name("setting", options.setting, SETTINGS)
    if options.seeds is not None:
        check_int("seeds", options.seeds, 1, MOST_SEEDS)
    if options.jobs is not None:
        check_int("jobs", options.jobs, 1)
    kind = "attack" if options.attack else "rule"
    new = _checked(options.part, kind, setting)
    scale = "quick" if options.quick else "paper"
    out = options.out or Path("ranked") / new.label
    _make_folder(out)
    data = _where_others_are(setting, scale) if options.data == "auto" else options.data
    cells = _bouts(new, setting, scale, options.seeds, data)
    # A file may change, so that its runs are kept apart from those of the catalogue.
    store = Store(GRID.slug, None if new.source is None else out / "results")
    jobs = options.jobs if new.source is None else 1
    rounds = cells[0].config.rounds
    print(
        f"{VERSION}, {SETTINGS[setting].title}: {new.name} plays {len(cells)} bouts of "
        f"{rounds} rounds on {cells[0].config.data.source} data."
    )
    at = (cells[0].config.data.source == "real", scale)
    _warn_of_few(standing_in(setting, Archive(GRID, scales=[scale]), at), new)
    outcome = run_grid(cells, store, scale, device=options.device, jobs=jobs)
    seeds = {cell.config.seed for cell in cells}
    found = standing_in(setting, Archive(GRID), at, Archive(GRID, store, [scale]), seeds)
    _tell(found, new, setting, out, at, bool(outcome.failed))
    return 1 if outcome.failed else 0


def _warn_of_few(before: Standing, new: Newcomer) -> None:
    """Say before any compute that there are few rules to be compared with, if it is so."""
    if new.kind == "rule":
        others = [row for row in before.ranked if row.name != new.name]
    else:
        others = [row for row in before.rows if row.results]
    if len(others) < _FEW:
        print(
            f"Only {len(others)} other rules have runs to be compared with in this setting, at "
            "this length and on this data. The runs of the book are in the folder results of the "
            "repository. Work in a clone of it, or name this folder in FEDLIB_RESULTS."
        )


def _make_folder(out: Path) -> None:
    """Make the folder for the answer, and check before any compute that it can be written.

    Raises
    ------
    ConfigError
        If it cannot be made or written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise ConfigError(
            f"out={str(out)!r} cannot be written ({error.strerror or error}): must be a folder "
            "that can be written."
        ) from error


def _checked(part: str, kind: str, setting: str) -> Newcomer:
    """Find the newcomer and check, before any compute, that it can play in the setting."""
    f = SETTINGS[setting].n_byzantine
    if kind == "rule" and part in ROW_VARIANTS:
        return Newcomer(part, kind)
    new = newcomer(part, kind, AGGREGATORS if kind == "rule" else ATTACKS)
    left_out = RULES_LEFT_OUT if kind == "rule" else ATTACKS_LEFT_OUT
    if new.name in left_out:
        raise ConfigError(f"{kind}={part!r} does not play in {VERSION}. {left_out[new.name]}")
    if kind == "attack":
        check_made(kind, part, ATTACKS[new.name])
        check_attack(ATTACKS[new.name](n_byzantine=f), part)
        return new
    check_made(kind, part, AGGREGATORS[new.name])
    rule = rule_of(new.name, f)
    if rule is None:
        raise ConfigError(
            f"rule={part!r} does not accept n_byzantine={f} of {N_CLIENTS} clients, which the "
            f"setting {setting!r} has: choose another rule or another setting."
        )
    check_rule(rule, part)
    return new


def _where_others_are(setting: str, scale: str) -> str:
    """Return ``"embedded"`` if more rules have a rank on embedded data, otherwise ``"auto"``.

    A newcomer is to be compared with others. With auto alone, a machine that has the real data
    would play a newcomer's short runs on data on which no other rule has any.
    """
    stored = Archive(GRID, scales=[scale])
    real, embedded = (len(standing_in(setting, stored, (at, scale)).ranked) for at in (True, False))
    return "embedded" if embedded > real else "auto"


def _bouts(new: Newcomer, setting: str, scale: str, seeds: int | None, data: str) -> list[Cell]:
    """Return the newcomer's cells: those of its row, or those of its column."""
    place = Bout(setting, new.name, "*") if new.kind == "rule" else Bout(setting, "*", new.name)
    return expand(GRID, scale, seeds, data, str(place))


def _tell(
    found: Standing, new: Newcomer, setting: str, out: Path, at: tuple[bool, str], failed: bool
) -> None:
    """Print where the newcomer stands, and write the table and the picture of all ranks."""
    called, (real, scale) = names(setting), at
    answer = answers.of_rule if new.kind == "rule" else answers.of_attack
    print(answer(found, new.name, called))
    if new.kind == "rule":
        print(answers.RANK)
    print(f"Runs: {found.basis}.")
    if scale == "quick":
        print(
            "These runs are short, and most of the book's own are not on these data. Do not set "
            "the numbers beside those of the book. Without --quick the ranks are more reliable."
        )
    # Runs of another setting, length or data must not take the place of these.
    where = f"{setting}_{scale}_{'real' if real else 'embedded'}"
    written = [out / f"ranks_{where}.md"]
    about = f"{VERSION}, {SETTINGS[setting].title}"
    written[0].write_text(answers.as_markdown(found, called, about), encoding="utf-8")
    picture = out / f"heat_map_{where}.png"
    try:
        from fedlib.arenas.pictures import heat_map
    except ImportError:
        print("There is no picture, because matplotlib is not installed.")
    else:
        heat_map(found, called.rule, called.attack).savefig(picture, dpi=150)
        written.append(picture)
    print(f"Written: {', '.join(map(str, written))}")
    if not failed:
        print(_how_to_add(new, written))


def _how_to_add(new: Newcomer, written: Sequence[Path]) -> str:
    """Say how the newcomer gets into the book."""
    if new.source is None:
        return (
            f"{new.name} is part of the library, so its runs are stored among the results. The "
            "command make book puts them into the book."
        )
    folder = "aggregators" if new.kind == "rule" else "attacks"
    return (
        f"To add it to the book, put {new.source.name} into fedlib/{folder}/, and play it with "
        f"python -m fedlib rank {new.name}{' --attack' if new.kind == 'attack' else ''}."
    )
