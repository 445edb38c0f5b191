"""Appendix B: the searches over ROP's λ (Figure 12) and z (Figures 13 and 14)."""

from __future__ import annotations

from dataclasses import dataclass

from fedlib.papers.centered_clipping.keys import Key, table_iv


@dataclass(frozen=True)
class Search:
    """A search over one field of ROP.

    Parameters
    ----------
    number
        The number of the figure.
    setting
        The setting that it is made on.
    field
        The field of the attack.
    name, symbol
        What the field is called in keys and in words.
    usual
        The value that Table IV has.
    others
        The other values.
    """

    number: int
    setting: str
    field: str
    name: str
    symbol: str
    usual: float
    others: tuple[float, ...]

    @property
    def item(self) -> str:
        """The figure's part of a cell's key."""
        return f"figure_{self.number}"

    @property
    def labels(self) -> dict[str, str]:
        """The text of every value, in rising order, and what a legend calls it."""
        values = sorted((self.usual, *self.others))
        return {f"{value:g}": f"{self.symbol} = {value:g}" for value in values}

    def key(self, value: float, rule: str, momentum: float) -> Key:
        """The key of a cell; with the usual value it is one of Table IV."""
        if value == self.usual:
            return table_iv(self.setting, "rop", rule, momentum)
        return Key(self.item, self.setting, f"rop_{self.name}_{value:g}", rule, momentum)


FIGURE_12 = Search(12, "cifar10_iid", "lam", "lambda", "λ", 0.9, (0.0, 0.5, 1.0))
FIGURE_13 = Search(13, "cifar10_iid", "z", "z", "z", 1.0, (10.0, 100.0))
FIGURE_14 = Search(14, "cifar10_noniid", "z", "z", "z", 1.0, (10.0, 100.0))
SEARCHES = {search.item: search for search in (FIGURE_12, FIGURE_13, FIGURE_14)}
