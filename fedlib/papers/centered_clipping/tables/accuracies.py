"""Table IV beside the published accuracies, and where the two are apart."""

from __future__ import annotations

from typing import NamedTuple

from fedlib.evidence.agreement import (
    AGREES,
    DIFFERS,
    TELLS_NOTHING,
    UNSTABLE,
    attack_shows,
    verdict,
)
from fedlib.evidence.published import PublishedValue
from fedlib.evidence.report import Archive, CellResult, Note, Table, data_named, plural
from fedlib.evidence.results import seeds_in_words
from fedlib.evidence.statistics import MARGIN, difference
from fedlib.papers.centered_clipping import keys
from fedlib.papers.centered_clipping.keys import Key
from fedlib.papers.centered_clipping.published import ATTACKS_IV, published_accuracies
from fedlib.papers.centered_clipping.settings import (
    ATTACK_NAMES,
    CLIPPING,
    MOMENTA,
    RULE_TITLES,
    RULES,
    SETTING_TITLES,
    SETTINGS,
    rule_title,
)

_MARKS = {AGREES: "✓", DIFFERS: "✗", TELLS_NOTHING: "tells nothing", UNSTABLE: "unstable"}
_SHADES = {AGREES: "agrees", DIFFERS: "differs"}
_CLOSE = 0.5
"""A lead of fewer points than this is a close one."""


class Comparison(NamedTuple):
    """A cell of Table IV that was run with the paper's protocol on its data.

    Parameters
    ----------
    key, result, published
        The cell, what is stored of it, and what the paper prints.
    verdict
        ``agrees``, ``differs``, ``tells nothing`` or ``unstable``.
    shows
        Whether a run of ours without the attack would differ from the published value. None if
        there is no such run.
    gap, error
        Our accuracy minus the published one in points, and the combined standard error, which a
        single seed does not have. If our seeds are unstable, their mean is a value that no run
        had: the gap is then that of the seed that is farthest off, and there is no error.
    """

    key: Key
    result: CellResult
    published: PublishedValue
    verdict: str
    shows: bool | None
    gap: float
    error: float | None


def compared(archive: Archive, key: Key) -> Comparison | None:
    """The comparison of a cell; None if it is not published or its runs are not the paper's."""
    result, value = archive.best(str(key)), published_accuracies().get(key)
    if result is None or value is None:
        return None
    without = archive.best(str(key.without_attack()))
    clean = without.accuracy.mean if without is not None and without.comparable else None
    found = verdict(result, value.value, value.spread, clean, archive.noise.unstable(result))
    if found not in _MARKS:
        return None
    shows = None if clean is None else attack_shows(value.value, value.spread, clean)
    gap, error = difference(result.accuracy, value.value, value.spread)
    if found == UNSTABLE:
        gap, error = max(_gaps(result, value), key=abs), None
    return Comparison(key, result, value, found, shows, gap, error)


def _gaps(result: CellResult, value: PublishedValue) -> list[float]:
    """Return each seed's accuracy minus the published one, in points."""
    return [result.of_seed(seed).accuracy.mean - value.value for seed in result.seeds]


def comparisons(archive: Archive) -> list[Comparison]:
    """All cells of Table IV that can be compared."""
    found = [compared(archive, key) for key in published_accuracies()]
    return [comparison for comparison in found if comparison is not None]


def table_iv(archive: Archive, setting: str) -> Table:
    """One setting of Table IV beside the published values.

    For each momentum, our accuracy in percent with scale and seeds; below it the published one
    and, where there is a verdict, the difference (``✓`` within the margin, ``✗`` outside).

    Parameters
    ----------
    archive
        The stored runs.
    setting
        The key of the setting, such as ``mnist_noniid``.
    """
    rows: list[tuple[str, ...]] = []
    classes: dict[tuple[int, int], str] = {}
    data: set[str] = set()
    for rule in RULES:
        for attack in ATTACK_NAMES:
            row = [RULE_TITLES[rule], ATTACK_NAMES[attack]]
            for momentum in MOMENTA:
                key = keys.table_iv(setting, attack, rule, momentum)
                result, comparison = archive.best(str(key)), compared(archive, key)
                if result is not None:
                    data.add(result.data)
                    shade = _SHADES.get(comparison.verdict, "untold") if comparison else None
                    classes[len(rows), len(row)] = shade or f"scale-{result.scale}"
                text = f"{_ours(archive, result)}\n{_published_beside(key, comparison)}"
                row.append(archive.linked(text, str(key)))
            rows.append(tuple(row))
    return Table(
        ("rule", "attack", *(f"β = {momentum:g}: ours\npublished" for momentum in MOMENTA)),
        tuple(rows),
        f"Table IV, {SETTING_TITLES[setting]}: test accuracy in %. The data are "
        f"{data_named(data)}. "
        "β is the clients' momentum. In brackets stands our accuracy minus the published one. ✓ "
        "means that the two agree, and ✗ that they differ. Our runs are at the paper's scale if no "
        "other one is named",
        classes,
        compact=True,
    )


def summary(archive: Archive) -> Note:
    """How many published cells agree, differ, and are not yet comparable, by setting."""
    published = published_accuracies()
    found_all = comparisons(archive)
    telling = [found for found in found_all if found.verdict in _SHADES]
    showing = [found for found in telling if found.shows]
    close = sum(abs(comparison.gap) <= MARGIN for comparison in found_all)
    parts = []
    for setting in SETTINGS:
        have = sum(comparison.key.setting == setting.key for comparison in found_all)
        total = sum(key.setting == setting.key for key in published)
        parts.append(f"{setting.title} {have} of {total}")
    return Note(
        f"Table IV has {len(published)} cells. "
        f"We computed {len(found_all)} of them at paper scale. "
        f"Our accuracy agrees with the printed one in {_agreeing(telling)} that can be compared. "
        f"In {len(showing)} of the cells that can be compared the attack is visible, which means "
        "that our run without any attack would differ from the printed accuracy there. Our "
        f"accuracy under the attack agrees in {_agreeing(showing)} of this kind. "
        f"{plural(len(found_all) - len(telling), 'computed cell')} cannot be compared, because the "
        "printed spread is so wide that nearly every run would agree, or because our seeds are "
        f"unstable. Our accuracy is within {MARGIN:g} points of the printed one in {close} of the "
        f"{plural(len(found_all), 'computed cell')}. "
        f"The computed cells of each setting are: {', '.join(parts)}."
    )


def _agreeing(found: list[Comparison]) -> str:
    """How many of some comparisons agree: ``56 of 71 cells``."""
    agreed = sum(comparison.verdict == AGREES for comparison in found)
    return f"{agreed} of {plural(len(found), 'cell')}"


def apart_table(archive: Archive) -> Table:
    """Cells of Table IV more than 2 points from what is published, the farthest first."""
    far = [found for found in comparisons(archive) if abs(found.gap) > MARGIN]
    far.sort(key=lambda found: -abs(found.gap))
    rows = tuple(
        (
            SETTING_TITLES[found.key.setting],
            rule_title(found.key.rule, found.key.momentum),
            ATTACK_NAMES[found.key.attack],
            archive.linked(_ours(archive, found.result), str(found.key)),
            _published_text(found.published),
            _difference(found),
            found.verdict,
        )
        for found in far
    )
    return Table(
        ("setting", "rule", "attack", "ours", "published", "difference", "verdict by the margin"),
        rows,
        "Cells of Table IV in which our accuracy and the published one are more than "
        f"{MARGIN:g} points apart. All numbers are test accuracies in %",
        {(i, 6): _SHADES.get(row[6], "untold") for i, row in enumerate(rows)},
        compact=True,
    )


def _ours(archive: Archive, result: CellResult | None) -> str:
    """A cell's accuracy with its spread, scale and seeds: ``88.12 ± 0.31 (2 seeds)``."""
    if result is None:
        return "not computed"
    shown = result.shown(archive.noise.unstable(result))
    return f"{shown} ({seeds_in_words(result.scale, len(result.seeds), result.real)})"


def _difference(comparison: Comparison) -> str:
    """Say the difference to the published value, of every seed if these are unstable."""
    if comparison.verdict == UNSTABLE:
        gaps = _gaps(comparison.result, comparison.published)
        return ", ".join(f"{gap:+.2f}" for gap in gaps)
    within = "" if comparison.error is None else f" ± {comparison.error:.2f}"
    return f"{comparison.gap:+.2f}{within}"


def _published_text(value: PublishedValue) -> str:
    """What the paper prints: ``97.73 ± 0.30``."""
    return f"{value.value:.2f} ± {value.spread:.2f}"


def _published_beside(key: Key, comparison: Comparison | None) -> str:
    """The published value, with the difference where the two can be compared."""
    value = published_accuracies().get(key)
    if value is None:
        return "not published"
    if comparison is None:
        return _published_text(value)
    mark = _MARKS[comparison.verdict]
    # A mark in words has a line of its own, so that the column stays narrow.
    between = "\n" if " " in mark else " "
    return f"{_published_text(value)}{between}({_difference(comparison)} {mark})"


def table_iv_in_words(archive: Archive, setting: str) -> Note:
    """Say what to see in :func:`table_iv`.

    Parameters
    ----------
    archive
        The stored runs.
    setting
        The key of the setting.
    """
    here = [found for found in comparisons(archive) if found.key.setting == setting]
    telling = [found for found in here if found.verdict in _SHADES]
    if not telling:
        return Note("None of these numbers can be compared with the paper yet.")
    lowest, places, close = 0, 0, 0
    for rule in CLIPPING:
        for momentum in MOMENTA:
            cells = [str(keys.table_iv(setting, attack, rule, momentum)) for attack in ATTACKS_IV]
            known = archive.common(cells)
            if known is not None:
                places += 1
                left = [result.accuracy.mean for result in known]
                lead = min(left[1:]) - left[0]
                lowest += lead > 0
                close += 0 < lead < _CLOSE
    return Note(
        f"{_agreeing(telling)} that can be compared agree with the paper (green). Of the "
        f"{len(ATTACKS_IV)} attacks, ROP leaves centered clipping the lowest accuracy in {lowest} "
        f"of the {places} pairs of τ and β."
        + (f" In {close} of these it leads by less than {_CLOSE:g} points." if close else "")
    )
