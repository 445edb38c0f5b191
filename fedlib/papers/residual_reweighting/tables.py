"""Tables 1 to 8, Figures 2 to 8, LOAN and the claims, from the store."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from itertools import product
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from fedlib.attacks.backdoor import PixelBackdoor
from fedlib.data import DataConfig, DataError, load_dataset, resolve_source
from fedlib.evidence import claims
from fedlib.evidence.claims import (
    Claim,
    ClaimsTable,
    above,
    at_least,
    at_most,
    below,
    drop,
    near,
    percent_left,
)
from fedlib.evidence.plots import PALETTE, STYLE, Panel, accuracy_panels, final_lines
from fedlib.evidence.published import PublishedValue, load_published
from fedlib.evidence.report import Archive, CellResult, Note, Table, data_named, verdict
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.residual_reweighting.choices import VARIANTS
from fedlib.papers.residual_reweighting.domains import LOAN_TARGET
from fedlib.papers.residual_reweighting.keys import (
    ALTERNATIVES,
    APPROACHES,
    ATTACKERS,
    BASELINES,
    COORDINATE_WISE,
    DELTAS,
    FEW,
    LAMBDAS,
    MIX_RATES,
    REMOVED,
    RULE_TITLES,
    STDS,
)


def published() -> dict[tuple[str, str], PublishedValue]:
    """The printed values by cell key and quantity, averages left out."""
    values = {}
    for value in load_published("residual_reweighting"):
        if value.setting != "average":
            parts = [value.item, value.setting, value.aggregator]
            values["/".join(part for part in parts if part), value.quantity] = value
    return values


class _Cells:
    """Cells of one table as text: ours, what it is of, and the published value below."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.theirs = published()
        self.classes: dict[tuple[int, int], str] = {}
        self.data: set[str] = set()

    def text(
        self, cell: str, row: int, column: int, quantity: str = "test_accuracy", short: bool = False
    ) -> str:
        """The text of a cell, whose class and data are kept."""
        result, value = self.archive.best(cell), self.theirs.get((cell, quantity))
        shown = "not published" if value is None else f"{value.value:.2f}"
        if result is None:
            return f"–\n{shown}" if short else f"–\n\n{shown}"
        self.data.add(result.data)
        self.classes[row, column] = f"scale-{result.scale}"
        if value is not None and quantity == "test_accuracy":
            said = verdict(result, value.value, None)
            if said in ("agrees", "differs"):
                self.classes[row, column] = said
        found = result.final(quantity)
        spread = "" if found.spread is None else f" ± {found.spread:.2f}"
        basis = f"{result.scale}{'' if result.real else ', generated'} ×{found.n}"
        ours = "no such sample" if math.isnan(found.mean) else f"{found.mean:.2f}{spread}"
        return f"{ours}{' ' if short else chr(10)}{basis}\n{shown}"

    def caption(self, title: str) -> str:
        """``title`` with the data of the cells that were shown."""
        return f"{title}, on {data_named(self.data)}"


def rules_table(
    archive: Archive, item: str, settings: Sequence[str], heads: Sequence[str], title: str
) -> Table:
    """Rules by settings, and their averages: Tables 1, 2 and 4."""
    cells = _Cells(archive)
    averages = {
        value.aggregator: value.value
        for value in load_published("residual_reweighting")
        if (value.item, value.setting) == (item, "average")
    }
    rows = []
    for number, rule in enumerate(RULE_TITLES):
        keys = [f"{item}/{setting}/{rule}" for setting in settings]
        row = [cells.text(key, number, column) for column, key in enumerate(keys, 1)]
        known = archive.common(keys)
        average = "–"
        if known is not None:
            average = f"{np.mean([result.accuracy.mean for result in known]):.2f}"
            cells.classes[number, len(row) + 1] = f"scale-{known[0].scale}"
            average += f"\n{known[0].scale}"
        else:
            average += "\n"
        rows.append((RULE_TITLES[rule], *row, f"{average}\n{averages[rule]:.2f}"))
    return Table(
        ("rule", *heads, "average"), tuple(rows), cells.caption(title), cells.classes, compact=True
    )


def table_1(archive: Archive) -> Table:
    """Label flips on CIFAR-10."""
    heads = [f"{count} attackers" for count in FEW]
    return rules_table(archive, "table_1", FEW, heads, "Table 1: accuracy in %, label flips")


def table_2(archive: Archive) -> Table:
    """Label flips on reviews."""
    heads = [f"{count} attackers" for count in FEW]
    return rules_table(archive, "table_2", FEW, heads, "Table 2: accuracy in %, label flips")


def table_4(archive: Archive) -> Table:
    """Gaussian noise."""
    heads = [f"deviation {int(100 * float(std))} %" for std in STDS]
    return rules_table(archive, "table_4", STDS, heads, "Table 4: accuracy in %, Gaussian noise")


def backdoor_table(archive: Archive, item: str, title: str) -> Table:
    """Accuracy and attack success under both approaches; ``item`` such as ``table_3/mnist``."""
    cells = _Cells(archive)
    rows = []
    for number, rule in enumerate(RULE_TITLES):
        row = [RULE_TITLES[rule]]
        for approach in APPROACHES:
            for quantity in ("test_accuracy", "attack_success"):
                row.append(cells.text(f"{item}/{approach}/{rule}", number, len(row), quantity))
        rows.append(tuple(row))
    heads = [f"{name}\n{what}" for name in APPROACHES.values() for what in ("accuracy", "success")]
    return Table(("rule", *heads), tuple(rows), cells.caption(title), cells.classes, compact=True)


def table_6(archive: Archive) -> Table:
    """Lambda and delta."""
    splits = {"iid": "IID", "noniid": "non-IID"}
    return _searched(archive, "6", "λ", LAMBDAS, splits, ("0", "5", "9"))


def table_7(archive: Archive) -> Table:
    """Other estimators and weightings."""
    return _searched(archive, "7", "λ or σ", LAMBDAS[1:], ALTERNATIVES, ("0", "9"))


def _searched(
    archive: Archive,
    number: str,
    symbol: str,
    lambdas: tuple[str, ...],
    groups: dict[str, str],
    counts: tuple[str, ...],
) -> Table:
    """A search for hyper-parameters: a row for lambda and delta, a column for group and count."""
    cells = _Cells(archive)
    rows: list[tuple[str, ...]] = []
    for lam, delta in product(lambdas, DELTAS):
        row = [lam, delta]
        for group, count in product(groups, counts):
            place = f"table_{number}/{group}/{lam}/{delta}/{count}"
            row.append(cells.text(place, len(rows), len(row), short=True))
        rows.append(tuple(row))
    return Table(
        (symbol, "δ", *(f"{title}\n{count}" for title in groups.values() for count in counts)),
        tuple(rows),
        cells.caption(f"Table {number}: accuracy in % with so many label flippers"),
        cells.classes,
        compact=True,
    )


def table_8(archive: Archive) -> Table:
    """Mixing adversarial with honest parameters."""
    cells = _Cells(archive)
    row = [cells.text(f"table_8/{rate}", 0, i) for i, rate in enumerate((*MIX_RATES, "none"))]
    return Table(
        (*MIX_RATES, "no attack"),
        (tuple(row),),
        cells.caption("Table 8: accuracy in % by mix rate, 4 attackers of 10"),
        cells.classes,
        compact=True,
    )


def summary(archive: Archive) -> Note:
    """How many printed values are computed at paper scale, and on whose data."""
    counts = {"agrees": 0, "differs": 0, "success": 0, "other data": 0}
    theirs = published()
    for (cell, quantity), value in theirs.items():
        result = archive.best(cell)
        if result is None or result.scale != "paper" or not result.real:
            continue
        if not result.canonical:
            counts["other data"] += 1
        elif quantity == "attack_success":
            counts["success"] += 1  # shown beside the published, without a verdict
        else:
            counts[verdict(result, value.value, None)] += 1
    done = sum(counts.values())
    return Note(
        f"{counts['agrees']} of {counts['agrees'] + counts['differs']} accuracies computed at "
        f"paper scale on the paper's data agree within the margin; {counts['success']} rates of "
        f"success are computed likewise and have no verdict; {counts['other data']} values are "
        f"computed at paper scale on other data; {len(theirs) - done} of {len(theirs)} not at "
        "paper scale."
    )


class ClassCounts(NamedTuple):
    """How many test samples of each class a data set has: its name, label and counts."""

    name: str
    data: str
    counts: tuple[int, ...]


@cache
def _stored_classes() -> dict[str, ClassCounts]:
    """Of the data that the stored runs are on, by checksum: their floors need no data at hand."""
    path = resources.files("fedlib.papers") / "residual_reweighting" / "test_classes.csv"
    with path.open(encoding="utf-8") as file:
        return {
            row["checksum"]: ClassCounts(
                row["name"], row["data"], tuple(map(int, row["counts"].split()))
            )
            for row in csv.DictReader(file)
        }


@cache
def _classes_of(data: DataConfig) -> ClassCounts:
    dataset = load_dataset(data)
    return ClassCounts(data.name, dataset.label, tuple(dataset.y_test.bincount().tolist()))


def class_shares(data: str = "auto") -> Table:
    """Shares of the test samples that accuracy or success has without learning or attack.

    Of the sets that the stored runs are on; of the stand-ins if ``data`` is ``"embedded"``.
    """
    known = {classes.name: classes for classes in _stored_classes().values()}
    rows = []
    for name, label, what in (
        ("mnist", 2, "digit 2, the backdoor's target"),
        ("lending_club", LOAN_TARGET, "the status that is the backdoor's target"),
        ("amazon_reviews", 1, "positive"),
    ):
        classes = _classes_of(resolve_source(name, data)) if data == "embedded" else known[name]
        share = 100 * classes.counts[label] / sum(classes.counts)
        rows.append((classes.data, what, f"{share:.1f} %"))
    return Table(("test samples of", "class", "share"), tuple(rows), "Classes to compare with")


def _majority(record: dict[str, Any]) -> float:
    """Share of a run's largest class among its test samples in %; NaN where nobody knows it."""
    data = DataConfig(**record["config"]["data"])
    classes = _stored_classes().get(record["provenance"].get("data_checksum", ""))
    if classes is None or data.test_samples is not None:
        try:
            classes = _classes_of(data)
        except DataError:
            return math.nan
    return 100 * max(classes.counts) / sum(classes.counts)


# --- figures ---------------------------------------------------------------------------------


def figure_2(n_clients: int = 10, lam: float = 2.0, delta: float = 0.1) -> Figure:
    """Confidence against the normalised residual (equations 6 and 8), for a middle rank."""
    residual = np.linspace(-20, 20, 2001)
    bound = lam * np.sqrt(2 / n_clients)
    confidence = np.minimum(1, bound / np.maximum(np.abs(residual), 1e-12))
    confidence[confidence <= delta] = 0
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
        axis.plot(residual, confidence, color="black")
        for low, high, colour, label in (
            (0, bound, PALETTE[2], "trusted"),
            (bound, bound / delta, PALETTE[4], "less and less"),
            (bound / delta, 20, PALETTE[0], "replaced by the line"),
        ):
            for sign in (1, -1):
                axis.axvspan(
                    *sorted((sign * low, sign * high)), color=colour, alpha=0.25, lw=0,
                    label=label if sign > 0 else None,
                )  # fmt: skip
        axis.set(xlabel="normalised residual e", ylabel="confidence w", xlim=(-20, 20))
        axis.legend(loc="upper right", fontsize=8)
        plt.close(figure)
    return figure


def _lines(
    archive: Archive, item: str, places: Sequence[str]
) -> dict[str, list[tuple[float, CellResult | None]]]:
    return {
        rule: [(float(x), archive.best(f"{item}/{x}/{rule}")) for x in places]
        for rule in RULE_TITLES
    }


def figure_3(archive: Archive) -> Figure:
    """Label flips on MNIST: accuracy, and how many 1s are taken for 7s."""
    return final_lines(
        _lines(archive, "figure_3", ATTACKERS),
        RULE_TITLES,
        "attackers of 100",
        ("test_accuracy", "attack_success"),
    )


def figure_5(archive: Archive) -> Figure:
    """Accuracy as the holders of digit 0 leave."""
    return final_lines(
        _lines(archive, "figure_5", REMOVED), RULE_TITLES, "holders of digit 0 that left, of 20"
    )


def success_over_rounds(archive: Archive, item: str, quantity: str = "attack_success") -> Figure:
    """Figures 4, 7 and 8: over training, a line a rule."""
    curves = {rule: archive.best(f"{item}/{rule}") for rule in RULE_TITLES}
    return accuracy_panels([[Panel("", curves)]], RULE_TITLES, quantity)


def figure_8(archive: Archive) -> Figure:
    """Accuracy and attack success over training, a panel a rule."""
    panels = [
        (title, archive.best(f"table_3/cifar10/naive/{rule}"))
        for rule, title in RULE_TITLES.items()
    ]
    curves_of = {"test_accuracy": ("test accuracy", 1), "attack_success": ("attack success", 0)}
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            2, 3, figsize=(7.5, 4.2), sharex=True, sharey=True, layout="constrained"
        )
        for axis, (title, result) in zip(axes.flat, panels, strict=True):
            axis.set(title=title, ylim=(0, 102))
            axis.grid(alpha=0.25)
            if result is None:
                continue
            for quantity, (label, colour) in curves_of.items():
                rounds, curves = result.curve(quantity)
                mean = 100 * np.mean(curves, axis=0)
                axis.plot(rounds, mean, color=PALETTE[colour], label=label)
        figure.supxlabel("round", fontsize=9)
        figure.supylabel("%", fontsize=9)
        known = [result for _, result in panels if result is not None]
        if known:
            handles, labels = axes.flat[0].get_legend_handles_labels()
            title = f"{known[0].scale} scale, {known[0].data}"
            figure.legend(handles, labels, title=title, loc="outside upper center", ncols=2)
        plt.close(figure)
    return figure


def figure_6(data: str = "auto") -> Figure:
    """Three images with and without the trigger."""
    dataset = load_dataset(resolve_source("mnist", data))
    shown = dataset.x_test[:3]
    triggered = PixelBackdoor(n_byzantine=1).add_trigger(shown)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 6, figsize=(7, 1.5), layout="constrained")
        images = [image for pair in zip(shown, triggered, strict=True) for image in pair]
        for axis, image in zip(axes, images, strict=True):
            axis.imshow(image[0].numpy(), cmap="gray")
            axis.set_axis_off()
        figure.suptitle(f"as it is, and with the trigger ({dataset.label})", fontsize=9)
        plt.close(figure)
    return figure


# --- claims ----------------------------------------------------------------------------------


def _success(result: CellResult) -> float:
    return result.final("attack_success").mean


def _lag(result: CellResult) -> float:
    """By how much of the run, in %, 90 % of the final success come after 90 % of the accuracy.

    NaN for an attack that fails, with a final success of at most 50 %: it has nothing to reach.
    """
    rounds, (accuracy,) = result.curve("test_accuracy")
    _, (success,) = result.curve("attack_success")
    if not success[-1] > 0.5:
        return math.nan

    def reached(curve: list[float]) -> float:
        return next(100 * r / rounds[-1] for r, v in zip(rounds, curve, strict=True)
                    if v >= 0.9 * curve[-1])  # fmt: skip

    return reached(success) - reached(accuracy)


def _over_majority(result: CellResult) -> float:
    """Accuracy above that of a model that knows the largest class alone, in points."""
    return result.accuracy.mean - _majority(result.records[0])


def _all(item: str, places: Sequence[str], rules: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"{item}/{place}/{rule}" for place in places for rule in rules)


def _least_lead(rules: int) -> Callable[[list[float]], float]:
    """Over groups of rules, the first's smallest lead over the best of the others."""

    def statistic(values: list[float]) -> float:
        groups = [values[i : i + rules] for i in range(0, len(values), rules)]
        return min(group[0] - max(group[1:]) for group in groups)

    return statistic


def _mean_lead(rules: int) -> Callable[[list[float]], float]:
    """The first rule's mean over groups minus the best mean of the others."""

    def statistic(values: list[float]) -> float:
        means = [float(np.mean(values[i::rules])) for i in range(rules)]
        return means[0] - max(means[1:])

    return statistic


def _range(values: list[float]) -> float:
    return max(values) - min(values)


def _above_highest(values: list[float]) -> float:
    """The first value above the highest of the others."""
    return values[0] - max(values[1:])


def _largest_drop(values: list[float]) -> float:
    """Of pairs one after the other, the largest drop from first to second."""
    return max(a - b for a, b in zip(values[::2], values[1::2], strict=True))


def _mean_drop(values: list[float]) -> float:
    """Of pairs one after the other, the mean drop from first to second."""
    return float(np.mean(values[::2]) - np.mean(values[1::2]))


def _largest_lead(values: list[float]) -> float:
    """Of two halves, the largest lead of the second's values over those of the first."""
    half = len(values) // 2
    return max(b - a for a, b in zip(values[:half], values[half:], strict=True))


def _steadier(values: list[float]) -> float:
    """Of two halves in groups, one value a threshold, how much less the second's groups span."""
    spans = [_range(values[i : i + len(DELTAS)]) for i in range(0, len(values), len(DELTAS))]
    half = len(spans) // 2
    return float(np.mean(spans[:half]) - np.mean(spans[half:]))


_OURS_FIRST = ("ours", *BASELINES)
CLAIMS = (
    Claim(
        "section 4.2, Fig. 3",
        "MNIST, label flips: reweighting outperforms all other rules at every number of attackers",
        _all("figure_3", ATTACKERS[1:], _OURS_FIRST),
        _least_lead(6),
        above(0),
        "least lead {:+.1f} points",
    ),
    Claim(
        "section 4.2, Fig. 3",
        "MNIST, label flips: reweighting is robust when the number of attackers increases to ten",
        ("figure_3/0/ours", "figure_3/10/ours"),
        drop,
        at_most(MARGIN),
        "costs {:.1f} points",
    ),
    Claim(
        "section 4.2, Fig. 3",
        "MNIST, label flips: Median and Repeated Median have relatively low accuracy",
        _all("figure_3", ATTACKERS, ("ours", "median", "repeated_median")),
        _mean_lead(3),
        above(MARGIN),
        "on average the better is {:.1f} points below reweighting",
    ),
    Claim(
        "section 4.2, Fig. 3",
        "MNIST, label flips: FoolsGold keeps the attack's success low",
        _all("figure_3", ATTACKERS[1:], ("foolsgold",)),
        max,
        below(20),
        "highest success {:.1f} %",
        measure=_success,
        quantity="attack_success",
    ),
    Claim(
        "section 4.2",
        "MNIST, label flips: reweighting is 6 points above FoolsGold on average",
        _all("figure_3", ATTACKERS, ("ours", "foolsgold")),
        _mean_lead(2),
        near(6),
        "{:+.1f} points",
    ),
    Claim(
        "Table 1",
        "CIFAR-10 without attackers: FoolsGold fails",
        ("table_1/0/fedavg", "table_1/0/foolsgold"),
        lambda values: percent_left(*values),
        below(50),
        "{:.0f} % of FedAvg's accuracy",
    ),
    Claim(
        "Table 1",
        "CIFAR-10, label flips: reweighting has the best average over 0 to 4 attackers",
        _all("table_1", FEW, _OURS_FIRST),
        _mean_lead(6),
        above(0),
        "{:+.1f} points to the best other",
    ),
    Claim(
        "section 4.2, Table 2",
        "Reviews: reweighting does not degrade with 4 attackers of 10",
        ("table_2/0/ours", "table_2/4/ours"),
        drop,
        at_most(MARGIN),
        "costs {:.1f} points",
    ),
    Claim(
        "section 4.2, Table 2",
        "Reviews: reweighting is comparable to the best rule at every number of attackers",
        _all("table_2", FEW, _OURS_FIRST),
        _least_lead(6),
        at_least(-MARGIN),
        "least lead {:+.1f} points",
    ),
    *(
        Claim(
            "Table 2",
            f"Reviews, 4 attackers of 10: {RULE_TITLES[rule]} fails, below a model that calls all "
            "reviews positive",
            (f"table_2/4/{rule}",),
            min,
            below(-MARGIN),
            "{:+.1f} points to it",
            measure=_over_majority,
        )
        for rule in ("fedavg", "repeated_median")
    ),
    Claim(
        "Table 2",
        "Reviews: FoolsGold has about 50 % at every number of attackers",
        _all("table_2", FEW, ("foolsgold",)),
        lambda values: max(abs(value - 50) for value in values),
        at_most(5),
        "up to {:.1f} points away",
    ),
    Claim(
        "section 4.3",
        "MNIST, naive backdoor: it succeeds against FedAvg",
        ("table_3/mnist/naive/fedavg",),
        min,
        above(50),
        "success {:.1f} %",
        measure=_success,
            quantity="attack_success",
    ),
    Claim(
        "section 4.3, Table 3",
        "MNIST, naive backdoor: it fails against all other rules",
        _all("table_3/mnist", ("naive",), (*COORDINATE_WISE, "foolsgold", "ours")),
        max,
        below(20),
        "highest success {:.1f} %",
        measure=_success,
            quantity="attack_success",
    ),
    Claim(
        "section 4.3",
        "MNIST, both backdoors: reweighting is the most accurate",
        _all("table_3/mnist", tuple(APPROACHES), _OURS_FIRST),
        _least_lead(6),
        at_least(0),
        "least lead {:+.2f} points",
    ),
    *(
        Claim(
            "Table 3",
            f"{title}, model replacement: it succeeds more against FedAvg than any other rule",
            _all(f"table_3/{domain}", ("replacement",), ("fedavg", *BASELINES[1:], "ours")),
            _above_highest,
            above(MARGIN),
            "by {:.1f} points",
            measure=_success,
            quantity="attack_success",
        )
        for domain, title in (("mnist", "MNIST"), ("cifar10", "CIFAR-10"))
    ),
    Claim(
        "Table 3",
        "MNIST and CIFAR-10, model replacement: it fails against all rules but FedAvg",
        tuple(
            f"table_3/{domain}/replacement/{rule}"
            for domain in ("mnist", "cifar10") for rule in (*BASELINES[1:], "ours")
        ),
        max,
        below(20),
        "highest success {:.1f} %",
        measure=_success,
        quantity="attack_success",
    ),
    Claim(
        "Table 3",
        "CIFAR-10, model replacement: it spoils FedAvg's accuracy, not reweighting's",
        ("table_3/cifar10/replacement/ours", "table_3/cifar10/replacement/fedavg"),
        drop,
        above(MARGIN),
        "FedAvg is {:.1f} points below",
    ),
    Claim(
        "section 4.3, Table 3",
        "CIFAR-10, naive backdoor: all baselines but FoolsGold reach a success of over 70 %",
        _all("table_3/cifar10", ("naive",), ("fedavg", *COORDINATE_WISE)),
        min,
        above(70),
        "least success {:.1f} %",
        measure=_success,
            quantity="attack_success",
    ),
    Claim(
        "section 4.3, Table 3",
        "CIFAR-10, naive backdoor: reweighting withstands it",
        ("table_3/cifar10/naive/ours",),
        max,
        below(20),
        "success {:.1f} %",
        measure=_success,
            quantity="attack_success",
    ),
    *(
        Claim(
            "appendix A.5, Fig. 4",
            f"CIFAR-10, naive backdoor, {RULE_TITLES[rule]}: success comes after convergence",
            (f"table_3/cifar10/naive/{rule}",),
            min,
            above(0),
            "90 % of it {:+.0f} % of the run after 90 % of the accuracy",
            measure=_lag,
        )
        for rule in COORDINATE_WISE
    ),
    Claim(
        "appendix A.5, Fig. 7",
        "ResNet-18 on MNIST, naive backdoor: all baselines but FoolsGold fall to it",
        tuple(f"figure_7/{rule}" for rule in ("fedavg", *COORDINATE_WISE)),
        min,
        above(50),
        "least success {:.1f} %",
        measure=_success,
            quantity="attack_success",
    ),
    Claim(
        "appendix A.5, Fig. 7",
        "ResNet-18 on MNIST, naive backdoor: reweighting remains stable",
        ("figure_7/ours",),
        max,
        below(20),
        "success {:.1f} %",
        measure=_success,
        quantity="attack_success",
    ),
    *(
        Claim(
            "section 4.3",
            f"Loans, {title}: reweighting is more accurate than FedAvg, by half a point at least",
            (f"loan/{approach}/ours", f"loan/{approach}/fedavg"),
            drop,
            # In print by 0.85 and 0.95 points; next to nothing is no lead.
            above(0.5),
            "{:+.2f} points",
        )
        for approach, title in APPROACHES.items()
    ),
    *(
        Claim(
            "section 4.3",
            f"Loans, {title}: {said}",
            _all("loan", (approach,), rules),
            statistic,
            needed,
            shown,
            measure=_success,
            quantity="attack_success",
        )
        for approach, title in APPROACHES.items()
        for said, rules, statistic, needed, shown in (
            (
                "it succeeds against FedAvg", ("fedavg",), min, above(50),
                "success {:.1f} %",
            ),
            (
                "no success against reweighting, medians and trimmed mean",
                ("ours", *COORDINATE_WISE), max, below(5),
                "highest success {:.1f} %",
            ),
        )
    ),
    Claim(
        "section 4.3",
        "Loans, naive: it succeeds against FoolsGold",
        ("loan/naive/foolsgold",),
        min,
        above(50),
        "success {:.1f} %",
        measure=_success,
        quantity="attack_success",
    ),
    Claim(
        "section 4.3",
        "Loans, model replacement: no success against FoolsGold",
        ("loan/replacement/foolsgold",),
        max,
        below(5),
        "success {:.1f} %",
        measure=_success,
        quantity="attack_success",
    ),
    Claim(
        "Table 4",
        "MNIST, Gaussian noise of 300 %: FedAvg fails",
        ("table_4/0/fedavg", "table_4/3/fedavg"),
        lambda values: percent_left(*values),
        below(50),
        "{:.0f} % of the clean accuracy left",
    ),
    Claim(
        "section 4.4, Table 4",
        "MNIST, Gaussian noise: reweighting outperforms all other rules at every deviation",
        _all("table_4", STDS[1:], _OURS_FIRST),
        _least_lead(6),
        above(0),
        "least lead {:+.1f} points",
    ),
    Claim(
        "Table 4",
        "MNIST, Gaussian noise: reweighting loses nothing at any deviation",
        _all("table_4", STDS, ("ours",)),
        lambda values: values[0] - min(values[1:]),
        at_most(MARGIN),
        "costs at most {:.1f} points",
    ),
    Claim(
        "appendix A.3, Table 6",
        "MNIST, IID: λ and δ hardly matter",
        tuple(
            f"table_6/iid/{lam}/{delta}/{count}"
            for lam in LAMBDAS for delta in DELTAS for count in ("0", "5", "9")
        ),
        _range,
        at_most(2 * MARGIN),
        "they span {:.1f} points",
    ),
    Claim(
        "appendix A.3, Table 6",
        "MNIST, two digits each: a large δ hurts, 0.2 on average more than 0.01",
        tuple(
            f"table_6/noniid/{lam}/{delta}/{count}"
            for lam in LAMBDAS for count in ("0", "5", "9") for delta in ("0.01", "0.2")
        ),
        _mean_drop,
        above(MARGIN),
        "costs {:.1f} points",
    ),
    Claim(
        "appendix A.3, Table 6",
        "MNIST, two digits each: a large λ makes δ matter less, 5 than 0.5",
        tuple(
            f"table_6/noniid/{lam}/{delta}/{count}"
            for lam in (LAMBDAS[0], LAMBDAS[-1]) for count in ("0", "5", "9") for delta in DELTAS
        ),
        _steadier,
        above(0),
        "over δ the accuracy spans {:.1f} points less",
    ),
    *(
        Claim(
            "section 4.5, Table 7",
            f"MNIST, {title} for the line, λ = 5 and δ = {delta}: 9 attackers break it",
            (f"table_7/{estimator}/5/{delta}/0", f"table_7/{estimator}/5/{delta}/9"),
            drop,
            above(MARGIN),
            "costs {:.1f} points",
        )
        for estimator, title, delta in (
            ("median", "Median", "0.01"), ("theil_sen", "Theil-Sen", "0.05")
        )
    ),
    Claim(
        "section 4.5, Table 7",
        "MNIST, Gaussian weighting: it is fairly robust against 9 attackers, whatever σ and δ",
        tuple(
            f"table_7/gaussian/{lam}/{delta}/{count}"
            for lam in LAMBDAS[1:] for delta in DELTAS for count in ("0", "9")
        ),
        _largest_drop,
        at_most(MARGIN),
        "costs at most {:.1f} points",
    ),
    Claim(
        "section 4.5, Table 7",
        "MNIST, 9 attackers: Theil-Sen breaks for a λ and δ for which the repeated median does not",
        tuple(
            f"{item}/{lam}/{delta}/9"
            for item in ("table_7/theil_sen", "table_6/noniid")
            for lam in LAMBDAS[1:] for delta in DELTAS
        ),
        _largest_lead,
        above(MARGIN),
        "at worst {:.1f} points below the repeated median",
    ),
    Claim(
        "appendix A.4, Fig. 5",
        "MNIST without 15 of 20 holders of 0: reweighting is worse than FedAvg",
        ("figure_5/15/fedavg", "figure_5/15/ours"),
        drop,
        above(MARGIN),
        "{:.1f} points below",
    ),
    Claim(
        "appendix A.4, Fig. 5",
        "MNIST without 15 of 20 holders of 0: reweighting is no worse than the other robust rules",
        _all("figure_5", ("15",), ("ours", *BASELINES[1:])),
        _least_lead(5),
        at_least(-MARGIN),
        "{:+.1f} points to the best of them",
    ),
    Claim(
        "appendix A.6, Table 8",
        "Reviews: mixing in honest parameters does not help the attackers, at any rate",
        (*(f"table_8/{rate}" for rate in MIX_RATES), "table_8/none"),
        lambda values: values[-1] - min(values[:-1]),
        at_most(MARGIN),
        "costs at most {:.1f} points",
    ),
)  # fmt: skip


def claims_table(archive: Archive) -> ClaimsTable:
    """Each claim with its statistic, what it needs to be, and the verdict."""
    theirs = published()

    def printed(cell: str, quantity: str) -> float | None:
        value = theirs.get((cell, quantity))
        return None if value is None else value.value

    return claims.claims_table(archive, CLAIMS, printed)


def where(cell: str) -> str:
    """A cell's key in words: ``Figure 3, 10 attackers, reweighting``."""
    item, *places, rule = cell.split("/")
    said = {
        "figure_3": "MNIST, label flips (Figure 3), {} attackers",
        "table_2": "reviews, label flips (Table 2), {} attackers",
        "table_3": "{}, {} backdoor",
        "table_4": "MNIST, noise of deviation {}",
        "loan": "loans, {} backdoor",
    }[item]
    names = {"mnist": "MNIST", "cifar10": "CIFAR-10", "replacement": "model replacement"}
    shown = said.format(*(names.get(place, place) for place in places))
    return f"{shown.replace('replacement backdoor', 'replacement')}, {RULE_TITLES[rule]}"


def variants_table(archive: Archive) -> Table:
    """What each choice changes: accuracy as used and taken the other way, at a shared scale."""
    return claims.variants_table(archive, VARIANTS, where, "What the choices change")


def success_variants_table(archive: Archive) -> Table:
    """Likewise the attack's success, where it has a goal of its own."""

    def aimed(cell: str) -> bool:
        item, place, *_ = cell.split("/")
        return item in ("table_3", "loan") or (item == "figure_3" and place != "0")

    shown = [replace(v, cells=tuple(filter(aimed, v.cells))) for v in VARIANTS]
    caption = "What the choices change of the attack's success"
    table = claims.variants_table(archive, shown, where, caption, _success)
    return replace(table, header=tuple(h.replace("accuracy", "success") for h in table.header))
