"""The claims with their verdicts, what choices change, and what explains the differences."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from fedlib.evidence import apart_tables, claims
from fedlib.evidence.apart_tables import Compared
from fedlib.evidence.claims import ClaimsTable, PrintedNumber
from fedlib.evidence.report import Archive, Note, Table
from fedlib.grids import Variant
from fedlib.papers.residual_reweighting.authors_code import CODE, SINGLE_CHOICES
from fedlib.papers.residual_reweighting.choices import VARIANTS
from fedlib.papers.residual_reweighting.claims import CLAIMS
from fedlib.papers.residual_reweighting.claims.measures import success
from fedlib.papers.residual_reweighting.keys import (
    ALTERNATIVES,
    IMAGES,
    RULE_TITLES,
    SPLITS,
    TRIGGERED,
    Comparison,
    ImageBackdoor,
    LoanBackdoor,
    Mixing,
    Search,
    Unattacked,
    every,
    parse,
)
from fedlib.papers.residual_reweighting.tables.cells import published
from fedlib.validation import ConfigError

_ATTACKS = {"naive": "naive backdoor", "replacement": "model replacement"}
_TITLES = {False: "Accuracy", True: "Success of the attacks"}
_GROUPS = {**SPLITS, **ALTERNATIVES}
_SETTINGS = {
    "table_1": "CIFAR-10, label flips (Table 1), {} attackers",
    "figure_3": "MNIST, label flips (Figure 3), {} attackers",
    "table_2": "reviews, label flips (Table 2), {} attackers",
    "table_4": "MNIST, noise of deviation {}",
}

_CHOICES = (*VARIANTS, *SINGLE_CHOICES)

# The success in % that an attack has in the paper's data if nobody attacks. Images of the target
# class count as successes, so on images it is the share of this class. Loans of the target class
# are left out: the paper prints 0.00 %, though one loan in a thousand is of that class.
_FLOORS_IN_PRINT = {"mnist": 10.32, "resnet": 10.32, "cifar10": 10.0, "loan": 0.0}


@cache
def _printed_numbers() -> dict[tuple[str, str], PrintedNumber]:
    """The numbers that the paper prints, by cell and quantity."""
    return {
        key: PrintedNumber(value.value, value.spread or 0.0) for key, value in published().items()
    }


def printed(cell: str, quantity: str) -> PrintedNumber | None:
    """The number that the paper prints for a quantity of a cell, or None."""
    return _printed_numbers().get((cell, quantity))


def claims_table(archive: Archive) -> ClaimsTable:
    """Each claim with its statistic, what it needs to be, and the verdict.

    The paper prints no success without an attack. In its place the column of the printed numbers
    takes the share of the target class.
    """
    floors = {
        (cell, "attack_success"): PrintedNumber(floor)
        for place, floor in _FLOORS_IN_PRINT.items()
        for cell in every(Unattacked, place, RULE_TITLES)
    }
    return claims.claims_table(
        archive,
        CLAIMS,
        lambda cell, quantity: floors.get((cell, quantity)) or printed(cell, quantity),
    )


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
        case Search(item, group, lam, delta, attackers):
            title = item.replace("_", " ").capitalize()
            return f"{title}, {_GROUPS[group]}, λ = {lam}, δ = {delta}, {attackers} attackers"
        case Mixing(rate):
            return f"reviews, mixed parameters (Table 8), rate {rate}"
        case _:
            raise ConfigError(f"cell={cell!r} is not one that choices are shown on.")
    return f"{shown}, {RULE_TITLES[rule]}"


def variants_table(archive: Archive) -> Table:
    """What each choice changes: accuracy as used and taken the other way, at a shared scale."""
    return claims.variants_table(archive, _CHOICES, where, "What the choices change")


def success_variants_table(archive: Archive) -> Table:
    """What each choice changes of the attack's success, where the attack has a goal of its own."""
    shown = [replace(v, cells=tuple(filter(_has_goal, v.cells))) for v in _CHOICES]
    caption = "How the choices change the success of the attack"
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


def farthest_table(archive: Archive, success: bool = False) -> Table | Note:
    """The cells that are farthest from the printed numbers, and which choices explain it.

    Parameters
    ----------
    archive
        The stored runs.
    success
        Whether the success of attacks is compared, or the accuracy.
    """
    choices = (*_CHOICES, CODE)
    return apart_tables.farthest_table(
        _compared(archive, success), choices, where, _TITLES[success]
    )


def compared(archive: Archive) -> list[tuple[Compared, tuple[Variant, ...]]]:
    """Return what is compared with the printed numbers, and the choices that may explain it."""
    return [(_compared(archive, success), (*_CHOICES, CODE)) for success in (False, True)]


def recovery_by_code(archive: Archive, success: bool = False) -> Note:
    """How much of what is printed the choices of the authors' code give together.

    Parameters
    ----------
    archive, success
        As for :func:`farthest_table`.
    """
    return apart_tables.recovery(_compared(archive, success), CODE, _TITLES[success])


def _compared(archive: Archive, success: bool) -> Compared:
    """The printed numbers with the stored runs, and the cells without an attack beside them."""
    cells = tuple(dict.fromkeys(cell for cell, _ in published()))
    quantity = "attack_success" if success else "test_accuracy"
    return Compared(archive, printed, cells, quantity, _unattacked if success else _no_cell)


def _no_cell(cell: str) -> None:
    """No cell: an accuracy needs none beside it."""


def _unattacked(cell: str) -> str | None:
    """The cell without attackers that is judged on the samples of a cell's backdoor."""
    match parse(cell):
        case ImageBackdoor(data, _, rule):
            return str(Unattacked(data, rule))
        case LoanBackdoor(_, rule):
            return str(Unattacked("loan", rule))
    return None
