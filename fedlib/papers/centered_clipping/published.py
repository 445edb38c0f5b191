"""The numbers that the paper prints, by the keys of the cells that they are compared with."""

from __future__ import annotations

from functools import cache

from fedlib.evidence.claims import PrintedNumber, Range, stated
from fedlib.evidence.published import PublishedValue, load_published
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.centered_clipping.keys import (
    COSINES,
    TABLE_IV,
    TEN_EPOCHS,
    Key,
    cosines,
    table_iv,
)

SLUG = "centered_clipping"
_RECORDED_AS = {
    "cosine_consecutive_perturbations": "cosine_consecutive_perturbations",
    "cosine_to_reference_benign": "cosine_benign_to_last_aggregate",
    "cosine_to_reference_byzantine": "cosine_byzantine_to_last_aggregate",
}
"""What a record calls the quantities of Tables II and III."""
BEST_ACCURACY = "best_accuracy"
"""The highest accuracy at any evaluation of a run, of which Table IV sets bounds."""


@cache
def published_accuracies() -> dict[Key, PublishedValue]:
    """Table IV: accuracies in percent."""
    return {
        table_iv(value.setting, value.attack, value.aggregator, value.momentum or 0.0): value
        for value in load_published(SLUG, "table_iv")
    }


@cache
def published_cosines() -> dict[tuple[Key, str], float]:
    """Tables II and III, by key and by the name that the quantity has in a record."""
    # Table II does not say under which rule; ours are under the trimmed mean.
    return {
        (
            cosines(value.setting, value.attack, value.aggregator or "tm", value.momentum or 0.0),
            _RECORDED_AS[value.quantity],
        ): value.value
        for item in ("table_ii", "table_iii")
        for value in load_published(SLUG, item)
    }


def printed(cell: str, quantity: str) -> PrintedNumber | None:
    """Return the number that the paper prints for a quantity of a cell, or None.

    Of an accuracy without attack, which it does not print, the bounds are returned, and so they are
    of the best accuracy during a run: it is no lower than the last one, and taken to be no higher
    than that without attack. Of a short run the numbers of the whole run are returned, because
    claims about short runs are judged in print by these.
    """
    if cell.startswith("variants/"):
        return None
    key = Key.parse(cell)
    if key.item == TEN_EPOCHS:
        key = key._replace(item=TABLE_IV if quantity == "test_accuracy" else COSINES)
    if quantity == BEST_ACCURACY:
        last = printed(cell, "test_accuracy")
        if last is None or last.least is not None:
            return last
        highest = bounds_without_attack(key.without_attack()).value
        return PrintedNumber(highest, last.spread, least=last.value)
    if quantity == "test_accuracy":
        if key.attack == "none" and key.item == TABLE_IV:
            return bounds_without_attack(key)
        value = published_accuracies().get(key)
        return None if value is None else PrintedNumber(value.value, value.spread or 0.0)
    cosine = published_cosines().get((key, quantity))
    return None if cosine is None else PrintedNumber(cosine)


def bounds_without_attack(key: Key) -> PrintedNumber:
    """Return what Table IV says of an accuracy without attack, in percent.

    It is at most 2 points higher than the highest accuracy of its setting under any attack and
    rule, and at most 2 points lower than the highest one of its own rule and momentum.

    Parameters
    ----------
    key
        The cell without attack.
    """
    setting = {k: v.value for k, v in published_accuracies().items() if k.setting == key.setting}
    same = [v for k, v in setting.items() if (k.rule, k.momentum) == (key.rule, key.momentum)]
    highest = min(100.0, max(setting.values()) + MARGIN)
    return PrintedNumber(highest, least=max(same) - MARGIN)


def range_of_cost(
    setting: str, rule: str, momentum: float, least: float, most: float | None = None
) -> Range:
    """Return the range of the costs of ROP, in points, that meet what the text states.

    Parameters
    ----------
    setting, rule, momentum
        The cell of Table IV under ROP whose spread decides the margin.
    least, most
        The stated cost, or the ends of the stated costs.
    """
    spread = published_accuracies()[table_iv(setting, "rop", rule, momentum)].spread
    return stated(least, spread, most)


def hurt_most(setting: str, momentum: float) -> str:
    """Return the rule that ROP leaves the least accuracy in Table IV."""
    left = {rule: published_accuracies()[table_iv(setting, "rop", rule, momentum)].value
            for rule in RULES_IV}  # fmt: skip
    return min(left, key=left.__getitem__)


# What the claims are about, whatever else the grid comes to have.
ATTACKS_IV = tuple(dict.fromkeys(key.attack for key in published_accuracies()))
"""The attacks of Table IV, ROP first and ALIE second."""
ALL_BUT_ROP = ATTACKS_IV[1:]
RULES_IV = tuple(dict.fromkeys(key.rule for key in published_accuracies()))
"""The rules of Table IV."""
