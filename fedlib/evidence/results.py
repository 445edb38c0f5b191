"""The stored runs of one cell, and what they are in words."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from fedlib.evidence.statistics import Estimate, estimate
from fedlib.evidence.table import plural
from fedlib.runs import RunConfig
from fedlib.runs.store import SCALES
from fedlib.validation import ConfigError, check_name

LAST = 5
"""So many of the last evaluations say whether a number jumps."""


def seeds_in_words(scale: str, seeds: int | str, real: bool = True) -> str:
    """Say on how many seeds a number rests: ``3 seeds``, or ``quick, 1 seed``.

    The paper's scale is not named. Beside a published number its name would be taken for the
    paper's own.

    Parameters
    ----------
    scale
        The scale of the runs.
    seeds
        The number of seeds, or several numbers as a text, such as ``1–3``.
    real
        Whether the data are real.
    """
    count = plural(seeds, "seed") if isinstance(seeds, int) else f"{seeds} seeds"
    smaller = "" if scale == "paper" else f"{scale}, "
    return f"{smaller}{'' if real else 'generated, '}{count}"


@dataclass(frozen=True)
class CellResult:
    """The stored runs of one cell at one scale and on one data set, a record for each seed.

    Attributes
    ----------
    key
        The cell.
    scale
        The scale of the runs.
    data
        The data set, in words for a caption.
    real
        Whether the data set is real, and not generated in its place.
    canonical
        Whether the files of a real data set are the original ones, or so near to them that they
        count as such.
    records
        The records as they are stored.
    caveat
        How far the files differ from the original ones although they count as such. It is empty
        for the original ones.
    reduced
        What the runs have less of than the protocol of their scale, in words. It is empty for runs
        by the protocol.
    """

    key: str
    scale: str
    data: str
    real: bool
    canonical: bool
    records: tuple[dict[str, Any], ...]
    caveat: str = ""
    reduced: str = ""

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration of the first record with all fields of today.

        An older record lacks fields that were added after it. They have their defaults here.
        """
        return RunConfig.from_dict(self.records[0]["config"], check=False).to_dict()

    @property
    def protocol(self) -> str:
        """The scale of the runs, with what they have less of: ``paper, 10 of 100 epochs``."""
        return f"{self.scale}, {self.reduced}" if self.reduced else self.scale

    @property
    def seeds(self) -> list[int]:
        """The seeds of the records."""
        return [record["seed"] for record in self.records]

    @property
    def accuracy(self) -> Estimate:
        """The test accuracy after the last round, in percent."""
        return self.final("test_accuracy")

    @property
    def rank(self) -> tuple[bool, int, bool]:
        """How good the runs are: on real data, of a large scale, and by its protocol."""
        return self.real, SCALES.index(self.scale), not self.reduced

    def shown(self, unstable: bool = False) -> str:
        """Return the accuracy in percent as text: ``88.12 ± 0.31``, or all values if unstable.

        Parameters
        ----------
        unstable
            Whether the seeds disagree so far that their mean is a value that no run had.
        """
        found = self.accuracy
        if unstable:
            values = [self.of_seed(seed).accuracy.mean for seed in self.seeds]
            return ", ".join(f"{value:.2f}" for value in values)
        spread = "" if found.spread is None else f" ± {found.spread:.2f}"
        return f"{found.mean:.2f}{spread}"

    def final(self, quantity: str) -> Estimate:
        """Return a share as it was after the last round, in percent over the seeds.

        Parameters
        ----------
        quantity
            The name of a recorded quantity that is a share, such as ``test_accuracy``.
        """
        _, curves = self.curve(quantity)
        return estimate([100 * curve[-1] for curve in curves])

    def has(self, quantity: str) -> bool:
        """Whether every record has the quantity."""
        return all(quantity in record["metrics"] for record in self.records)

    def mean_of(self, quantity: str) -> Estimate:
        """Return the mean of a quantity over the run, over the seeds.

        Rounds in which the quantity is not known are left out. The mean is NaN if it is not known
        in any round of a run.
        """
        _, curves = self.curve(quantity)
        known = [[value for value in curve if not math.isnan(value)] for curve in curves]
        return estimate([sum(curve) / len(curve) if curve else math.nan for curve in known])

    def of_seed(self, seed: int) -> CellResult:
        """Return the run of one seed alone.

        Raises
        ------
        ConfigError
            If there is no run of this seed.
        """
        return self.of_seeds((seed,))

    def of_seeds(self, seeds: Collection[int]) -> CellResult:
        """Return the runs of some seeds alone.

        Parameters
        ----------
        seeds
            The seeds.

        Raises
        ------
        ConfigError
            If there is no run of one of them.
        """
        for seed in seeds:
            if seed not in self.seeds:
                known = ", ".join(map(str, self.seeds))
                raise ConfigError(
                    f"seed={seed!r} of {self.key} is not stored; the seeds are: {known}."
                )
        held = tuple(record for record in self.records if record["seed"] in seeds)
        return replace(self, records=held)

    @property
    def comparable(self) -> bool:
        """Whether the runs are those of the paper, by its protocol and on its data."""
        return self.scale == "paper" and not self.reduced and self.real and self.canonical

    def curve(self, quantity: str = "test_accuracy") -> tuple[list[int], list[list[float]]]:
        """Return a quantity over the run.

        Parameters
        ----------
        quantity
            The name of a recorded quantity.

        Returns
        -------
        rounds
            The rounds at which the quantity was recorded.
        curves
            For every seed the quantity at each of the rounds. It is NaN where it is not known, as
            an attack's success is where no test sample can show it.

        Raises
        ------
        ConfigError
            If a record does not have the quantity.
        """
        rounds = list(self.records[0]["metrics"]["rounds"])
        unknown = {"attack_success": [None] * len(rounds)}
        curves = []
        for record in self.records:
            held = {**unknown, **record["metrics"]}
            values = held[check_name("quantity", quantity, held)]
            curves.append([math.nan if value is None else value for value in values])
        return rounds, curves

    def last_values(self, quantity: str = "test_accuracy", most: int = LAST) -> list[list[float]]:
        """Return what the last evaluations of every seed gave.

        Parameters
        ----------
        quantity
            The name of a recorded quantity.
        most
            The number of evaluations. Those in the first half of the run do not count, so that
            there may be fewer.
        """
        rounds, curves = self.curve(quantity)
        late = sum(number > rounds[-1] / 2 for number in rounds)
        return [curve[-min(most, late) :] for curve in curves]


def basis_of(results: Sequence[CellResult]) -> str:
    """Name the scales, data and seeds of some results: ``quick scale, MNIST, 2 seeds``."""
    if not results:
        return "nothing stored"
    scales = sorted(
        {f"{result.scale} scale" + (f", {result.reduced}" if result.reduced else "")
         for result in results}
    )  # fmt: skip
    data = sorted({result.data for result in results})
    return ", ".join([*scales, *data, range_of([len(result.seeds) for result in results])])


def data_named(names: Iterable[str]) -> str:
    """Name data sets for a caption: ``CIFAR-10 and MNIST``."""
    return " and ".join(sorted(set(names))) or "nothing stored"


def range_of(counts: Sequence[int]) -> str:
    """Name the least and the greatest number of seeds: ``1 to 3 seeds``."""
    least, most = min(counts), max(counts)
    return plural(most, "seed") if least == most else f"{least} to {most} seeds"
