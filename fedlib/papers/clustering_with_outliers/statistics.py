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


def mean_lead(attacks: int, ahead: int) -> Callable[[list[float]], float]:
    """How far the means of some rules over the attacks are above those of the others.

    The parameters are those of :func:`worst_lead`, with means in place of worst cases.
    """

    def statistic(values: list[float]) -> float:
        means = [sum(values[i : i + attacks]) / attacks for i in range(0, len(values), attacks)]
        return min(means[:ahead]) - max(means[ahead:])

    return statistic


def best_worst_case_falls(attacks: int) -> Callable[[list[float]], float]:
    """How much lower the best rule's worst case is in the second half of the values.

    Parameters
    ----------
    attacks
        Each half has so many accuracies for each rule, one rule after the other.
    """

    def best(values: list[float]) -> float:
        return max(min(values[i : i + attacks]) for i in range(0, len(values), attacks))

    return lambda values: best(values[: len(values) // 2]) - best(values[len(values) // 2 :])


def lead(ahead: int) -> Callable[[list[float]], float]:
    """The least of the first ``ahead`` values minus the largest of the others."""
    return worst_lead(1, ahead)


def second_lowest_below(values: list[float]) -> float:
    """How far the second lowest of the others is below the first."""
    return values[0] - sorted(values[1:])[1]
