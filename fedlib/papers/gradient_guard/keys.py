"""The keys that address this paper's cells.

Malicious shares are parts of a key in percent, so they are text here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fedlib.grids.keys import parsed, written
from fedlib.papers.gradient_guard.settings import READINGS


class Comparison(NamedTuple):
    """A rule under an attack of a malicious share, as ``mnist/full_trim/30/flair``."""

    data: str
    attack: str
    share: str
    rule: str

    def __str__(self) -> str:
        return written("", self)

    @classmethod
    def parse(cls, text: str) -> Comparison:
        """The key that is written as ``text``."""
        return parsed(cls, "", text)

    @classmethod
    def of(cls, data: str, attack: str, share: str, rule: str) -> Comparison:
        """The key of a rule's cell. Without malicious clients one cell serves all attacks."""
        return cls(data, "none" if share == "0" else attack, share, rule)


class Reading(NamedTuple):
    """A reading of Gradient Guard other than the default.

    The key is written as ``readings/maps-of-updates/mnist/full_trim/30``.
    """

    reading: str
    data: str
    attack: str
    share: str

    def __str__(self) -> str:
        return written("readings", self._replace(reading=self.reading.replace(" ", "-")))

    @classmethod
    def parse(cls, text: str) -> Reading:
        """The key that is written as ``text``."""
        key = parsed(cls, "readings", text)
        return key._replace(reading=key.reading.replace("-", " "))


class Watched(NamedTuple):
    """A cell in which a rule judges the clients, but the server takes the honest mean.

    The key is written as ``watched/mnist/full_trim/30/gradient_guard``, where ``base`` is the key
    of the cell in which the server takes the rule's own aggregate.
    """

    base: str

    def __str__(self) -> str:
        return written("watched", self)

    @classmethod
    def parse(cls, text: str) -> Watched:
        """The key that is written as ``text``."""
        return parsed(cls, "watched", text)


Key = Comparison | Reading | Watched


def parse(text: str) -> Key:
    """The key of a cell of whatever kind.

    Raises
    ------
    ConfigError
        If the text has too few parts to be a key.
    """
    start = text.partition("/")[0]
    if start == "readings":
        return Reading.parse(text)
    return Watched.parse(text) if start == "watched" else Comparison.parse(text)


def reading_cell(data: str, attack: str, share: str, reading: str) -> Comparison | Reading:
    """The key of a reading's cell. That of the default is Gradient Guard's own comparison.

    Without malicious clients no client is penalised, so that all weights are equal in every
    reading. The cell of the default then serves them all.
    """
    if reading == "default" or share == "0":
        return Comparison.of(data, attack, share, "gradient_guard")
    return Reading(reading, data, attack, share)


def comparisons(
    data: str, attack: str, rules: Sequence[str], shares: Sequence[str]
) -> tuple[str, ...]:
    """The keys of all rules at all shares, as text; the share varies fastest."""
    return tuple(
        str(Comparison.of(data, attack, share, rule)) for rule in rules for share in shares
    )


def line(data: str, attack: str, name: str, shares: Sequence[str]) -> tuple[str, ...]:
    """The keys of a line of ``LINE_TITLES`` at some shares, as text."""
    if name in READINGS:
        return tuple(str(reading_cell(data, attack, share, name)) for share in shares)
    return comparisons(data, attack, (name,), shares)
