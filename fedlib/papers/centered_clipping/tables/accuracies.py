"""Table IV, the curves and the claims of centered_clipping, from the store."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from fedlib.data import PARTITIONS, class_counts
from fedlib.evidence import claims
from fedlib.evidence.claims import (
    Claim,
    ClaimsTable,
    Range,
    above,
    at_least,
    at_most,
    below,
    drop,
    near,
    percent_left,
)
from fedlib.evidence.plots import Panel
from fedlib.evidence.published import PublishedValue, load_published
from fedlib.evidence.report import Archive, CellResult, Note, Table, data_named, plural, verdict
from fedlib.evidence.statistics import MARGIN, difference, margin
from fedlib.models import critical_parameters, make_model
from fedlib.papers.centered_clipping.grid import (
    ATTACK_NAMES,
    MOMENTA,
    N_CLIENTS,
    NETWORK_VARIANT,
    RULE_TITLES,
    RULES,
    SETTINGS,
    VARIANT_MOMENTUM,
    VARIANTS,
    key,
)

CLIPPING = ("cc_tau0.1", "cc_tau1")
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
    return Table(
        ("rule", "attack", *(f"β = {momentum:g}: ours\npublished" for momentum in MOMENTA)),
        tuple(rows),
        f"Table IV, {title}: test accuracy in %, on {data_named(data)}",
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
    """How many published cells agree, differ, and are not yet comparable, by setting."""
    theirs = published()
    said = {cell: verdict(archive.best(cell), v.value, v.spread) for cell, v in theirs.items()}
    agreed = sum(v == "agrees" for v in said.values())
    computed = [cell for cell, v in said.items() if v in _MARKS]
    close = len(computed) - len(apart_table(archive).rows)
    parts = []
    for setting in SETTINGS:
        have = sum(theirs[cell].setting == setting.key for cell in computed)
        total = sum(value.setting == setting.key for value in theirs.values())
        parts.append(f"{setting.title} {have} of {total}")
    return Note(
        f"Table IV agrees within the margin in {agreed} of {len(computed)} cells computed at "
        f"paper scale, in {close} within {MARGIN:g} points; {len(theirs) - len(computed)} of "
        f"{len(theirs)} cells not computed at paper scale. Computed: {', '.join(parts)}."
    )


def apart_table(archive: Archive) -> Table:
    """Cells of Table IV more than 2 points from what is published, the farthest first."""
    titles = {setting.key: setting.title for setting in SETTINGS}
    far = []
    for cell, value in published().items():
        result = archive.best(cell)
        said = verdict(result, value.value, value.spread)
        if result is not None and said in _MARKS:
            gap, _ = difference(result.accuracy, value.value, value.spread)
            if abs(gap) > MARGIN:
                far.append((gap, said, value, result))
    far.sort(key=lambda found: -abs(found[0]))
    rows = tuple(
        (
            titles[value.setting],
            f"{RULE_TITLES[value.aggregator]}, β = {value.momentum or 0:g}",
            ATTACK_NAMES[value.attack],
            ours(result),
            f"{value.value:.2f} ± {value.spread:.2f}",
            f"{gap:+.2f}",
            said,
        )
        for gap, said, value, result in far
    )
    return Table(
        ("setting", "rule", "attack", "ours", "published", "difference", "by the margin"),
        rows,
        f"Cells more than {MARGIN:g} points apart: test accuracy in %",
        {(i, 6): row[6] for i, row in enumerate(rows)},
        compact=True,
    )


def variants_table(archive: Archive) -> Table:
    """What each choice changes: accuracy as used and taken the other way, at a shared scale."""
    titles = {setting.key: setting.title for setting in SETTINGS}
    attacks = {**FIGURE_3, **ATTACK_NAMES}

    def where(cell: str) -> str:
        _, setting, attack, rule, momentum = cell.split("/")
        usual = momentum == f"{VARIANT_MOMENTUM:g}"
        said = f"{titles[setting]}, {RULE_TITLES[rule]}, {attacks[attack]}"
        return said if usual else f"{said}, β = {momentum}"

    caption = f"What they change, at β = {VARIANT_MOMENTUM:g} where no other is named"
    return claims.variants_table(archive, (*VARIANTS, NETWORK_VARIANT), where, caption)


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
        for rule in CLIPPING
    ]


def sparse_table() -> Table:
    """How many parameters sparse ROP aims at, and by how much it scales the perturbation there."""
    networks = {
        "resnet20": "ResNet-20, as used",
        "resnet20_code": "ResNet-20 of the authors' code",
        "cnn_4_8": "small network of the quick scale",
    }
    rows = []
    for name, title in networks.items():
        mask = critical_parameters(make_model(name, (3, 32, 32), 10, 0))
        total, aimed = mask.numel(), int(mask.sum())
        share = f"{100 * aimed / total:.2f} %"
        rows.append((title, f"{total:,}", f"{aimed:,}", share, f"{total / aimed:.0f}"))
    rows.append(("ResNet-20 of the text (section VII)", "–", "–", "≈ 0.5 %", "≈ 200"))
    return Table(
        ("network", "parameters", "aimed at", "share", "scaled by"),
        tuple(rows),
        "Sparse ROP on CIFAR-10, computed from the networks",
    )


# What the text says that ROP costs, in points: place, setting, rule, momentum, cost.
STATED = (
    ("Fig. 4", "fmnist_iid", "cc_tau0.1", 0.99, 5),
    ("Fig. 4", "fmnist_iid", "cc_tau1", 0.99, 7),
    *(("Fig. 5", "cifar10_iid", rule, 0.99, 35) for rule in CLIPPING),
    *(("Fig. 6", "cifar100_iid", rule, 0.99, 40) for rule in CLIPPING),
    *(("Fig. 7", "mnist_noniid", rule, 0.0, 20) for rule in CLIPPING),
    ("Fig. 8", "fmnist_noniid", "cc_tau1", 0.99, 20),
    ("Fig. 9", "cifar10_noniid", "tm", 0.99, 35),
)


def stated_costs_table() -> Table:
    """What the text says that ROP costs beside what Table IV prints that it leaves.

    The two give the accuracy without attack, which the paper does not print: it ``fits`` if it is
    at most the margin above the highest accuracy that Table IV has for the setting.
    """
    theirs = published()
    titles = {setting.key: setting.title for setting in SETTINGS}
    rows: list[tuple[str, ...]] = []
    classes = {}
    for place, setting, rule, momentum, cost in STATED:
        left = theirs[key(setting, "rop", rule, momentum)].value
        highest = max(value.value for value in theirs.values() if value.setting == setting)
        fits = left + cost <= highest + MARGIN
        classes[len(rows), 7] = "agrees" if fits else "differs"
        rows.append(
            (
                f"{place}, text",
                f"{titles[setting]}, {RULE_TITLES[rule]}, β = {momentum:g}",
                f"{cost:g}",
                f"{left:.2f}",
                f"{left + cost:.2f}",
                f"{100 * left / (100 - cost):.2f}",
                f"{highest:.2f}",
                "fits" if fits else "does not fit",
            )
        )
    heads = (
        "where",
        "setting",
        "ROP costs (text)",
        "ROP leaves (Table IV)",
        "so without attack",
        "if the cost is a share",
        "highest of the setting (Table IV)",
        "",
    )
    caption = "Costs that the text states, beside Table IV; in %"
    return Table(heads, tuple(rows), caption, classes)


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
    data: set[str] = set()
    for setting, title in (("cifar10_iid", "CIFAR-10"), ("fmnist_iid", "FMNIST")):
        quantities = [
            ("Table II", "alie", "tm", "consecutive_perturbations", "perturbation to the last one"),
            *(
                ("Table III", "rop", rule, f"{who}_to_last_aggregate", f"{who} to reference")
                for rule in CLIPPING
                for who in ("benign", "byzantine")
            ),
        ]
        for item, attack, rule, quantity, text in quantities:
            row = [item, f"{title}\n{ATTACK_NAMES[attack]}, {RULE_TITLES[rule]}", text]
            for momentum in MOMENTA:
                cell = f"cosines/{setting}/{attack}/{rule}/{momentum:g}"
                result = archive.best(cell)
                data.update(set() if result is None else {result.data})
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
        f"Tables II and III: cosines, averaged over the run, on {data_named(data)}",
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


_IV = load_published("centered_clipping", "table_iv")
# What the claims are about, whatever else the grid comes to have.
ATTACKS_IV = tuple(dict.fromkeys(value.attack for value in _IV))
"""The attacks of Table IV, ROP first and ALIE second."""
RULES_IV = tuple(dict.fromkeys(value.aggregator for value in _IV))
_TITLES_IV = {rule: RULE_TITLES[rule] for rule in RULES_IV}


def _against(
    setting: str, rule: str, momentum: float, attacks: Sequence[str] = ATTACKS_IV
) -> tuple[str, ...]:
    return tuple(key(setting, attack, rule, momentum) for attack in attacks)


def _pairs(
    setting: str, rule: str, momenta: Sequence[float], attacks: Sequence[str]
) -> tuple[str, ...]:
    """Cells without and with attack: by momentum, attack."""
    return tuple(
        cell
        for momentum in momenta
        for attack in attacks
        for cell in _pair(setting, rule, momentum, attack)
    )


_TITLES = {setting.key: setting.title for setting in SETTINGS}


def _margin(setting: str, rule: str, momentum: float) -> float:
    """The margin of Table IV's cell under ROP: what a cost is known to."""
    return margin(published()[key(setting, "rop", rule, momentum)].spread)


def _rop_costs(place: str, setting: str, rule: str, momentum: float, stated: float) -> Claim:
    return Claim(
        place,
        f"{_TITLES[setting]}, {RULE_TITLES[rule]}, β = {momentum:g}: ROP costs {stated:g} points",
        _pair(setting, rule, momentum),
        drop,
        near(stated, _margin(setting, rule, momentum)),
        "drop {:.1f} points",
    )


def _momentum_cells(setting: str) -> tuple[str, ...]:
    """Accuracy at the largest momentum and at none, ROP's cells first."""
    return tuple(
        key(setting, attack, rule, momentum)
        for attack in ATTACKS_IV
        for rule in RULES_IV
        for momentum in (MOMENTA[-1], MOMENTA[0])
    )


def _more_gain(values: list[float]) -> float:
    """Mean gain by momentum under the other attacks minus that under ROP."""
    gains = [more - none for more, none in zip(values[::2], values[1::2], strict=True)]
    count = len(RULES_IV)
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


def _groups(values: list[float], size: int) -> list[list[float]]:
    return [values[i : i + size] for i in range(0, len(values), size)]


def _means(values: list[float], size: int) -> list[float]:
    return [sum(group) / size for group in _groups(values, size)]


def _tm_loses_more(values: list[float]) -> float:
    """What z = 100 instead of 1 costs the first rule, minus the most that it costs another.

    Values by z, rule and momentum.
    """
    means = _means(values, len(MOMENTA))
    count = len(means) // 2
    losses = [small - large for small, large in zip(means[:count], means[count:], strict=True)]
    return losses[0] - max(losses[1:])


def _largest_spread(values: list[float]) -> float:
    """Largest difference between values of z at one momentum; values by z and momentum."""
    by_momentum = zip(*_groups(values, len(MOMENTA)), strict=True)
    return max(max(group) - min(group) for group in by_momentum)


def _least_gain(values: list[float]) -> float:
    """The least over rules of what momentum gains, mean of the attacks.

    Values as of ``_momentum_cells``.
    """
    gains = [more - none for more, none in zip(values[::2], values[1::2], strict=True)]
    count = len(RULES_IV)
    return min(sum(gains[i::count]) / len(gains[i::count]) for i in range(count))


def _shares_left(values: list[float]) -> list[float]:
    """Percent of the clean accuracy that is left; values in pairs of clean and attacked.

    All NaN if there is a pair without any.
    """
    shares = [percent_left(*pair) for pair in _groups(values, 2)]
    return [math.nan] * len(shares) if any(map(math.isnan, shares)) else shares


def _most_left(values: list[float]) -> float:
    return max(_shares_left(values))


def _least_left(values: list[float]) -> float:
    return min(_shares_left(values))


def _weakest_strongest(size: int) -> Callable[[list[float]], float]:
    """Of ``size`` attacks at each momentum the strongest's share left; the largest of these."""
    return lambda values: max(min(group) for group in _groups(_shares_left(values), size))


def _only_the_first(values: list[float]) -> float:
    """How many points are to spare for "the first attack alone costs more than the margin".

    Values by momentum: without attack, under the first, under the others.
    """
    spare = []
    for clean, first, *others in _groups(values, 1 + len(ATTACKS_IV)):
        spare += [clean - first - MARGIN, MARGIN - (clean - min(others))]
    return min(spare)


def _strongest(n_first: int) -> Callable[[list[float]], float]:
    """How far the best of the first ``n_first`` attacks is below every other one."""
    return lambda values: min(values[n_first:]) - min(values[:n_first])


_HIGHEST_LOSS = 5.0
"""Where the figures of the training loss end; a run that has diverged counts as there."""


def _last_loss(result: CellResult) -> float:
    """Training loss at the end of one seed's run."""
    _, (curve,) = result.curve("train_loss")
    return _HIGHEST_LOSS if math.isnan(curve[-1]) else min(curve[-1], _HIGHEST_LOSS)


def _least_drop(values: list[float]) -> float:
    """The least of how far the second is below the first; NaN where both have diverged."""
    pairs = _groups(values, 2)
    if any(min(pair) == _HIGHEST_LOSS for pair in pairs):
        return math.nan
    return min(drop(pair) for pair in pairs)


def _removed(values: list[float]) -> float:
    """What alternating ALIE costs, where ALIE itself costs more than the margin; NaN else."""
    clean, fixed, alternating = values
    return clean - alternating if clean - fixed > MARGIN else math.nan


def _robust_by(values: list[float]) -> float:
    """How far the first rule's accuracy under its worst attack is above any other rule's."""
    first, *others = (min(group) for group in _groups(values, len(ATTACKS_IV)))
    return first - max(others)


def _best_mean(values: list[float]) -> float:
    """How far the first rule's mean accuracy is above any other rule's; values by rule."""
    first, *others = _means(values, len(values) // len(RULES_IV))
    return first - max(others)


def _largest_rise(values: list[float]) -> float:
    """The largest over rules of the second half's mean minus the first's; values by half, rule."""
    means = _means(values, len(MOMENTA))
    pairs = zip(means[: len(RULES_IV)], means[len(RULES_IV) :], strict=True)
    return max(second - first for first, second in pairs)


_FIGURES_OF_Z = (("figure_13", "CIFAR-10"), ("figure_14", "CIFAR-10*"))
_LEFT = "{:.0f} % of the clean accuracy left"


def _diverges(place: str, text: str, pairs: tuple[str, ...]) -> Claim:
    """Less than half of the clean accuracy is left in each pair of cells (clean, attacked)."""
    return Claim(place, text, pairs, _most_left, below(50), _LEFT)


def _converges(place: str, text: str, pairs: tuple[str, ...]) -> Claim:
    """At least half of the clean accuracy is left in each pair of cells (clean, attacked)."""
    return Claim(place, text, pairs, _least_left, at_least(50), _LEFT)


def _of_cifar(place: str, setting: str) -> str:
    """The place of what the paper says of CIFAR-10 alone."""
    return place if setting == "cifar10_iid" else claims.OWN


# A drop that the text states counts as found if ours is within the margin of Table IV's cell; a
# rule counts as diverging if less than half of its clean accuracy is left, as converging else.
CLAIMS = (
    *(
        Claim(
            "section IV-B, Fig. 1",
            f"{_TITLES[setting]}, TM, β = {momentum:g}: alternating ALIE's sign removes its effect",
            (
                *_pair(setting, "tm", momentum, "alie"),
                f"figure_1/{setting}/alie_alternating/tm/{momentum:g}",
            ),
            _removed,
            at_most(MARGIN),
            "costs {:.1f} points",
        )
        for setting in ("fmnist_iid", "cifar10_iid")
        for momentum in MOMENTA
    ),
    *(
        Claim(
            _of_cifar("section IV-B, Table II", setting),
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
            _of_cifar("section IV-B, Table III", setting),
            f"{_TITLES[setting]}, {RULE_TITLES[rule]}, β = {momentum:g}: ROP's updates are closer "
            "to the reference than benign ones",
            (f"cosines/{setting}/rop/{rule}/{momentum:g}",) * 2,
            lambda values: values[0] - values[1],
            above(0),
            "cosine {:+.2f} to the benign",
            ("cosine_byzantine_to_last_aggregate", "cosine_benign_to_last_aggregate"),
        )
        for setting in ("fmnist_iid", "cifar10_iid")
        for rule in CLIPPING
        for momentum in MOMENTA
    ),
    *(
        _diverges(
            "Fig. 3, text",
            f"CIFAR-10, {RULE_TITLES[rule]}, β = {momentum:g}: sparse ROP makes it diverge",
            (
                key("cifar10_iid", "none", rule, momentum),
                f"figure_3/cifar10_iid/rop_sparse/{rule}/{momentum:g}",
            ),
        )
        for rule in CLIPPING
        for momentum in (0.0, 0.9)
    ),
    *(
        _converges(
            "Fig. 3, text",
            f"CIFAR-10, {RULE_TITLES[rule]}, β = 0.99: it converges under sparse ROP",
            (
                key("cifar10_iid", "none", rule, 0.99),
                f"figure_3/cifar10_iid/rop_sparse/{rule}/0.99",
            ),
        )
        for rule in CLIPPING
    ),
    *(
        Claim(
            "section V-A, Fig. 3",
            f"CIFAR-10, {RULE_TITLES[rule]}: sparse ROP is stronger than ROP, mean of all β",
            (
                *(key("cifar10_iid", "rop", rule, momentum) for momentum in MOMENTA),
                *(f"figure_3/cifar10_iid/rop_sparse/{rule}/{beta:g}" for beta in MOMENTA),
            ),
            lambda values: drop(_means(values, len(MOMENTA))),
            above(0),
            "{:+.1f} points stronger",
        )
        for rule in CLIPPING
    ),
    _rop_costs("Fig. 4, text", "fmnist_iid", "cc_tau0.1", 0.99, 5),
    _rop_costs("Fig. 4, text", "fmnist_iid", "cc_tau1", 0.99, 7),
    *(
        _diverges(
            "Fig. 4, text",
            f"FMNIST, {RULE_TITLES[rule]}, β = 0: ALIE makes it diverge",
            _pair("fmnist_iid", rule, 0.0, "alie"),
        )
        for rule in ("rfa", "tm")
    ),
    Claim(
        "Fig. 4, text",
        "FMNIST, β = 0: CC with either τ is more robust to ALIE than RFA and TM",
        tuple(key("fmnist_iid", "alie", rule, 0.0) for rule in (*CLIPPING, "rfa", "tm")),
        lambda values: min(values[:2]) - max(values[2:]),
        above(0),
        "{:+.1f} points",
    ),
    *(
        Claim(
            "Fig. 5, text",
            f"CIFAR-10, {RULE_TITLES[rule]}, β = 0: ROP is the strongest of the attacks",
            _against("cifar10_iid", rule, 0.0),
            _strongest(1),
            above(0),
            "next strongest attack leaves {:+.1f} points",
        )
        for rule in CLIPPING
    ),
    # With tau = 0.1 Table IV leaves no room for it: "the best aggregator setup" is tau = 1.
    _rop_costs("Fig. 5, text", "cifar10_iid", "cc_tau1", 0.99, 35),
    Claim(
        "Fig. 5, text",
        "CIFAR-10: β = 0.99 instead of 0 benefits every rule, mean of the attacks",
        _momentum_cells("cifar10_iid"),
        _least_gain,
        above(0),
        "{:+.1f} points for the rule with the least gain",
    ),
    *(
        _diverges(
            "Fig. 6, text",
            f"CIFAR-100, {RULE_TITLES[rule]}, β = 0: ROP and ALIE make it diverge",
            _pairs("cifar100_iid", rule, (0.0,), ("rop", "alie")),
        )
        for rule in CLIPPING
    ),
    _rop_costs("Fig. 6, text", "cifar100_iid", "cc_tau1", 0.99, 40),
    _diverges(
        "Fig. 6, text",
        "CIFAR-100, RFA: ROP, ALIE and IPM make it diverge at every β (text: it struggles)",
        _pairs("cifar100_iid", "rfa", MOMENTA, ("rop", "alie", "ipm")),
    ),
    Claim(
        "Fig. 6, text",
        "CIFAR-100, TM, β = 0 and 0.9: some attack other than ROP makes it diverge",
        _pairs("cifar100_iid", "tm", (0.0, 0.9), ATTACKS_IV[1:]),
        _weakest_strongest(len(ATTACKS_IV) - 1),
        below(50),
        _LEFT,
    ),
    _converges(
        "Fig. 6, text",
        "CIFAR-100, TM, β = 0.99: it converges under every attack but ROP",
        _pairs("cifar100_iid", "tm", (0.99,), ATTACKS_IV[1:]),
    ),
    _diverges(
        "Fig. 6, text",
        "CIFAR-100, TM, β = 0.99: ROP makes it diverge",
        _pair("cifar100_iid", "tm", 0.99),
    ),
    *(
        Claim(
            "Fig. 7, text",
            f"MNIST*, {RULE_TITLES[rule]}, β = 0: ROP costs 20 to 25 points (of a rule that the "
            "text does not name)",
            _pair("mnist_noniid", rule, 0.0),
            drop,
            Range(20 - _margin("mnist_noniid", rule, 0.0), 25 + _margin("mnist_noniid", rule, 0.0)),
            "drop {:.1f} points",
        )
        for rule in CLIPPING
    ),
    *(
        _diverges(
            "Fig. 7, text",
            f"MNIST*, {RULE_TITLES[rule]}, β = 0: ALIE makes it diverge",
            _pair("mnist_noniid", rule, 0.0, "alie"),
        )
        for rule in ("rfa", "tm")
    ),
    *(
        _converges(
            "Fig. 7, text",
            f"MNIST*, {title}, β = {' and '.join(f'{m:g}' for m in momenta)}: it converges under "
            "every attack",
            _pairs("mnist_noniid", rule, momenta, ATTACKS_IV),
        )
        for rule, title in _TITLES_IV.items()
        # The text excepts CC with tau = 0.1 and beta = 0.99.
        for momenta in [(0.9,) if rule == "cc_tau0.1" else (0.9, 0.99)]
    ),
    *(
        Claim(
            place,
            f"{_TITLES[setting]}, β = 0.99, no attack: CC with τ = 0.1 fails to reach the level of "
            "the other rules (more than 2 points below the best of them)",
            tuple(key(setting, "none", rule, 0.99) for rule in RULES_IV),
            lambda values: max(values[1:]) - values[0],
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
    _diverges(
        "Fig. 8, text",
        "FMNIST*, RFA: ALIE makes it diverge at every β",
        _pairs("fmnist_noniid", "rfa", MOMENTA, ("alie",)),
    ),
    Claim(
        "Fig. 8, text",
        "FMNIST*, TM, β = 0.9 and 0.99: label flip is the strongest of the attacks",
        tuple(
            key("fmnist_noniid", attack, "tm", momentum)
            for momentum in MOMENTA[1:]
            for attack in ("label_flip", "rop", "alie", "ipm", "bit_flip")
        ),
        lambda values: min(map(_strongest(1), _groups(values, len(ATTACKS_IV)))),
        above(0),
        "next strongest attack leaves {:+.1f} points",
    ),
    Claim(
        "Fig. 8, text",
        "FMNIST*, β = 0.9 and 0.99: CC with τ = 1 is the best rule, mean of the attacks",
        tuple(
            cell
            for rule in ("cc_tau1", "cc_tau0.1", "rfa", "tm")
            for momentum in MOMENTA[1:]
            for cell in _against("fmnist_noniid", rule, momentum)
        ),
        _best_mean,
        above(0),
        "{:+.1f} points above the next best",
    ),
    *(
        _diverges(
            "Fig. 9, text",
            f"CIFAR-10*, {title}: ROP makes it diverge at every β",
            _pairs("cifar10_noniid", rule, MOMENTA, ("rop",)),
        )
        for rule, title in _TITLES_IV.items()
    ),
    _rop_costs("Fig. 9, text", "cifar10_noniid", "tm", 0.99, 35),
    Claim(
        "Fig. 9, text",
        "CIFAR-10*, β = 0.99: TM is more robust than CC with either τ, by its worst attack",
        tuple(
            cell for rule in ("tm", *CLIPPING) for cell in _against("cifar10_noniid", rule, 0.99)
        ),
        _robust_by,
        above(0),
        "{:+.1f} points more under the worst attack",
    ),
    *(
        Claim(
            # The text says it of IID data only.
            "section VII" if setting.partition == "iid" else "this book",
            f"{setting.title}, {RULE_TITLES[rule]}, β = {momentum:g}: ROP is the strongest of the "
            "attacks",
            _against(setting.key, rule, momentum),
            _strongest(1),
            above(0),
            "next strongest attack leaves {:+.1f} points",
        )
        for setting in SETTINGS
        for rule in CLIPPING
        for momentum in (MOMENTA if setting.partition == "iid" else MOMENTA[-1:])
        # Of these the text to Fig. 5 says it, above.
        if (setting.key, momentum) != ("cifar10_iid", 0.0)
    ),
    *(
        Claim(
            "section VII",
            f"{setting.title}, {RULE_TITLES[rule]}, β = 0.99: ROP or ALIE is the strongest of the "
            "attacks",
            _against(setting.key, rule, 0.99),
            _strongest(2),
            above(0),
            "next strongest attack leaves {:+.1f} points",
        )
        for setting in SETTINGS
        if setting.partition != "iid"
        for rule in CLIPPING
    ),
    *(
        _converges(
            "section VII",
            f"{setting.title}, CC, τ = 1, β = 0.9 and 0.99: it converges under every attack but "
            "ROP",
            _pairs(setting.key, "cc_tau1", MOMENTA[1:], ATTACKS_IV[1:]),
        )
        for setting in SETTINGS
        if setting.partition == "iid"
    ),
    *(
        Claim(
            "Fig. 6, text",
            f"{_TITLES[setting]}, CC, τ = 1, β = 0.9 and 0.99: ROP alone prevents a healthy "
            "convergence (costs more than 2 points)",
            tuple(
                cell
                for momentum in MOMENTA[1:]
                for cell in _against(setting, "cc_tau1", momentum, ("none", *ATTACKS_IV))
            ),
            _only_the_first,
            above(0),
            "{:+.1f} points to spare",
        )
        for setting in ("cifar10_iid", "cifar100_iid")
    ),
    *(
        Claim(
            "this book",
            f"{setting.title}: momentum strengthens the rules except against ROP",
            _momentum_cells(setting.key),
            _more_gain,
            above(0),
            "{:+.1f} points more gained under the others, mean of all rules",
        )
        for setting in SETTINGS
    ),
    *(
        Claim(
            "appendix A, Fig. " + ("11" if setting == "cifar10_noniid" else "10"),
            f"{_TITLES[setting]}, {title}, β = 0.9 and 0.99: the training loss ends higher under "
            "ROP than under ALIE",
            tuple(
                key(setting, attack, rule, momentum)
                for momentum in MOMENTA[1:]
                for attack in ("rop", "alie")
            ),
            _least_drop,
            above(0),
            "{:+.2f} higher",
            measure=_last_loss,
        )
        for setting in ("cifar10_iid", "cifar10_noniid")
        for rule, title in _TITLES_IV.items()
    ),
    Claim(
        "appendix B, Fig. 12",
        "CIFAR-10: λ = 0.9 is the strongest, over all rules and momenta",
        _search_cells("figure_12", ("0.9", "0", "0.5", "1"), tuple(RULES_IV)),
        _first_group_lowest(4),
        above(0),
        "next strongest λ leaves {:+.1f} points, mean of all",
    ),
    Claim(
        "appendix B, Fig. 12",
        "CIFAR-10: λ = 1 is effective against every rule too (at most 2 points weaker than "
        "λ = 0.9, mean of all β)",
        _search_cells("figure_12", ("0.9", "1"), tuple(RULES_IV)),
        _largest_rise,
        at_most(MARGIN),
        "at most {:+.1f} points weaker",
    ),
    *(
        Claim(
            f"appendix B, Fig. {figure[-2:]}",
            f"{title}, {RULE_TITLES[rule]}: z = 1, 10 and 100 do the same at every β",
            _search_cells(figure, tuple(FIGURE_13), (rule,)),
            _largest_spread,
            at_most(MARGIN),
            "up to {:.1f} points apart",
        )
        for figure, title in _FIGURES_OF_Z
        for rule in CLIPPING
    ),
    *(
        Claim(
            f"appendix B, Fig. {figure[-2:]}",
            f"{title}: a larger z hurts TM considerably more (by 2 points) than any other rule",
            _search_cells(figure, ("1", "100"), ("tm", *(r for r in RULES_IV if r != "tm"))),
            _tm_loses_more,
            above(MARGIN),
            "z = 100 costs TM {:+.1f} points more",
        )
        for figure, title in _FIGURES_OF_Z
    ),
)


def claims_table(archive: Archive) -> ClaimsTable:
    """Each claim with its statistic, what it needs to be, and the verdict."""
    theirs, cosines = published(), _printed_cosines()

    def printed(cell: str, quantity: str) -> float | None:
        if quantity == "test_accuracy":
            return theirs[cell].value if cell in theirs else None
        return cosines.get((cell, quantity))

    return claims.claims_table(archive, CLAIMS, printed)
