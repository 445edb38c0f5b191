"""The accuracies and certified levels behind Figures 2 and 3."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fedlib.data import DataConfig, load_dataset
from fedlib.evidence.report import Archive, CellResult, Table, basis_of
from fedlib.evidence.statistics import estimate
from fedlib.papers.two_stage_attack.grid import ATTACK_TITLES, DATA_TITLES, RULE_TITLES
from fedlib.papers.two_stage_attack.measures import diverged, level
from fedlib.papers.two_stage_attack.tables.common import best


def accuracy_table(archive: Archive, data: str) -> Table:
    """Accuracy and certified level after the last round.

    On the synthetic data, also what a model that always says the same is worth.
    """
    known: list[CellResult] = []
    rows = []
    for attack, title in ATTACK_TITLES.items():
        row = [title]
        for rule in RULE_TITLES:
            result = best(archive, data, attack, rule)
            if result is None:
                row += ["–", "–"]
                continue
            known.append(result)
            row += _accuracy_and_level(result)
        rows.append(tuple(row))
    heads = [
        head
        for title in RULE_TITLES.values()
        for head in (f"{title}\naccuracy, %", "\ncertified level")
    ]
    caption = f"{DATA_TITLES[data]}: {basis_of(known)}"
    if data == "circle":
        caption += _worth_of_a_constant_answer(known)
    return Table(("attack", *heads), tuple(rows), caption)


def _accuracy_and_level(result: CellResult) -> tuple[str, str]:
    """Both in words: means over the seeds whose models have not diverged."""
    by_seed = [result.of_seed(seed) for seed in result.seeds]
    usable = [seeded for seeded in by_seed if not diverged(seeded)]
    if not usable:
        return "diverged", "none"
    accuracy = estimate([seeded.accuracy.mean for seeded in usable])
    spread = "" if accuracy.spread is None else f" ± {accuracy.spread:.2f}"
    lost = len(by_seed) - len(usable)
    also = f"; {lost} diverged" if lost else ""
    levels = [found for found in map(level, usable) if np.isfinite(found)]
    return f"{accuracy.mean:.2f}{spread}{also}", f"{np.mean(levels):.3g}" if levels else "none"


def _worth_of_a_constant_answer(results: Sequence[CellResult]) -> str:
    """The accuracy of always saying inside, or outside; nothing unless all have the same data."""
    sets = {DataConfig(**record["config"]["data"]) for r in results for record in r.records}
    if len(sets) != 1:
        return ""
    outside = 100 * float((load_dataset(sets.pop()).y_test == 1).double().mean())
    return (
        f". Of the test points {100 - outside:.2f} % lie inside the circle: a model that "
        f"always says inside has that accuracy, one that always says outside {outside:.2f} %."
    )
