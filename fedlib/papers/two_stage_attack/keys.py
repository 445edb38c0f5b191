"""The keys of this paper's cells, written and read in one place."""

from __future__ import annotations

from typing import NamedTuple

from fedlib.grids.keys import parsed, written


class CellKey(NamedTuple):
    """A cell's key, such as ``circle/rl/median``."""

    data: str
    attack: str
    rule: str

    def __str__(self) -> str:
        return written("", self)

    @classmethod
    def parse(cls, text: str) -> CellKey:
        """The key that was written as ``text``."""
        return parsed(cls, "", text)
