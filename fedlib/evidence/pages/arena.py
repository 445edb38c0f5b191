"""The page of the arena: what it found, its ranks and its bouts, setting by setting."""

from __future__ import annotations

import base64
import importlib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from fedlib.evidence.found import Headed, unbroken
from fedlib.evidence.links import records_of
from fedlib.evidence.pages.found import folded
from fedlib.evidence.pages.markdown import escaped, raw_html, table
from fedlib.evidence.pages.marks import Page, page_figure, page_mark
from fedlib.evidence.pages.measured import CPU_FILE
from fedlib.evidence.pages.opened import opened
from fedlib.evidence.report import Archive
from fedlib.evidence.table import plural
from fedlib.validation import ConfigError

SLUG = "arena_1"


@cache
def _module(name: str) -> Any:
    """Return a module of the arena, which is imported late because this room knows no arena."""
    return importlib.import_module(f"fedlib.arenas.{name}")


def _standing(setting: str) -> Any:
    return _standing_in(setting, opened(SLUG))


@cache
def _standing_in(setting: str, archive: Archive) -> Any:
    return _module(f"{SLUG}.standings").standing_in(setting, archive)


def _names(setting: str) -> Any:
    return _module(f"{SLUG}.standings").names(setting, lambda key: records_of(SLUG, key))


def _settings() -> Any:
    return _module(f"{SLUG}.settings")


def _main_setting() -> str:
    """Return the setting in which the most is computed: the first one."""
    return next(iter(_settings().SETTINGS))


@page_mark("arena_findings")
def findings(page: Page) -> str:
    """Return what the first setting says, as a list of sentences, and what it rests on."""
    setting = _main_setting()
    said = _module("findings").findings(_standing(setting), _names(setting))
    return unbroken("\n".join(f"- {sentence}" for sentence in said))


@page_mark("arena_elsewhere")
def elsewhere(page: Page) -> str:
    """Return what the other settings say of the best and of the broken rules, one line each."""
    main = _main_setting()
    lines = []
    for setting, of in _settings().SETTINGS.items():
        standing = _standing(setting)
        if setting == main:
            continue
        start = f"- {of.title.capitalize()} ({standing.basis})"
        if not standing.columns.enough:
            columns = standing.columns
            lines.append(f"{start}: {_too_few(columns)}")
        elif standing.ranked:
            best, broken, _, _, backdoors, _ = _module("findings").findings(
                standing, _names(setting)
            )
            said = " ".join((best, broken, backdoors))
            lines.append(f"{start}: {said}")
    return unbroken("\n".join(lines)) or "- No rule has a rank in another setting yet."


def _too_few(columns: Any) -> str:
    """Say that too few attacks count for a rank."""
    return (
        f"No rule has a rank yet. For ranks at least half of the {len(columns.untargeted)} attacks "
        f"must have met nearly all rules, and so far these are {len(columns.counted)}."
    )


@page_mark("arena_first")
def first(page: Page) -> str:
    """Return the most important sentence of the arena."""
    setting = _main_setting()
    standing = _standing(setting)
    sentences, names = _module("findings"), _names(setting)
    title = _settings().SETTINGS[setting].title
    head = sentences.headline(standing, names, title)
    everywhere = sentences.best_everywhere(
        [_standing(setting) for setting in _settings().SETTINGS], names
    )
    others = ""
    if head and everywhere:
        head = f"{head} {everywhere}"
        listed = [
            f"{of.title} ({_standing(other).basis})"
            for other, of in _settings().SETTINGS.items()
            if other != setting
        ]
        others = f" The other settings are: {', and '.join(listed)}."
    # The headline is bold, and nothing else.
    found = [sentence.replace("**", "") for sentence in sentences.findings(standing, names)]
    body = (
        f"In the arena {len(standing.ranked)} rules (the defences and the plain average) meet the "
        f"same {len(standing.columns.counted)} attacks. {found[0]} (The setting: {title}. "
        f"The runs: {standing.basis}.){others} Most of the rules were written without the text of "
        "their own paper. The catalogue says what each of them follows, and how it differs."
    )
    return folded(Headed(head, body) if head else body, "Arena", "arena.html", "The arena")


@page_mark("arena_basis:SETTING")
def basis(page: Page, setting: str) -> str:
    """Say what the ranks of a setting rest on, and which rules have no rank yet."""
    standing = _standing(setting)
    columns = standing.columns
    wanted = len(standing.rows) * (1 + len(columns.attacks))
    stored = sum(len(row.results) for row in standing.rows)
    if not stored:
        return f"None of the {wanted} bouts is stored yet."
    text = f"{stored} of {wanted} bouts are stored ({standing.basis})."
    if not columns.counted:
        return text + " No rule has a rank yet, because no attack has met enough rules."
    called = _names(setting)
    waiting = [called.attack(name) for name in columns.attacks if name in columns.waiting]
    if waiting:
        does, them = ("does", "it") if len(waiting) == 1 else ("do", "them")
        text += (
            f" {len(waiting)} of the attacks {does} not count yet, because too few rules have met "
            f"{them}: {', '.join(waiting)}."
        )
    if not columns.enough:
        return f"{text} {_too_few(columns)}"
    unranked = [row for row in standing.rows if row.rank is None]
    reasons = (
        ("some attack that counts is missing", [row for row in unranked if not row.seeds]),
        (
            "an attack that does not count yet leaves less accuracy than all others",
            [row for row in unranked if row.seeds],
        ),
    )
    for reason, rows in reasons:
        if rows:
            named = ", ".join(called.rule(row.name) for row in rows)
            has = "has" if len(rows) == 1 else "have"
            text += (
                f" {len(rows)} of the {plural(len(standing.rows), 'rule')} {has} no rank yet, "
                f"because {reason}: {named}."
            )
    return text


@page_mark("arena_ranks:SETTING")
def ranks(page: Page, setting: str) -> str:
    """Return the table of ranks of a setting, or nothing if no rule has a rank."""
    grid = _module(f"{SLUG}.grid")
    standing = _standing(setting)
    if not standing.ranked:
        return ""
    rules = {row.name: grid.rule_of(row.name, 0) for row in standing.rows}
    reads = _costs(page, rules)
    more = {
        "needs": {name: _needs(rule) for name, rule in rules.items()},
        "most f of 25": {name: str(grid.most_byzantine(name)) for name in rules},
        "cost, reads": {name: f"{reads[name]:.1f}" for name in rules if name in reads},
    }
    return raw_html(_module("board").ranks_table(standing, _names(setting), more))


@page_mark("arena_bouts:SETTING")
def bouts(page: Page, setting: str) -> str:
    """Return the table of all bouts of a setting."""
    return raw_html(_module("board").bouts_table(_standing(setting), _names(setting)))


def _quick() -> Any:
    """Return the ranks by the short runs, which are on generated data."""
    standings = _module(f"{SLUG}.standings")
    # Short runs have the first seed. Some have more, which tell how far seeds are apart.
    return standings.standing_in(_main_setting(), opened(SLUG), (False, "quick"), seeds=[1])


@page_mark("arena_answer:RULE")
def answer(page: Page, rule: str) -> str:
    """Return what the command ``rank --quick`` says of a rule whose short runs are stored."""
    said: str = _module("answers").of_rule(_quick(), rule, _names(_main_setting()))
    return f"> {said}"


@page_mark("arena_quick")
def quick(page: Page) -> str:
    """Say how far the order by the short runs is that by the full ones."""
    setting, of_quick = _main_setting(), _quick()
    short, full = ({row.name: row for row in s.ranked} for s in (of_quick, _standing(setting)))
    both = sorted(short.keys() & full.keys())
    if len(both) < 3:
        return "Too few rules have short and full runs to compare their order."
    places = [
        {name: place for place, name in enumerate(filter(both.__contains__, rows), 1)}
        for rows in (short, full)
    ]
    moved = max(both, key=lambda name: abs(places[0][name] - places[1][name]))
    n = len(both)
    apart = sum((places[0][name] - places[1][name]) ** 2 for name in both)
    ordinal, called = _module("answers").ordinal, _names(setting)
    first = of_quick.ranked[0]
    noise = of_quick.noise.of(first.results[first.worst[0]])
    said = (
        f"The standard deviation between seeds is {noise.sd:.1f} points. So short runs tell which "
        "rules break, and hardly which of the others is better. "
        if noise
        else ""
    )
    return said + (
        f"By the worst cases of the {n} rules that have both, the order of the short runs and that "
        f"of the full ones have a rank correlation of {1 - 6 * apart / (n * (n * n - 1)):.2f} (1 "
        f"is the same order). The rule that moves farthest is {called.rule(moved)}: it is "
        f"{ordinal(places[0][moved])} by short runs and {ordinal(places[1][moved])} by full ones."
    )


@page_mark("arena_minutes")
def minutes(page: Page) -> str:
    """Say how long the full protocol takes for one rule, from the stored runs."""
    took = sorted(
        sum(
            record["provenance"]["wall_time_s"]
            for result in row.results.values()
            for record in result.records
        )
        / (60 * len(row.seeds))
        for row in _standing(_main_setting()).ranked
    )
    if not took:
        return "No rule has all its bouts stored."
    return (
        f"Its bouts took between {took[0]:.0f} and {took[-1]:.0f} minutes for each seed, and "
        f"at most {took[len(took) // 2]:.0f} minutes for half of the rules"
    )


@page_mark("arena_left_out")
def left_out(page: Page) -> str:
    """Return a table of the rules and attacks that do not play, with the reasons."""
    settings = _settings()
    rows = [
        (kind, f"`{name}`", escaped(reason))
        for kind, reasons in (
            ("rule", settings.RULES_LEFT_OUT),
            ("attack", settings.ATTACKS_LEFT_OUT),
        )
        for name, reason in reasons.items()
        if name != settings.CLEAN
    ]
    return table(("", "name", "why it does not play"), rows)


def _needs(rule: Any) -> str:
    """Say what a rule needs beside the updates, and whether it remembers clients."""
    needs = [name.replace("_", " ") for name in sorted(rule.needs)]
    if rule.knows_clients:
        needs.append("memory of clients")
    if rule.uses_n_byzantine:
        needs.insert(0, "f")
    return ", ".join(needs) or "nothing"


def _costs(page: Page, rules: dict[str, Any]) -> dict[str, float]:
    found: dict[str, float] = _module("board").costs(
        page.benchmark(CPU_FILE), {name: rule.name for name, rule in rules.items()}
    )
    return found


@page_figure("arena_findings", "arena_heat_map.svg")
def heat_map(page: Page, path: Path) -> None:
    """Draw the heat map of the first setting."""
    setting = _main_setting()
    names = _names(setting)
    figure = _module("pictures").heat_map(_standing(setting), names.rule, names.attack)
    figure.save(path)


@page_figure("arena_findings", "arena_price.svg")
def price(page: Page, path: Path) -> None:
    """Draw the worst case against the clean accuracy and the cost, in the first setting."""
    setting = _main_setting()
    grid, standing = _module(f"{SLUG}.grid"), _standing(setting)
    cost = _costs(page, {row.name: grid.rule_of(row.name, 0) for row in standing.rows})
    figure = _module("pictures").price(
        standing, cost, _names(setting).rule, "cost of the rule, in reads of the updates"
    )
    figure.save(path)


@page_figure("arena_findings", "datatables.js")
def datatables(page: Page, path: Path) -> None:
    """Write DataTables, which the package itables brings, as a script that needs no network.

    A browser does not load a module from a folder on the disk, so the module stands in the script.

    Raises
    ------
    ConfigError
        If itables is not installed.
    """
    try:
        folder = resources.files("itables") / "html"
    except ModuleNotFoundError as error:
        raise ConfigError(
            "the arena's tables need the package itables: pip install 'fedlib[book]'."
        ) from error
    script, style = (
        base64.b64encode((folder / f"dt_bundle.{kind}").read_bytes()).decode("ascii")
        for kind in ("js", "css")
    )
    path.write_text(_LOADER.format(script=script, style=style), encoding="utf-8")


_LOADER = """(() => {{
  const decoded = (text) => new TextDecoder().decode(
    Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
  const style = document.createElement("style");
  style.textContent = decoded("{style}");
  document.head.append(style);
  const address = URL.createObjectURL(
    new Blob([decoded("{script}")], {{type: "text/javascript"}}));
  window.fedlibDataTables = import(address).then((module) => module.default);
}})();
"""
