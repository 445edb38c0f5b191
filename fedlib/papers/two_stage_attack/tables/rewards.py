"""What the attacker learns in the second stage: the rewards of its policies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from fedlib.agents.environment import DIVERGED
from fedlib.evidence.pictures import Picture
from fedlib.evidence.plots import STYLE
from fedlib.evidence.report import Archive, CellResult, basis_of
from fedlib.evidence.table import Note, Table, plural
from fedlib.papers.two_stage_attack.attacks import ATTACK_TITLES, SUPERSEDED_TITLES
from fedlib.papers.two_stage_attack.grid import ALL_TITLES, RULE_TITLES
from fedlib.papers.two_stage_attack.tables.common import (
    COLOURS,
    SUPERSEDED_COLOURS,
    attack_handles,
    best,
    cell_key,
    computable,
)
from fedlib.papers.two_stage_attack.variants import LONGER

_LEARNERS = ("learned", "learned_blind")
_QUARTERS = 4
_NEAR = 0.1
"""Two sums of rewards that differ by less than this are alike. The largest sum is 1."""


def reward_curves(archive: Archive, data: str, superseded: bool = False) -> Picture | Note:
    """Draw what the policy earned in each episode of learning, with a panel for each rule.

    Each seed has a line.

    Dashed lines are what an honest attacker earns in the same simulation, dotted lines what a
    greedy one earns. Below is what each later plan earned, with a cross where the policy has
    diverged while it was learned. These rewards are in units of the level at the first plan, so
    that they may be above 1. Rewards of superseded runs are in units
    of the level itself, are cut at -1, and have no such lines. If no run is stored, the result is
    a sentence that says which command computes the runs.
    """
    learners = tuple(SUPERSEDED_TITLES) if superseded else _LEARNERS
    if not any(best(archive, data, attack, rule) for attack in learners for rule in RULE_TITLES):
        return computable("What the policies earn", data)
    known: list[CellResult] = []
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(
            1 if superseded else 2, len(RULE_TITLES), figsize=(9, 2.8 if superseded else 4.6),
            sharey="row", squeeze=False, layout="constrained", FigureClass=Picture,
        )  # fmt: skip
        for column, (rule, title) in enumerate(RULE_TITLES.items()):
            for attack in learners:
                result = best(archive, data, attack, rule)
                if result is not None:
                    known.append(result)
                    colour = {**COLOURS, **SUPERSEDED_COLOURS}[attack]
                    _draw_rewards(grid[:, column], result, colour, ATTACK_TITLES[attack])
            grid[0, column].set(title=title, xlabel="episode")
        for axis in grid.flat:
            # An episode in which the model diverges loses more than all others gain.
            axis.set_yscale("symlog", linthresh=1e-3 if superseded else 1)
            axis.set_ylim((-1, 1) if superseded else (1.1 * _FLOOR, 1.5))
            if not superseded:
                axis.set_yticks((_FLOOR, -1, 0, 1))
                axis.yaxis.set_major_formatter("{x:g}")
                axis.yaxis.set_minor_formatter(NullFormatter())
            axis.grid(alpha=0.25)
        grid[0, 0].set_ylabel("sum of rewards")
        if not superseded:
            grid[1, 0].set_ylabel("rewards of a plan")
            for axis in grid[1]:
                axis.set_xlabel("plan")
                # The level of a later model is at most so many times that of the first plan.
                axis.set_ylim(-1.2 * DIVERGED, 1.2 * DIVERGED)
                axis.set_yticks((-DIVERGED, -1, 0, 1, DIVERGED))
        references = [
            Line2D([], [], color="grey", ls=style, lw=1, label=f"{name} attacker")
            for name, style in _REFERENCES.items()
        ]
        figure.legend(
            handles=[*attack_handles(learners), *([] if superseded else references)],
            title=basis_of(known),
            loc="outside upper center",
            ncols=2 if superseded else 4,
        )
    return figure.saying(
        f"Line charts of the sum of rewards in each episode of learning, on {ALL_TITLES[data]}, "
        f"with a panel for each of the rules {', '.join(RULE_TITLES.values())}"
        + ("." if superseded else ", and below it what each later plan earned.")
    )


_REFERENCES = {"honest": "--", "greedy": ":"}
"""The attackers whose rewards are lines in the panels, in the order of the records."""
_FLOOR = 1 - DIVERGED
"""What an episode of the first plan is worth in which the model diverges. A later plan may be worth
down to the negative of DIVERGED."""


def _draw_rewards(axes: Any, result: CellResult, colour: str, title: str) -> None:
    """Draw the rewards of each seed, with the lines that they are to be compared with."""
    for record in result.records:
        metrics = record["metrics"]
        rewards = metrics["policy_reward"]
        name = f"{title}, seed {record['seed']}"
        axes[0].plot(range(1, len(rewards) + 1), rewards, color=colour, lw=1, label=name)
        references = metrics.get("reference_reward", ())[:2]
        for height, style in zip(references, _REFERENCES.values(), strict=False):
            axes[0].axhline(height, color="grey", lw=0.7, ls=style)
        plans = metrics.get("plan_reward", ())
        if len(axes) > 1 and plans:
            earned = [np.nan if plan is None else plan for plan in plans]
            axes[1].plot(
                range(1, len(earned) + 1), earned, ".-", ms=3, color=colour, lw=0.7, label=name
            )
            lost = [int(number) for number in metrics.get("policy_diverged", ())]
            if lost:
                axes[1].plot(
                    [number + 1 for number in lost], [earned[number] for number in lost], "x",
                    ms=5, color=colour,
                )  # fmt: skip


def rewards_table(archive: Archive, data: str) -> Table:
    """What the first policy earned in each quarter of learning, and what others earn.

    Parameters
    ----------
    archive
        The stored runs.
    data
        The data set.
    """
    rows, known = [], []
    places = [(attack, rule) for attack in _LEARNERS for rule in RULE_TITLES]
    results = [
        (ATTACK_TITLES[attack], rule, best(archive, data, attack, rule)) for attack, rule in places
    ]
    results.append((f"two-stage, {LONGER.other}", "median", _longer(archive, data)))
    for name, rule, result in results:
        if result is None:
            continue
        known.append(result)
        for seed, learned in _learned(result):
            numbers = (*learned.quarters, learned.best, learned.honest, learned.greedy)
            shown = [f"{number:.2f}" for number in numbers]
            shown[0] = archive.linked(shown[0], result.key)
            rows.append((name, RULE_TITLES[rule], str(seed), *shown))
    heads = ("attack", "rule", "seed", "mean of quarter\n1", "\n2", "\n3", "\n4")
    return Table(
        (*heads, "best\nepisode", "honest", "greedy"),
        tuple(rows),
        "The sum of rewards of an episode while the first policy learns: the mean of each quarter "
        "of the episodes, the best episode, and what an honest and a greedy attacker earn. The "
        "attacker uses the policy of the best episode. In a black box the simulated server "
        f"averages, whatever the real rule is. The runs: {basis_of(known)}",
    )


def rewards_in_words(archive: Archive, data: str) -> Note:
    """Say under which rules the policy learns, compared with honesty and with greed.

    Parameters
    ----------
    archive
        The stored runs.
    data
        The data set.
    """
    said = []
    results = [
        (title[:1].upper() + title[1:], best(archive, data, "learned", rule))
        for rule, title in RULE_TITLES.items()
    ]
    longer = f"{RULE_TITLES['median']}, if the policy learns from {LONGER.other} rounds"
    results.append((longer[:1].upper() + longer[1:], _longer(archive, data)))
    for title, result in results:
        if result is None:
            continue
        learned = [one for _, one in _learned(result)]
        count = len(learned)
        rises = sum(max(one.quarters) > one.honest + _NEAR for one in learned)
        greed = sum(one.greedy > max(one.quarters) + _NEAR for one in learned)
        said.append(
            f"{title}: the policy earns clearly more than an honest "
            f"attacker in {rises or 'none'} of {plural(count, 'seed')}, and the greedy attacker "
            f"earns clearly more than the policy in {greed or 'none'} of {count}."
        )
    limit = (
        " What a policy earns is the mean of its best quarter here, and sums that differ by less "
        f"than {_NEAR:g} count as alike."
    )
    return Note(" ".join(said) + limit if said else "The rewards are not computed yet.")


def _longer(archive: Archive, data: str) -> CellResult | None:
    """The runs whose policy learns longer against the median, if they are stored."""
    base = cell_key(data, "learned", "median")
    found = archive.alike((base, LONGER.cell(base))) if base in LONGER.cells else None
    return found[1] if found else None


class _Learned(NamedTuple):
    """What one policy earned: in each quarter, at best, and what others earn in its place."""

    quarters: tuple[float, ...]
    best: float
    honest: float
    greedy: float


def _learned(result: CellResult) -> Iterable[tuple[int, _Learned]]:
    """Yield each seed of some runs with what its first policy earned."""
    for record in result.records:
        metrics = record["metrics"]
        rewards = np.array(metrics["policy_reward"], dtype=float)
        quarters = (float(part.mean()) for part in np.array_split(rewards, _QUARTERS))
        honest, greedy = metrics["reference_reward"][: len(_REFERENCES)]
        yield record["seed"], _Learned(tuple(quarters), float(rewards.max()), honest, greedy)
