"""The panels and bars of the figures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fedlib.data import PARTITIONS, class_counts
from fedlib.evidence.plots import Panel
from fedlib.evidence.report import Archive, CellResult, Note
from fedlib.evidence.results import basis_of
from fedlib.papers.centered_clipping import searches, ten_epochs
from fedlib.papers.centered_clipping.keys import Key, alternating_alie, sparse_rop, table_iv
from fedlib.papers.centered_clipping.settings import (
    ATTACK_NAMES,
    CLIPPING,
    MOMENTA,
    N_CLIENTS,
    RULES,
    place_title,
    rule_title,
)

# Curves and what the legend calls them.
FIGURE_1 = {"alie": "ALIE +", "alie_alternating": "ALIE +/−", "none": "no attack"}
FIGURE_3 = {"rop": "ROP", "rop_sparse": "sparse ROP", "alie": "ALIE", "none": "no attack"}
_PARTS = {"rop_sparse": "rop"}
"""The attacks of the curves that are not named as these are registered."""
FIGURE_12 = searches.FIGURE_12.labels
FIGURE_13 = searches.FIGURE_13.labels


def accuracy_rows(archive: Archive, setting: str) -> list[list[Panel]]:
    """Return the panels of Figures 4 to 11.

    There is a row for each momentum and a column for each rule. Each panel has a
    line for each attack.

    Parameters
    ----------
    archive
        The stored runs.
    setting
        The key of the setting, such as ``mnist_noniid``.
    """
    return [
        [
            _panel(
                archive,
                rule_title(rule, momentum),
                {attack: table_iv(setting, attack, rule, momentum) for attack in ATTACK_NAMES},
            )
            for rule in RULES
        ]
        for momentum in MOMENTA
    ]


def figure_1_panels(archive: Archive, setting: str) -> list[Panel]:
    """Return a row of panels of ALIE, with fixed and alternating sign, against the trimmed mean.

    Parameters
    ----------
    archive
        The stored runs.
    setting
        The key of the setting, such as ``fmnist_iid``.
    """
    return [
        _panel(
            archive,
            place_title(setting, "tm", momentum),
            {
                "alie": table_iv(setting, "alie", "tm", momentum),
                "alie_alternating": alternating_alie(setting, momentum),
                "none": table_iv(setting, "none", "tm", momentum),
            },
        )
        for momentum in MOMENTA
    ]


def figure_1_in_words(archive: Archive, setting: str) -> Note:
    """Say where the lines of :func:`figure_1_panels` end.

    Parameters
    ----------
    archive
        The stored runs.
    setting
        The key of the setting, such as ``fmnist_iid``.
    """
    panels = figure_1_panels(archive, setting)
    found = [curve for panel in panels for curve in panel.curves.values() if curve is not None]
    ends = {
        name: ", ".join(
            "not computed"
            if (curve := panel.curves[name]) is None
            else f"{curve.accuracy.mean:.1f}"
            for panel in panels
        )
        for name in FIGURE_1
    }
    momenta = ", ".join(f"{momentum:g}" for momentum in MOMENTA)
    return Note(
        f"These are the test accuracies after the last round, in percent, for β = {momenta}. "
        f"Without an attack they are {ends['none']}. With the fixed sign (ALIE +) they are "
        f"{ends['alie']}, and with the alternating sign (ALIE +/−) {ends['alie_alternating']} "
        f"({basis_of(found)})."
    )


def partition_counts(seed: int = 1) -> dict[str, np.ndarray]:
    """Divide 50,000 samples, 5,000 of each class, among 25 clients, as in Figure 2.

    Returns
    -------
    dict
        The number of samples by client and class, for each of the two partitions.
    """
    labels = np.repeat(np.arange(10), 5000)
    return {
        title: class_counts(labels, PARTITIONS[name]()(labels, N_CLIENTS, seed))
        for title, name in (("IID", "iid"), ("non-IID: Dirichlet, α = 1", "dirichlet"))
    }


def figure_3_rows(archive: Archive) -> list[list[Panel]]:
    """Return panels of sparse ROP on CIFAR-10, with a row for each radius of centered clipping."""
    return [
        [
            _panel(
                archive,
                rule_title(rule, momentum),
                {
                    "rop_sparse": sparse_rop(rule, momentum),
                    **{
                        attack: table_iv("cifar10_iid", attack, rule, momentum)
                        for attack in ("rop", "alie", "none")
                    },
                },
            )
            for momentum in MOMENTA
        ]
        for rule in CLIPPING
    ]


def search_rows(archive: Archive, figure: str) -> list[list[Panel]]:
    """Return the panels of Figures 12 to 14.

    There is a row for each momentum and a column for each rule. Each panel has a
    line for each value of the parameter.

    Parameters
    ----------
    archive
        The stored runs.
    figure
        ``figure_12``, ``figure_13`` or ``figure_14``.
    """
    search = searches.SEARCHES[figure]
    return [
        [
            _panel(
                archive,
                rule_title(rule, momentum),
                {text: search.key(float(text), rule, momentum) for text in search.labels},
            )
            for rule in RULES
        ]
        for momentum in MOMENTA
    ]


def _panel(archive: Archive, title: str, curves: Mapping[str, Key]) -> Panel:
    """A panel with the best stored runs of each curve's cell."""
    return Panel(title, {name: long_or_short(archive, key) for name, key in curves.items()}, _PARTS)


def long_or_short(archive: Archive, key: Key) -> CellResult | None:
    """Return the best stored runs of a cell, or the short runs if these are better.

    Short runs are better than those of a smaller scale, and worse than long ones.

    Parameters
    ----------
    archive
        The stored runs.
    key
        The key of the cell.
    """
    short = ten_epochs.short_key(key)
    keys = [key] if short is None else [key, short]
    found = [result for one in keys if (result := archive.best(str(one))) is not None]
    return max(found, key=lambda result: result.rank, default=None)
