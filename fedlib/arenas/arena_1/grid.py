"""Grid of arena-1: every rule of the catalogue under every attack, in three settings.

A rule or an attack that enters the catalogue enters the arena by itself. It has its own defaults,
which are those of its paper, and the number of Byzantine clients of the setting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from typing import Any, TypeVar

import torch

from fedlib.aggregators import AGGREGATORS, Aggregator, make_aggregator
from fedlib.arenas.arena_1.keys import Bout
from fedlib.arenas.arena_1.settings import (
    ATTACKS_LEFT_OUT,
    BATCH_SIZE,
    CLEAN,
    DATA,
    LEARNING_RATE,
    MOMENTUM,
    N_CLIENTS,
    NETWORK,
    ROW_VARIANTS,
    RULES_LEFT_OUT,
    SERVER_SAMPLES,
    SETTINGS,
    TRIGGER,
    VERSION,
    attack_parameters,
)
from fedlib.attacks import ATTACKS, Attack, make_attack
from fedlib.clients import MomentumSGD
from fedlib.data import DataConfig, make_partition
from fedlib.federation.facts import FACTS
from fedlib.grids import Cell, Grid
from fedlib.grids.protocol import Protocol
from fedlib.runs import RunConfig
from fedlib.validation import ConfigError

SCALES = {
    "smoke": Protocol(rounds=3, eval_every=3, real=(1_000, 200), embedded=(1_000, 200)),
    "quick": Protocol(rounds=200, eval_every=100, real=(None, 2_000)),
    "paper": Protocol(rounds=1000, eval_every=200),
}


def row_names() -> list[str]:
    """Return the names of all rows: the rules of the catalogue, then their variants."""
    return [*(name for name in AGGREGATORS if name not in RULES_LEFT_OUT), *ROW_VARIANTS]


def column_names() -> list[str]:
    """Return the names of all columns: the clean runs first, then the attacks."""
    return [CLEAN, *(name for name in ATTACKS if name not in ATTACKS_LEFT_OUT)]


def rule_of(row: str, n_byzantine: int) -> Aggregator | None:
    """Return the rule of a row for a number of Byzantine clients.

    Parameters
    ----------
    row
        One of :func:`row_names`, or the name of any registered rule.
    n_byzantine
        The number of Byzantine clients that the rule is to withstand.

    Returns
    -------
    Aggregator or None
        None if the rule cannot stand so many of 25 clients.
    """
    spec: dict[str, Any] = ROW_VARIANTS.get(row, {"name": row})
    rule = make_aggregator({**spec, "n_byzantine": 0})
    try:
        rule = replace(rule, n_byzantine=n_byzantine)
        rule.check(N_CLIENTS)
    except ConfigError:
        return None
    return rule


def most_byzantine(row: str) -> int:
    """Return the largest number of Byzantine clients, of 25, that the rule of a row accepts."""
    accepted = [f for f in range(N_CLIENTS) if rule_of(row, f) is not None]
    return max(accepted, default=0)


def is_adaptive(name: str) -> bool:
    """Whether an attack knows which rule it faces.

    Parameters
    ----------
    name
        The name of an attack, or ``CLEAN``.
    """
    if name == CLEAN:
        return False
    return "rule" in ATTACKS[name](n_byzantine=1).knows


def is_backdoor(name: str) -> bool:
    """Whether an attack wants a label for samples with a trigger.

    Parameters
    ----------
    name
        The name of an attack, or ``CLEAN``.
    """
    if name == CLEAN:
        return False
    attack: Attack = ATTACKS[name](n_byzantine=1)
    return attack.triggered(torch.zeros(1, 1, 28, 28), torch.zeros(1, dtype=torch.long)) is not None


def config(key: Bout, scale: str, seed: int, data: Callable[[str], DataConfig]) -> RunConfig | None:
    """Return the run of one cell, or None if the rule cannot stand so many Byzantine clients.

    Parameters
    ----------
    key
        The cell's key.
    scale
        One of ``SCALES``.
    seed
        The seed of the run.
    data
        This function maps a data set's name to where it comes from.
    """
    setting, protocol = SETTINGS[key.setting], SCALES[scale]
    rule = rule_of(key.rule, setting.n_byzantine)
    if rule is None:
        return None
    rule = _drawn(rule, seed)
    attackers = 0 if key.attack == CLEAN else setting.n_byzantine
    # The clean runs also measure how often a model that nobody has attacked obeys the trigger.
    name = TRIGGER if key.attack == CLEAN else key.attack
    given = attack_parameters(name, attackers, protocol.rounds) if attackers else {}
    needs_samples = any(FACTS[fact].of_server for fact in rule.needs)
    return RunConfig(
        data=protocol.sized(data(DATA)),
        partition=make_partition(setting.partition),
        model=NETWORK,
        n_clients=N_CLIENTS,
        n_byzantine=attackers,
        client=MomentumSGD(batch_size=BATCH_SIZE, momentum=MOMENTUM),
        aggregator=rule,
        attack=_drawn(make_attack({"name": name, "n_byzantine": attackers, **given}), seed),
        rounds=protocol.rounds,
        learning_rate=LEARNING_RATE,
        eval_every=protocol.eval_every,
        seed=seed,
        server_samples=SERVER_SAMPLES if needs_samples else 0,
    )


P = TypeVar("P", bound=Aggregator | Attack)


def _drawn(part: P, seed: int) -> P:
    """Return a rule or an attack that draws other random numbers in every seed, if it draws any."""
    draws = any(field.name == "seed" for field in fields(part))
    return replace(part, seed=seed - 1) if draws else part  # type: ignore[call-arg]


@cache
def _keys(rows: tuple[str, ...], columns: tuple[str, ...]) -> tuple[Bout, ...]:
    """Return all keys: a setting after the other, and in it a column after the other."""
    return tuple(
        Bout(setting, row, column)
        for setting in SETTINGS
        for column in columns
        for row in rows
        if rule_of(row, SETTINGS[setting].n_byzantine) is not None
    )


def cells(scale: str, seed: int, data: Callable[[str], DataConfig]) -> list[Cell]:
    """Return all cells of one seed in the order to compute them; see :class:`fedlib.grids.Grid`."""
    made = []
    for key in _keys(tuple(row_names()), tuple(column_names())):
        run = config(key, scale, seed, data)
        if run is not None:
            made.append(Cell(str(key), run))
    return made


GRID = Grid(
    slug="arena_1",
    title=f"The arena ({VERSION}): every rule under every attack",
    cells=cells,
    seeds={"smoke": 1, "quick": 1, "paper": 3},
    heading="The arena",
)
