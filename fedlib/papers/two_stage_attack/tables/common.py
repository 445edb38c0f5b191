"""What the chapter's figures and tables share: their results, and the colours of the attacks."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.lines import Line2D

from fedlib.evidence.plots import PALETTE
from fedlib.evidence.report import Archive, CellResult
from fedlib.papers.two_stage_attack.grid import ATTACK_TITLES
from fedlib.papers.two_stage_attack.keys import CellKey

COLOURS = dict(zip(ATTACK_TITLES, PALETTE, strict=False))
CLASS_COLOURS = (PALETTE[6], PALETTE[4])
"""Of the synthetic data's points inside the circle, and of those outside."""


def best(archive: Archive, data: str, attack: str, rule: str) -> CellResult | None:
    """What is stored of a cell, at the best scale there is."""
    return archive.best(str(CellKey(data, attack, rule)))


def attack_handles(attacks: Iterable[str] = ATTACK_TITLES) -> list[Line2D]:
    """A legend's lines: the colours of the attacks."""
    return [
        Line2D([], [], color=COLOURS[attack], label=ATTACK_TITLES[attack]) for attack in attacks
    ]
