"""Table IV, the curves and the claims of centered_clipping, from the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fedlib.data import PARTITIONS, class_counts
from fedlib.papers.centered_clipping import (
    ATTACK_NAMES,
    MOMENTA,
    N_CLIENTS,
    RULE_TITLES,
    RULES,
    SETTINGS,
    VARIANT_MOMENTUM,
    VARIANTS,
    key,
)
from fedlib.plots import Panel
from fedlib.published import PublishedValue, load_published
from fedlib.report import Archive, CellResult, Note, Table, plural, verdict

_MARKS = {"agrees": "✓", "differs": "✗"}


def published() -> dict[str, PublishedValue]:
    """Table IV's values by cell key."""
    return {
        key(value.setting, value.attack, value.aggregator, value.momentum or 0.0): value
        for value in load_published("centered_clipping", "table_iv")
    }


def ours(result: CellResult | None) -> str:
    """A cell's accuracy with its spread, scale and seeds: ``88.12 ± 0.31 paper, 2 seeds``."""
    if result is None:
        return "not computed"
    accuracy = result.accuracy
    spread = "" if accuracy.spread is None else f" ± {accuracy.spread:.2f}"
    data = "" if result.real else ", glyphs"
    return f"{accuracy.mean:.2f}{spread} {result.scale}{data}, {plural(accuracy.n, 'seed')}"


def table_iv(archive: Archive, setting: str) -> Table:
    """One setting of Table IV beside the published values.

    For each momentum, our accuracy in percent with scale and seeds; below it the published one
    and, where there is a verdict, the difference (``✓`` within the margin, ``✗`` outside).
    """
    theirs = published()
    rows: list[tuple[str, ...]] = []
    classes: dict[tuple[int, int], str] = {}
    data: set[str] = set()
    for rule in RULES:
        for attack in ATTACK_NAMES:
            row = [RULE_TITLES[rule], ATTACK_NAMES[attack]]
            for momentum in MOMENTA:
                cell = key(setting, attack, rule, momentum)
                result, value = archive.best(cell), theirs.get(cell)
                if result is not None:
                    data.add(result.data)
                    classes[len(rows), len(row)] = f"scale-{result.scale}"
                if value is None:
                    row.append(f"{ours(result)}\nnot published")
                    continue
                said = verdict(result, value.value, value.spread)
                if result is not None and said in _MARKS:
                    classes[len(rows), len(row)] = said
                row.append(f"{ours(result)}\n{_theirs(result, value, said)}")
            rows.append(tuple(row))
    title = next(s.title for s in SETTINGS if s.key == setting)
    where = " and ".join(sorted(data)) or "nothing stored"
    return Table(
        ("rule", "attack", *(f"β = {momentum:g}: ours\npublished" for momentum in MOMENTA)),
        tuple(rows),
        f"Table IV, {title}: test accuracy in %, on {where}",
        classes,
        compact=True,
    )


def _theirs(result: CellResult | None, value: PublishedValue, said: str) -> str:
    """The published value, with the difference where it does not measure a reduced scale."""
    shown = f"{value.value:.2f} ± {value.spread:.2f}"
    if result is None or said not in _MARKS:
        return shown
    return f"{shown} ({result.accuracy.mean - value.value:+.2f} {_MARKS[said]})"


def summary(archive: Archive) -> Note:
    """How many published cells of these settings agree, differ, and are not yet comparable."""
    settings = {setting.key for setting in SETTINGS}
    counts = {"agrees": 0, "differs": 0}
    total = 0
    for cell, value in published().items():
        if cell.split("/")[1] not in settings:
            continue
        total += 1
        said = verdict(archive.best(cell), value.value, value.spread)
        if said in counts:
            counts[said] += 1
    computed = sum(counts.values())
    return Note(
        f"Table IV on these settings agrees within the margin in {counts['agrees']} of {computed} "
        f"cells computed at paper scale; {total - computed} of {total} cells not computed at paper "
        "scale."
    )


def variants_table(archive: Archive) -> Table:
    """What each choice changes: accuracy as used and taken the other way, at a shared scale."""
    rows = []
    titles = {setting.key: setting.title for setting in SETTINGS}
    for variant in VARIANTS:
        for setting in variant.settings:
            usual = key(setting, variant.attack, variant.rule, VARIANT_MOMENTUM)
            row = [variant.question, titles[setting], RULE_TITLES[variant.rule]]
            row += [ATTACK_NAMES[variant.attack], variant.used, variant.other]
            pair = archive.common([usual, variant.cell(setting)])
            if pair is None:
                rows.append((*row, "not computed"))
                continue
            used, other = (result.accuracy.mean for result in pair)
            seeds = plural(min(len(result.records) for result in pair), "seed")
            basis = f"{pair[0].scale}, {pair[0].data}, {seeds}"
            rows.append((*row, f"{used:.2f} → {other:.2f} ({other - used:+.2f}; {basis})"))
    return Table(
        ("choice", "setting", "rule", "attack", "used here", "other way", "accuracy, %"),
        tuple(rows),
        f"What the choices change, at β = {VARIANT_MOMENTUM:g}",
    )


def accuracy_rows(archive: Archive, setting: str) -> list[list[Panel]]:
    """Panels of Figures 4, 7 and 8: a row a momentum, a column a rule, a line an attack."""
    return [
        [
            Panel(
                f"{RULE_TITLES[rule]}, β = {momentum:g}",
                {a: archive.best(key(setting, a, rule, momentum)) for a in ATTACK_NAMES},
            )
            for rule in RULES
        ]
        for momentum in MOMENTA
    ]


def partition_counts(seed: int = 1) -> dict[str, np.ndarray]:
    """Figure 2: 50,000 samples, 5,000 a class, over 25 clients."""
    labels = np.repeat(np.arange(10), 5000)
    return {
        title: class_counts(labels, PARTITIONS[name]()(labels, N_CLIENTS, seed))
        for title, name in (("IID", "iid"), ("non-IID: Dirichlet, α = 1", "dirichlet"))
    }


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, and what decides it.

    ``statistic`` maps the accuracies of ``cells`` (in their order) to a number that ``holds``
    judges; ``shown`` puts it into words.
    """

    place: str
    text: str
    cells: tuple[str, ...]
    statistic: Callable[[list[float]], float]
    holds: Callable[[float], bool]
    shown: str


def _drop(values: list[float]) -> float:
    """How far the second accuracy is below the first."""
    return values[0] - values[1]


def _pair(setting: str, rule: str, momentum: float, attack: str = "rop") -> tuple[str, str]:
    return (key(setting, "none", rule, momentum), key(setting, attack, rule, momentum))


def _against_others(setting: str, rule: str, momentum: float) -> tuple[str, ...]:
    return tuple(
        key(setting, attack, rule, momentum)
        for attack in ("rop", "alie", "ipm", "label_flip", "bit_flip")
    )


# A drop that the text states counts as found if ours is within the margin of 2 points of it; an
# attack counts as diverging if it leaves less than half of the clean accuracy.
CLAIMS = (
    *(
        Claim(
            "Fig. 4, text",
            f"FMNIST, {RULE_TITLES[rule]}, β = 0.99: ROP costs {stated:g} points",
            _pair("fmnist_iid", rule, 0.99),
            _drop,
            lambda drop, stated=stated: abs(drop - stated) <= 2,  # type: ignore[misc]
            "drop {:.1f} points",
        )
        for rule, stated in (("cc_tau0.1", 5.0), ("cc_tau1", 7.0))
    ),
    *(
        Claim(
            "Fig. 4, text",
            f"FMNIST, {RULE_TITLES[rule]}, β = 0: ALIE makes it diverge",
            _pair("fmnist_iid", rule, 0.0, "alie"),
            lambda v: 100 * v[1] / v[0],
            lambda share: share < 50,
            "{:.0f} % of the clean accuracy left",
        )
        for rule in ("rfa", "tm")
    ),
    *(
        Claim(
            "Fig. 7, text",
            f"MNIST*, {RULE_TITLES[rule]}, β = 0: ROP costs 20 to 25 points",
            _pair("mnist_noniid", rule, 0.0),
            _drop,
            lambda drop: 18 <= drop <= 27,
            "drop {:.1f} points",
        )
        for rule in ("cc_tau0.1", "cc_tau1")
    ),
    Claim(
        "Fig. 7, text",
        "MNIST*, β = 0.99, no attack: CC with τ = 0.1 stays below CC with τ = 1",
        (
            key("mnist_noniid", "none", "cc_tau1", 0.99),
            key("mnist_noniid", "none", "cc_tau0.1", 0.99),
        ),
        _drop,
        lambda drop: drop > 2,
        "{:.1f} points below",
    ),
    Claim(
        "Fig. 8, text",
        "FMNIST*, CC, τ = 1, β = 0.99: ROP costs almost 20 points",
        _pair("fmnist_noniid", "cc_tau1", 0.99),
        _drop,
        lambda drop: abs(drop - 20) <= 2,
        "drop {:.1f} points",
    ),
    *(
        Claim(
            "section VII",
            f"{setting.title}, {RULE_TITLES[rule]}, β = 0.99: ROP is the strongest of the attacks",
            _against_others(setting.key, rule, 0.99),
            lambda v: min(v[1:]) - v[0],
            lambda gap: gap > 0,
            "next strongest attack leaves {:+.1f} points",
        )
        for setting in SETTINGS
        for rule in ("cc_tau0.1", "cc_tau1")
    ),
)


def claims_table(archive: Archive) -> Table:
    """Each claim with its statistic, scale and verdict.

    ``holds`` or ``does not hold`` where all its cells are of the paper's protocol on its data;
    ``undecided`` at a reduced scale or without all cells. Cells are never compared across scales.
    """
    rows = []
    classes = {}
    for claim in CLAIMS:
        known = archive.common(claim.cells)
        if known is None:
            rows.append((claim.place, claim.text, "–", "–", "undecided: not computed"))
            continue
        value = claim.statistic([result.accuracy.mean for result in known])
        seeds = min(len(result.records) for result in known)
        if not all(result.comparable for result in known):
            said = "undecided: reduced scale"
        else:
            said = "holds" if claim.holds(value) else "does not hold"
            classes[len(rows), 4] = "agrees" if said == "holds" else "differs"
        data = ", ".join(sorted({result.data for result in known}))
        basis = f"{known[0].scale}, {data}, {plural(seeds, 'seed')}"
        rows.append((claim.place, claim.text, claim.shown.format(value), basis, said))
    return Table(
        ("where", "claim", "here", "runs", "verdict"),
        tuple(rows),
        "Claims of the text on these settings, computed from the stored runs",
        classes,
    )
