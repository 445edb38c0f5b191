"""Playing stored runs again, to see whether they still give the numbers that are stored."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from fedlib import hardware, kernels
from fedlib.data.files import DataError
from fedlib.grids.compute import cached_dataset, compute_metrics
from fedlib.grids.grid import Grid, matching, patterns
from fedlib.grids.names import CellNames
from fedlib.runs import RunConfig
from fedlib.runs.compare import Difference, differences
from fedlib.runs.store import SCALES, Store, StoreError
from fedlib.validation import ConfigError, check_int, check_name

IDENTICAL = "identical"
WITHIN_TOLERANCE = "within float tolerance"
DIFFERENT = "different"
FAILED = "failed"
NOT_COMPARED = "not compared"
VERDICTS = (IDENTICAL, WITHIN_TOLERANCE, DIFFERENT, FAILED, NOT_COMPARED)


@dataclass(frozen=True)
class StoredRun:
    """A record of a store, and the scale at which it is stored."""

    scale: str
    record: dict[str, Any]

    @property
    def name(self) -> str:
        """The cell, the seed and the scale of the run in words."""
        return f"{self.record['cell']} seed {self.record['seed']} ({self.scale})"


@dataclass(frozen=True)
class Verification:
    """What became of one stored run that was played again.

    Attributes
    ----------
    run
        The stored run.
    verdict
        One of ``VERDICTS``.
    why
        Why the run failed or was not compared, or which of its files has other bytes. It is empty
        otherwise.
    found
        How the metrics differ. It is empty if they are the same.
    here
        The machine and the versions that played the run again, as a provenance describes them.
    """

    run: StoredRun
    verdict: str
    why: str = ""
    found: tuple[Difference, ...] = ()
    here: Mapping[str, Any] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Say in a few lines what was found, and what made the two runs if they differ."""
        head = f"{self.run.name}: {self.verdict}"
        lines = [f"{head}: {self.why}" if self.why else head]
        lines += [f"    {difference}" for difference in self.found]
        if self.verdict in (DIFFERENT, FAILED):
            lines.append(f"    stored run: {made_on(self.run.record['provenance'])}")
            lines.append(f"    played now: {made_on(self.here)}")
        return lines


def made_on(provenance: Mapping[str, Any]) -> str:
    """Say which device, versions and code made a run.

    Parameters
    ----------
    provenance
        The provenance of the run. What it lacks is called unknown.
    """
    made = defaultdict(lambda: "unknown", provenance)
    version = provenance.get("versions", {}).get("torch", "unknown")
    tf32 = ", TF32" if provenance.get("tf32") else ""
    return (
        f"{made['device']} ({made['device_name']}{tf32}), torch {version}, {made['platform']}, "
        f"strategy {made['strategy']}, commit {made['commit']}"
    )


def choose_stored(
    grid: Grid,
    store: Store,
    *,
    scales: Sequence[str] = SCALES,
    only: str | Sequence[str] | None = None,
    seeds: int | None = None,
    limit: int | None = None,
) -> list[StoredRun]:
    """Return the stored runs to play again, those of the smallest scale first.

    Parameters
    ----------
    grid
        The paper's grid.
    store
        Where its records are.
    scales
        The scales to look at.
    only
        A shell pattern or several, as for :func:`fedlib.grids.expand`. A run is chosen if a name
        that the grid gives it matches one of them. A run that has no such name is chosen by the
        name in its record, unless the grid gives this name to another stored run, which has taken
        its place.
    seeds
        Only runs of the seeds 1 to this number are chosen. None takes all seeds.
    limit
        At most so many runs are chosen. None takes all.

    Raises
    ------
    ConfigError
        If an argument cannot be used, or if a pattern matches no stored run.
    StoreError
        If the store cannot be read, or if nothing is stored.
    """
    for scale in scales:
        check_name("scale", scale, SCALES)
    if seeds is not None:
        check_int("seeds", seeds, 1)
    if limit is not None:
        check_int("limit", limit, 1)
    stored = [
        StoredRun(scale, record)
        for scale in SCALES
        if scale in scales
        for record in store.read(scale).values()
    ]
    of_seeds = [run for run in stored if seeds is None or run.record["seed"] <= seeds]
    if not of_seeds:
        raise StoreError(
            f"{store.folder}: no run of {grid.slug} is stored at scale {' or '.join(scales)}"
            + (f" with a seed of 1 to {seeds}." if stored else ".")
        )
    if patterns(only) == ("*",):
        return of_seeds[:limit]  # To make the cells of the grid takes a second.
    names = CellNames(grid)
    given = [names.of(run.scale, run.record) for run in of_seeds]
    taken = {(run.scale, key) for run, keys in zip(of_seeds, given, strict=True) for key in keys}
    named = [
        (key, place)
        for place, (run, keys) in enumerate(zip(of_seeds, given, strict=True))
        for key in keys or [run.record["cell"]]
        if keys or (run.scale, key) not in taken
    ]
    where = f"the stored runs of {grid.slug}"
    found = matching([key for key, _ in named], only, where)
    chosen = dict.fromkeys(named[at][1] for at in found)
    return [of_seeds[place] for place in chosen][:limit]


def verify_stored(
    runs: Sequence[StoredRun],
    store: Store,
    *,
    device: str = "auto",
    on_round: Callable[[int], None] | None = None,
) -> Iterator[Verification]:
    """Play stored runs again, one after the other, and compare all metrics. Nothing is stored.

    A run is played with the strategy that its record names. On another device, or with another
    version of torch, the last digits of a sum differ, and a run multiplies such differences from
    round to round. Only the machine and the versions that made a run can be expected to give its
    numbers bit for bit.

    Parameters
    ----------
    runs
        The stored runs; see :func:`choose_stored`.
    store
        Where they are stored.
    device
        ``auto``, ``cpu``, ``cuda``, or another name of a device.
    on_round
        This function is called with the number of each round when the round is done.

    Yields
    ------
    Verification
        What became of each run, in the order of ``runs``.

    Raises
    ------
    ConfigError
        If the device cannot be used.
    """
    target = hardware.check_device(device)
    for run in runs:
        yield _verify(run, store, target, on_round)


def _verify(
    run: StoredRun, store: Store, device: torch.device, on_round: Callable[[int], None] | None
) -> Verification:
    """Play one stored run again and compare its metrics, if they can be compared."""
    made = run.record["provenance"]
    try:
        config = _same_configuration(run.record)
        for name in made.get("files", {}):
            store.file(run.record, name)
        dataset = cached_dataset(config.data)
    except (ConfigError, StoreError, DataError) as error:
        return Verification(run, NOT_COMPARED, " ".join(str(error).split()))
    if dataset.checksum != made.get("data_checksum"):
        return Verification(
            run,
            NOT_COMPARED,
            f"the data set {config.data.name} here ({dataset.checksum[:12]}) is not the one of "
            f"the stored run ({str(made.get('data_checksum'))[:12]}).",
        )
    strategy = made.get("strategy", "auto")
    if strategy == "tiled" and kernels.lack():
        return Verification(
            run, NOT_COMPARED, f"compiled kernels computed it, and there are none: {kernels.lack()}"
        )
    with hardware.one_thread():
        here = {**hardware.describe(device), "strategy": strategy}
    try:
        hardware.keep_memory()
        played = compute_metrics(config, dataset, str(device), strategy, on_round)
    except ImportError as error:  # An agent may need optional packages.
        return Verification(run, NOT_COMPARED, f"a package is missing here: {error}")
    except Exception as error:  # One run that fails must not hide what became of the others.
        return Verification(run, FAILED, f"{type(error).__name__}: {error}", here=here)
    played.pop("seconds", None)
    files = played.pop("files", {})
    # The record went through JSON, so what is compared with it does so too.
    found = differences(run.record["metrics"], json.loads(json.dumps(played)))
    if not all(difference.within_tolerance for difference in found):
        return Verification(run, DIFFERENT, found=tuple(found), here=here)
    other = _other_files(made.get("files", {}), files)
    if other:
        # Its content is a matter of the library that wrote it; the metrics show what it does.
        return Verification(run, WITHIN_TOLERANCE, f"{other} has other bytes", tuple(found))
    return Verification(run, WITHIN_TOLERANCE if found else IDENTICAL, found=tuple(found))


def _same_configuration(record: dict[str, Any]) -> RunConfig:
    """Return the configuration of a record if it is the same run today.

    Raises
    ------
    ConfigError
        If the configuration has another identity today, or if it is not allowed today.
    """
    try:
        config = RunConfig.from_dict(record["config"])
    except ConfigError as error:
        raise ConfigError(
            f"its configuration cannot be made with this version of fedlib: {error}"
        ) from error
    if config.id != record["id"]:
        raise ConfigError(
            f"its configuration has the identity {config.id} today, not {record['id']}: an older "
            "revision of a part made it, which gave other numbers."
        )
    return config


def _other_files(stored: dict[str, dict[str, str]], found: dict[str, bytes]) -> str:
    """Name the files of a run whose bytes are not the stored ones, or return an empty text."""
    checksums = {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
    names = sorted({*stored, *checksums})
    return " and ".join(
        name for name in names if stored.get(name, {}).get("sha256") != checksums.get(name)
    )
