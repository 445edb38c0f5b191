"""What the attacker learns: the data in the first stage, a policy in the second."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from fedlib.agents.environment import DIVERGED
from fedlib.data.tables import make_circle
from fedlib.evidence.pictures import Picture
from fedlib.evidence.plots import STYLE
from fedlib.evidence.report import Archive, CellResult, basis_of
from fedlib.evidence.table import Note
from fedlib.papers.two_stage_attack.attacks import ATTACK_TITLES, SUPERSEDED_TITLES
from fedlib.papers.two_stage_attack.grid import ALL_TITLES, RULE_TITLES
from fedlib.papers.two_stage_attack.tables.common import (
    CLASS_COLOURS,
    COLOURS,
    SUPERSEDED_COLOURS,
    attack_handles,
    best,
    computable,
)
from fedlib.papers.two_stage_attack.tables.samples import Samples, learners_on, samples_of


def stage_one_figure(archive: Archive) -> Picture:
    """What the first stage starts from, what it makes of that, and the data as they are.

    The synthetic data are above and the images below. Both are of the first seed whose samples are
    stored.
    """
    points, basis = _learned_samples(archive, "circle")
    images, basis_below = _learned_samples(archive, "pixels")
    # Images that are not stored take no more room than the line that says so.
    below = 0.2 if images is None else 2.2
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(8.4, 3.2 + below), layout="constrained", FigureClass=Picture)
        upper, lower = figure.subfigures(2, 1, height_ratios=(3.2, below))
        _draw_points(upper, points, basis)
        if images is None:
            lower.text(0.5, 0.5, basis_below, ha="center", va="center", fontsize=9)
        else:
            _draw_images(lower, images, basis_below)
    said = (
        "Points of two classes in the plane: the attacker's own, those that it has learned from "
        f"them, and the data as they are ({basis})."
    )
    if images is not None:
        said += (
            " Below, ten images of the attacker's own and the images that it has learned from them "
            f"({basis_below})."
        )
    return figure.saying(said, vector=False)


def _learned_samples(archive: Archive, data: str) -> tuple[Samples | None, str]:
    """The samples that the white box has learned of a data set, and a line on their run.

    Returns
    -------
    tuple
        ``start``, ``x`` and ``y`` of the first seed whose samples are stored, or None if there is
        none; and the run's data, scale and seed in words.
    """
    for attack in learners_on(data):
        result = best(archive, data, attack, "mean")
        for record in result.records if result is not None else ():
            assert result is not None
            samples = samples_of(archive, record, data)
            if samples is not None:
                return samples, f"{result.data}, {result.scale} scale, seed {record['seed']}"
    return None, f"{ALL_TITLES[data]}: nothing stored"


def _draw_points(figure: Any, samples: Samples | None, basis: str) -> None:
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


def _draw_images(figure: Any, samples: Samples, basis: str) -> None:
    """Draw ten images before the first stage, and below them after it."""
    rows = figure.subplots(2, 10)
    for axis in rows.flat:
        axis.set(xticks=[], yticks=[])
        axis.set_frame_on(False)
    for row, part, title in zip(rows, ("start", "x"), ("own", "learned"), strict=True):
        row[0].set_ylabel(title, fontsize=8)
        for axis, image in zip(row, samples[part], strict=False):
            axis.imshow(image[0], cmap="gray")
    figure.suptitle(basis, fontsize=9)


def reward_curves(archive: Archive, data: str, superseded: bool = False) -> Picture | Note:
    """Draw what the policy earned in each episode of learning, with a panel for each rule.

    Each seed has a line.

    Dashed lines are what an honest attacker earns in the same simulation, dotted lines what a
    greedy one earns. Below is what each later plan earned, with a cross where the policy has
    diverged while it was learned. These rewards are in units of the level at the first plan, so
    that they may be above 1. Rewards of superseded runs are in units
    of the level itself, are cut at -1, and have no such lines. If no run is stored, the result is
    a sentence that says which command computes the runs.
    """
    learners = tuple(SUPERSEDED_TITLES) if superseded else ("learned", "learned_blind")
    if not any(best(archive, data, attack, rule) for attack in learners for rule in RULE_TITLES):
        return computable("What the policies earn", data)
    known: list[CellResult] = []
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(
            1 if superseded else 2, len(RULE_TITLES), figsize=(9, 2.8 if superseded else 4.6),
            sharey="row", squeeze=False, layout="constrained", FigureClass=Picture,
        )  # fmt: skip
        for column, (rule, title) in enumerate(RULE_TITLES.items()):
            for attack in learners:
                result = best(archive, data, attack, rule)
                if result is not None:
                    known.append(result)
                    colour = {**COLOURS, **SUPERSEDED_COLOURS}[attack]
                    _draw_rewards(grid[:, column], result, colour, ATTACK_TITLES[attack])
            grid[0, column].set(title=title, xlabel="episode")
        for axis in grid.flat:
            # An episode in which the model diverges loses more than all others gain.
            axis.set_yscale("symlog", linthresh=1e-3 if superseded else 1)
            axis.set_ylim((-1, 1) if superseded else (1.1 * _FLOOR, 1.5))
            if not superseded:
                axis.set_yticks((_FLOOR, -1, 0, 1))
                axis.yaxis.set_major_formatter("{x:g}")
                axis.yaxis.set_minor_formatter(NullFormatter())
            axis.grid(alpha=0.25)
        grid[0, 0].set_ylabel("sum of rewards")
        if not superseded:
            grid[1, 0].set_ylabel("rewards of a plan")
            for axis in grid[1]:
                axis.set_xlabel("plan")
                # The level of a later model is at most so many times that of the first plan.
                axis.set_ylim(1.1 * _FLOOR, 1.2 * DIVERGED)
                axis.set_yticks((_FLOOR, -1, 0, 1, DIVERGED))
        references = [
            Line2D([], [], color="grey", ls=style, lw=1, label=f"{name} attacker")
            for name, style in _REFERENCES.items()
        ]
        figure.legend(
            handles=[*attack_handles(learners), *([] if superseded else references)],
            title=basis_of(known),
            loc="outside upper center",
            ncols=2 if superseded else 4,
        )
    return figure.saying(
        f"Line charts of the sum of rewards in each episode of learning, on {ALL_TITLES[data]}, "
        f"with a panel for each of the rules {', '.join(RULE_TITLES.values())}"
        + ("." if superseded else ", and below it what each later plan earned.")
    )


_REFERENCES = {"honest": "--", "greedy": ":"}
"""The attackers whose rewards are lines in the panels, in the order of the records."""
_FLOOR = 1 - DIVERGED
"""What an episode is worth in which the model diverges: nothing that is learned is worth less."""


def _draw_rewards(axes: Any, result: CellResult, colour: str, title: str) -> None:
    """Draw the rewards of each seed, with the lines that they are to be compared with."""
    for record in result.records:
        metrics = record["metrics"]
        rewards = metrics["policy_reward"]
        name = f"{title}, seed {record['seed']}"
        axes[0].plot(range(1, len(rewards) + 1), rewards, color=colour, lw=1, label=name)
        references = metrics.get("reference_reward", ())[:2]
        for height, style in zip(references, _REFERENCES.values(), strict=False):
            axes[0].axhline(height, color=colour, lw=0.7, ls=style)
        plans = metrics.get("plan_reward", ())
        if len(axes) > 1 and plans:
            earned = [np.nan if plan is None else plan for plan in plans]
            axes[1].plot(
                range(1, len(earned) + 1), earned, ".-", ms=3, color=colour, lw=0.7, label=name
            )
            lost = [int(number) for number in metrics.get("policy_diverged", ())]
            if lost:
                axes[1].plot(
                    [number + 1 for number in lost], [earned[number] for number in lost], "x",
                    ms=5, color=colour,
                )  # fmt: skip
