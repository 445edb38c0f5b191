"""The first stage beside the truth: are learned samples nearer to the data than own ones?"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch

from fedlib.agents.inversion import load_samples, wasserstein_distance
from fedlib.data import DataConfig, Dataset, load_dataset
from fedlib.data.catalogue import DATASETS
from fedlib.data.errors import DataError
from fedlib.evidence.report import Archive, Table
from fedlib.evidence.table import Note, plural
from fedlib.papers.two_stage_attack.attacks import ATTACKS_ON, SUPERSEDED_TITLES
from fedlib.papers.two_stage_attack.grid import ALL_TITLES, DATA_TITLES, RULE_TITLES, SOURCES
from fedlib.papers.two_stage_attack.tables.common import best, cell_key

Samples = dict[str, np.ndarray]
"""The samples at the start, ``start``, the learned ones, ``x``, and their labels, ``y``."""


def learners_on(data: str) -> list[str]:
    """The attacks whose first stage is shown on a data set: that of now, and the superseded one."""
    return [attack for attack in ("learned", "rl") if attack in ATTACKS_ON[data]]


def samples_of(archive: Archive, record: dict[str, Any], data: str) -> Samples | None:
    """The samples of a record's first stage, or None if they are not stored."""
    files = record["provenance"].get("files", {})
    if "learned.npz" not in files:
        return None
    content = archive.store.file(record, "learned.npz")
    path = archive.store.folder / files["learned.npz"]["path"]
    return load_samples(content, DATASETS[SOURCES[data]].n_classes, str(path))


class Truth(NamedTuple):
    """How samples compare with the data.

    Attributes
    ----------
    distance
        The 2-Wasserstein distance to as many training samples, drawn at random.
    right
        The share of samples whose label is that of the training sample nearest to them.
    """

    distance: float
    right: float


def compared(x: np.ndarray, y: np.ndarray, data: Dataset) -> Truth:
    """Compare samples with the training data.

    Parameters
    ----------
    x
        The samples, ``(n, C, H, W)``.
    y
        Their labels, ``(n,)``.
    data
        The data set.
    """
    samples = torch.from_numpy(x).float()
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randperm(len(data.y_train), generator=generator)[: len(samples)]
    nearest = torch.cdist(samples.flatten(1), data.x_train.flatten(1)).argmin(1)
    right = data.y_train[nearest] == torch.from_numpy(y)
    return Truth(wasserstein_distance(samples, data.x_train[drawn]), float(right.double().mean()))


@cache
def _loaded(config: DataConfig) -> Dataset | None:
    """The data set, or None if its files are not here."""
    try:
        return load_dataset(config)
    except DataError:
        return None


def stage_one_table(archive: Archive) -> Table:
    """Show what the first stage makes of the attacker's own samples, with a row for each run."""
    rows = []
    for data, data_title in ALL_TITLES.items():
        for attack in learners_on(data):
            for rule, title in RULE_TITLES.items():
                key = cell_key(data, attack, rule)
                result = best(archive, data, attack, rule)
                named = f"{title}, superseded" if attack in SUPERSEDED_TITLES else title
                if result is None:
                    rows.append(
                        (data_title, named, archive.linked("not computed", key), *["–"] * 4)
                    )
                    continue
                for record in result.records:
                    samples = samples_of(archive, record, data)
                    truth = _of_run(record, samples)
                    basis = f"{result.scale}, {result.data}, seed {record['seed']}"
                    shown = [archive.linked(text, key) for text in _shown(record["metrics"], truth)]
                    rows.append((data_title, named, *shown, basis))
    return Table(
        (
            "data",
            "rule",
            "distance to the last estimate\nafter each epoch",
            "misfit on held-out rounds\nbefore → after",
            "distance to the truth\nown → learned",
            "right labels, %\nown → learned",
            "run",
        ),
        tuple(rows),
        "What the first stage learns. All distances are Wasserstein distances. The misfit says "
        "how badly the gradients of an estimate fit the rounds that were held out. By the text, "
        "the stage ends when the distance to the last estimate is below 0.005",
    )


def stage_one_in_words(archive: Archive) -> Note:
    """Say for each data set how the first stage moves the data, without the superseded runs.

    Parameters
    ----------
    archive
        The stored runs.
    """
    said = []
    for data, title in DATA_TITLES.items():
        truths = [
            _of_run(record, samples_of(archive, record, data))
            for rule in RULE_TITLES
            if (result := best(archive, data, "learned", rule)) is not None
            for record in result.records
        ]
        runs = [truth for truth in truths if truth is not None]
        if runs:
            said.append(_answer(title, runs))
    return Note(" ".join(said) or "Whether the first stage learns the data is not computed yet.")


def _answer(title: str, runs: list[tuple[Truth, Truth]]) -> str:
    """Say how the first stage moves the data, from the own and the learned samples of each run."""
    nearer = sum(learned.distance < own.distance for own, learned in runs)
    own, learned = (np.mean([run[place] for run in runs], axis=0) for place in (0, 1))
    return (
        f"{title}: in {nearer} of {plural(len(runs), 'run')}, not counting the superseded ones, "
        "the learned samples are nearer to the truth than the attacker's own. On average the "
        f"Wasserstein distance to the truth goes from {own[0]:.2f} to {learned[0]:.2f}, and the "
        f"share of right labels goes from {100 * own[1]:.0f} to {100 * learned[1]:.0f} %."
    )


def _of_run(record: dict[str, Any], samples: Samples | None) -> tuple[Truth, Truth] | None:
    """The own and the learned samples of a run beside the truth, if both are at hand."""
    data = _loaded(DataConfig(**record["config"]["data"]))
    if samples is None or data is None:
        return None
    return (
        compared(samples["start"], samples["y"], data),
        compared(samples["x"], samples["y"], data),
    )


def _shown(metrics: dict[str, Any], truth: tuple[Truth, Truth] | None) -> tuple[str, ...]:
    """The distances, gaps, and comparisons with the truth in words."""
    distances = ", ".join(f"{value:.3g}" for value in metrics["stage_one_distance"])
    gaps = ", ".join(
        f"{before:.2g} → {after:.2g}" + ("" if after < before else " (not kept)")
        for before, after in zip(
            metrics.get("stage_one_gap_before", ()),
            metrics.get("stage_one_gap_after", ()),
            strict=True,
        )
    )
    if truth is None:
        return distances, gaps or "–", "–", "–"
    own, learned = truth
    return (
        distances,
        gaps or "–",
        f"{own.distance:.2f} → {learned.distance:.2f}",
        f"{100 * own.right:.0f} → {100 * learned.right:.0f}",
    )
