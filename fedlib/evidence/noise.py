"""How far the seeds of one cell are apart, pooled over the cells that can be compared.

A cell of one or two seeds says nothing of its own spread. The cells of the same data, protocol and
quantity say it together. A cell whose seeds disagree far beyond that spread is *unstable*. It does
not count in the pool, so that a few runs that collapse do not hide what all the others tell.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from fedlib.evidence.class_counts import (
    binomial_error,
    chance_level,
    learned_nothing,
    test_size,
)
from fedlib.evidence.results import CellResult
from fedlib.evidence.statistics import WIDEST_MARGIN

LEAST_FREEDOM = 4
"""The degrees of freedom that a pool needs, so that it is used."""

_STABLE = 0.999
"""A stable cell's seeds stay within the pooled spread with this probability."""


@dataclass(frozen=True)
class Noise:
    """The spread between the seeds of a cell.

    Attributes
    ----------
    sd
        The pooled standard deviation, in the unit of the quantity.
    freedom
        The degrees of freedom that it rests on: of each stable cell its seeds less one.
    unstable
        The keys of the cells that are unstable.
    origin
        Where the pool is from if it is not of the cells' own protocol. It is empty otherwise.
    """

    sd: float
    freedom: int
    unstable: frozenset[str] = frozenset()
    origin: str = ""

    def __str__(self) -> str:
        origin = f", {self.origin}" if self.origin else ""
        return f"noise {self.sd:.2g} ({self.freedom} df{origin})"


def pool(
    groups: Mapping[str, Sequence[float]], errors: Mapping[str, float] | None = None
) -> Noise | None:
    """Pool the spread between seeds over cells.

    The first estimate is the median of the cells' variances, each in units of its own median under
    normal noise. Cells that are unstable by it are left out, and the variances of the others are
    averaged with their degrees of freedom as weights. This is repeated until the same cells are
    left out twice, or until these and further ones would be left out.

    Parameters
    ----------
    groups
        The values of the seeds of each cell, by the cell's key. Cells of a single seed do not
        count.
    errors
        The standard error with which each cell's values can be measured at all. A cell is not
        unstable if its seeds are apart by no more than this explains. A cell that is not named has
        none.

    Returns
    -------
    Noise or None
        None if no cell has two seeds.
    """
    variances = {key: statistics.variance(v) for key, v in groups.items() if len(v) > 1}
    if not variances:
        return None
    freedom = {key: len(groups[key]) - 1 for key in variances}
    pooled = statistics.median(
        value * freedom[key] / _chi2(0.5, freedom[key]) for key, value in variances.items()
    )
    least = {key: (errors or {}).get(key, 0.0) ** 2 for key in variances}
    unstable: frozenset[str] | None = None
    while True:
        found = frozenset(
            key
            for key, value in variances.items()
            if value * freedom[key] > max(pooled, least[key]) * stable_limit(freedom[key])
        )
        stable = variances.keys() - found
        # If cells are left out in turn and taken in again, the smaller set is left out.
        if found == unstable or not stable or (unstable is not None and found > unstable):
            break
        unstable = found
        total = sum(freedom[key] for key in stable)
        pooled = math.fsum(freedom[key] * variances[key] for key in stable) / total
    kept = variances.keys() - (unstable or frozenset())
    return Noise(math.sqrt(pooled), sum(freedom[key] for key in kept), unstable or frozenset())


def stable_limit(freedom: int) -> float:
    """Return how large the sum of squares of stable seeds is at most, in units of the variance.

    Parameters
    ----------
    freedom
        The number of seeds less one.
    """
    return _chi2(_STABLE, freedom)


@cache
def _chi2(share: float, freedom: int) -> float:
    """Return a quantile of the chi-squared distribution."""
    # The functions of scipy.special say the same as scipy.stats, whose import takes a second. Not
    # above: every command would wait for it.
    from scipy import special

    return 2 * float(special.gammaincinv(freedom / 2, share))


Measure = Callable[[CellResult], float]
"""A function that takes the run of one seed of a cell and returns a number."""


def accuracy(result: CellResult) -> float:
    """Return the test accuracy of one seed after the last round, in percent."""
    return result.accuracy.mean


class Shared(NamedTuple):
    """A data set, and how it is shared out to the clients.

    Attributes
    ----------
    data_set
        The name of the data set.
    partition
        The partition as JSON text.
    """

    data_set: str
    partition: str

    @classmethod
    def of(cls, data_set: str, partition: Any) -> Shared:
        """Return it, from the partition as JSON values."""
        return cls(data_set, json.dumps(partition, sort_keys=True))


@dataclass
class NoiseBook:
    """The noise of one quantity in all protocols of a paper.

    Runs are of the same protocol if they have the same data, partition, network, number of
    clients and rounds, clients that learn in the same way, and the same step of the server. If they
    have too few seeds, the runs whose clients have batches of the same size serve in their place,
    then those of the same scale on the same data set, and then those of all scales on it. The noise
    says so. The runs on another data set, or on one that is shared out in another way, never serve.
    How far seeds are apart depends on the data most of all, and where every seed draws who has
    which classes, also on that draw.

    Parameters
    ----------
    results
        The stored runs of all cells at all scales.
    measure
        The quantity.
    at_chance
        Whether the quantity is an accuracy. Cells in which no seed has learned anything say nothing
        of the spread and are then left out.
    other_partitions
        Whether runs on the same data serve in the last place if they are shared out in another way.
    """

    results: Iterable[CellResult]
    measure: Measure = accuracy
    at_chance: bool = True
    other_partitions: bool = False
    _pools: dict[tuple[str, ...], Noise | None] = field(init=False)

    def __post_init__(self) -> None:
        groups: dict[tuple[str, ...], dict[str, list[float]]] = {}
        errors: dict[str, float] = {}
        seen: set[tuple[str, ...]] = set()
        for result in self.results:
            # Two cells may have the same runs, which then count once.
            runs = tuple(record["id"] for record in result.records)
            if runs in seen:
                continue
            seen.add(runs)
            # The key of a cell is the same at every scale.
            key = f"{result.scale}/{result.key}"
            values = [self.measure(result.of_seed(seed)) for seed in result.seeds]
            values = [value for value in values if math.isfinite(value)]
            if len(values) < 2:
                continue
            if self.at_chance and all(learned_nothing(result.records[0], one) for one in values):
                continue
            if self.at_chance:
                errors[key] = resolution(result, statistics.fmean(values))
            for level in _levels(result):
                groups.setdefault(level, {})[key] = values
        self._pools = {level: pool(cells, errors) for level, cells in groups.items()}

    def of(self, result: CellResult) -> Noise | None:
        """Return the noise of a cell's protocol, or None if too few cells have several seeds."""
        origins = _ORIGINS if self.other_partitions else _ORIGINS[:-1]
        for level, origin in zip(_levels(result), origins, strict=False):
            noise = self._pools.get(level)
            if noise is not None and noise.freedom >= LEAST_FREEDOM:
                return Noise(noise.sd, noise.freedom, noise.unstable, origin)
        return None

    def freedom(self, shared: Shared) -> int:
        """Return how many degrees of freedom the noise on a real data set has at most.

        They count the runs of all protocols and scales. It is 0 if no cell has two seeds.

        Parameters
        ----------
        shared
            The data set, and how it is shared out.
        """
        pools = (
            (json.loads(level[0]), pool) for level, pool in self._pools.items() if not level[1:]
        )
        return max(
            (pool.freedom for (name, source, _, partition), pool in pools
             if pool is not None and (name, source, partition) == (shared[0], "real", shared[1])),
            default=0,
        )  # fmt: skip

    def unstable(self, result: CellResult) -> bool:
        """Whether the seeds of a cell disagree far beyond the noise of its protocol.

        If that noise is not known, accuracies are unstable if their spread is so wide that nothing
        printed with it could be agreed with.
        """
        noise = self.of(result)
        if noise is not None:
            return f"{result.scale}/{result.key}" in noise.unstable
        spread = self._spread(result) if self.at_chance else math.nan
        return 2 * spread > WIDEST_MARGIN

    def own_spread(self, result: CellResult) -> float:
        """Return the standard deviation of a cell's own seeds if they are unstable, and else 0."""
        return self._spread(result) if self.unstable(result) else 0.0

    def _spread(self, result: CellResult) -> float:
        """Return the standard deviation of a cell's seeds, NaN if fewer than two are known."""
        values = [self.measure(result.of_seed(seed)) for seed in result.seeds]
        known = [value for value in values if math.isfinite(value)]
        return statistics.stdev(known) if len(known) > 1 else math.nan


_WORK = ("model", "n_clients", "rounds")
_LEARNING = ("data", "client", "learning_rate", "decay", "server_step")
"""The fields of a configuration that make a protocol, those of the looser kind first."""
_ORIGINS = (
    "",
    "of other protocols",
    "of other protocols",
    "of other scales",
    "of data that are shared out in another way",
)


def _levels(result: CellResult) -> tuple[tuple[str, ...], ...]:
    """Return the pools that a cell belongs to, the closest first."""
    config = result.config
    data, client = config["data"], config["client"]
    shared = Shared.of(data["name"], config.get("partition"))
    same_data = json.dumps([shared.data_set, data["source"], data["variant"], shared.partition])
    size = [data[name] for name in ("train_samples", "test_samples")]
    work = json.dumps([size, client.get("batch_size"), *map(config.get, _WORK)])
    learning = json.dumps([*map(config.get, _LEARNING)])
    at_scale = same_data, result.scale
    however = "however shared out", data["name"], data["source"], data["variant"]
    return (*at_scale, work, learning), (*at_scale, work), at_scale, (same_data,), however


def resolution(result: CellResult, percent: float) -> float:
    """Return the standard error of an accuracy in percent that comes from a finite test set.

    Parameters
    ----------
    result
        The runs, which tell the size of the test set. It is 0 if nobody knows that.
    percent
        The accuracy.
    """
    size = test_size(result.records[0])
    return binomial_error(percent, size) if size else 0.0


def is_chance(result: CellResult, percent: float) -> bool:
    """Whether an accuracy in percent is no better than that of a model that has learned nothing."""
    return percent <= chance_level(result.records[0])
