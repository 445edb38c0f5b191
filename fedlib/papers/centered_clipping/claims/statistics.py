"""What decides the claims: one number from the accuracies (in percent) of several cells.

A statistic gets one value from each cell of its claim. Its docstring gives their order: "by rule
and attack" has all attacks of the first rule first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

from fedlib.evidence.claims import drop, percent_left
from fedlib.evidence.noise import is_chance
from fedlib.evidence.report import CellResult
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.centered_clipping.published import ATTACKS_IV, RULES_IV
from fedlib.papers.centered_clipping.settings import MOMENTA

Statistic = Callable[[list[float]], float]

HIGHEST_LOSS = 5.0
"""Where the figures of the training loss end; a run that has diverged counts as there."""
LEARNED_NOTHING = math.log(10) - 0.05
"""A loss on ten classes that is at least so high is near that of a guess, the logarithm of 10."""


# --- groups of values ---------------------------------------------------------------------


def groups_of(values: list[float], size: int) -> list[list[float]]:
    """The values in groups of ``size``."""
    return [values[start : start + size] for start in range(0, len(values), size)]


def mean(values: Sequence[float]) -> float:
    """The mean of some values."""
    return sum(values) / len(values)


def means_of_groups(values: list[float], size: int) -> list[float]:
    """The mean of each group of ``size`` values."""
    return [mean(group) for group in groups_of(values, size)]


def first_above_others(values: Sequence[float]) -> float:
    """How far the first value is above the largest of the others."""
    first, *others = values
    return first - max(others)


def halves(values: list[float]) -> list[tuple[float, float]]:
    """Each value of the first half with its counterpart in the second."""
    middle = len(values) // 2
    return list(zip(values[:middle], values[middle:], strict=True))


# --- attacks ------------------------------------------------------------------------------


def strongest(values: list[float]) -> float:
    """How far the first attack is below every other one."""
    first, *others = values
    return min(others) - first


def strongest_at_every_momentum(values: list[float]) -> float:
    """The least over momenta of how far the first attack is below every other one.

    Values by momentum and attack.
    """
    return min(map(strongest, groups_of(values, len(ATTACKS_IV))))


def first_group_lowest(n_groups: int) -> Statistic:
    """How far the mean of the first of ``n_groups`` groups is below that of any other one."""

    def statistic(values: list[float]) -> float:
        first, *others = means_of_groups(values, len(values) // n_groups)
        return min(others) - first

    return statistic


def only_the_first_prevents(n_attacks: int = len(ATTACKS_IV)) -> Statistic:
    """How much is to spare for "the first attack alone prevents a healthy convergence".

    The least of two numbers over the momenta: the points by which the first attack is below every
    other one, and the percent of the clean accuracy by which the others leave more than half of it.
    Values by momentum: without attack, under the first, under the others.
    """

    def statistic(values: list[float]) -> float:
        spare = []
        for clean, first, *others in groups_of(values, 1 + n_attacks):
            spare += [min(others) - first, percent_left(clean, min(others)) - 50]
        return min(spare)

    return statistic


def least_cost(values: list[float]) -> float:
    """The least that is lost in any pair of clean and attacked."""
    return min(drop(pair) for pair in groups_of(values, 2))


def largest_cost(values: list[float]) -> float:
    """The most that is lost in any pair of clean and attacked."""
    return max(drop(pair) for pair in groups_of(values, 2))


def least_mean_cost(n_momenta: int = len(MOMENTA)) -> Statistic:
    """The least over rules of the mean loss; values by rule and momentum, clean and attacked."""

    def statistic(values: list[float]) -> float:
        costs = [drop(pair) for pair in groups_of(values, 2)]
        return min(means_of_groups(costs, n_momenta))

    return statistic


def lead_in_half(values: list[float]) -> float:
    """How far the second attack is at most below the first one in the better half of the pairs.

    It is the lower middle one of the differences, so that at least half are no larger. Values in
    pairs of the first attack and the second.
    """
    leads = sorted(drop(pair) for pair in groups_of(values, 2))
    return leads[(len(leads) - 1) // 2]


def first_is_strongest_of_each_rule(values: list[float]) -> float:
    """The least over rules of how far the first attack but ROP is below the others but ROP.

    Values by rule and attack, without ROP.
    """
    return min(map(strongest, groups_of(values, len(ATTACKS_IV) - 1)))


def cost_if_fixed_sign_costs(values: list[float]) -> float:
    """What alternating ALIE costs, where ALIE itself costs more than the margin; NaN else.

    Values without attack, under ALIE and under alternating ALIE.
    """
    clean, fixed, alternating = values
    return clean - alternating if clean - fixed > MARGIN else math.nan


def mean_drop(values: list[float]) -> float:
    """How far the mean under the second attack is below that under the first one.

    Values by attack and momentum.
    """
    return drop(means_of_groups(values, len(MOMENTA)))


# --- shares of the clean accuracy ---------------------------------------------------------


def shares_left(values: list[float]) -> list[float]:
    """Percent of the clean accuracy that is left; values in pairs of clean and attacked.

    All are NaN if one pair has no clean accuracy.
    """
    shares = [percent_left(*pair) for pair in groups_of(values, 2)]
    return [math.nan] * len(shares) if any(map(math.isnan, shares)) else shares


def most_left(values: list[float]) -> float:
    """The largest share of the clean accuracy that is left in any pair."""
    return max(shares_left(values))


def least_left(values: list[float]) -> float:
    """The smallest share of the clean accuracy that is left in any pair."""
    return min(shares_left(values))


def most_left_by_strongest(n_attacks: int) -> Statistic:
    """The largest over momenta of the share that the strongest of ``n_attacks`` attacks leaves.

    Values by momentum and attack, in pairs of clean and attacked.
    """
    return lambda values: max(min(group) for group in groups_of(shares_left(values), n_attacks))


def left_of_most_rules(values: list[float]) -> float:
    """The share that is left at least under more than half of the rules.

    Values by rule, momentum and attack, in pairs of clean and attacked.
    """
    shares = shares_left(values)
    worst = sorted(map(min, groups_of(shares, len(shares) // len(RULES_IV))))
    return worst[len(RULES_IV) // 2 - 1]


def cost_of_most_rules(values: list[float]) -> float:
    """The points that more than half of the rules lose at most under their worst attack.

    Values by rule, momentum and attack, in pairs of clean and attacked.
    """
    costs = [drop(pair) for pair in groups_of(values, 2)]
    worst = sorted(map(max, groups_of(costs, len(costs) // len(RULES_IV))))
    return worst[len(RULES_IV) // 2]


# --- rules --------------------------------------------------------------------------------


def first_two_above_others(values: list[float]) -> float:
    """How far the worse of the first two rules is above the best of the others."""
    return min(values[:2]) - max(values[2:])


def first_below_best(values: list[float]) -> float:
    """How far the first rule is below the best of the others."""
    return max(values[1:]) - values[0]


def first_above_others_in_worst(n_rules: int) -> Statistic:
    """How far the first of ``n_rules`` rules is above the others, each under its worst attack.

    Values by rule.
    """
    return lambda values: first_above_others(
        [min(group) for group in groups_of(values, len(values) // n_rules)]
    )


def first_above_others_in_mean(n_rules: int) -> Statistic:
    """How far the mean of the first of ``n_rules`` rules is above the others'; values by rule."""
    return lambda values: first_above_others(means_of_groups(values, len(values) // n_rules))


# --- momentum -----------------------------------------------------------------------------


def gains_by_momentum(values: list[float]) -> list[float]:
    """What momentum gains, by attack and rule; values in pairs of most momentum and none."""
    return [drop(pair) for pair in groups_of(values, 2)]


def least_gain_of_rules(values: list[float]) -> float:
    """The least over rules of what momentum gains, mean of the attacks.

    Values by attack, rule and momentum.
    """
    gains = gains_by_momentum(values)
    return min(mean(gains[rule :: len(RULES_IV)]) for rule in range(len(RULES_IV)))


FEWEST_HARMED = 3
"""How many cells must be harmed without momentum, so that it can be said what momentum does."""


def more_cost_taken_from_others(values: list[float]) -> float:
    """How much more of the cost momentum takes from the other attacks than from the first, in %.

    It is the median over the cells in which an attack costs more than the margin without momentum.
    An attack that costs nothing leaves nothing to gain. The median does not hang on a single run
    that has collapsed. It is NaN if fewer than ``FEWEST_HARMED`` cells of one side are harmed.
    Values by attack, rule and momentum, none first, in pairs of clean and attacked.
    """
    costs = groups_of([drop(pair) for pair in groups_of(values, 2)], 2)
    taken = [
        [100 * (1 - most / none) for none, most in side if none > MARGIN]
        for side in (costs[: len(RULES_IV)], costs[len(RULES_IV) :])
    ]
    if min(map(len, taken)) < FEWEST_HARMED:
        return math.nan
    first, others = map(median, taken)
    return others - first


def least_gain_at_any_momentum(values: list[float]) -> float:
    """The least that any momentum gains on none under any rule; values by rule and momentum."""
    return min(min(more) - none for none, *more in groups_of(values, len(MOMENTA)))


def least_loss_at_any_momentum(values: list[float]) -> float:
    """The least that any momentum takes from none; NaN if a run has diverged.

    Values by rule and momentum.
    """
    if HIGHEST_LOSS in values:
        return math.nan
    return min(none - max(more) for none, *more in groups_of(values, len(MOMENTA)))


def lead_with_momentum(values: list[float]) -> float:
    """The least that any momentum adds to how far the first attack is below every other one.

    Values by momentum and attack, none first.
    """
    without, *others = map(strongest, groups_of(values, len(ATTACKS_IV)))
    return min(others) - without


# --- searches -----------------------------------------------------------------------------


def first_rule_loses_more(values: list[float]) -> float:
    """What the second value of z costs the first rule, minus the most that it costs another one.

    Values by z, rule and momentum.
    """
    pairs = halves(means_of_groups(values, len(MOMENTA)))
    return first_above_others([small - large for small, large in pairs])


def largest_spread(values: list[float]) -> float:
    """Largest difference between values of z at one momentum; values by z and momentum."""
    by_momentum = zip(*groups_of(values, len(MOMENTA)), strict=True)
    return max(max(group) - min(group) for group in by_momentum)


# --- training loss ------------------------------------------------------------------------


def last_loss(result: CellResult) -> float:
    """Training loss at the end of one seed's run."""
    _, (curve,) = result.curve("train_loss")
    return HIGHEST_LOSS if math.isnan(curve[-1]) else min(curve[-1], HIGHEST_LOSS)


def least_drop(values: list[float]) -> float:
    """The least over pairs of how far the second is below the first.

    It is NaN if neither run of a pair has learned, because their losses say nothing then.
    """
    pairs = groups_of(values, 2)
    if any(min(pair) >= LEARNED_NOTHING for pair in pairs):
        return math.nan
    return min(drop(pair) for pair in pairs)


# --- curves -------------------------------------------------------------------------------


def best_accuracy(result: CellResult) -> float:
    """The highest test accuracy at any evaluation of one seed's run, in percent."""
    _, (curve,) = result.curve("test_accuracy")
    return 100 * max(curve)


def lowest_once_learned(result: CellResult) -> float:
    """The lowest test accuracy of one seed's run since it has learned, in percent.

    A run may lose all that it has learned, and climb again when the learning rate falls. Its last
    accuracy does not tell that it has not converged for most of the training. A run has learned
    once it has half of its best accuracy, after the first tenth of the training. Without an attack
    it is the last accuracy, with which those under attack are compared.
    """
    rounds, (curve,) = result.curve("test_accuracy")
    if result.records[0]["config"]["attack"]["name"] == "none":
        return 100 * curve[-1]
    since = (
        place
        for place, (number, value) in enumerate(zip(rounds, curve, strict=True))
        if number >= 0.1 * rounds[-1] and value >= 0.5 * max(curve)
    )
    return 100 * min(curve[next(since, -1) :])


def time_to_converge(result: CellResult) -> float:
    """When a run has 95 % of its last accuracy, in percent of the run; NaN if that is at chance."""
    return time_to_common_level([result])[0]


def time_to_common_level(results: list[CellResult]) -> list[float]:
    """When each run has 95 % of the lowest of their last accuracies, in percent of the run.

    It is the first evaluation with it. Shares of the run make the spread between seeds of shorter
    runs comparable. All are NaN if one of the runs has learned nothing.
    """
    curves = [(rounds, curve) for rounds, (curve,) in (r.curve("test_accuracy") for r in results)]
    lasts = [curve[-1] for _, curve in curves]
    if any(is_chance(r, 100 * last) for r, last in zip(results, lasts, strict=True)):
        return [math.nan] * len(results)
    level = 0.95 * min(lasts)
    return [
        100 * next(r for r, v in zip(rounds, curve, strict=True) if v >= level) / rounds[-1]
        for rounds, curve in curves
    ]


def percent_more(values: list[float]) -> float:
    """How many percent the first number is above the second."""
    first, second = values
    return 100 * (first / second - 1) if second else math.nan


def overfitting(result: CellResult) -> float:
    """How far the test loss is above the training loss at the end of one seed's run."""
    _, (test,) = result.curve("test_loss")
    _, (train,) = result.curve("train_loss")
    return test[-1] - train[-1]
