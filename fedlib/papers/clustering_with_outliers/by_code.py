"""How near the printed accuracies are to runs with other choices than the text's, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable

from fedlib.evidence.apart import recovered
from fedlib.evidence.compared import Compared
from fedlib.evidence.found import resting_on
from fedlib.evidence.links import joined
from fedlib.evidence.report import Archive, CellResult
from fedlib.grids import Variant
from fedlib.papers.clustering_with_outliers.authors_code import CODE, CODE_BATCH
from fedlib.papers.clustering_with_outliers.keys import CellKey
from fedlib.papers.clustering_with_outliers.methods import ATTACK_TITLES, RULE_TITLES
from fedlib.papers.clustering_with_outliers.published import published
from fedlib.papers.clustering_with_outliers.settings import CIFAR
from fedlib.papers.clustering_with_outliers.tables.verdicts import printed
from fedlib.papers.clustering_with_outliers.variants import CONCENTRATION

_LOW = 10.0
"""A printed accuracy in percent that a broken run may have too."""
_WAYS: tuple[tuple[str, Variant | None], ...] = (
    (" points by the text, ", None),
    (" points with all choices of the code, and ", CODE),
    (" points with all of them except for the batches, which have three images", CODE_BATCH),
)
"""Kinds of runs on CIFAR-10: what follows their number in a sentence, and the choice they make."""


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
    known = _pairs(compared, CODE)
    before, after = (math.fsum(values) / count for values in (both.before, both.after))
    low = max(both.printed) <= _LOW
    return joined(
        "The authors' published code differs from the text in several choices. For "
        f"{_accuracies(count)} on FEMNIST we have runs by the text "
        "and runs with all choices of the code. The mean distance from what is printed is ",
        archive.linked(f"{before:.1f}", *known),
        " points by the text and ",
        archive.linked(f"{after:.1f}", *map(CODE.cell, known)),
        f" points with the choices of the code ({resting_on(list(known.values()))}).",
        f" All of these printed accuracies are {max(both.printed):.0f} % or less, so a change that "
        "breaks every run would agree with them too."
        if low and after < before
        else "",
    )


def by_concentration(archive: Archive) -> str:
    """Say how near two readings of Dir(0.1) come to the printed accuracies of Figure 2.

    Parameters
    ----------
    archive
        The stored runs.
    """
    of_figure = tuple(key for key in published() if key in CONCENTRATION.cells)
    compared = Compared(archive, printed, of_figure)
    both = recovered(compared, CONCENTRATION)
    count = len(both.before)
    start = (
        "The text shares out unequal data by Dir(αp) with α = 0.1, where p are the shares of the "
        "62 classes"
    )
    if not count:
        return f"{start}. What another reading of α changes is not computed yet."
    known = _pairs(compared, CONCENTRATION)
    distances = [math.fsum(values) / count for values in (both.before, both.after)]
    return joined(
        f"{start}. Taken literally, most clients then have nearly all images of one class. α may "
        "also be meant for each class, as it usually is. We take 62 times as much for this, which "
        "is 0.1 for a class on average, and then the data are less unequal. For "
        f"{_accuracies(count)} at a rate of 0.2 we have runs of both readings. The mean distance "
        "from what is printed is ",
        archive.linked(f"{distances[0]:.1f}", *known),
        " points if α is taken literally, and ",
        archive.linked(f"{distances[1]:.1f}", *map(CONCENTRATION.cell, known)),
        f" points otherwise ({resting_on(list(known.values()))}).",
    )


def _pairs(compared: Compared, variant: Variant) -> dict[str, CellResult]:
    """Return the runs of a variant by the cell that they are compared with, at shared seeds."""
    found: dict[str, CellResult] = {}
    for key in compared.cells:
        result, other = compared.result(key), compared.result(variant.cell(key))
        seeds = set(result.seeds) & set(other.seeds) if result and other else set()
        if other is not None and seeds:
            found[key] = other.of_seeds(seeds)
    return found


def by_code_on_cifar(archive: Archive) -> str:
    """Say which choices give accuracies near to those that are printed for CIFAR-10.

    Parameters
    ----------
    archive
        The stored runs.
    """
    of_table = tuple(_printed_cells(on_cifar=True))
    compared = Compared(archive, printed, of_table)
    known: dict[str, list[CellResult]] = {}
    for key in of_table:
        cells = [choice.cell(key) if choice else key for _, choice in _WAYS]
        if all(choice is None or key in choice.cells for _, choice in _WAYS):
            found = [result for cell in cells if (result := compared.result(cell))]
            seeds = set.intersection(*(set(result.seeds) for result in found)) if found else set()
            if len(found) == len(_WAYS) and seeds:
                known[key] = [result.of_seeds(seeds) for result in found]
    if not known:
        return (
            "Which choices give the accuracies that are printed for CIFAR-10, whose images are the "
            "paper's, is not computed yet."
        )
    parts: list[str] = []
    for place, (words, _) in enumerate(_WAYS):
        far = [
            compared.distance(found[place], number)
            for key, found in known.items()
            if (number := compared.number(key))
        ]
        cells = [found[place].key for found in known.values()]
        parts += [archive.linked(f"{math.fsum(far) / len(far):.1f}", *cells), words]
    attacks = ", ".join(
        title
        for attack, title in ATTACK_TITLES.items()
        if any(CellKey.parse(key).attack == attack for key in known)
    )
    return joined(
        "On CIFAR-10 our images are the paper's. The code has batches of one image there, and the "
        f"text has batches of three. For {_accuracies(len(known))} of the {len(of_table)} in Table "
        f"4 ({_of_rules(known)}; attacks: {attacks}) we have runs of three kinds. The mean "
        "distance from what is printed is ",
        *parts,
        f" ({resting_on([result for found in known.values() for result in found])}).",
    )


def _printed_cells(on_cifar: bool) -> Iterable[str]:
    """The cells whose accuracy is printed and has a run with the choices of the code."""
    for key, value in published().items():
        if value.attack and (CellKey.parse(key).setting == CIFAR) == on_cifar and key in CODE.cells:
            yield key


def _of_rules(known: Iterable[str]) -> str:
    """Name the rules of some cells."""
    rules = dict.fromkeys(CellKey.parse(key).rule for key in known)
    return f"rules: {', '.join(RULE_TITLES[rule] for rule in rules)}"


def _accuracies(count: int) -> str:
    return f"{count} printed {'accuracy' if count == 1 else 'accuracies'}"
