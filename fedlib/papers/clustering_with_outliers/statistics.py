"""Statistics of this paper's claims: how far some rules are ahead of others, in points."""

from __future__ import annotations

from collections.abc import Callable


def worst_lead(attacks: int, ahead: int) -> Callable[[list[float]], float]:
    """How far the worst cases of some rules are above those of the others.

    Parameters
    ----------
    attacks
        The statistic gets so many accuracies for each rule, one rule after the other.
    ahead
        So many rules, the first ones, are compared with the rest.

    Returns
    -------
    Callable
        The least worst case of the first rules minus the best worst case of the others, in points.
    """

    def statistic(values: list[float]) -> float:
        worst = [min(values[i : i + attacks]) for i in range(0, len(values), attacks)]
        return min(worst[:ahead]) - max(worst[ahead:])

    return statistic


def lead(ahead: int) -> Callable[[list[float]], float]:
    """The least of the first ``ahead`` values minus the largest of the others."""
    return worst_lead(1, ahead)


def second_lowest_below(values: list[float]) -> float:
    """How far the second lowest of the others is below the first."""
    return values[0] - sorted(values[1:])[1]
