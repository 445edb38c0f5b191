"""The keys that address this paper's cells, and what their parts can be.

Numbers are parts of a key as the paper prints them, so they are text here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from typing import NamedTuple

from fedlib.grids.keys import parsed, written
from fedlib.validation import check_name

RULE_TITLES = {
    "fedavg": "FedAvg",
    "median": "Median",
    "trimmed_mean": "Trimmed Mean",
    "repeated_median": "Repeated Median",
    "foolsgold": "FoolsGold",
    "ours": "reweighting",
}
BASELINES = tuple(rule for rule in RULE_TITLES if rule != "ours")
OURS_FIRST = ("ours", *BASELINES)
ROBUST = tuple(rule for rule in RULE_TITLES if rule != "fedavg")
COORDINATE_WISE = ("median", "trimmed_mean", "repeated_median")

ATTACKERS = ("0", "2", "4", "6", "8", "10")
"""Of 100 in Figure 3, whose axis runs from 0 to 10."""
FEW = ("0", "1", "2", "3", "4")
"""Of 10 in Tables 1 and 2."""
STDS = ("0", "1", "2", "3")
REMOVED = ("0", "5", "10", "15", "18", "20")
MIX_RATES = ("0.5", "0.3", "0.1", "0.03", "0.01", "0.001", "0.0001")
APPROACHES = {"naive": "naive", "replacement": "model replacement"}
IMAGES = {"mnist": "MNIST", "cifar10": "CIFAR-10"}

TRIGGERED = {
    "mnist": "MNIST (Table 3)",
    "cifar10": "CIFAR-10 (Table 3)",
    "resnet": "ResNet-18 on MNIST (Figure 7)",
    "loan": "loans",
    "flips": "1s of MNIST (Figure 3)",
}
"""Where an attack has a goal that a model may reach without any attack."""

LAMBDAS = ("0.5", "1", "2", "3", "5")
DELTAS = ("0.01", "0.05", "0.1", "0.2")
SPLITS = {"iid": "IID", "noniid": "non-IID"}
TABLE_6_ATTACKERS = ("0", "5", "9")
ALTERNATIVES = {"median": "Median", "theil_sen": "Theil-Sen", "gaussian": "Gaussian weighting"}
TABLE_7_LAMBDAS = LAMBDAS[1:]
TABLE_7_ATTACKERS = ("0", "9")


class Comparison(NamedTuple):
    """A rule at one setting of Tables 1, 2 and 4 or Figures 3 and 5, as ``table_1/4/ours``.

    The setting is the number of attackers in Tables 1 and 2 and in Figure 3, the noise's deviation
    in Table 4, and the number of clients that left in Figure 5.
    """

    item: str
    setting: str
    rule: str

    def __str__(self) -> str:
        return written("", self)

    @classmethod
    def parse(cls, text: str) -> Comparison:
        """The key that is written as ``text``."""
        return parsed(cls, "", text)


class ImageBackdoor(NamedTuple):
    """A rule under a backdoor of Table 3, as ``table_3/mnist/naive/ours``."""

    data: str
    approach: str
    rule: str

    def __str__(self) -> str:
        return written("table_3", self)

    @classmethod
    def parse(cls, text: str) -> ImageBackdoor:
        """The key that is written as ``text``."""
        return parsed(cls, "table_3", text)


class LoanBackdoor(NamedTuple):
    """A rule under a backdoor of the loans, as ``loan/naive/ours``."""

    approach: str
    rule: str

    def __str__(self) -> str:
        return written("loan", self)

    @classmethod
    def parse(cls, text: str) -> LoanBackdoor:
        """The key that is written as ``text``."""
        return parsed(cls, "loan", text)


class ResNetBackdoor(NamedTuple):
    """A rule under the naive backdoor of Figure 7, as ``figure_7/ours``."""

    rule: str

    def __str__(self) -> str:
        return written("figure_7", self)

    @classmethod
    def parse(cls, text: str) -> ResNetBackdoor:
        """The key that is written as ``text``."""
        return parsed(cls, "figure_7", text)


class Unattacked(NamedTuple):
    """A rule without attackers, judged on an attack's own samples, as ``unattacked/loan/ours``.

    The place is one of ``TRIGGERED``.
    """

    place: str
    rule: str

    def __str__(self) -> str:
        return written("unattacked", self)

    @classmethod
    def parse(cls, text: str) -> Unattacked:
        """The key that is written as ``text``."""
        return parsed(cls, "unattacked", text)


class Search(NamedTuple):
    """The parameters of reweighting in Tables 6 and 7, as ``table_6/iid/2/0.01/9``.

    The group is one of ``SPLITS`` in Table 6 and one of ``ALTERNATIVES`` in Table 7.
    """

    item: str
    group: str
    lam: str
    delta: str
    attackers: str

    def __str__(self) -> str:
        return written("", self)

    @classmethod
    def parse(cls, text: str) -> Search:
        """The key that is written as ``text``."""
        return parsed(cls, "", text)


class Mixing(NamedTuple):
    """A mix rate of Table 8, or ``none`` for no attack, as ``table_8/0.03``."""

    rate: str

    def __str__(self) -> str:
        return written("table_8", self)

    @classmethod
    def parse(cls, text: str) -> Mixing:
        """The key that is written as ``text``."""
        return parsed(cls, "table_8", text)


Key = Comparison | ImageBackdoor | LoanBackdoor | ResNetBackdoor | Unattacked | Search | Mixing

_PARSERS: dict[str, Callable[[str], Key]] = {
    "table_1": Comparison.parse,
    "table_2": Comparison.parse,
    "table_3": ImageBackdoor.parse,
    "table_4": Comparison.parse,
    "table_6": Search.parse,
    "table_7": Search.parse,
    "table_8": Mixing.parse,
    "figure_3": Comparison.parse,
    "figure_5": Comparison.parse,
    "figure_7": ResNetBackdoor.parse,
    "loan": LoanBackdoor.parse,
    "unattacked": Unattacked.parse,
}


def parse(text: str) -> Key:
    """The key of a cell of whatever kind.

    Raises
    ------
    ConfigError
        If the text is no key of this paper's cells, those of variants left out.
    """
    item = check_name("item", text.partition("/")[0], tuple(_PARSERS))
    return _PARSERS[item](text)


def every(kind: Callable[..., Key], *parts: str | Iterable[str]) -> tuple[str, ...]:
    """The keys of all combinations of parts, as text; the last part varies fastest.

    Parameters
    ----------
    kind
        The type of the keys.
    parts
        For each part of a key its one value, or several.
    """
    values = [(part,) if isinstance(part, str) else part for part in parts]
    return tuple(str(kind(*combination)) for combination in product(*values))


def key_at(place: str, *parts: str) -> str:
    """The key at a place that holds slashes itself, such as ``table_3/mnist``.

    Parameters
    ----------
    place
        What the key begins with.
    parts
        What follows; empty parts are left out.
    """
    return written(place, filter(None, parts))
