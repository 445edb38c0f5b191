"""How many test samples of each class the data sets have: floors for accuracy and success."""

from __future__ import annotations

import csv
import math
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from fedlib.data import DataConfig, DataError, load_dataset


class ClassCounts(NamedTuple):
    """How many test samples of each class a data set has: its name, label and counts."""

    name: str
    data: str
    counts: tuple[int, ...]

    def share(self, label: int) -> float:
        """Share of one class among the test samples in %."""
        return 100 * self.counts[label] / sum(self.counts)

    def largest_share(self) -> float:
        """Share of the largest class among the test samples in %."""
        return 100 * max(self.counts) / sum(self.counts)


@cache
def stored_counts() -> dict[str, ClassCounts]:
    """The counts of the data that the stored runs are on, by the data's checksum.

    They are stored so that the floors of these runs need no data at hand.
    """
    path = resources.files("fedlib.papers") / "residual_reweighting" / "test_classes.csv"
    with path.open(encoding="utf-8") as file:
        return {
            row["checksum"]: ClassCounts(
                row["name"], row["data"], tuple(map(int, row["counts"].split()))
            )
            for row in csv.DictReader(file)
        }


@cache
def counts_of(data: DataConfig) -> ClassCounts:
    """The counts of a data set that is at hand.

    Raises
    ------
    DataError
        If it is not.
    """
    dataset = load_dataset(data)
    return ClassCounts(data.name, dataset.label, tuple(dataset.y_test.bincount().tolist()))


def majority(record: dict[str, Any]) -> float:
    """Share of a run's largest class among its test samples in %; NaN where nobody knows it.

    Parameters
    ----------
    record
        The run as it is stored.
    """
    data = DataConfig(**record["config"]["data"])
    counts = stored_counts().get(record["provenance"].get("data_checksum", ""))
    if counts is None or data.test_samples is not None:
        try:
            counts = counts_of(data)
        except DataError:
            return math.nan
    return counts.largest_share()
