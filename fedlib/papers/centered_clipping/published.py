"""The numbers that the paper prints, by the keys of the cells that they are compared with."""

from __future__ import annotations

from functools import cache

from fedlib.evidence.claims import PrintedNumber
from fedlib.evidence.published import PublishedValue, load_published
from fedlib.evidence.statistics import margin
from fedlib.papers.centered_clipping.keys import Key, cosines, table_iv

SLUG = "centered_clipping"
_RECORDED_AS = {
    "cosine_consecutive_perturbations": "cosine_consecutive_perturbations",
    "cosine_to_reference_benign": "cosine_benign_to_last_aggregate",
    "cosine_to_reference_byzantine": "cosine_byzantine_to_last_aggregate",
}
"""What a record calls the quantities of Tables II and III."""


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
    """The number that the paper prints for a quantity of a cell; None if it prints none."""
    key = Key.parse(cell)
    if quantity == "test_accuracy":
        value = published_accuracies().get(key)
        return None if value is None else PrintedNumber(value.value, value.spread or 0.0)
    cosine = published_cosines().get((key, quantity))
    return None if cosine is None else PrintedNumber(cosine)


def margin_of_cost(setting: str, rule: str, momentum: float) -> float:
    """How well the cost of ROP is known: the margin of its cell in Table IV, in points."""
    return margin(published_accuracies()[table_iv(setting, "rop", rule, momentum)].spread)


# What the claims are about, whatever else the grid comes to have.
ATTACKS_IV = tuple(dict.fromkeys(key.attack for key in published_accuracies()))
"""The attacks of Table IV, ROP first and ALIE second."""
ALL_BUT_ROP = ATTACKS_IV[1:]
RULES_IV = tuple(dict.fromkeys(key.rule for key in published_accuracies()))
"""The rules of Table IV."""
