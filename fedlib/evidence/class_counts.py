"""How many test samples of each class the data sets have.

These numbers give the floors of accuracy and success, and the error of a finite test set.
"""

from __future__ import annotations

import csv
import math
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

from fedlib.data import AbsentDataError, DataConfig, load_dataset
from fedlib.data.catalogue import DATASETS

_USUAL_TEST_SIZE = 10_000


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
    path = resources.files("fedlib.evidence") / "test_classes.csv"
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
    AbsentDataError
        If it is not at hand.
    DataError
        If its files are damaged or cannot be read.
    """
    dataset = load_dataset(data)
    return ClassCounts(data.name, dataset.label, tuple(dataset.y_test.bincount().tolist()))


def test_size(record: dict[str, Any]) -> int | None:
    """Return the number of test samples of a run, or None if nobody knows it.

    Parameters
    ----------
    record
        The run as it is stored.
    """
    asked = record["config"]["data"]["test_samples"]
    if asked is not None:
        return int(asked)
    counts = stored_counts().get(record["provenance"].get("data_checksum", ""))
    return None if counts is None else sum(counts.counts)


def chance_level(record: dict[str, Any]) -> float:
    """Return the largest accuracy in % that still counts as chance.

    A model that has learned nothing is as accurate as the largest class is frequent, or less. Two
    standard errors of the test set are added to that share. Where the shares of the classes are
    not known, all classes count as equally frequent, and the data set as one of 10,000 samples.

    Parameters
    ----------
    record
        The run as it is stored.
    """
    counts = stored_counts().get(record["provenance"].get("data_checksum", ""))
    if counts is None:
        share = 100 / DATASETS[record["config"]["data"]["name"]].n_classes
    else:
        share = counts.largest_share()
    return share + 2 * binomial_error(share, test_size(record) or _USUAL_TEST_SIZE)


def learned_nothing(record: dict[str, Any], *percents: float) -> bool:
    """Return whether accuracies in % may all be those of one model that has learned nothing.

    Where no class has more than half of the test samples, this is every accuracy up to
    :func:`chance_level`. Where one class has more, most accuracies up to its share are those of
    models that have learned something, though it may be false. There it is only an accuracy within
    two standard errors of the share of one class, which is that of a model with one answer to all.

    Parameters
    ----------
    record
        The run as it is stored.
    percents
        The accuracies. If there are several, they must be near the share of the same class.
    """
    counts = stored_counts().get(record["provenance"].get("data_checksum", ""))
    if counts is None or counts.largest_share() <= 50:
        return max(percents) <= chance_level(record)
    size = test_size(record) or sum(counts.counts)
    shares = map(counts.share, range(len(counts.counts)))
    return any(
        all(abs(percent - share) <= 2 * binomial_error(share, size) for percent in percents)
        for share in shares
    )


def binomial_error(percent: float, n_samples: int) -> float:
    """Return the standard error, in points, of a share that is measured on some test samples.

    Parameters
    ----------
    percent
        The share in percent, from 0 to 100.
    n_samples
        The number of test samples.
    """
    return math.sqrt(max(percent * (100 - percent), 0.0) / n_samples)


def majority(record: dict[str, Any]) -> float:
    """Share of a run's largest class among its test samples in %.

    It is NaN where nobody knows it, which is where the data set is neither at hand nor among those
    whose counts are stored.

    Parameters
    ----------
    record
        The run as it is stored.

    Raises
    ------
    DataError
        If the data set is at hand, but its files are damaged or cannot be read.
    """
    data = DataConfig(**record["config"]["data"])
    counts = stored_counts().get(record["provenance"].get("data_checksum", ""))
    if counts is None or data.test_samples is not None:
        try:
            counts = counts_of(data)
        except AbsentDataError:
            return math.nan
    return counts.largest_share()
