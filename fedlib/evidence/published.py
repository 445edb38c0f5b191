"""The numbers that the papers publish, as data: ``fedlib/papers/<slug>/published.csv``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class PublishedValue:
    """One published number and where it stands.

    Attributes
    ----------
    item
        The table that it is from, such as ``table_iv``, or the data set that sentences of the text
        give numbers for.
    setting
        What the columns of the item differ in. It may be the data set and the partition, such as
        ``cifar10_iid``, a number of attackers, or ``average``.
    attack
        The attack. It is empty if the item has none.
    aggregator
        The aggregation rule. It is empty if the item has only one, or if the paper does not state
        it.
    momentum
        The clients' momentum. It is None if the item has none.
    quantity
        What is measured, such as ``test_accuracy``.
    value
        The number.
    spread
        What the paper prints after the ±. It is None if the paper prints nothing there.
    unit
        The unit of value and spread, such as ``percent``.
    """

    item: str
    setting: str
    attack: str
    aggregator: str
    momentum: float | None
    quantity: str
    value: float
    spread: float | None
    unit: str


def load_published(slug: str, item: str | None = None) -> list[PublishedValue]:
    """Return the published values of a paper.

    Parameters
    ----------
    slug
        The paper's short name, one of :func:`published_slugs`.
    item
        A table of the paper. None takes the values of all tables.

    Raises
    ------
    ValueError
        If there is no such paper or no such item.
    """
    slugs = published_slugs()
    if slug not in slugs:
        raise ValueError(f"no published values for {slug!r}; there are: {', '.join(slugs)}")
    path = resources.files("fedlib.papers") / slug / "published.csv"
    with path.open(encoding="utf-8") as file:
        values = [_from_record(record) for record in csv.DictReader(file)]
    if item is None:
        return values
    items = sorted({value.item for value in values})
    if item not in items:
        raise ValueError(f"{slug} has no item {item!r}; there are: {', '.join(items)}")
    return [value for value in values if value.item == item]


def published_slugs() -> list[str]:
    """Return the short names of the papers whose published values are stored."""
    papers = resources.files("fedlib.papers").iterdir()
    return sorted(paper.name for paper in papers if (paper / "published.csv").is_file())


def _from_record(record: dict[str, str]) -> PublishedValue:
    """Return the value that one line of the CSV file holds."""
    return PublishedValue(
        item=record["item"],
        setting=record["setting"],
        attack=record["attack"],
        aggregator=record["aggregator"],
        momentum=_optional_float(record["momentum"]),
        quantity=record["quantity"],
        value=float(record["value"]),
        spread=_optional_float(record["spread"]),
        unit=record["unit"],
    )


def _optional_float(text: str) -> float | None:
    """Return the number that a text holds, or None if the text is empty."""
    return float(text) if text else None
