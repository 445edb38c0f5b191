"""Tables 1 to 5 and Figure 2: the accuracies of rules under attacks."""

from __future__ import annotations

from collections.abc import Sequence

from fedlib.evidence.plots import Panel
from fedlib.evidence.published import PublishedValue
from fedlib.evidence.report import (
    Archive,
    CellResult,
    Note,
    Table,
    basis_of,
    data_named,
    verdict,
)
from fedlib.evidence.results import seeds_in_words
from fedlib.evidence.statistics import MARGIN, WIDEST_MARGIN, agrees
from fedlib.grids import Variant
from fedlib.papers.clustering_with_outliers.keys import Scenario
from fedlib.papers.clustering_with_outliers.methods import (
    ATTACK_TITLES,
    PUBLISHED_ATTACKS,
    RULE_TITLES,
    RULES,
    attacks_of,
)
from fedlib.papers.clustering_with_outliers.published import WORST, published
from fedlib.papers.clustering_with_outliers.settings import title_of
from fedlib.papers.clustering_with_outliers.tables.shares import least_share, share

FIGURE_2 = {rule: RULE_TITLES[rule] for rule in RULES}
_PARTS = {
    "avg": "mean",
    "gm": "geometric_median",
    "cclip": "norm_clipping",
    "cwm": "median",
    "cwtm": "trimmed_mean",
    "cent2p": "center_with_outliers",
    "mean2p": "mean_with_outliers",
}
"""The names that the rules are registered under."""

_MARKS = {"agrees": " ✓", "differs": " ✗"}
_MARKED = (
    f". ✓ means that the two accuracies are at most {MARGIN / 100:.2f} apart, and ✗ means that "
    "they are further apart"
)


def accuracy_table(
    archive: Archive,
    setting: str,
    rate: str,
    rules: Sequence[str] = RULES,
    item: str = "",
    variant: Variant | None = None,
) -> Table:
    """Rules by attacks at one rate, and the worst of each rule: ours above the published.

    Our worst is taken at the best scale at which all attacks of the row are stored.

    Parameters
    ----------
    archive
        The stored runs.
    setting, rate
        The scenario, by the names that keys have for it.
    rules
        The rows.
    item
        The table's name in the paper, for the caption.
    variant
        A choice whose runs stand in place of those that follow the text. The table then has the
        attacks of these runs, and no worst of a rule, because the paper's is that of all attacks.
    """
    printed = published()
    scenario = Scenario(setting, rate)
    attacks = tuple(
        attack
        for attack in attacks_of(setting)
        if variant is None
        or any(cell in variant.cells for cell in scenario.cells(rules, (attack,)))
    )
    rows: list[tuple[str, ...]] = []
    classes: dict[tuple[int, int], str] = {}
    data: set[str] = set()
    for rule in rules:
        row = [RULE_TITLES[rule]]
        for place in scenario.cells((rule,), attacks):
            cell = place if variant is None else variant.cell(place)
            result, value = archive.best(cell), printed.get(place)
            shown = _found_and_published(result, value)
            if result is not None:
                data.add(result.data)
                kind = classes[len(rows), len(row)] = _class_of(archive, result, value)
                shown += _MARKS.get(kind, "")
            row.append(archive.linked(shown, cell))
        if variant is not None:
            rows.append(tuple(row))
            continue
        cells = scenario.cells((rule,), attacks)
        together = archive.common(cells)
        if together is not None:
            classes[len(rows), len(row)] = f"scale-{together[0].scale}"
        worst = printed.get(str(scenario.cell(WORST, rule)))
        row.append(archive.linked(_worst_and_published(together, worst), *cells))
        rows.append(tuple(row))
    return Table(
        (
            "rule",
            *(ATTACK_TITLES[attack] for attack in attacks),
            *(("worst",) if variant is None else ()),
        ),
        tuple(rows),
        f"{item + ': ' if item else ''}{title_of(scenario)}. "
        f"{_choice_of(variant)}"
        f"The data are {data_named(data)}. Test "
        "accuracies are shares of 1. Each cell has our accuracy, then its number of seeds, and its "
        "scale if that is not the paper's, and below them the published accuracy"
        + (_MARKED if set(_MARKS) & set(classes.values()) else ""),
        classes,
        compact=True,
    )


def _choice_of(variant: Variant | None) -> str:
    """Say which choice the runs of a table make in another way, if they do."""
    if variant is None:
        return ""
    return f"One choice is made in another way ({variant.question}: {variant.other}). "


def accuracy_in_words(archive: Archive, setting: str, rate: str) -> Note:
    """Say which rules of an accuracy table have the highest worst case.

    Only rules of which all attacks are stored at one common scale are compared.

    Parameters
    ----------
    archive
        The stored runs.
    setting, rate
        The scenario, by the names that keys have for it.
    """
    scenario, attacks = Scenario(setting, rate), attacks_of(setting)
    known = archive.common(scenario.cells(RULES, attacks))
    if known is None:
        return Note(
            "Not all cells of this table are computed at a common scale, so the worst cases of its "
            "rules are not compared."
        )
    worst = {
        rule: min(
            result.accuracy.mean for result in known[i * len(attacks) : (i + 1) * len(attacks)]
        )
        for i, rule in enumerate(RULES)
    }
    ranked = sorted(worst, key=lambda rule: -worst[rule])
    said = ", ".join(f"{RULE_TITLES[rule]} {share(worst[rule])}" for rule in ranked)
    lower = _lower_at_a_larger_scale(archive, scenario, known, worst)
    start = (
        "Only the smaller runs have all attacks. In them the lowest accuracy of each rule is, the "
        "best first: "
        if lower
        else "The lowest accuracy of each rule under any attack, the best first: "
    )
    return Note(f"{lower}{start}{said} ({basis_of(known)}).")


def _lower_at_a_larger_scale(
    archive: Archive, scenario: Scenario, known: Sequence[CellResult], worst: dict[str, float]
) -> str:
    """Name the rules that have less in some runs of a larger scale than those of all attacks."""
    found, attacks = [], attacks_of(scenario.setting)
    for rule in RULES:
        best = [archive.best(cell) for cell in scenario.cells((rule,), attacks)]
        larger = [one.accuracy.mean for one in best if one and one.scale != known[0].scale]
        if larger and min(larger) < worst[rule]:
            found.append((min(larger), rule))
    if not found:
        return ""
    named = ", ".join(f"{RULE_TITLES[rule]} {share(least)}" for least, rule in sorted(found))
    return (
        "At the larger scale of the table above not all attacks are computed. There these rules "
        f"already have less than in the smaller runs: {named}. "
    )


def _class_of(archive: Archive, result: CellResult, value: PublishedValue | None) -> str:
    """The CSS class of a cell: its verdict, or its scale where there is none."""
    if value is not None:
        # Table 4 has no spreads, so that its margin is too narrow for nearly every run to agree.
        unstable = archive.noise.unstable(result)
        spread = _spread_in_percent(value)
        decided = verdict(result, 100 * value.value, spread, unstable=unstable)
        if decided in ("agrees", "differs"):
            return decided
    return f"scale-{result.scale}"


def _spread_in_percent(value: PublishedValue) -> float | None:
    return None if value.spread is None else 100 * value.spread


def _found_and_published(result: CellResult | None, value: PublishedValue | None) -> str:
    """Accuracy as a share, its scale and number of seeds, and the published value."""
    printed = "not published"
    if value is not None:
        printed = f"{value.value:.2f}" + ("" if value.spread is None else f" ± {value.spread:.2f}")
    if result is None:
        return f"–\n\n{printed}"
    found = result.accuracy
    spread = "" if found.spread is None else f" ± {share(found.spread)}"
    basis = seeds_in_words(result.scale, found.n, result.real)
    return f"{share(found.mean)}{spread}\n{basis}\n{printed}"


def _worst_and_published(results: Sequence[CellResult] | None, value: PublishedValue | None) -> str:
    """The least mean accuracy of a row whose attacks are all computed at one scale."""
    printed = "not published" if value is None else f"{value.value:.2f}"
    if results is None:
        return f"–\n\n{printed}"
    return f"{least_share(results)}\n{printed}"


def nearness(archive: Archive, *settings: str) -> Note:
    """How far our paper-scale values in some settings are from the published ones, in words.

    Parameters
    ----------
    archive
        The stored runs.
    *settings
        Their names in keys. Either all have the paper's data, or none has.
    """
    # The worst of the attacks is published too, but it is no cell.
    values = {
        cell: value
        for cell, value in published().items()
        if value.attack and Scenario.parse(value.setting).setting in settings
    }
    known = [(archive.best(cell), value) for cell, value in values.items()]
    compared = [(r, v) for r, v in known if r is not None and r.scale == "paper" and r.real]
    if not compared:
        return Note("No published value is computed at paper scale yet.")
    gaps = [abs(result.accuracy.mean - 100 * value.value) for result, value in compared]
    near = sum(
        agrees(result.accuracy.mean, 100 * value.value, _spread_in_percent(value))
        for result, value in compared
    )
    wide = sum(
        2 * (_spread_in_percent(value) or 0.0) > WIDEST_MARGIN
        and agrees(result.accuracy.mean, 100 * value.value, _spread_in_percent(value))
        for result, value in compared
    )
    printed = any(value.spread is not None for _, value in compared)
    other = not any(result.canonical for result, _ in compared)
    return Note(
        f"For {len(gaps)} of the {len(values)} accuracies that all tables of the paper have on "
        "these data, there are runs at the paper's scale. Ours differ from the published ones by "
        f"{sum(gaps) / len(gaps) / 100:.2f} on "
        f"average, and {near} of them are within the margin, which is {MARGIN / 100:.2f}"
        + (", or twice the printed spread if that is more." if printed else ".")
        + (
            f" {wide} of these {near} {'has' if wide == 1 else 'have'} a margin of more than "
            f"{WIDEST_MARGIN / 100:.1f}, which tells nothing."
            if wide
            else ""
        )
        + (
            " The images are another sample than the paper's, so this is for orientation and is no "
            "verdict."
            if other
            else ""
        )
    )


def figure_2_rows(archive: Archive, setting: str, rate: str) -> list[list[Panel]]:
    """Return a panel of the accuracy over training for each attack, with a line for each rule."""
    scenario = Scenario(setting, rate)
    panels = [
        Panel(
            ATTACK_TITLES[attack],
            {rule: archive.best(str(scenario.cell(attack, rule))) for rule in RULES},
            _PARTS,
        )
        for attack in PUBLISHED_ATTACKS
    ]
    return [panels[:3], panels[3:]]


def iterates_table(archive: Archive, setting: str, rate: str) -> Table:
    """Accuracy of the last model, and of the mean of all models, which Algorithm 1 returns."""
    scenario = Scenario(setting, rate)
    rows: list[tuple[str, ...]] = []
    data: set[str] = set()
    for rule in RULES:
        row = [RULE_TITLES[rule]]
        for cell in scenario.cells((rule,), PUBLISHED_ATTACKS):
            result = archive.best(cell)
            if result is None:
                row.append(archive.linked("not computed", cell))
                continue
            data.add(result.data)
            last, average = result.accuracy, result.final("test_accuracy_average").mean
            basis = seeds_in_words(result.scale, last.n, result.real)
            shown = f"{share(last.mean)} → {share(average)}\n{basis}"
            row.append(archive.linked(shown, cell))
        rows.append(tuple(row))
    return Table(
        ("rule", *(ATTACK_TITLES[attack] for attack in PUBLISHED_ATTACKS)),
        tuple(rows),
        f"{title_of(scenario)}: test accuracy of the last model (before the arrow) and of the "
        f"average of all models (after it). The data are {data_named(data)}",
        compact=True,
    )
