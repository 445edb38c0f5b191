"""How near the printed accuracies are to runs with the choices of the authors' code, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable

from fedlib.evidence.apart import Compared, recovered
from fedlib.evidence.found import resting_on
from fedlib.evidence.links import joined
from fedlib.evidence.report import Archive
from fedlib.papers.clustering_with_outliers.authors_code import CODE, CODE_BATCH
from fedlib.papers.clustering_with_outliers.keys import CellKey
from fedlib.papers.clustering_with_outliers.published import published
from fedlib.papers.clustering_with_outliers.settings import CIFAR
from fedlib.papers.clustering_with_outliers.tables.verdicts import printed
from fedlib.papers.clustering_with_outliers.variants import CIFAR_MOMENTUM

_LOW = 10.0
"""A printed accuracy in percent that a broken run may have too."""
_WAYS = {
    " points by the text, ": None,
    " points without momentum, ": CIFAR_MOMENTUM,
    " points with all choices of the code, and ": CODE,
    " points with these but the batches of the text": CODE_BATCH,
}


def by_code(archive: Archive) -> str:
    """Say what the choices of the authors' code do to the accuracies on FEMNIST.

    Parameters
    ----------
    archive
        The stored runs.
    """
    compared = Compared(archive, printed, tuple(_printed_cells(on_cifar=False)))
    both = recovered(compared, CODE)
    count = len(both.before)
    if not count:
        return (
            "How near runs with the choices of the authors' published code come to the accuracies "
            "that are printed for FEMNIST is not computed yet."
        )
    known = [
        key for key in compared.cells if compared.result(key) and compared.result(CODE.cell(key))
    ]
    before, after = (math.fsum(values) / count for values in (both.before, both.after))
    low = max(both.printed) <= _LOW
    return joined(
        "The authors' published code differs from the text in several choices. For "
        f"{_accuracies(count)} on FEMNIST we have runs by the text "
        "and runs with all choices of the code. The mean distance from what is printed is ",
        archive.linked(f"{before:.1f}", *known),
        " points by the text and ",
        archive.linked(f"{after:.1f}", *map(CODE.cell, known)),
        " points with the choices of the code.",
        f" All of these printed accuracies are {max(both.printed):.0f} % or less, so a change that "
        "breaks every run would agree with them too."
        if low and after < before
        else "",
    )


def by_code_on_cifar(archive: Archive) -> str:
    """Say which choices give accuracies near to those that are printed for CIFAR-10.

    Parameters
    ----------
    archive
        The stored runs.
    """
    compared = Compared(archive, printed, tuple(_printed_cells(on_cifar=True)))
    choices = _WAYS.values()
    ways = {
        key: [choice.cell(key) if choice else key for choice in choices]
        for key in compared.cells
        if all(choice is None or key in choice.cells for choice in choices)
    }
    results = {key: [compared.result(cell) for cell in cells] for key, cells in ways.items()}
    known = {key: [r for r in found if r] for key, found in results.items() if all(found)}
    if not known:
        return (
            "Which choices give the accuracies that are printed for CIFAR-10, the paper's own data "
            "set, is not computed yet."
        )
    parts: list[str] = []
    for place, words in enumerate(_WAYS):
        far = [
            compared.distance(found[place], number)
            for key, found in known.items()
            if (number := compared.number(key))
        ]
        cells = [ways[key][place] for key in known]
        parts += [archive.linked(f"{math.fsum(far) / len(far):.1f}", *cells), words]
    return joined(
        "CIFAR-10 is the paper's own data set. A batch of the code has one image there, and one of "
        f"the text has three. For {_accuracies(len(known))} we have runs of four kinds. The mean "
        "distance from what is printed is ",
        *parts,
        f" ({resting_on([result for found in known.values() for result in found])}).",
    )


def _printed_cells(on_cifar: bool) -> Iterable[str]:
    """The cells whose accuracy is printed and has a run with the choices of the code."""
    for key, value in published().items():
        if value.attack and (CellKey.parse(key).setting == CIFAR) == on_cifar and key in CODE.cells:
            yield key


def _accuracies(count: int) -> str:
    return f"{count} printed {'accuracy' if count == 1 else 'accuracies'}"
