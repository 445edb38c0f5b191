"""Table IV, the curves and the claims of centered_clipping, from the store."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fedlib import claims
from fedlib.claims import Claim, Range, above, at_most, below, drop, near
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
from fedlib.statistics import MARGIN, difference

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
    gap, error = difference(result.accuracy, value.value, value.spread)
    within = "" if error is None else f" ± {error:.2f}"
    return f"{shown} ({gap:+.2f}{within} {_MARKS[said]})"


def summary(archive: Archive) -> Note:
    """How many published cells agree, differ, and are not yet comparable."""
    counts = {"agrees": 0, "differs": 0}
    theirs = published()
    total = len(theirs)
    for cell, value in theirs.items():
        said = verdict(archive.best(cell), value.value, value.spread)
        if said in counts:
            counts[said] += 1
    computed = sum(counts.values())
    return Note(
        f"Table IV agrees within the margin in {counts['agrees']} of {computed} cells computed at "
        f"paper scale; {total - computed} of {total} cells not computed at paper scale."
    )


def variants_table(archive: Archive) -> Table:
    """What each choice changes: accuracy as used and taken the other way, at a shared scale."""
    titles = {setting.key: setting.title for setting in SETTINGS}

    def where(cell: str) -> str:
        _, setting, attack, rule, _ = cell.split("/")
        return f"{titles[setting]}, {RULE_TITLES[rule]}, {ATTACK_NAMES[attack]}"

    caption = f"What they change, at β = {VARIANT_MOMENTUM:g}"
    return claims.variants_table(archive, VARIANTS, where, caption)


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


FIGURE_1 = {"alie": "ALIE +", "alie_alternating": "ALIE +/−", "none": "no attack"}


def figure_1_rows(archive: Archive) -> list[list[Panel]]:
    """ALIE with fixed and with alternating sign against the trimmed mean: a row a setting."""
    return [
        [
            Panel(
                f"{title}, TM, β = {momentum:g}",
                {
                    "alie": archive.best(key(setting, "alie", "tm", momentum)),
                    "alie_alternating": archive.best(
                        f"figure_1/{setting}/alie_alternating/tm/{momentum:g}"
                    ),
                    "none": archive.best(key(setting, "none", "tm", momentum)),
                },
            )
            for momentum in MOMENTA
        ]
        for setting, title in (("fmnist_iid", "FMNIST"), ("cifar10_iid", "CIFAR-10"))
    ]


FIGURE_3 = {"rop": "ROP", "rop_sparse": "sparse ROP", "alie": "ALIE", "none": "no attack"}


def figure_3_rows(archive: Archive) -> list[list[Panel]]:
    """Sparse ROP against centered clipping on CIFAR-10: a row a radius."""
    return [
        [
            Panel(
                f"{RULE_TITLES[rule]}, β = {momentum:g}",
                {
                    name: archive.best(
                        f"figure_3/cifar10_iid/rop_sparse/{rule}/{momentum:g}"
                        if name == "rop_sparse"
                        else key("cifar10_iid", name, rule, momentum)
                    )
                    for name in FIGURE_3
                },
            )
            for momentum in MOMENTA
        ]
        for rule in ("cc_tau0.1", "cc_tau1")
    ]


FIGURE_12 = {"0": "λ = 0", "0.5": "λ = 0.5", "0.9": "λ = 0.9", "1": "λ = 1"}
FIGURE_13 = {"1": "z = 1", "10": "z = 10", "100": "z = 100"}


def searched(figure: str, value: str, rule: str, momentum: float) -> str:
    """Key of a cell of Figures 12 (``value`` is lambda), 13 and 14 (z)."""
    setting = "cifar10_noniid" if figure == "figure_14" else "cifar10_iid"
    name, usual = ("lambda", "0.9") if figure == "figure_12" else ("z", "1")
    if value == usual:
        return key(setting, "rop", rule, momentum)
    return f"{figure}/{setting}/rop_{name}_{value}/{rule}/{momentum:g}"


def search_rows(archive: Archive, figure: str) -> list[list[Panel]]:
    """Panels of Figures 12 to 14: a row a momentum, a column a rule, a line a value."""
    values = FIGURE_12 if figure == "figure_12" else FIGURE_13
    return [
        [
            Panel(
                f"{RULE_TITLES[rule]}, β = {momentum:g}",
                {v: archive.best(searched(figure, v, rule, momentum)) for v in values},
            )
            for rule in RULES
        ]
        for momentum in MOMENTA
    ]


def _cosine(
    archive: Archive, cell: str, quantity: str, printed: dict[tuple[str, str], float]
) -> str:
    result, value = archive.best(cell), printed.get((cell, quantity))
    theirs = "not published" if value is None else f"{value:g}"
    if result is None:
        return f"not computed\n{theirs}"
    mean = result.mean_of(quantity)
    return f"{mean.mean:.2f} {result.scale}, {plural(mean.n, 'seed')}\n{theirs}"


def _printed_cosines() -> dict[tuple[str, str], float]:
    """Tables II and III by cell key and by the name that the quantity has in a record."""
    names = {
        "cosine_consecutive_perturbations": "cosine_consecutive_perturbations",
        "cosine_to_reference_benign": "cosine_benign_to_last_aggregate",
        "cosine_to_reference_byzantine": "cosine_byzantine_to_last_aggregate",
    }
    # Table II does not say under which rule; ours are under the trimmed mean.
    return {
        (
            f"cosines/{v.setting}/{v.attack}/{v.aggregator or 'tm'}/{v.momentum:g}",
            names[v.quantity],
        ): v.value
        for item in ("table_ii", "table_iii")
        for v in load_published("centered_clipping", item)
    }


def cosines_table(archive: Archive) -> Table:
    """Tables II and III: mean cosines over the run, ours above the published.

    Of ALIE's perturbations in two rounds on end; of the benign and of the Byzantine momenta to
    centered clipping's reference, the last aggregate.
    """
    theirs = _printed_cosines()
    rows: list[tuple[str, ...]] = []
    for setting, title in (("cifar10_iid", "CIFAR-10"), ("fmnist_iid", "FMNIST")):
        quantities = [
            ("Table II", "alie", "tm", "consecutive_perturbations", "perturbation to the last one"),
            *(
                ("Table III", "rop", rule, f"{who}_to_last_aggregate", f"{who} to reference")
                for rule in ("cc_tau0.1", "cc_tau1")
                for who in ("benign", "byzantine")
            ),
        ]
        for item, attack, rule, quantity, text in quantities:
            row = [item, f"{title}\n{ATTACK_NAMES[attack]}, {RULE_TITLES[rule]}", text]
            for momentum in MOMENTA:
                cell = f"cosines/{setting}/{attack}/{rule}/{momentum:g}"
                row.append(_cosine(archive, cell, f"cosine_{quantity}", theirs))
            rows.append(tuple(row))
    return Table(
        (
            "item",
            "setting",
            "cosine",
            *(f"β = {momentum:g}: ours\npublished" for momentum in MOMENTA),
        ),
        tuple(rows),
        "Tables II and III: cosines, averaged over the run",
        compact=True,
    )


def partition_counts(seed: int = 1) -> dict[str, np.ndarray]:
    """Figure 2: 50,000 samples, 5,000 a class, over 25 clients."""
    labels = np.repeat(np.arange(10), 5000)
    return {
        title: class_counts(labels, PARTITIONS[name]()(labels, N_CLIENTS, seed))
        for title, name in (("IID", "iid"), ("non-IID: Dirichlet, α = 1", "dirichlet"))
    }


def _pair(setting: str, rule: str, momentum: float, attack: str = "rop") -> tuple[str, str]:
    return (key(setting, "none", rule, momentum), key(setting, attack, rule, momentum))


def _against_others(setting: str, rule: str, momentum: float) -> tuple[str, ...]:
    return tuple(
        key(setting, attack, rule, momentum)
        for attack in ("rop", "alie", "ipm", "label_flip", "bit_flip")
    )


_TITLES = {setting.key: setting.title for setting in SETTINGS}


def _rop_costs(place: str, setting: str, rule: str, momentum: float, stated: float) -> Claim:
    return Claim(
        place,
        f"{_TITLES[setting]}, {RULE_TITLES[rule]}, β = {momentum:g}: ROP costs {stated:g} points",
        _pair(setting, rule, momentum),
        drop,
        near(stated),
        "drop {:.1f} points",
    )


def _momentum_cells(setting: str) -> tuple[str, ...]:
    """Accuracy at the largest momentum and at none, ROP's cells first."""
    return tuple(
        key(setting, attack, rule, momentum)
        for attack in ("rop", "alie", "ipm", "label_flip", "bit_flip")
        for rule in RULES
        for momentum in (MOMENTA[-1], MOMENTA[0])
    )


def _more_gain(values: list[float]) -> float:
    """Mean gain by momentum under the other attacks minus that under ROP."""
    gains = [more - none for more, none in zip(values[::2], values[1::2], strict=True)]
    count = len(RULES)
    return sum(gains[count:]) / len(gains[count:]) - sum(gains[:count]) / count


def _search_cells(figure: str, values: tuple[str, ...], rules: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        searched(figure, value, rule, momentum)
        for value in values
        for rule in rules
        for momentum in MOMENTA
    )


def _first_group_lowest(groups: int) -> Callable[[list[float]], float]:
    """How far the mean of the first group of values is below the least of the other groups'."""

    def statistic(values: list[float]) -> float:
        size = len(values) // groups
        means = [sum(values[i * size : (i + 1) * size]) / size for i in range(groups)]
        return min(means[1:]) - means[0]

    return statistic


def _tm_loses_more(values: list[float]) -> float:
    """What z = 100 instead of 1 costs the trimmed mean, minus what it costs centered clipping."""
    count = len(MOMENTA)
    tm_small, cc_small, cc1_small, tm_large, cc_large, cc1_large = (
        sum(values[i : i + count]) / count for i in range(0, 6 * count, count)
    )
    return (tm_small - tm_large) - (cc_small + cc1_small - cc_large - cc1_large) / 2


# A drop that the text states counts as found if ours is within the margin of 2 points of it; an
# attack counts as diverging if it leaves less than half of the clean accuracy.
CLAIMS = (
    *(
        Claim(
            "section V, Fig. 1",
            f"{_TITLES[setting]}, TM, β = {momentum:g}: alternating ALIE's sign removes its effect",
            (
                key(setting, "none", "tm", momentum),
                f"figure_1/{setting}/alie_alternating/tm/{momentum:g}",
            ),
            drop,
            at_most(MARGIN),
            "costs {:.1f} points",
        )
        for setting in ("fmnist_iid", "cifar10_iid")
        for momentum in MOMENTA
    ),
    *(
        Claim(
            "section V, Table II",
            f"{_TITLES[setting]}, β = {momentum:g}: ALIE's perturbations stay aligned over rounds",
            (f"cosines/{setting}/alie/tm/{momentum:g}",),
            lambda values: values[0],
            above(0.9),
            "cosine {:.2f}",
            ("cosine_consecutive_perturbations",),
        )
        for setting in ("fmnist_iid", "cifar10_iid")
        for momentum in MOMENTA
    ),
    *(
        Claim(
            "section V, Table III",
            f"{_TITLES[setting]}, {RULE_TITLES[rule]}, β = {momentum:g}: ROP's updates are closer "
            "to the reference than benign ones",
            (f"cosines/{setting}/rop/{rule}/{momentum:g}",) * 2,
            lambda values: values[0] - values[1],
            above(0),
            "cosine {:+.2f} to the benign",
            ("cosine_byzantine_to_last_aggregate", "cosine_benign_to_last_aggregate"),
        )
        for setting in ("fmnist_iid", "cifar10_iid")
        for rule in ("cc_tau0.1", "cc_tau1")
        for momentum in MOMENTA
    ),
    *(
        Claim(
            "Fig. 3, text",
            f"CIFAR-10, {RULE_TITLES[rule]}, β = {momentum:g}: sparse ROP makes it diverge",
            (
                key("cifar10_iid", "none", rule, momentum),
                f"figure_3/cifar10_iid/rop_sparse/{rule}/{momentum:g}",
            ),
            lambda v: 100 * v[1] / v[0],
            below(50),
            "{:.0f} % of the clean accuracy left",
        )
        for rule in ("cc_tau0.1", "cc_tau1")
        for momentum in (0.0, 0.9)
    ),
    _rop_costs("Fig. 4, text", "fmnist_iid", "cc_tau0.1", 0.99, 5),
    _rop_costs("Fig. 4, text", "fmnist_iid", "cc_tau1", 0.99, 7),
    *(
        Claim(
            "Fig. 4, text",
            f"FMNIST, {RULE_TITLES[rule]}, β = 0: ALIE makes it diverge",
            _pair("fmnist_iid", rule, 0.0, "alie"),
            lambda v: 100 * v[1] / v[0],
            below(50),
            "{:.0f} % of the clean accuracy left",
        )
        for rule in ("rfa", "tm")
    ),
    *(
        _rop_costs("Fig. 5, text", "cifar10_iid", rule, 0.99, 35)
        for rule in ("cc_tau0.1", "cc_tau1")
    ),
    *(
        Claim(
            "Fig. 7, text",
            f"MNIST*, {RULE_TITLES[rule]}, β = 0: ROP costs 20 to 25 points",
            _pair("mnist_noniid", rule, 0.0),
            drop,
            Range(20 - MARGIN, 25 + MARGIN),
            "drop {:.1f} points",
        )
        for rule in ("cc_tau0.1", "cc_tau1")
    ),
    *(
        Claim(
            place,
            f"{_TITLES[setting]}, β = 0.99, no attack: CC with τ = 0.1 stays below CC with τ = 1",
            (key(setting, "none", "cc_tau1", 0.99), key(setting, "none", "cc_tau0.1", 0.99)),
            drop,
            above(MARGIN),
            "{:.1f} points below",
        )
        for place, setting in (
            ("Fig. 7, text", "mnist_noniid"),
            ("section VII", "fmnist_noniid"),
            ("Fig. 9, text", "cifar10_noniid"),
        )
    ),
    _rop_costs("Fig. 8, text", "fmnist_noniid", "cc_tau1", 0.99, 20),
    _rop_costs("Fig. 9, text", "cifar10_noniid", "tm", 0.99, 35),
    *(
        Claim(
            "section VII",
            f"{setting.title}, {RULE_TITLES[rule]}, β = 0.99: ROP is the strongest of the attacks",
            _against_others(setting.key, rule, 0.99),
            lambda v: min(v[1:]) - v[0],
            above(0),
            "next strongest attack leaves {:+.1f} points",
        )
        for setting in SETTINGS
        for rule in ("cc_tau0.1", "cc_tau1")
    ),
    *(
        Claim(
            "section VII",
            f"{setting.title}: momentum strengthens the rules except against ROP",
            _momentum_cells(setting.key),
            _more_gain,
            above(0),
            "{:+.1f} points more gained under the others, mean of all rules",
        )
        for setting in SETTINGS
    ),
    Claim(
        "appendix B, Fig. 12",
        "CIFAR-10: λ = 0.9 is the strongest, over all rules and momenta",
        _search_cells("figure_12", ("0.9", "0", "0.5", "1"), tuple(RULES)),
        _first_group_lowest(4),
        above(0),
        "next strongest λ leaves {:+.1f} points, mean of all",
    ),
    *(
        Claim(
            f"appendix B, Fig. {figure[-2:]}",
            f"{title}: a larger z hurts TM more than it hurts CC",
            _search_cells(figure, ("1", "100"), ("tm", "cc_tau0.1", "cc_tau1")),
            _tm_loses_more,
            above(0),
            "z = 100 costs TM {:+.1f} points more",
        )
        for figure, title in (("figure_13", "CIFAR-10"), ("figure_14", "CIFAR-10*"))
    ),
)


def claims_table(archive: Archive) -> Table:
    """Each claim with its statistic, scale and verdict."""
    theirs, cosines = published(), _printed_cosines()

    def printed(cell: str, quantity: str) -> float | None:
        if quantity == "test_accuracy":
            return theirs[cell].value if cell in theirs else None
        return cosines.get((cell, quantity))

    return claims.claims_table(archive, CLAIMS, printed)
