"""What the claims take of a cell's runs in place of the accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable

from fedlib.evidence.claims import Claim, Former, Range, below
from fedlib.evidence.class_counts import majority
from fedlib.evidence.report import CellResult
from fedlib.papers.residual_reweighting.keys import (
    Comparison,
    ImageBackdoor,
    LoanBackdoor,
    ResNetBackdoor,
    Unattacked,
    parse,
)
from fedlib.validation import ConfigError

FAILS = below(10)
"""Points of success above that without attackers that an attack which fails has at most."""
EXCESS = "the success is {:.1f} points [above|below] that without attackers"
_TOO_COMMON = 50.0
"""A success without an attacker in %, above which the success says nothing of an attack."""


def success(result: CellResult) -> float:
    """The attack's final success in %."""
    return result.final("attack_success").mean


def success_lag(result: CellResult) -> float:
    """By how much of the run, in %, 90 % of the final success come after 90 % of the accuracy.

    The lag is NaN for an attack that fails, with a final success of at most 50 %, because such an
    attack has nothing to reach.

    Parameters
    ----------
    result
        One seed's run.
    """
    rounds, (accuracy,) = result.curve("test_accuracy")
    _, (attack_success,) = result.curve("attack_success")
    if not attack_success[-1] > 0.5:
        return math.nan
    return _share_until(rounds, attack_success) - _share_until(rounds, accuracy)


def _share_until(rounds: list[int], curve: list[float]) -> float:
    """Share of the rounds, in %, after which a curve first has 90 % of its last value."""
    return next(
        100 * number / rounds[-1]
        for number, value in zip(rounds, curve, strict=True)
        if value >= 0.9 * curve[-1]
    )


def over_majority(result: CellResult) -> float:
    """Accuracy above that of a model that knows the largest class alone, in points."""
    return result.accuracy.mean - majority(result.records[0])


def highest_success(result: CellResult) -> float:
    """The attack's highest success over the run, in %."""
    _, (curve,) = result.curve("attack_success")
    return 100 * max(curve)


def highest_of_working_model(result: CellResult) -> float:
    """The attack's highest success in %, at the evaluations at which the model works.

    A model works if it has at least half of the best accuracy of its run. A scaled update can
    destroy the model, which then may give all samples the target class, with the trigger and
    without it. This is no backdoor.
    """
    _, (accuracy,) = result.curve("test_accuracy")
    _, (curve,) = result.curve("attack_success")
    least = max(accuracy) / 2
    return 100 * max(value for value, of in zip(curve, accuracy, strict=True) if of >= least)


def _round_above(result: CellResult, percent: float) -> float:
    """The first round whose success is above so many percent, as a number; NaN if there is none."""
    rounds, (curve,) = result.curve("attack_success")
    above = (number for number, value in zip(rounds, curve, strict=True) if 100 * value > percent)
    return float(next(above, math.nan))


def round_of_rise(result: CellResult) -> float:
    """The round in which the success first is above 20 %, twice what it is without an attack.

    It is NaN for an attack that fails, with a final success of at most 50 %.
    """
    return _round_above(result, 20) if success(result) > 50 else math.nan


def round_of_half(result: CellResult) -> float:
    """The round in which the success first is above 50 %; the run's last one if it never is."""
    number = _round_above(result, 50)
    return float(result.curve()[0][-1]) if math.isnan(number) else number


def floor_of(cell: str) -> str:
    """The cell that says how often a cell's attack has its success without any attacker.

    Raises
    ------
    ConfigError
        If the cell's attack has no such cell.
    """
    match parse(cell):
        case ImageBackdoor(data, _, rule):
            return str(Unattacked(data, rule))
        case LoanBackdoor(_, rule):
            return str(Unattacked("loan", rule))
        case ResNetBackdoor(rule):
            return str(Unattacked("resnet", rule))
        case Comparison("figure_3", _, rule):
            return str(Unattacked("flips", rule))
    raise ConfigError(f"cell={cell!r} has no attack whose success without attackers is known.")


def excess_claim(
    place: str,
    text: str,
    cells: tuple[str, ...],
    statistic: Callable[[list[float]], float],
    needed: Range,
    shown: str,
    measure: Callable[[CellResult], float] = success,
    equal: float | None = None,
    sentence: str = "",
    reading: str = "",
    former: Former | None = None,
    of_abstract: bool = False,
    undefended: str = "",
) -> Claim:
    """A claim on the attack's success beyond that of the same rule without any attacker.

    A seed has nothing to judge if its success without an attacker is so high that even an attack
    on all samples could not decide the claim. An attack without success cannot be told from one
    with success either, if more than half of the samples have the target class without an attacker.
    A claim with ``equal`` compares rules. It is judged unless the success is that high without an
    attacker.

    Parameters
    ----------
    place, text, cells, needed, shown, equal, sentence, reading, former, of_abstract
        As for :class:`Claim`; the cells are those under attack.
    statistic
        This function takes the excess of each cell, in points, and returns the number that decides
        the claim.
    measure
        What is taken of a run. The paper prints :func:`success` alone.
    undefended
        The cell of the same attack without a defence, for a claim that rules withstand it. A seed
        has nothing to judge if the attack has no success there either.
    """
    attacks = (*cells, undefended) if undefended else cells

    def of_excess(values: list[float]) -> float:
        attacked, floors = values[: len(cells)], values[len(attacks) :][: len(cells)]
        if undefended and values[len(cells)] - values[-1] in needed:
            return math.nan
        most = statistic([100 - floor for floor in floors])
        # If the success is high without an attack, no attack can add what the claim is about.
        fails, common = needed.high != math.inf, max(floors) > _TOO_COMMON
        void = common if equal is not None else (most in needed) == fails or (fails and common)
        if void:
            return math.nan
        return statistic([a - floor for a, floor in zip(attacked, floors, strict=True)])

    return Claim(
        place,
        text,
        (*attacks, *map(floor_of, attacks)),
        of_excess,
        needed,
        shown,
        measure=measure,
        quantity="attack_success" if measure is success else "",
        equal=equal,
        nothing_means="nothing to measure: the attack does not succeed without a defence, or what "
        "it aims at is frequent without an attacker"
        if undefended
        else "nothing to measure: the success is already high without an attacker",
        sentence=sentence,
        reading=reading,
        former=former,
        of_abstract=of_abstract,
    )
