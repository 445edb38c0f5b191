"""The keys of this paper's cells, written and read in one place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from fedlib.grids.keys import parsed, written


class Scenario(NamedTuple):
    """Who holds which data, and which share of the clients attacks.

    Its text, such as ``femnist_uniform/0.4``, is also a published value's setting.
    """

    setting: str
    rate: str

    def __str__(self) -> str:
        return written("", self)

    @classmethod
    def parse(cls, text: str) -> Scenario:
        """The key that was written as ``text``."""
        return parsed(cls, "", text)

    def cell(self, attack: str, rule: str) -> CellKey:
        """The key of one attack on one rule in this scenario."""
        return CellKey(self.setting, self.rate, attack, rule)

    def cells(self, rules: Iterable[str], attacks: Iterable[str]) -> tuple[str, ...]:
        """The keys of some rules under some attacks: all of the first rule, and so on."""
        attacks = tuple(attacks)
        return tuple(str(self.cell(attack, rule)) for rule in rules for attack in attacks)


class CellKey(NamedTuple):
    """A cell's key, such as ``femnist_uniform/0.4/omn/cent2p``."""

    setting: str
    rate: str
    attack: str
    rule: str

    def __str__(self) -> str:
        return written("", self)

    @classmethod
    def parse(cls, text: str) -> CellKey:
        """The key that was written as ``text``."""
        return parsed(cls, "", text)

    @property
    def scenario(self) -> Scenario:
        """The key's setting and rate."""
        return Scenario(self.setting, self.rate)


def cells_of(setting: str, rate: str, *pairs: tuple[str, str]) -> tuple[str, ...]:
    """The keys of some pairs of an attack and a rule in one scenario."""
    return tuple(str(CellKey(setting, rate, attack, rule)) for attack, rule in pairs)
