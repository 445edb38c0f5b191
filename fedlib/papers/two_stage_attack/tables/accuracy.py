"""How much harm the attacks do: the levels, boundaries and accuracies behind the figures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fedlib.data import DataConfig, load_dataset
from fedlib.evidence.report import Archive, CellResult, Table, basis_of
from fedlib.evidence.statistics import estimate
from fedlib.evidence.table import plural
from fedlib.papers.two_stage_attack.attacks import (
    ATTACK_TITLES,
    ATTACKS_ON,
    CONTROL_TITLES,
    PAPER_TITLES,
    SUPERSEDED_TITLES,
)
from fedlib.papers.two_stage_attack.grid import ALL_TITLES, RULE_TITLES
from fedlib.papers.two_stage_attack.measures import (
    diverged,
    level,
    no_boundary,
    radius_error,
    taken,
)
from fedlib.papers.two_stage_attack.tables.common import best, cell_key
from fedlib.papers.two_stage_attack.variants import EPSILONS, PROJECTED, SCALES_OF_NOISE

SUPERSEDED = " (superseded)"


def accuracy_table(
    archive: Archive, data: str, small: bool = False, superseded: bool | None = None
) -> Table:
    """Accuracy, certified level and, on the synthetic data, the boundary after the last round.

    Parameters
    ----------
    archive
        The stored runs.
    data
        The data set.
    small
        Whether clients have batches of ten, which only the synthetic data are played with.
    superseded
        Whether the rows are those of the superseded attacks, or all others. With None, the
        default, the table has both.
    """
    known: list[CellResult] = []
    rows = []
    for attack in ATTACKS_ON[data]:
        if superseded is not None and superseded != (attack in SUPERSEDED_TITLES):
            continue
        title = ATTACK_TITLES[attack]
        row = [title + SUPERSEDED if attack in SUPERSEDED_TITLES else title]
        for rule in RULE_TITLES:
            result = best(archive, data, attack, rule, small)
            if result is not None:
                known.append(result)
            key = cell_key(data, attack, rule, small)
            row += [archive.linked(text, key) for text in harm(result, data == "circle")]
        rows.append(tuple(row))
    measured = ("accuracy, %", "certified level", *(("boundary",) if data == "circle" else ()))
    heads = [
        f"{title}\n{head}" if place == 0 else f"\n{head}"
        for title in RULE_TITLES.values()
        for place, head in enumerate(measured)
    ]
    batches = ", batches of 10" if small else ""
    caption = f"What the attacks leave. {ALL_TITLES[data]}{batches}: {basis_of(known)}"
    if data == "circle":
        caption += (
            ". A boundary is given by its average distance from the circle, and a model without "
            "a boundary counts as 2. A model that has diverged has neither a level nor a boundary. "
            "The means leave such models out, and they are counted separately"
        )
        caption += _worth_of_a_constant_answer(known)
    return Table(("attack", *heads), tuple(rows), caption)


def projection_table(archive: Archive) -> Table:
    """What the attacks leave without a defence, in the whole space and with the projection."""
    known: list[CellResult] = []
    rows = []
    for attack in (*PAPER_TITLES, *CONTROL_TITLES):
        row = [ATTACK_TITLES[attack]]
        base = cell_key("circle", attack, "mean")
        keys = (base, PROJECTED.cell(base))
        # Only the seeds that both halves have are compared.
        pair = archive.alike(keys) or (None, None)
        known += [result for result in pair if result is not None]
        for key, result in zip(keys, pair, strict=True):
            row += [archive.linked(text, key) for text in harm(result, True)]
        rows.append(tuple(row))
    heads = [
        f"{title}\n{head}" if place == 0 else f"\n{head}"
        for title in (PROJECTED.used, PROJECTED.other)
        for place, head in enumerate(("accuracy, %", "certified level", "boundary"))
    ]
    caption = (
        "What the attacks leave without a defence, by the set on which the server projects the "
        f"parameters. {ALL_TITLES['circle']}: {basis_of(known)}"
    )
    return Table(("attack", *heads), tuple(rows), caption)


def harm(result: CellResult | None, on_circle: bool) -> list[str]:
    """Accuracy, level and boundary in words: means over the seeds that have not diverged."""
    width = 3 if on_circle else 2
    if result is None:
        return ["–"] * width
    by_seed = [result.of_seed(seed) for seed in result.seeds]
    usable = [seeded for seeded in by_seed if not diverged(seeded)]
    if not usable:
        return ["diverged", *["none"] * (width - 1)]
    accuracy = estimate([seeded.accuracy.mean for seeded in usable])
    spread = "" if accuracy.spread is None else f" ± {accuracy.spread:.2f}"
    lost = len(by_seed) - len(usable)
    found = [f"{accuracy.mean:.2f}{spread}" + (f"; {lost} diverged" if lost else "")]
    levels = [value for value in map(level, usable) if np.isfinite(value)]
    found.append(f"{np.mean(levels):.3g}" if levels else "none")
    if on_circle:
        found.append(_boundaries(usable))
    return found


def _boundaries(usable: Sequence[CellResult]) -> str:
    """The boundaries' mean error, and how many of the models have no boundary."""
    if not all(seeded.has("decision") for seeded in usable):
        return "–"
    error = float(np.mean([radius_error(seeded) for seeded in usable]))
    without = sum(map(no_boundary, usable))
    return f"{error:.2f}" + (f"; no boundary in {plural(without, 'seed')}" if without else "")


def sweep_table(archive: Archive) -> Table:
    """The baselines at other strengths, under every rule, on the synthetic data."""
    known: list[CellResult] = []
    rows = []
    for attack, sign, values in (
        ("ipm", "epsilon", EPSILONS),
        ("random", "scale", SCALES_OF_NOISE),
    ):
        for value in values:
            row = [f"{ATTACK_TITLES[attack]}, {sign} {value:g}"]
            for rule in RULE_TITLES:
                key = _with_most_seeds(archive, attack, sign, value, rule)
                result = archive.best(key)
                if result is not None:
                    known.append(result)
                row += [archive.linked(text, key) for text in _harm_at_a_strength(result)]
            rows.append(tuple(row))
    heads = [
        head
        for title in RULE_TITLES.values()
        for head in (f"{title}\ncertified level", "\nboundary")
    ]
    caption = (
        "What is left under the simple attacks at several strengths, on the synthetic data: "
        f"{basis_of(known)}. An entry rests on one seed unless it names another number"
    )
    return Table(("attack", *heads), tuple(rows), caption)


def _with_most_seeds(archive: Archive, attack: str, sign: str, value: float, rule: str) -> str:
    """The cell of an attack at a strength with the most seeds of those that have this strength."""
    swept = f"variants/{sign}_{value:g}/circle/{attack}/{rule}"
    choice = f"variants/{attack}/circle/{attack}/{rule}"
    known = archive.all_cells()
    found = [archive.best(key) for key in (swept, choice) if key in known]
    found.append(best(archive, "circle", attack, rule))
    alike = [one for one in found if one and one.records[0]["config"]["attack"].get(sign) == value]
    most = max(alike, key=lambda one: (one.rank, len(one.seeds)), default=None)
    return most.key if most else swept


def _harm_at_a_strength(result: CellResult | None) -> list[str]:
    """Level and boundary in words, with the number of seeds if it is not one."""
    _, level_left, boundary = harm(result, True)
    if result is not None and len(result.seeds) > 1:
        lost = sum(diverged(result.of_seed(seed)) for seed in result.seeds)
        level_left += f" ({plural(len(result.seeds), 'seed')}"
        level_left += f", {lost} diverged)" if lost else ")"
    return [level_left, boundary]


def krum_table(archive: Archive) -> Table:
    """How often Krum takes the attacker's update, after the first three epochs."""
    known: list[CellResult] = []

    def shown(key: str) -> str:
        result = archive.best(key)
        if result is None:
            return archive.linked("–", key)
        known.append(result)
        shares = [taken(result.of_seed(seed)) for seed in result.seeds]
        text = "–" if all(map(math.isnan, shares)) else f"{100 * np.nanmean(shares):.1f}"
        return archive.linked(text, key)

    rows = [
        (
            f"{ATTACK_TITLES[attack]}, {sign} {value:g}",
            shown(_of_krum(attack, sign, value)),
            "–",
        )
        for attack, sign, values in (
            ("ipm", "epsilon", EPSILONS),
            ("random", "scale", SCALES_OF_NOISE),
        )
        for value in values
    ]
    for attack in ("learned", "learned_blind", *CONTROL_TITLES):
        key = f"circle/{attack}/krum"
        rows.append((ATTACK_TITLES[attack], shown(key), shown(f"variants/batch/{key}")))
    return Table(
        ("attack", "batches of 50\n% of rounds", "batches of 10\n% of rounds"),
        tuple(rows),
        "The share of the rounds in which Krum takes the attacker's update, without those of the "
        "first stage, in which the attacker of the two-stage attack is honest. If Krum took all "
        "ten clients equally often, it would take each in 10 % of the rounds. A dash stands for "
        "runs that did not record it. The runs: "
        f"{basis_of(known)}",
    )


def _of_krum(attack: str, sign: str, value: float) -> str:
    return f"variants/{sign}_{value:g}/circle/{attack}/krum"


def _worth_of_a_constant_answer(results: Sequence[CellResult]) -> str:
    """The accuracy of always saying inside, or outside; nothing unless all have the same data."""
    sets = {DataConfig(**record["config"]["data"]) for r in results for record in r.records}
    if len(sets) != 1:
        return ""
    outside = 100 * float((load_dataset(sets.pop()).y_test == 1).double().mean())
    return (
        f". Of the test points {100 - outside:.2f} % lie inside the circle: a model that "
        f"always says inside has that accuracy, and one that always says outside has "
        f"{outside:.2f} %."
    )
