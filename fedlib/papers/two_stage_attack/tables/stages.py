"""What the attacker learns of the data in the first stage."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt

from fedlib.data.tables import make_circle
from fedlib.evidence.pictures import Picture
from fedlib.evidence.plots import STYLE
from fedlib.evidence.report import Archive
from fedlib.papers.two_stage_attack.grid import ALL_TITLES
from fedlib.papers.two_stage_attack.tables.common import (
    CLASS_COLOURS,
    best,
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
