"""The keys that address the arena's cells, as ``iid_f5/median/alie``."""

from __future__ import annotations

from typing import NamedTuple

from fedlib.grids.keys import parsed, written


class Bout(NamedTuple):
    """A rule under an attack in one setting.

    Attributes
    ----------
    setting
        One of ``SETTINGS``.
    rule
        One of the rows: the name of a rule, or of a variant of one.
    attack
        The name of an attack, or ``CLEAN`` for a run in which all clients are honest.
    """

    setting: str
    rule: str
    attack: str

    def __str__(self) -> str:
        return written("", self)

    @classmethod
    def parse(cls, text: str) -> Bout:
        """Return the key that is written as ``text``."""
        return parsed(cls, "", text)
