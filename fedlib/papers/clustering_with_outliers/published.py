"""The paper's published numbers by cell."""

from __future__ import annotations

from fedlib.evidence.published import PublishedValue, load_published
from fedlib.papers.clustering_with_outliers.keys import Scenario

WORST = "worst"
"""What stands in a key for an attack where the value is the least of all attacks."""


def published() -> dict[str, PublishedValue]:
    """The tables' values by cell key, those with a spread before Table 1's, which has none."""
    values: dict[str, PublishedValue] = {}
    for value in load_published("clustering_with_outliers"):
        scenario = Scenario.parse(value.setting)
        key = str(scenario.cell(value.attack or WORST, value.aggregator))
        if key not in values or values[key].spread is None:
            values[key] = value
    return values
