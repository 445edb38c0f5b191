"""What the attacker learns: the data in the first stage, a policy in the second."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from fedlib.agents.inversion import load_samples
from fedlib.data.catalogue import DATASETS
from fedlib.data.tables import make_circle
from fedlib.evidence.plots import STYLE
from fedlib.evidence.report import Archive, CellResult, Table, basis_of
from fedlib.papers.two_stage_attack.grid import DATA_TITLES, RULE_TITLES
from fedlib.papers.two_stage_attack.tables.common import (
    CLASS_COLOURS,
    COLOURS,
    attack_handles,
    best,
)


def stage_one_figure(archive: Archive) -> Figure:
    """What the first stage starts from, what it makes of that, and the data as they are.

    Above the synthetic data, below images; of the first seed whose samples are stored.
    """
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(8.4, 5.4), layout="constrained")
        upper, lower = figure.subfigures(2, 1, height_ratios=(3, 2))
        _draw_points(upper, *_learned_samples(archive, "circle"))
        _draw_images(lower, *_learned_samples(archive, "mnist"))
        plt.close(figure)
    return figure


_Samples = dict[str, np.ndarray]


def _learned_samples(archive: Archive, data: str) -> tuple[_Samples | None, str]:
    """The samples that the white box has learned of a data set, and a line on their run.

    Returns
    -------
    tuple
        ``start``, ``x`` and ``y`` of the first seed whose samples are stored, or None if there is
        none; and the run's data, scale and seed in words.
    """
    result = best(archive, data, "rl", "mean")
    for record in result.records if result is not None else ():
        files = record["provenance"].get("files", {})
        if "learned.npz" in files:
            assert result is not None
            basis = f"{result.data}, {result.scale} scale, seed {record['seed']}"
            content = archive.store.file(record, "learned.npz")
            path = archive.store.folder / files["learned.npz"]["path"]
            return load_samples(content, DATASETS[data].n_classes, str(path)), basis
    return None, f"{DATA_TITLES[data]}: nothing stored"


def _draw_points(figure: Any, samples: _Samples | None, basis: str) -> None:
    """Draw points before and after the first stage, if they are stored, and points of the data."""
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    x, labels, _ = make_circle(200, 5)
    shown = {"the data": (x[:, 0, 0], labels)}
    if samples is not None:
        shown = {
            "attacker's own": (samples["start"][:, 0, 0], samples["y"]),
            "learned from them": (samples["x"][:, 0, 0], samples["y"]),
            **shown,
        }
    unused = len(axes) - len(shown)
    for axis in axes[:unused]:
        axis.set_axis_off()
    for axis, (title, (points, label)) in zip(axes[unused:], shown.items(), strict=True):
        for number, colour in enumerate(CLASS_COLOURS):
            axis.plot(*points[label == number].T, ".", ms=3, color=colour)
        axis.set(title=title, aspect="equal", xlim=(-5, 5), ylim=(-5, 5), xticks=[], yticks=[])
    figure.suptitle(basis, fontsize=9)


def _draw_images(figure: Any, samples: _Samples | None, basis: str) -> None:
    """Draw ten images before the first stage, if they are stored, and below them after it."""
    rows = figure.subplots(2, 10)
    for axis in rows.flat:
        axis.set(xticks=[], yticks=[])
        axis.set_frame_on(False)
    for row, part, title in zip(rows, ("start", "x"), ("own", "learned"), strict=True):
        row[0].set_ylabel(title, fontsize=8)
        for axis, image in zip(row, [] if samples is None else samples[part], strict=False):
            axis.imshow(image[0], cmap="gray")
    figure.suptitle(basis, fontsize=9)


def stage_one_table(archive: Archive) -> Table:
    """Wasserstein distances between consecutive estimates of the data."""
    rows = []
    for data, data_title in DATA_TITLES.items():
        for rule, title in RULE_TITLES.items():
            result = best(archive, data, "rl", rule)
            if result is None:
                rows.append((data_title, title, "not computed", "–"))
                continue
            distances = "; ".join(
                ", ".join(f"{value:.3g}" for value in record["metrics"]["stage_one_distance"])
                for record in result.records
            )
            rows.append((data_title, title, distances, f"{result.scale}, {result.data}"))
    return Table(
        ("data", "rule", "distance after each epoch (seeds apart)", "runs"),
        tuple(rows),
        "Stage one: how far an estimate is from the one before; the text ends it below 0.005",
    )


def reward_curves(archive: Archive, data: str) -> Figure:
    """What the policy earned in each episode it learned from, cut at -1: a panel a rule."""
    learners = ("rl", "rlb")
    known: list[CellResult] = []
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, len(RULE_TITLES), figsize=(9, 2.8), sharey=True, layout="constrained"
        )
        for axis, (rule, title) in zip(axes, RULE_TITLES.items(), strict=True):
            for attack in learners:
                result = best(archive, data, attack, rule)
                if result is None:
                    continue
                known.append(result)
                for record in result.records:
                    rewards = record["metrics"]["policy_reward"]
                    axis.plot(range(1, len(rewards) + 1), rewards, color=COLOURS[attack], lw=1)
            axis.set(title=title, xlabel="episode")
            # An episode in which the model diverges loses more than all others gain: cut.
            axis.set_yscale("symlog", linthresh=1e-3)
            axis.set_ylim(-1, 1)
            axis.grid(alpha=0.25)
        axes[0].set_ylabel("sum of rewards")
        figure.legend(
            handles=attack_handles(learners),
            title=basis_of(known),
            loc="outside upper center",
            ncols=2,
        )
        plt.close(figure)
    return figure
