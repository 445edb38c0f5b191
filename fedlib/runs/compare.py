"""How far the metrics of two runs of one configuration are apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

TOLERANCE = 1e-5
"""The relative difference of two numbers that rounding alone can explain.

A record keeps six significant digits. Two numbers that are rounded to neighbouring values differ by
one unit of the sixth digit, and one unit of the sixth digit is at most 1e-5 of the number. A
difference in a single test sample is larger: it moves an accuracy on 10,000 samples by 1e-4.
"""


_OF_EVERY_RUN = frozenset({"rounds", "test_accuracy", "test_loss", "train_loss"})


@dataclass(frozen=True)
class Difference:
    """How one metric of a run differs from the same metric of another run.

    Attributes
    ----------
    metric
        The name of the metric.
    relative
        The largest relative difference of two numbers of the metric. It is infinite if the two runs
        have something else than two numbers in one place, or if their series differ in length. It
        is 0 for a metric that only the stored run has, unless every run must have it.
    text
        Where the metrics differ most, and what stands there, in words.
    """

    metric: str
    relative: float
    text: str

    @property
    def within_tolerance(self) -> bool:
        """Whether rounding alone can explain the difference."""
        return self.relative <= TOLERANCE

    def __str__(self) -> str:
        return f"{self.metric}: {self.text}"


def differences(stored: Mapping[str, Any], found: Mapping[str, Any]) -> list[Difference]:
    """Compare all metrics of two runs, and return one difference for each that is not the same.

    Parameters
    ----------
    stored, found
        The metrics by name, as JSON values. ``stored`` are those of the stored run.

    Returns
    -------
    list of Difference
        The differences in the order of the metrics. It is empty if all metrics are the same.
    """
    compared: list[Difference | None] = []
    for name in dict.fromkeys([*stored, *found]):
        if name not in found:
            # What is not recorded any more says nothing of the rest. But every run has these.
            apart = math.inf if name in _OF_EVERY_RUN else 0.0
            compared.append(
                Difference(
                    name, apart, "is only in the stored run, because it is no longer recorded"
                )
            )
        elif name not in stored:
            compared.append(Difference(name, math.inf, "is not in the stored run"))
        else:
            rounds = stored.get("rounds")
            compared.append(_difference(name, stored[name], found[name], rounds))
    return [difference for difference in compared if difference is not None]


def _difference(name: str, stored: Any, found: Any, rounds: Any) -> Difference | None:
    """Compare one metric of two runs. ``rounds`` are the rounds of an evaluation."""
    before, now = dict(_leaves(stored)), dict(_leaves(found))
    if before.keys() != now.keys():
        text = f"{len(before)} values are stored, and there are {len(now)} now"
        if len(before) == len(now):
            text = f"the {len(now)} values are arranged in another way than the stored ones"
        return Difference(name, math.inf, text)
    apart = {place: _distance(before[place], now[place]) for place in before}
    places = [place for place, distance in apart.items() if distance > 0]
    if not places:
        return None
    worst = max(places, key=lambda place: apart[place])
    text = f"{_shown(before[worst])} is stored{_words(worst, stored, rounds)}, "
    text += f"and it is {_shown(now[worst])} now"
    if math.isfinite(apart[worst]):
        text += f" (relative difference {apart[worst]:.1e})"
    if len(before) > 1:
        text += f"; {len(places)} of {len(before)} values differ"
        text += f", the first{_words(places[0], stored, rounds)}"
        if places[0] != worst:
            text += f" ({_shown(before[places[0]])} stored, {_shown(now[places[0]])} now)"
        if places[-1] not in (worst, places[0]):
            text += f", the last{_words(places[-1], stored, rounds)}"
            text += f" ({_shown(before[places[-1]])} stored, {_shown(now[places[-1]])} now)"
    return Difference(name, apart[worst], text)


def _leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Return the single values of nested lists and dictionaries, each with its place."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _leaves(one, (*place, key))
    elif isinstance(value, list | tuple):
        for index, one in enumerate(value):
            yield from _leaves(one, (*place, index))
    else:
        yield place, value


def _distance(stored: Any, found: Any) -> float:
    """Return the relative difference of two values, which is infinite if they are no numbers."""
    if stored == found and isinstance(stored, bool) == isinstance(found, bool):
        return 0.0
    for value in (stored, found):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return math.inf
    # Rounds and counts are whole numbers, which no rounding changes.
    if isinstance(stored, int) and isinstance(found, int):
        return math.inf
    distance = abs(stored - found) / max(abs(stored), abs(found))
    return distance if math.isfinite(distance) else math.inf


def _words(place: tuple[Any, ...], series: Any, rounds: Any) -> str:
    """Say in words where in a series a value stands."""
    if not place:
        return ""
    first, *rest = place
    if isinstance(rounds, list) and isinstance(series, list) and len(series) == len(rounds):
        where = f" after round {rounds[first]}"
    else:
        where = f" in entry {first}"
    return where + "".join(f", entry {index}" for index in rest)


def _shown(value: Any) -> str:
    """Return a value as a report shows it. A long text is cut."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 40 else f"{text[:36]}...'"
