"""Transcribe the published numbers of the paper on residual-based reweighting.

Tables 1 to 4 and 6 to 8 are tab-separated in its text; the results on loans are in a sentence::

    python -m tools.transcribe.residual_reweighting PAPER.txt
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from fedlib.papers.residual_reweighting.keys import (
    DELTAS,
    FEW,
    LAMBDAS,
    MIX_RATES,
    RULE_TITLES,
    STDS,
)
from tools.transcribe.common import (
    NUMBER,
    Row,
    TranscriptionError,
    check_counts,
    command_line,
    find_table,
)

STORED = Path(__file__).parents[2] / "fedlib" / "papers" / "residual_reweighting" / "published.csv"

_RULES = {title: rule for rule, title in RULE_TITLES.items()} | {"Ours": "ours", "Our": "ours"}


def _percent(cell: str) -> str:
    match = re.fullmatch(rf"(?:<b>)?({NUMBER})%(?:</b>)?", cell.strip())
    if not match:
        raise TranscriptionError(f"not a percentage: {cell!r}")
    return match[1]


def _rule(cell: str) -> str:
    """The rule of ``Median (Yin et al., 2018)``."""
    name = cell.partition(" (")[0].strip()
    if name not in _RULES:
        raise TranscriptionError(f"not a rule: {cell!r}")
    return _RULES[name]


def _row(item: str, setting: str, rule: str, value: str, quantity: str = "test_accuracy") -> Row:
    return Row(item, setting, "", rule, "", quantity, value, "", "percent")


def _by_rule(text: str, item: str, caption: str, settings: Sequence[str]) -> Iterator[Row]:
    """A table of rules by settings, the average last."""
    heading, *body = find_table(text, caption, "above")
    if len(heading) != len(settings) + 2 or heading[-1] != "Average":
        raise TranscriptionError(f"{item}: unknown heading {heading}")
    for name, *cells in body:
        if len(cells) != len(settings) + 1:
            raise TranscriptionError(f"{item}: {name!r} has {len(cells)} cells")
        for setting, cell in zip(settings, cells, strict=False):
            yield _row(item, setting, _rule(name), _percent(cell))
        yield _row(item, "average", _rule(name), _percent(cells[-1]), "average_test_accuracy")


def table_3(text: str) -> Iterator[Row]:
    """Accuracy and attack success of the backdoors, in this order under each approach."""
    first, second, third, *body = find_table(text, "Table 3:", "above")
    if [name for name in first if name] != ["Dataset", "MNIST", "CIFAR-10"]:
        raise TranscriptionError(f"table_3: unknown heading {first}")
    if [name for name in second if name] != ["Naive approach", "Model replacement"] * 2:
        raise TranscriptionError(f"table_3: unknown heading {second}")
    if [name for name in third if name] != ["Acc.", "A.S.R"] * 4:
        raise TranscriptionError(f"table_3: unknown heading {third}")
    for name, *cells in body:
        if len(cells) != 8:
            raise TranscriptionError(f"table_3: {name!r} has {len(cells)} cells")
        places = [
            (f"{data}/{approach}", quantity)
            for data in ("mnist", "cifar10")
            for approach in ("naive", "replacement")
            for quantity in ("test_accuracy", "attack_success")
        ]
        for (setting, quantity), cell in zip(places, cells, strict=True):
            yield _row("table_3", setting, _rule(name), _percent(cell), quantity)


def table_6(text: str) -> Iterator[Row]:
    """Lambda and delta, twice side by side: clients that are alike, and that are not."""
    body = find_table(text, "Table 6:", "above")[2:]
    lam = ""
    for line in body:
        if len(line) != 10 or line[0] != line[5] or line[1] != line[6]:
            raise TranscriptionError(f"table_6: unknown line {line}")
        lam = line[0] or lam
        for split, cells in (("iid", line[2:5]), ("noniid", line[7:10])):
            for count, cell in zip(("0", "5", "9"), cells, strict=True):
                place = f"{split}/{lam}/{line[1]}/{count}"
                yield _row("table_6", place, "", _percent(cell))


def table_7(text: str) -> Iterator[Row]:
    """Other estimators and weightings."""
    heading, _, counts, *body = find_table(text, "Table 7:", "above")
    titles = ["Median Estimator", "Theil-Sen Estimator", "Gaussian Weighting"]
    if [name for name in heading[2:] if name] != titles or counts[2:] != ["0", "9"] * 3:
        raise TranscriptionError(f"table_7: unknown heading {heading} {counts}")
    for lam, delta, *cells in body:
        if len(cells) != 6:
            raise TranscriptionError(f"table_7: {lam}, {delta} has {len(cells)} cells")
        places = [f"{kind}/{lam}/{delta}/{count}" for kind in ("median", "theil_sen", "gaussian")
                  for count in ("0", "9")]  # fmt: skip
        for place, cell in zip(places, cells, strict=True):
            yield _row("table_7", place, "", _percent(cell))


def table_8(text: str) -> Iterator[Row]:
    """Accuracy by mix rate."""
    rates, accuracies = find_table(text, "Table 8:", "above")
    if rates[0] != "Mix rate" or tuple(rates[1:]) != MIX_RATES or accuracies[0] != "Accuracy":
        raise TranscriptionError(f"table_8: unknown form {rates} {accuracies}")
    for rate, cell in zip(rates[1:], accuracies[1:], strict=True):
        yield _row("table_8", rate, "", _percent(cell))


def loans(text: str) -> Iterator[Row]:
    """The sentences on LOAN: ours, FedAvg's in brackets, then the exception among the others."""
    number = rf"({NUMBER})%"
    pairs = re.findall(
        rf"accuracy {number} \(FedAvg {number}\) and {number} attack success rate "
        rf"\(FedAvg {number}\)|has {number} accuracy \(FedAvg {number}\) and {number} attack "
        rf"success rate \(FedAvg {number}\)",
        text,
    )
    others = re.findall(
        rf"Other baselines also have {number} attack success rate in two attacking scenarios "
        rf"except FoolsGold, whose attack success rate is {number} under the naive approach",
        text,
    )
    if len(pairs) != 2 or len(others) != 1:
        raise TranscriptionError(f"loan: {len(pairs)} and {len(others)} sentences found, not 2, 1")
    (rest, exception), *_ = others
    for approach, found in zip(("naive", "replacement"), pairs, strict=True):
        ours, fedavg, ours_success, fedavg_success = [value for value in found if value]
        success = {"ours": ours_success, "fedavg": fedavg_success}
        yield _row("loan", approach, "ours", ours)
        yield _row("loan", approach, "fedavg", fedavg)
        for rule in RULE_TITLES:
            other = exception if (rule, approach) == ("foolsgold", "naive") else rest
            yield _row("loan", approach, rule, success.get(rule, other), "attack_success")


_RULE_COUNT = len(RULE_TITLES)
EXPECTED = {
    "table_1": _RULE_COUNT * (len(FEW) + 1),
    "table_2": _RULE_COUNT * (len(FEW) + 1),
    "table_3": _RULE_COUNT * 8,
    "loan": 2 * (2 + _RULE_COUNT),
    "table_4": _RULE_COUNT * (len(STDS) + 1),
    "table_6": 2 * len(LAMBDAS) * len(DELTAS) * 3,
    "table_7": 3 * (len(LAMBDAS) - 1) * len(DELTAS) * 2,
    "table_8": len(MIX_RATES),
}
"""The number of published cells of each item, averages included."""


def transcribe(text: str) -> list[Row]:
    """Return the rows of all items; raise `TranscriptionError` if the count is off."""
    rows = [
        *_by_rule(text, "table_1", "Table 1:", FEW),
        *_by_rule(text, "table_2", "Table 2:", FEW),
        *table_3(text),
        *loans(text),
        *_by_rule(text, "table_4", "Table 4:", STDS),
        *table_6(text),
        *table_7(text),
        *table_8(text),
    ]
    check_counts(rows, EXPECTED)
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 where the stored file differs, 2 where parsing fails."""
    files = {"paper": "the paper as text, with tab-separated tables"}
    return command_line(argv, __spec__.name, files, transcribe, STORED)


if __name__ == "__main__":
    sys.exit(main())
