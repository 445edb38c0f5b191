"""The keys of this paper's cells, such as ``table_iv/fmnist_iid/rop/cc_tau1/0.99``.

Every cell has an item of the paper, a setting, an attack, a rule and a momentum. The cells of a
variant have a key of their own; :meth:`fedlib.grids.Variant.cell` makes it from one of these.
"""

from __future__ import annotations

from typing import NamedTuple

from fedlib.grids.keys import parsed, written

TABLE_IV = "table_iv"
COSINES = "cosines"
TEN_EPOCHS = "ten_epochs"
"""The item of the short runs on CIFAR-10, which are none of the paper's."""


class Key(NamedTuple):
    """The address of a cell.

    Parameters
    ----------
    item
        The table or figure that the cell belongs to. ``cosines`` stands for Tables II and III.
    setting, attack, rule
        As in :mod:`fedlib.papers.centered_clipping.settings`; a figure has attacks of its own
        besides.
    momentum
        The momentum of the clients.
    """

    item: str
    setting: str
    attack: str
    rule: str
    momentum: float

    @property
    def colour(self) -> bool:
        """Whether the setting is one of CIFAR."""
        return self.setting.startswith("cifar")

    def __str__(self) -> str:
        return written("", self)

    @classmethod
    def parse(cls, text: str) -> Key:
        """The key that is written as ``text``.

        Raises
        ------
        ConfigError
            If the text is no key of this paper, or the key of a variant.
        """
        return parsed(cls, "", text)

    def without_attack(self) -> Key:
        """The cell with the same setting, rule and momentum and no attacker.

        It is one of Table IV, unless this is a short run.
        """
        item = TEN_EPOCHS if self.item == TEN_EPOCHS else TABLE_IV
        return self._replace(item=item, attack="none")


def table_iv(setting: str, attack: str, rule: str, momentum: float) -> Key:
    """The key of a cell of Table IV, or of a baseline that it has no numbers for."""
    return Key(TABLE_IV, setting, attack, rule, momentum)


def cosines(setting: str, attack: str, rule: str, momentum: float) -> Key:
    """The key of a run whose cosines are recorded, for Tables II and III."""
    return Key(COSINES, setting, attack, rule, momentum)


def alternating_alie(setting: str, momentum: float) -> Key:
    """The key of a run of Figure 1: ALIE with alternating sign against the trimmed mean."""
    return Key("figure_1", setting, "alie_alternating", "tm", momentum)


def sparse_rop(rule: str, momentum: float) -> Key:
    """The key of a run of Figure 3: sparse ROP on CIFAR-10."""
    return Key("figure_3", "cifar10_iid", "rop_sparse", rule, momentum)
