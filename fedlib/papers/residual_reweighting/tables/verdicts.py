"""The table of the claims, and those of what the choices change."""

from __future__ import annotations

from dataclasses import replace

from fedlib.evidence import claims
from fedlib.evidence.claims import ClaimsTable, PrintedNumber
from fedlib.evidence.report import Archive, Table
from fedlib.papers.residual_reweighting.choices import VARIANTS
from fedlib.papers.residual_reweighting.claims import CLAIMS
from fedlib.papers.residual_reweighting.claims.measures import success
from fedlib.papers.residual_reweighting.keys import (
    IMAGES,
    RULE_TITLES,
    TRIGGERED,
    Comparison,
    ImageBackdoor,
    LoanBackdoor,
    Unattacked,
    every,
    parse,
)
from fedlib.papers.residual_reweighting.tables.cells import published
from fedlib.validation import ConfigError

_ATTACKS = {"naive": "naive backdoor", "replacement": "model replacement"}
_SETTINGS = {
    "figure_3": "MNIST, label flips (Figure 3), {} attackers",
    "table_2": "reviews, label flips (Table 2), {} attackers",
    "table_4": "MNIST, noise of deviation {}",
}


# What an attack's success is in the paper's data without any attack, in %: the share of the target
# class among the images, which count too. Loans of that class, one in a thousand, print as none.
_FLOORS_IN_PRINT = {"mnist": 10.32, "resnet": 10.32, "cifar10": 10.0, "loan": 0.0}


def claims_table(archive: Archive) -> ClaimsTable:
    """Each claim with its statistic, what it needs to be, and the verdict.

    The paper prints no success without an attack. In its place the column of the printed numbers
    takes the share of the target class.
    """
    values = {
        key: PrintedNumber(value.value, value.spread or 0.0) for key, value in published().items()
    }
    for place, floor in _FLOORS_IN_PRINT.items():
        for cell in every(Unattacked, place, RULE_TITLES):
            values[cell, "attack_success"] = PrintedNumber(floor)
    return claims.claims_table(archive, CLAIMS, lambda cell, quantity: values.get((cell, quantity)))


def where(cell: str) -> str:
    """A cell's key in words: ``MNIST, label flips (Figure 3), 10 attackers, reweighting``.

    Raises
    ------
    ConfigError
        If the key is of a kind that no choice is shown on.
    """
    match parse(cell):
        case Comparison(item, setting, rule) if item in _SETTINGS:
            shown = _SETTINGS[item].format(setting)
        case ImageBackdoor(data, approach, rule):
            shown = f"{IMAGES[data]}, {_ATTACKS[approach]}"
        case LoanBackdoor(approach, rule):
            shown = f"loans, {_ATTACKS[approach]}"
        case Unattacked(place, rule):
            shown = f"{TRIGGERED[place]}, no attack"
        case _:
            raise ConfigError(f"cell={cell!r} is not one that choices are shown on.")
    return f"{shown}, {RULE_TITLES[rule]}"


def variants_table(archive: Archive) -> Table:
    """What each choice changes: accuracy as used and taken the other way, at a shared scale."""
    return claims.variants_table(archive, VARIANTS, where, "What the choices change")


def success_variants_table(archive: Archive) -> Table:
    """What each choice changes of the attack's success, where the attack has a goal of its own."""
    shown = [replace(v, cells=tuple(filter(_has_goal, v.cells))) for v in VARIANTS]
    caption = "What the choices change of the attack's success"
    table = claims.variants_table(archive, shown, where, caption, success)
    return replace(table, header=tuple(h.replace("accuracy", "success") for h in table.header))


def _has_goal(cell: str) -> bool:
    """Whether the success of an attack is measured in a cell."""
    match parse(cell):
        case ImageBackdoor() | LoanBackdoor() | Unattacked():
            return True
        case Comparison(item, setting, _):
            return item == "figure_3" and setting != "0"
    return False
