"""What the scores of clients tell: reputations over rounds, and how scores separate clients."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from fedlib.evidence.pictures import Picture
from fedlib.evidence.plots import PALETTE, STYLE
from fedlib.evidence.report import Archive, CellResult, Table, basis_of
from fedlib.papers.gradient_guard.keys import Comparison, Watched, comparisons
from fedlib.papers.gradient_guard.measures import HONEST, late_accuracy, separation
from fedlib.papers.gradient_guard.settings import (
    ATTACK_TITLES,
    FULL,
    HISTORIES,
    PUBLISHED_ATTACKS,
    RULE_TITLES,
    SHARES,
    n_malicious,
)


def shown_separation(result: CellResult | None) -> str:
    """The area under the ROC curve with its spread over seeds, or a dash if there is no result."""
    if result is None:
        return "–"
    area = separation(result)
    return f"{area.mean:.2f}" + ("" if area.spread is None else f" ± {area.spread:.2f}")


def reputation_curves(archive: Archive, data: str = "mnist", share: str = "30") -> Picture:
    """Draw reputations over rounds, of honest clients in blue and of malicious ones in orange.

    Parameters
    ----------
    archive
        The stored runs of the grid.
    data
        The data set, one of ``DATA_TITLES``.
    share
        The malicious share in percent, one of ``SHARES``.
    """
    known: list[CellResult] = []
    malicious = n_malicious(share)
    panels = [(attack, rule) for attack in FULL for rule in HISTORIES]
    found = archive.together(
        [str(Comparison.of(data, attack, share, rule)) for attack, rule in panels]
    )
    results = dict(zip(panels, found, strict=True))
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            2,
            2,
            figsize=(8, 4.8),
            sharex=True,
            layout="constrained",
            squeeze=False,
            FigureClass=Picture,
        )
        for row, attack in enumerate(FULL):
            for column, rule in enumerate(HISTORIES):
                axis = axes[row, column]
                axis.set_title(f"{RULE_TITLES[rule]}, {ATTACK_TITLES[attack]}")
                axis.grid(alpha=0.25)
                result = results[attack, rule]
                if result is None:
                    continue
                known.append(result)
                axis.set_title(f"{axis.get_title()}\n{_ends_of_seeds(result)}")
                metrics = result.records[0]["metrics"]
                values = np.asarray(metrics["reputation"], dtype=float)
                names = [f"client {number}" for number in range(1, values.shape[1] + 1)]
                for kind, colour, clients in (
                    ("honest", PALETTE[1], slice(None, -malicious)),
                    ("malicious", PALETTE[0], slice(-malicious, None)),
                ):
                    axis.plot(
                        metrics["rounds"], values[:, clients], color=colour, lw=0.8,
                        label=[f"{kind} {name}" for name in names[clients]],
                    )  # fmt: skip
        figure.supxlabel("round", fontsize=9)
        figure.supylabel("reputation (each panel has its own axis)", fontsize=9)
        seeds = sorted({result.records[0]["seed"] for result in known})
        shown = ", ".join(f"seed {seed}" for seed in seeds) or "no seed"
        figure.legend(
            handles=[
                Line2D([], [], color=PALETTE[1], label="honest"),
                Line2D([], [], color=PALETTE[0], label="malicious"),
            ],
            title=f"{share} % malicious, {basis_of(known)}; the lines are those of {shown}",
            loc="outside upper center",
            ncols=2,
        )
    return figure.saying(
        "Line charts of the reputation of every client over the rounds, honest clients in blue and "
        f"malicious ones in orange. {share} % of the clients are malicious. The panels: "
        f"{', '.join(axis.get_title() for axis in axes.flat)}."
    )


def _ends_of_seeds(result: CellResult) -> str:
    """Say the accuracy with which the seed that is shown ends, and those of the others."""
    first, *others = (f"{late_accuracy(result.of_seed(seed)).mean:.0f}" for seed in result.seeds)
    beside = f"; other seeds: {', '.join(others)} %" if others else ""
    return f"accuracy at the end: {first} %{beside}"


def separation_table(archive: Archive, data: str = "mnist") -> Table:
    """The area under the ROC curve of low scores.

    All cells of a row are of one scale.

    Parameters
    ----------
    archive
        The stored runs of the grid.
    data
        The data set, one of ``DATA_TITLES``.
    """
    rows = []
    basis: list[CellResult] = []
    for attack in (*PUBLISHED_ATTACKS, "saliency_matching"):
        lines = [
            (RULE_TITLES[rule], "last aggregate", comparisons(data, attack, (rule,), SHARES[1:]))
            for rule in HISTORIES
        ]
        if attack in FULL:
            title, _, cells = lines[-1]
            lines.append((title, HONEST, tuple(str(Watched(cell)) for cell in cells)))
        for title, reference, cells in lines:
            found = archive.together(cells)
            held = [result for result in found if result is not None]
            basis += held
            scale = held[0].scale if held else "–"
            shown = [
                archive.linked(shown_separation(result), cell)
                for result, cell in zip(found, cells, strict=True)
            ]
            rows.append((ATTACK_TITLES[attack], title, reference, *shown, scale))
    return Table(
        ("attack", "scores of", "against", *(f"{share} %" for share in SHARES[1:]), "scale"),
        tuple(rows),
        "Probability that a malicious client's score is lower than an honest client's, as a mean "
        "over all rounds. A probability of 0.5 tells nothing. Scores against the last aggregate "
        "are those of the rule itself, which makes the model from all updates. Scores against "
        f"the {HONEST} are only watched, while the honest clients alone make the model. "
        f"The runs: {basis_of(basis)}",
        compact=True,
    )
