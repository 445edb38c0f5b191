"""Taking the records of another results folder into the store, one by one and each checked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from fedlib.data import DataConfig
from fedlib.grids.grid import Grid, grid_slugs, load_grid
from fedlib.grids.names import CellNames
from fedlib.grids.verify import made_on
from fedlib.runs import RunConfig
from fedlib.runs.compare import differences
from fedlib.runs.records import check_identity
from fedlib.runs.store import SCALES, Store, StoreError, results_root
from fedlib.validation import ConfigError, check_name, construct

ADDED = "added"
KNOWN = "stored before"
REFUSED = "refused"
VERDICTS = (ADDED, KNOWN, REFUSED)

_PROVENANCE: dict[str, tuple[type, ...]] = {
    "data": (str,),
    "data_checksum": (str,),
    "started": (str,),
    "wall_time_s": (int, float),
    "strategy": (str,),
    "commit": (str,),
    "device": (str,),
    "device_name": (str,),
    "threads": (int,),
    "versions": (dict,),
    "platform": (str,),
}
"""What the provenance of every record must have, by the kind of value."""


class _RefusalError(Exception):
    """A record is not taken. The message says why."""


@dataclass(frozen=True)
class Merged:
    """What became of one line, file or folder of the other results.

    Attributes
    ----------
    name
        The run, or the place of what is no record.
    verdict
        One of ``VERDICTS``.
    why
        Why it was refused. It is empty otherwise.
    """

    name: str
    verdict: str
    why: str = ""


def merge_results(
    source: Path, slugs: Sequence[str] = (), root: Path | None = None
) -> Iterator[Merged]:
    """Take the records of another results folder into the store.

    Nothing that is stored is changed. Each record is stored by itself, so that a merge that was
    stopped can be started again.

    Parameters
    ----------
    source
        The other results folder. It has a folder for each paper.
    slugs
        The papers whose records are taken. Without any, all papers are.
    root
        The results folder that takes the records, as for
        :func:`fedlib.runs.store.results_root`.

    Yields
    ------
    Merged
        What became of each record, and of each file and folder that no paper has.

    Raises
    ------
    ConfigError
        If the source is no results folder, or has nothing of a paper that is named.
    StoreError
        If the source cannot be read, or if the records cannot be written.
    """
    for slug in slugs:
        check_name("paper", slug, grid_slugs())
    if not source.is_dir():
        raise ConfigError(f"path={str(source)!r} must be a results folder, but is no folder.")
    if source.resolve() == results_root(root).resolve():
        raise ConfigError(
            f"path={str(source)!r} is the results folder that the records would go to: must be "
            "another one."
        )
    folders = {path.parent for path in source.glob("*/*.jsonl")}
    for slug in slugs or [""]:
        if not folders or (slug and source / slug not in folders):
            raise ConfigError(
                f"path={str(source)!r} holds no records{f' of {slug}' if slug else ''}: must be a "
                "results folder, which has a folder with a file such as paper.jsonl for each paper."
            )
    return _merge(source, sorted(folders), slugs, root)


def _merge(
    source: Path, folders: list[Path], slugs: Sequence[str], root: Path | None
) -> Iterator[Merged]:
    """Take the records of the folders of papers."""
    for folder in folders:
        if slugs and folder.name not in slugs:
            continue
        try:
            check_name("paper", folder.name, grid_slugs())
        except ConfigError as error:
            yield Merged(str(folder), REFUSED, str(error))
            continue
        one = _OfPaper(load_grid(folder.name), Store(folder.name, source), Store(folder.name, root))
        yield from one.merge()


class _OfPaper:
    """The merge of one paper's records.

    Parameters
    ----------
    grid
        The paper's grid.
    source, store
        Where the records come from and where they go to.
    """

    def __init__(self, grid: Grid, source: Store, store: Store) -> None:
        self.source, self.store = source, store
        self.names = CellNames(grid)
        self.stored: dict[str, dict[str, dict[str, Any]]] = {}
        self.checksums: dict[DataConfig, str] = {}

    def merge(self) -> Iterator[Merged]:
        """Take the records of all scales, and name the files that are of no scale."""
        self.stored = {scale: self.store.read(scale) for scale in SCALES}
        for records in self.stored.values():
            for record in records.values():
                self._remember_data(record)
        of_scales = {path for scale in SCALES for path in self.source.paths(scale)}
        for path in sorted(set(self.source.folder.glob("*.jsonl")) - of_scales):
            scales = ", ".join(f"{scale}.jsonl" for scale in SCALES)
            yield Merged(str(path), REFUSED, f"it is the file of no scale; these are {scales}.")
        for scale in SCALES:
            for place, line in self.source.lines(scale):
                yield self._take(scale, place, line)

    def _take(self, scale: str, place: str, line: bytes) -> Merged:
        """Take the record of one line, or say why not."""
        try:
            record = self.source.parse(scale, line, place)
        except StoreError as error:
            why = str(error).removeprefix(f"{place}: ").removeprefix(f"{place} ")
            return Merged(place, REFUSED, why)
        name = f"{record['cell']} seed {record['seed']} ({self.store.slug}, {scale})"
        known = self.stored[scale].get(record["id"])
        if known == record:
            # Nothing is to be taken, even if the grid has no such cell any more.
            return Merged(name, KNOWN)
        try:
            cells = self._check(scale, record)
            if known is not None:
                _check_same(known, record)
                return Merged(name, KNOWN)
            files = self._files(scale, record)
        except _RefusalError as error:
            return Merged(name, REFUSED, str(error))
        if record["cell"] not in cells:
            record = {**record, "cell": cells[0]}  # The grid has given the cell another name.
            name = f"{cells[0]} seed {record['seed']} ({self.store.slug}, {scale})"
        return self._add(scale, record, files, name)

    def _add(
        self, scale: str, record: dict[str, Any], files: dict[str, bytes], name: str
    ) -> Merged:
        """Store a record that has been checked, and before it the files that it names."""
        self.store.check_writable(scale)
        with self.store.claim(record["id"]) as mine:
            if not mine:
                why = "another process is computing this run here; merge again when it has ended."
                return Merged(name, REFUSED, why)
            kept = {
                file: self.store.keep(scale, record["id"], file, content)
                for file, content in files.items()
            }
            if kept:
                record = {**record, "provenance": {**record["provenance"], "files": kept}}
            if not self.store.append(scale, record):
                why = "another process has just stored this run here; merge again to compare."
                return Merged(name, REFUSED, why)
        self.stored[scale][record["id"]] = record
        self._remember_data(record)
        return Merged(name, ADDED)

    def _check(self, scale: str, record: dict[str, Any]) -> list[str]:
        """Check what a line of another machine says, and return the names of the run's cells.

        Raises
        ------
        _RefusalError
            If the record cannot be taken.
        """
        if not check_identity(record):
            raise _RefusalError("its configuration has parts or fields that are not known here.")
        cells = self.names.of(scale, record)
        if not cells:
            raise _RefusalError(
                f"no cell of the grid at scale {scale} has this run. It may have been made by an "
                "older or newer version, or for a grid that was changed."
            )
        _check_provenance(record["provenance"])
        try:
            config = RunConfig.from_dict(record["config"])
        except ConfigError as error:
            raise _RefusalError(str(error)) from error
        _check_metrics(record["metrics"], config)
        _check_label(record["provenance"]["data"], config.data)
        checksum = record["provenance"]["data_checksum"]
        stored = self.checksums.get(config.data, checksum)
        if stored != checksum:
            raise _RefusalError(
                f"its data set {config.data.name} ({checksum[:12]}) is not the one of the stored "
                f"runs ({stored[:12]}), though it has the same name."
            )
        return cells

    def _files(self, scale: str, record: dict[str, Any]) -> dict[str, bytes]:
        """Return the files that a record names, whose checksums are right.

        Raises
        ------
        _RefusalError
            If a file is not there, is another one, or lies where no store keeps it.
        """
        found = {}
        for name, entry in record["provenance"].get("files", {}).items():
            kept_at = f"{scale}/{record['id']}-{name}"
            plain = PurePosixPath(name).name == name and "\\" not in name
            if not plain or entry["path"] != kept_at:
                raise _RefusalError(f"its file {name!r} at {entry['path']!r} must be at {kept_at}.")
            try:
                found[name] = self.source.file(record, name)
            except StoreError as error:
                raise _RefusalError(str(error)) from error
        return found

    def _remember_data(self, record: dict[str, Any]) -> None:
        """Remember which bytes the data set of a stored run has."""
        try:
            data = construct("data", DataConfig, record["config"]["data"])
        except ConfigError:
            return  # No record that is taken has these data, which are not known here.
        checksum = record["provenance"].get("data_checksum")
        if checksum is not None:
            self.checksums.setdefault(data, checksum)


def _check_provenance(made: dict[str, Any]) -> None:
    """Check that a provenance has everything that a reader of the record needs."""
    for name, kinds in _PROVENANCE.items():
        if name not in made:
            raise _RefusalError(f"its provenance has no {name!r}.")
        if made[name] == "" or made[name] == {}:
            raise _RefusalError(f"provenance.{name}={made[name]!r} must not be empty.")
        if not isinstance(made[name], kinds) or isinstance(made[name], bool):
            words = " or ".join(kind.__name__ for kind in kinds)
            raise _RefusalError(f"provenance.{name}={made[name]!r} must be of type {words}.")
    if not isinstance(made["versions"].get("torch"), str):
        raise _RefusalError(f"provenance.versions={made['versions']!r} must name that of torch.")
    _check_times(made)
    if made["threads"] < 1:
        raise _RefusalError(f"provenance.threads={made['threads']!r} must be at least 1.")
    try:
        datetime.fromisoformat(made["started"])
    except ValueError as error:
        raise _RefusalError(
            f"provenance.started={made['started']!r} must be a date and time in the form of ISO "
            "8601."
        ) from error


def _check_times(made: dict[str, Any]) -> None:
    """Check that the times are no less than nothing. Older records lack that of the processor."""
    for name in ("wall_time_s", "cpu_time_s"):
        value = made.get(name, 0)
        if not _is_number(value) or not 0 <= value < math.inf:
            raise _RefusalError(f"provenance.{name}={value!r} must be a number of at least 0.")


def _check_label(label: str, data: DataConfig) -> None:
    """Check that captions will not take real data for embedded ones, or embedded ones for real."""
    embedded = data.source == "embedded"
    if label.startswith("embedded ") != embedded:
        raise _RefusalError(
            f"provenance.data={label!r} must {'' if embedded else 'not '}say that the data are "
            f"embedded, because its configuration has data.source={data.source!r}."
        )


def _check_metrics(metrics: dict[str, Any], config: RunConfig) -> None:
    """Check that the metrics are those of a whole run of this configuration."""
    step, last = config.eval_every, config.rounds
    rounds = sorted({*range(step, last + 1, step), last})
    if metrics.get("rounds") != rounds:
        raise _RefusalError(
            f"metrics.rounds must be the {len(rounds)} rounds after which its configuration "
            f"evaluates the model, the last of them {last}."
        )
    accuracy = metrics.get("test_accuracy")
    whole = isinstance(accuracy, list) and len(accuracy) == len(rounds)
    wrong = [value for value in accuracy or [] if not _is_share(value)] if whole else []
    if not whole or wrong:
        raise _RefusalError(
            f"metrics.test_accuracy must be {len(rounds)} shares from 0 to 1, one for each of its "
            f"rounds{f', but it has {wrong[0]!r}' if wrong else ''}."
        )

    for name in ("test_loss", "train_loss"):
        series = metrics.get(name)
        whole = isinstance(series, list) and len(series) == len(rounds)
        if not whole or not all(value is None or _is_number(value) for value in series or []):
            raise _RefusalError(
                f"metrics.{name} must be {len(rounds)} numbers, one for each of its rounds, or "
                "null where a number is not finite."
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_share(value: object) -> bool:
    return _is_number(value) and 0 <= value <= 1  # type: ignore[operator]


def _check_same(stored: dict[str, Any], record: dict[str, Any]) -> None:
    """Check that two records of one run have the same metrics."""
    found = differences(stored["metrics"], record["metrics"])
    if found:
        near = all(difference.within_tolerance for difference in found)
        raise _RefusalError(
            "the run is stored here with other numbers, which stay as they are"
            + (" (the difference is within float tolerance)" if near else "")
            + f". {'; '.join(map(str, found))}. Stored: {made_on(stored['provenance'])}. "
            f"Refused: {made_on(record['provenance'])}."
        )
