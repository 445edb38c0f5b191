"""Tables 1 to 5, the curves, the thought experiment and the claims, from the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure

from fedlib.aggregators import AGGREGATORS
from fedlib.evidence import claims
from fedlib.evidence.claims import Claim, ClaimsTable, Range, above, at_least, at_most, drop
from fedlib.evidence.plots import PALETTE, STYLE, Panel
from fedlib.evidence.published import PublishedValue, load_published
from fedlib.evidence.report import Archive, CellResult, Note, Table, data_named, verdict
from fedlib.evidence.statistics import MARGIN, margin
from fedlib.federation import Facts
from fedlib.guarantees import BOUNDS, DEFINITIONS
from fedlib.papers.clustering_with_outliers.grid import (
    ATTACK_TITLES,
    N_CLIENTS,
    PUBLISHED_ATTACKS,
    RATES,
    RULE_TITLES,
    RULES,
    SETTINGS,
    VARIANTS,
    key,
)
from fedlib.validation import ConfigError

_TITLES = {setting.key: setting.title for setting in SETTINGS}
TWO_PHASE, ONE_PHASE = ("cent2p", "mean2p"), ("cent1p", "mean1p")
BASELINES = tuple(rule for rule in RULES if rule not in TWO_PHASE)


def attacks_of(setting: str) -> tuple[str, ...]:
    """The attacks that the paper has in this setting."""
    return (*PUBLISHED_ATTACKS, *(("pga",) if setting == "femnist_dirichlet" else ()))


def published() -> dict[str, PublishedValue]:
    """The tables' values by cell key, those with a spread before Table 1's, which has none."""
    values: dict[str, PublishedValue] = {}
    for value in load_published("clustering_with_outliers"):
        setting, rate = value.setting.split("/")
        place = key(setting, rate, value.attack or "worst", value.aggregator)
        if place not in values or values[place].spread is None:
            values[place] = value
    return values


def _share(percent: float) -> str:
    return f"{percent / 100:.2f}"


def _lines(result: CellResult | None, theirs: PublishedValue | None) -> str:
    """Accuracy as a share, its scale and number of seeds, and the published value."""
    shown = "not published"
    if theirs is not None:
        shown = f"{theirs.value:.2f}" + ("" if theirs.spread is None else f" ± {theirs.spread:.2f}")
    if result is None:
        return f"–\n\n{shown}"
    found = result.accuracy
    spread = "" if found.spread is None else f" ± {_share(found.spread)}"
    data = "" if result.real else ", glyphs"
    return f"{_share(found.mean)}{spread}\n{result.scale}{data} ×{found.n}\n{shown}"


def _worst(results: Sequence[CellResult] | None, theirs: PublishedValue | None) -> str:
    """The least mean accuracy of a row whose attacks are all computed at one scale."""
    shown = "not published" if theirs is None else f"{theirs.value:.2f}"
    if results is None:
        return f"–\n\n{shown}"
    return f"{_least(results)}\n{shown}"


def _least(results: Sequence[CellResult]) -> str:
    """The least mean accuracy of results at one scale, with that and the numbers of seeds."""
    counts = sorted({result.accuracy.n for result in results})
    seeds = "–".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    least = min(result.accuracy.mean for result in results)
    return f"{_share(least)}\n{results[0].scale} ×{seeds}"


def accuracy_table(
    archive: Archive, setting: str, rate: str, rules: Sequence[str] = RULES, item: str = ""
) -> Table:
    """Rules by attacks at one rate, and the worst of each rule: ours above the published.

    Our worst is taken at the best scale at which all attacks of the row are stored.
    """
    theirs = published()
    attacks = attacks_of(setting)
    rows: list[tuple[str, ...]] = []
    classes: dict[tuple[int, int], str] = {}
    data: set[str] = set()
    for rule in rules:
        row = [RULE_TITLES[rule]]
        for attack in attacks:
            cell = key(setting, rate, attack, rule)
            result, value = archive.best(cell), theirs.get(cell)
            if result is not None:
                data.add(result.data)
                classes[len(rows), len(row)] = f"scale-{result.scale}"
                if value is not None:
                    spread = None if value.spread is None else 100 * value.spread
                    said = verdict(result, 100 * value.value, spread)
                    if said in ("agrees", "differs"):
                        classes[len(rows), len(row)] = said
            row.append(_lines(result, value))
        together = archive.common([key(setting, rate, attack, rule) for attack in attacks])
        if together is not None:
            classes[len(rows), len(row)] = f"scale-{together[0].scale}"
        row.append(_worst(together, theirs.get(key(setting, rate, "worst", rule))))
        rows.append(tuple(row))
    return Table(
        ("rule", *(ATTACK_TITLES[attack] for attack in attacks), "worst"),
        tuple(rows),
        f"{item + ', ' if item else ''}{_TITLES[setting]}, rate {rate}, on {data_named(data)}",
        classes,
        compact=True,
    )


def nearness(archive: Archive) -> Note:
    """How far our paper-scale values are from the published ones, in words."""
    gaps = []
    near = 0
    for place, value in published().items():
        if not value.attack:
            continue  # the worst of the attacks is no cell
        result = archive.best(place)
        if result is None or result.scale != "paper" or not result.real:
            continue
        gap = result.accuracy.mean - 100 * value.value
        gaps.append(gap)
        near += abs(gap) <= margin(None if value.spread is None else 100 * value.spread)
    if not gaps:
        return Note("No published value is computed at paper scale yet.")
    worst = len([value for value in published().values() if not value.attack])
    total = len(published()) - worst
    return Note(
        f"{len(gaps)} of {total} published values are computed at paper scale. They "
        f"are {sum(map(abs, gaps)) / len(gaps) / 100:.2f} apart on average "
        f"({near} of them within the margin). Since the images are another sample than the "
        "paper's, this is for orientation and no verdict."
    )


FIGURE_2 = {rule: RULE_TITLES[rule] for rule in RULES}


def figure_2_rows(archive: Archive, setting: str, rate: str) -> list[list[Panel]]:
    """Accuracy over training: a panel an attack, a line a rule."""
    panels = [
        Panel(
            ATTACK_TITLES[attack],
            {rule: archive.best(key(setting, rate, attack, rule)) for rule in RULES},
        )
        for attack in PUBLISHED_ATTACKS
    ]
    return [panels[:3], panels[3:]]


def iterates_table(archive: Archive, setting: str, rate: str) -> Table:
    """Accuracy of the last model, and of the mean of all models, which Algorithm 1 returns."""
    rows: list[tuple[str, ...]] = []
    data: set[str] = set()
    for rule in RULES:
        row = [RULE_TITLES[rule]]
        for attack in PUBLISHED_ATTACKS:
            result = archive.best(key(setting, rate, attack, rule))
            if result is None:
                row.append("not computed")
                continue
            data.add(result.data)
            last, average = result.accuracy, result.final("test_accuracy_average").mean
            row.append(f"{_share(last.mean)} → {_share(average)}\n{result.scale} ×{last.n}")
        rows.append(tuple(row))
    return Table(
        ("rule", *(ATTACK_TITLES[attack] for attack in PUBLISHED_ATTACKS)),
        tuple(rows),
        f"Last iterate → average iterate, {_TITLES[setting]}, rate {rate}, on {data_named(data)}",
        compact=True,
    )


CAMOUFLAGED = (
    ("femnist_uniform", "0.2"),
    ("femnist_uniform", "0.4"),
    ("femnist_dirichlet", "0.2"),
)


def camouflage_table(archive: Archive) -> Table:
    """The adaptive attack beside the worst of the paper's six and beside no attack."""
    rows: list[tuple[str, ...]] = []
    data: set[str] = set()
    cells = set(archive.cells())
    for rule in (*RULES, *ONE_PHASE):
        row = [RULE_TITLES[rule]]
        for setting, rate in CAMOUFLAGED:
            for attacks in (("none",), PUBLISHED_ATTACKS, ("camouflage",)):
                wanted = _row(setting, rate, rule, attacks)
                if not cells.issuperset(wanted):
                    row.append("–")  # not part of the grid
                    continue
                found = archive.common(wanted)
                if found is None:
                    row.append("not computed")
                else:
                    data.update(result.data for result in found)
                    row.append(_least(found))
        rows.append(tuple(row))
    heads = [
        head
        for setting, rate in CAMOUFLAGED
        for head in (f"{_TITLES[setting]}, {rate}\nno attack", "\nworst of six", "\ncamouflage")
    ]
    return Table(
        ("rule", *heads),
        tuple(rows),
        f"An attacker that sits in both candidates: test accuracy on {data_named(data)}",
        compact=True,
    )


def constants_table() -> Table:
    """Theorem 2 for the experiments' 35 clients."""
    rows = []
    for bound in BOUNDS:
        if bound.rule not in ("center_with_outliers", "mean_with_outliers"):
            continue
        title = {"center_with_outliers": "CenterwO", "mean_with_outliers": "MeanwO"}[bound.rule]
        values = [f"{bound.constant(N_CLIENTS, f, 115_646):.3g}" for f in RATES.values()]
        rows.append((title, DEFINITIONS[bound.definition], bound.formula, *values))
    heads = (f"f = {f}" for f in RATES.values())
    return Table(
        ("rule", "definition", "constant", *heads),
        tuple(rows),
        f"Theorem 2 with n = {N_CLIENTS}, δ = f / n and ν = 1/2 − δ",
    )


# --- Figure 1: a thought experiment in the plane -------------------------------------------

_HONEST = {"sneak": [0, 5, 6, 7, 8, 9, 10], "siege": [0, 1, 2, 3, 4, 5, 6]}


def _plane() -> torch.Tensor:
    """Eleven vectors: five in a tight group, six round it. The paper prints no coordinates."""
    turn = np.arange(6) * np.pi / 3 + 0.3
    tight = np.array([1.0, 0.5]) + 0.12 * np.array([[0, 0], [1, 0], [-1, 0.3], [0.2, 1], [0, -1]])
    wide = 2 * np.column_stack([np.cos(turn), np.sin(turn)]) - tight[0] / 6
    return torch.from_numpy(np.concatenate([tight, wide]))


def _answer(updates: torch.Tensor, name: str, **options: str) -> np.ndarray:
    rule = AGGREGATORS[name](n_byzantine=5, **options)
    # The server's own update, where a rule wants one: a fixed vector, it knows nothing.
    context = Facts(server_update=torch.ones(2, dtype=updates.dtype))
    answer: np.ndarray = rule.apply(updates, rule.init(11, 2), context)[0].numpy()
    return answer


def figure_1() -> Figure:
    """Sneak and siege: the same eleven vectors with other owners, and three rules' answers."""
    everyone = _plane()
    shown = {
        "average": ("x", _answer(everyone, "mean")),
        "Inner (MeanwO)": ("+", _answer(everyone, "mean_with_outliers")),
        "Outer (MeanwO)": ("*", _answer(everyone, "mean_with_outliers", side="outer")),
    }
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 2, figsize=(8, 4), sharey=True, layout="constrained")
        for axis, (title, rows) in zip(axes, _HONEST.items(), strict=True):
            hostile = [i for i in range(11) if i not in rows]
            axis.plot(*everyone[rows].T, "o", color=PALETTE[1], label="honest")
            axis.plot(*everyone[hostile].T, "s", color="black", label="Byzantine")
            axis.plot(
                *everyone[rows].mean(0), "o", mfc="none", ms=13, color=PALETTE[2],
                label="honest mean",
            )  # fmt: skip
            for label, (marker, place) in shown.items():
                axis.plot(*place, marker, ms=11, mew=2, ls="none", color=PALETTE[0], label=label)
            axis.set(title=title, aspect="equal")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6)
        plt.close(figure)
    return figure


def dilemma_table() -> Table:
    """How far each rule of the catalogue is from the honest mean in either case of Figure 1."""
    everyone = _plane()
    places = {
        "average": _answer(everyone, "mean"),
        "Inner (CenterwO)": _answer(everyone, "center_with_outliers"),
        "Outer (CenterwO)": _answer(everyone, "center_with_outliers", side="outer"),
        "Inner (MeanwO)": _answer(everyone, "mean_with_outliers"),
        "Outer (MeanwO)": _answer(everyone, "mean_with_outliers", side="outer"),
    }
    for name in sorted(AGGREGATORS):
        # One looks at models, not at vectors; the others are those above.
        if name in ("gradient_guard", "mean", "center_with_outliers", "mean_with_outliers"):
            continue
        try:
            AGGREGATORS[name](n_byzantine=5).check(11)
        except ConfigError:
            continue
        places[name] = _answer(everyone, name)
    off = {
        name: [float(np.linalg.norm(place - everyone[s].mean(0).numpy())) for s in _HONEST.values()]
        for name, place in places.items()
    }
    average = off["average"]
    rows, classes = [], {}
    for number, (name, pair) in enumerate(off.items()):
        rows.append((name, *(f"{distance:.2f}" for distance in pair)))
        for column, (distance, usual) in enumerate(zip(pair, average, strict=True), 1):
            if name != "average" and abs(distance - usual) > 1e-9:
                classes[number, column] = "agrees" if distance < usual else "differs"
    return Table(
        ("rule", "sneak", "siege"),
        tuple(rows),
        "Distance of each rule's answer to the honest mean (green: nearer than the average)",
        classes,
    )


# --- claims ----------------------------------------------------------------------------------


def _row(setting: str, rate: str, rule: str, attacks: Sequence[str]) -> tuple[str, ...]:
    return tuple(key(setting, rate, attack, rule) for attack in attacks)


def _column(setting: str, rate: str, attack: str, rules: Sequence[str]) -> tuple[str, ...]:
    return tuple(key(setting, rate, attack, rule) for rule in rules)


def _worst_lead(attacks: int, ahead: int) -> Callable[[list[float]], float]:
    """The least worst case of the first ``ahead`` rules minus the best worst case of the others."""

    def statistic(values: list[float]) -> float:
        rows = [min(values[i : i + attacks]) for i in range(0, len(values), attacks)]
        return min(rows[:ahead]) - max(rows[ahead:])

    return statistic


def _lead(ahead: int) -> Callable[[list[float]], float]:
    """The least of the first ``ahead`` values minus the largest of the others."""
    return lambda values: min(values[:ahead]) - max(values[ahead:])


def _second_lowest_below(values: list[float]) -> float:
    """How far the second lowest of the others is below the first."""
    return values[0] - sorted(values[1:])[1]


LARGE = 10.0
"""Points of accuracy that this book takes for the abstract's "large margin"."""


def _worst_claim(place: str, setting: str, rate: str, large: bool = False) -> Claim:
    attacks = attacks_of(setting)
    what = f", by a large margin ({LARGE:g} points)" if large else ""
    return Claim(
        place,
        f"{_TITLES[setting]}, rate {rate}: Cent2P and Mean2P have the highest worst case{what}",
        tuple(
            cell for rule in (*TWO_PHASE, *BASELINES) for cell in _row(setting, rate, rule, attacks)
        ),
        _worst_lead(len(attacks), len(TWO_PHASE)),
        above(LARGE if large else 0),
        "{:+.1f} points to the best other rule",
    )


def _figure_2_claim(
    attack: str, text: str, ahead: tuple[str, ...], others: Sequence[str], needed: Range
) -> Claim:
    return Claim(
        "section 5, Fig. 2",
        f"Dir(0.1), rate 0.2, {ATTACK_TITLES[attack]}: {text}",
        _column("femnist_dirichlet", "0.2", attack, (*ahead, *others)),
        _lead(len(ahead)),
        needed,
        "{:+.1f} points to the best other",
    )


_WITHOUT_AVG = tuple(rule for rule in BASELINES if rule != "avg")

CLAIMS = (
    *(
        _worst_claim(place, setting, rate)
        for place, setting, rates in (
            ("Tables 1, 2", "femnist_uniform", ("0.4", "0.2", "0.1")),
            ("Table 3", "femnist_dirichlet", ("0.4", "0.2", "0.1")),
            ("Table 4", "cifar10_uniform", ("0.2",)),
        )
        for rate in rates
    ),
    *(
        _worst_claim("abstract", setting, rate, large=True)
        for setting in ("femnist_uniform", "femnist_dirichlet")
        for rate in ("0.4", "0.2", "0.1")
    ),
    *(
        Claim(
            "section 5, Table 1",
            f"Uniform, rate 0.4: {RULE_TITLES[rule]} stays above 0.6 under all six attacks",
            _row("femnist_uniform", "0.4", rule, PUBLISHED_ATTACKS),
            min,
            above(60),
            "worst {:.1f} %",
        )
        for rule in TWO_PHASE
    ),
    Claim(
        "section 5, Table 1",
        "Uniform, rate 0.4: CClip is the third method, with the highest worst case of the six "
        "other rules",
        tuple(
            cell
            for rule in ("cclip", *(rule for rule in BASELINES if rule != "cclip"))
            for cell in _row("femnist_uniform", "0.4", rule, PUBLISHED_ATTACKS)
        ),
        _worst_lead(len(PUBLISHED_ATTACKS), 1),
        above(0),
        "{:+.1f} points to the next",
    ),
    *(
        Claim(
            "this book",
            f"{_TITLES[setting]}, rate {rate}: {RULE_TITLES[rule]} stays above 0.6 against an "
            "attacker that knows it (camouflage)",
            (key(setting, rate, "camouflage", rule),),
            min,
            above(60),
            "{:.1f} %",
        )
        for setting, rate in CAMOUFLAGED
        for rule in TWO_PHASE
    ),
    *(
        Claim(
            "section 5, Table 1",
            f"Uniform, rate 0.4, {ATTACK_TITLES[attack]}: Cent2P and Mean2P reach 0.75 or more "
            "(two digits are printed)",
            _column("femnist_uniform", "0.4", attack, TWO_PHASE),
            min,
            at_least(74.5),
            "the lower of them {:.1f} %",
        )
        for attack in ("omn", "sv")
    ),
    *(
        Claim(
            "section 5, Table 1",
            f"Uniform, rate 0.4, {ATTACK_TITLES[attack]}: all other rules stay at or below {most}",
            _column("femnist_uniform", "0.4", attack, BASELINES),
            max,
            at_most(100 * most + 0.5),  # two digits are printed
            "the best of them {:.1f} %",
        )
        for attack, most in (("omn", 0.20), ("sv", 0.32))
    ),
    *(
        Claim(
            "Table 5",
            f"Uniform, rate 0.2: {RULE_TITLES[two]} does not fail under Omn",
            (key("femnist_uniform", "0.2", "omn", two),),
            min,
            above(60),
            "{:.1f} %",
        )
        for two in TWO_PHASE
    ),
    *(
        Claim(
            "Table 5",
            f"Uniform, rate 0.2: {RULE_TITLES[one]} fails under Omn beside {RULE_TITLES[two]}",
            (key("femnist_uniform", "0.2", "omn", two), key("femnist_uniform", "0.2", "omn", one)),
            drop,
            above(30),
            "{:+.1f} points from one phase to two",
        )
        for one, two in zip(ONE_PHASE, TWO_PHASE, strict=True)
    ),
    *(
        Claim(
            "Table 5",
            f"Uniform, rate 0.2: {RULE_TITLES[two]} is better than {RULE_TITLES[one]} under SV",
            (key("femnist_uniform", "0.2", "sv", two), key("femnist_uniform", "0.2", "sv", one)),
            drop,
            above(2 * MARGIN),
            "{:+.1f} points from one phase to two",
        )
        for one, two in zip(ONE_PHASE, TWO_PHASE, strict=True)
    ),
    *(
        _figure_2_claim(
            attack, "Cent2P and Mean2P are significantly better than all other rules",
            TWO_PHASE, BASELINES, above(2 * MARGIN),
        )
        for attack in ("sf", "omn")
    ),
    _figure_2_claim(
        "sv", "Cent2P and Mean2P are slightly better than Avg", TWO_PHASE, ("avg",), above(0)
    ),
    _figure_2_claim(
        "sv", "Cent2P and Mean2P are much better than the other five",
        TWO_PHASE, _WITHOUT_AVG, above(2 * MARGIN),
    ),
    _figure_2_claim(
        "empire", "Avg is the best", ("avg",), (*_WITHOUT_AVG, *TWO_PHASE), at_least(0)
    ),
    Claim(
        "section 5, Fig. 2",
        "Dir(0.1), rate 0.2, Empire: certain resilient rules are significantly worse than Avg",
        _column("femnist_dirichlet", "0.2", "empire", BASELINES),
        _second_lowest_below,
        above(2 * MARGIN),
        "the second lowest {:.1f} points below",
    ),
    Claim(
        "section 5, Fig. 2",
        "Dir(0.1), rate 0.2, Empire: Cent2P, Mean2P and GM are comparable to Avg",
        _column("femnist_dirichlet", "0.2", "empire", ("avg", "cent2p", "mean2p", "gm")),
        lambda values: values[0] - min(values[1:]),
        at_most(2 * MARGIN),
        "the lowest of them {:.1f} points below",
    ),
    *(
        _figure_2_claim(
            attack, "Cent2P, Mean2P, Avg and GM are the best four",
            (*TWO_PHASE, "avg", "gm"), ("cclip", "cwm", "cwtm", "krum"), above(0),
        )
        for attack in ("lf", "gauss")
    ),
)  # fmt: skip


def claims_table(archive: Archive) -> ClaimsTable:
    """Each claim with its statistic, what it needs to be, and the verdict."""
    theirs = published()

    def printed(cell: str, quantity: str) -> float | None:
        value = theirs.get(cell)
        return None if value is None or quantity != "test_accuracy" else 100 * value.value

    return claims.claims_table(archive, CLAIMS, printed)


def variants_table(archive: Archive) -> Table:
    """What each choice changes: accuracy as used and taken the other way, at a shared scale."""

    def where(cell: str) -> str:
        setting, rate, attack, rule = cell.split("/")
        return f"{_TITLES[setting]}, {rate}\n{RULE_TITLES[rule]}, {ATTACK_TITLES[attack]}"

    return claims.variants_table(archive, VARIANTS, where, "What the choices change")
