"""Whether a stored accuracy agrees with the one that a paper prints, and whether that tells."""

from __future__ import annotations

from fedlib.evidence.class_counts import chance_level
from fedlib.evidence.results import CellResult
from fedlib.evidence.statistics import WIDEST_MARGIN, agrees, margin
from fedlib.evidence.verdicts import ENOUGH_SEEDS

AGREES, DIFFERS = "agrees", "differs"
TELLS_NOTHING = "tells nothing"
UNSTABLE = "unstable"


def verdict(
    result: CellResult | None,
    published: float,
    spread: float | None,
    clean: float | None = None,
    unstable: bool = False,
) -> str:
    """Compare the accuracy of a stored cell with the published one.

    Parameters
    ----------
    result
        The cell's runs, None if there are none.
    published, spread
        The published mean and its spread, in percent. The spread is None if the paper has none.
    clean
        The accuracy of the same rule without an attack, in percent. None if it is not known.
    unstable
        Whether the seeds of the cell disagree far beyond the noise of its protocol.

    Returns
    -------
    str
        ``agrees`` or ``differs``, by the margin of :func:`fedlib.evidence.statistics.margin`, if
        the runs follow the paper's protocol on its data. ``tells nothing`` in place of ``agrees``
        if nearly every run would agree, see :func:`informative`. ``unstable`` if the seeds are
        unstable and too few. Otherwise why there is no verdict.
    """
    if result is None:
        return "not computed"
    if not result.real:
        return "no verdict (embedded data)"
    if not result.comparable:
        return f"no verdict ({result.protocol})"
    if unstable and len(result.seeds) < ENOUGH_SEEDS:
        return UNSTABLE
    if not agrees(result.accuracy.mean, published, spread):
        return DIFFERS
    telling = informative(published, spread, chance_level(result.records[0]), clean)
    return AGREES if telling else TELLS_NOTHING


def informative(published: float, spread: float | None, chance: float, clean: float | None) -> bool:
    """Return whether it tells anything that a run agrees with a printed accuracy.

    It tells nothing if the margin of the printed accuracy is wider than ``WIDEST_MARGIN``, or
    takes in both chance and the accuracy without an attack.

    Parameters
    ----------
    published, spread
        The published mean and its spread, in percent.
    chance, clean
        The largest accuracy that is chance, and the accuracy without an attack, in percent. The
        second is None if it is not known.
    """
    width = margin(spread)
    if width > WIDEST_MARGIN:
        return False
    from_chance = max(published - chance, 0.0)
    return clean is None or from_chance > width or abs(published - clean) > width


def attack_shows(published: float, spread: float | None, clean: float) -> bool:
    """Return whether a run without any attack would differ from a printed accuracy.

    Parameters
    ----------
    published, spread
        The published mean and its spread, in percent.
    clean
        The accuracy of the same rule without an attack, in percent.
    """
    return not agrees(clean, published, spread)
