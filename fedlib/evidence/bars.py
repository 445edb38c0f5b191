"""A figure of which client holds which data. It needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fedlib.evidence.pictures import Picture
from fedlib.evidence.plots import STYLE, plt


def partition_bars(counts: Mapping[str, np.ndarray]) -> Picture:
    """Draw how many samples of each class each client holds, as stacked bars.

    Parameters
    ----------
    counts
        The numbers of samples by the panels' titles, each of shape ``(n_clients, n_classes)``.
    """
    n_classes = next(iter(counts.values())).shape[1]
    colours = plt.colormaps["tab10" if n_classes <= 10 else "viridis"]
    shades = [colours(i if n_classes <= 10 else i / (n_classes - 1)) for i in range(n_classes)]
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1,
            len(counts),
            FigureClass=Picture,
            figsize=(4.6 * len(counts), 3.4),
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        for axis, (title, table) in zip(axes[0], counts.items(), strict=True):
            clients = np.arange(1, len(table) + 1)
            below = np.zeros(len(table))
            for label in range(n_classes):
                axis.bar(
                    clients,
                    table[:, label],
                    bottom=below,
                    width=0.85,
                    color=shades[label],
                    label=str(label),
                )
                below += table[:, label]
            axis.set_title(title)
            axis.set_xlabel("client")
            axis.set_xlim(0.3, len(table) + 0.7)
        axes[0, 0].set_ylabel("training samples")
        if n_classes <= 10:
            handles, names = axes[0, 0].get_legend_handles_labels()
            figure.legend(handles, names, title="class", loc="outside right upper", handlelength=1)
    sizes = [
        f"{title}: {_from_to(table.sum(1))} samples a client, of {_from_to((table > 0).sum(1))} "
        "classes."
        for title, table in counts.items()
    ]
    return figure.saying(
        "Stacked bars: how many training samples of each class each client holds. "
        + " ".join(sizes)
    )


def _from_to(counts: np.ndarray) -> str:
    """Say the smallest and the largest of some counts, or the one that all are equal to."""
    least, most = counts.min(), counts.max()
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
