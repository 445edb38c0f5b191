"""The figures and tables on CIFAR, or one sentence where nothing that can be shown is stored.

Of the long runs on CIFAR-10 that are not stored, the short ones stand in the figures, marked so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from fedlib.evidence.pictures import Picture
from fedlib.evidence.plots import Panel, accuracy_panels
from fedlib.evidence.report import Archive, CellResult, Note, Table, data_named, plural
from fedlib.evidence.results import range_of
from fedlib.papers.centered_clipping import ten_epochs
from fedlib.papers.centered_clipping.keys import TABLE_IV, Key, table_iv
from fedlib.papers.centered_clipping.published import published_accuracies
from fedlib.papers.centered_clipping.searches import SEARCHES
from fedlib.papers.centered_clipping.settings import (
    ATTACK_NAMES,
    NETWORK_TITLES,
    RULE_TITLES,
    SETTING_TITLES,
)
from fedlib.papers.centered_clipping.tables import accuracies
from fedlib.papers.centered_clipping.tables.figures import (
    FIGURE_1,
    FIGURE_3,
    accuracy_rows,
    figure_1_panels,
    figure_3_rows,
    search_rows,
)

_RUN = "python -m fedlib run centered_clipping --scale paper --only"
SHORT_RUNS = f"{ten_epochs.KEYS[0].item}/*"
"""The pattern of the short runs' keys."""


def curves(archive: Archive, setting: str, quantity: str = "test_accuracy") -> Picture | Note:
    """Draw Figures 5, 6 and 9 to 11, with a row for each momentum and a line for each attack.

    Parameters
    ----------
    archive
        The stored runs.
    setting
        The key of the setting, such as ``cifar10_iid``.
    quantity
        ``test_accuracy`` or ``train_loss``.
    """
    # What is within reach of a computer without a GPU comes first.
    short = setting == ten_epochs.SETTING
    only = SHORT_RUNS if short else f"{TABLE_IV}/{setting}/*"
    rows = accuracy_rows(archive, setting)
    return _drawn(rows, ATTACK_NAMES, SETTING_TITLES[setting], only, quantity)


def figure_1(archive: Archive) -> Picture | Note:
    """Figure 1 on CIFAR-10: ALIE with fixed and with alternating sign."""
    rows = [figure_1_panels(archive, ten_epochs.SETTING)]
    what = "alternating ALIE on CIFAR-10"
    return _drawn(rows, FIGURE_1, what, "figure_1/cifar10_iid/*", needed=("alie_alternating",))


def figure_3(archive: Archive) -> Picture | Note:
    """Figure 3: sparse ROP against centered clipping."""
    rows = figure_3_rows(archive)
    return _drawn(rows, FIGURE_3, "sparse ROP on CIFAR-10", "figure_3/*", needed=("rop_sparse",))


def search(archive: Archive, figure: str) -> Picture | Note:
    """Figures 12 to 14: one of ROP's parameters.

    Parameters
    ----------
    archive
        The stored runs.
    figure
        ``figure_12``, ``figure_13`` or ``figure_14``.
    """
    searched = SEARCHES[figure]
    what = f"other values of ROP's {searched.symbol} on {SETTING_TITLES[searched.setting]}"
    others = tuple(f"{value:g}" for value in searched.others)
    rows = search_rows(archive, figure)
    return _drawn(rows, searched.labels, what, f"{figure}/*", needed=others)


def table_iv_or_note(archive: Archive, setting: str) -> Table | Note:
    """One setting of Table IV, or a sentence if none of its runs is stored.

    Parameters
    ----------
    archive
        The stored runs.
    setting
        The key of the setting, such as ``cifar100_iid``.
    """
    if any(archive.best(key) for key in archive.cells(f"table_iv/{setting}/*")):
        return accuracies.table_iv(archive, setting)
    return _nothing(SETTING_TITLES[setting], f"{TABLE_IV}/{setting}/*")


def short_runs_table(archive: Archive) -> Table | Note:
    """The accuracies of the short runs on CIFAR-10, above what the paper prints of the long ones.

    The two are not compared, because the short runs have a tenth of the rounds.
    """
    results = [archive.best(str(key)) for key in ten_epochs.KEYS]
    found = [result for result in results if result is not None]
    if not found:
        return _nothing("CIFAR-10", SHORT_RUNS)
    rows = tuple(
        (
            RULE_TITLES[rule],
            f"{momentum:g}",
            *(
                _above_printed(archive, ten_epochs.key(rule, momentum, attack))
                for attack in ten_epochs.ATTACKS
            ),
        )
        for rule in RULE_TITLES
        for momentum in ten_epochs.MOMENTA
    )
    caption = (
        f"CIFAR-10 after {ten_epochs.REDUCED}, {_networks(found)}, "
        f"{range_of([len(result.seeds) for result in found])}: test accuracy in %. "
        f"The data are {data_named({result.data for result in found})}. Below our accuracy stands "
        "what Table IV prints after all epochs. The two are not compared"
    )
    heads = ("rule", "β", *(ATTACK_NAMES[attack] for attack in ten_epochs.ATTACKS))
    return Table(heads, rows, caption, compact=True)


def _above_printed(archive: Archive, key: Key) -> str:
    """Return the accuracy of a short run, and the printed one of the long run below it."""
    result = archive.best(str(key))
    ours = "not computed" if result is None else result.shown(archive.noise.unstable(result))
    long = table_iv(key.setting, key.attack, key.rule, key.momentum)
    value = published_accuracies().get(long)
    printed = "not published" if value is None else f"{value.value:.2f} ± {value.spread:.2f}"
    return archive.linked(f"{ours}\n{printed}", str(key))


def _drawn(
    rows: Sequence[Sequence[Panel]],
    labels: Mapping[str, str],
    what: str,
    only: str,
    quantity: str = "test_accuracy",
    needed: Collection[str] = (),
) -> Picture | Note:
    """Draw the rows that have a curve, or say that there is none.

    Parameters
    ----------
    rows, labels, quantity
        As :func:`fedlib.evidence.plots.accuracy_panels` takes them.
    what, only
        What the runs are about, in words, and the pattern of their keys.
    needed
        The curves that the figure is about. It is drawn only if one of them is stored. None takes
        all.
    """
    names = set(needed or labels)
    shown = [
        panels
        for panels in rows
        if any(panel.curves.get(name) is not None for panel in panels for name in names)
    ]
    if not shown:
        return _nothing(what, only)
    curves = [curve for panels in shown for panel in panels for curve in panel.curves.values()]
    found = [result for result in curves if result is not None]
    said = _networks(found)
    return accuracy_panels(shown, labels, quantity, said, baseline="none", about=("rop",))


def _networks(results: Sequence[CellResult]) -> str:
    """Say which networks some runs have."""
    models = {result.records[0]["config"]["model"] for result in results}
    return ", ".join(sorted(NETWORK_TITLES.get(model, model) for model in models))


def _nothing(what: str, only: str) -> Note:
    """Return the sentence for what is not stored."""
    count = plural(len(ten_epochs.KEYS), "run")
    short = f"{count} of {ten_epochs.REDUCED} each"
    how = short if only == SHORT_RUNS else "long runs, best on a GPU"
    return Note(
        f"No run of {what} with the paper's network is stored yet. This command computes them "
        f"({how}):",
        command=f"{_RUN} '{only}'",
    )
