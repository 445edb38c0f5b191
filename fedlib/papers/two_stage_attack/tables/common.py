"""What the chapter's figures and tables share: their results, and the colours of the attacks."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.lines import Line2D

from fedlib.evidence.colours import PALETTE, colours_of
from fedlib.evidence.report import Archive, CellResult
from fedlib.evidence.table import Note
from fedlib.papers.two_stage_attack.attacks import (
    ATTACK_TITLES,
    ATTACKS_ON,
    CONTROL_TITLES,
    PAPER_TITLES,
    SUPERSEDED_TITLES,
)
from fedlib.papers.two_stage_attack.grid import ALL_TITLES, DATA_TITLES
from fedlib.papers.two_stage_attack.keys import CellKey
from fedlib.papers.two_stage_attack.variants import BATCH

_PARTS = dict.fromkeys(("learned", "learned_blind", *SUPERSEDED_TITLES), "two_stage")
"""The registered name of the attack that has other names in the cells' keys."""
COLOURS = colours_of((*PAPER_TITLES, *CONTROL_TITLES), _PARTS)
"""Of the attacks in the figures: those of the paper, and the controls."""
SUPERSEDED_COLOURS = colours_of(SUPERSEDED_TITLES, _PARTS)
"""Of the superseded attacks, which stand in figures of their own."""
CLASS_COLOURS = (PALETTE[6], PALETTE[4])
"""Of the synthetic data's points inside the circle, and of those outside."""


def colours_on(data: str) -> dict[str, str]:
    """The attacks that a figure on a data set draws, and their colours."""
    if data in DATA_TITLES:
        return {attack: COLOURS[attack] for attack in ATTACKS_ON[data] if attack in COLOURS}
    every = {**COLOURS, **SUPERSEDED_COLOURS}
    return {attack: every[attack] for attack in ATTACKS_ON[data]}


def cell_key(data: str, attack: str, rule: str, small: bool = False) -> str:
    """The key of a cell; ``small`` for batches of ten."""
    key = str(CellKey(data, attack, rule))
    return BATCH.cell(key) if small else key


def best(
    archive: Archive, data: str, attack: str, rule: str, small: bool = False
) -> CellResult | None:
    """What is stored of a cell, at the best scale there is; ``small`` for batches of ten."""
    return archive.best(cell_key(data, attack, rule, small))


def computable(what: str, data: str) -> Note:
    """Say that a figure's runs are not computed yet, and which command computes them.

    Parameters
    ----------
    what
        What the figure shows.
    data
        The data set.
    """
    return Note(
        f"{what} on {ALL_TITLES[data]}: not computed yet. This command computes the runs:",
        command=f"python -m fedlib run two_stage_attack --scale paper --only '{data}/*'",
    )


def attack_handles(attacks: Iterable[str] = tuple(COLOURS)) -> list[Line2D]:
    """A legend's lines: the colours of the attacks."""
    colours = {**COLOURS, **SUPERSEDED_COLOURS}
    return [
        Line2D([], [], color=colours[attack], label=ATTACK_TITLES[attack]) for attack in attacks
    ]
