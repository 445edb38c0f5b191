"""One call of a rule that remembers nothing from round to round."""

from __future__ import annotations

from typing import Any

from fedlib.aggregators.base import Aggregator, make_aggregator
from fedlib.arrays import ArrayT
from fedlib.federation.facts import Facts
from fedlib.validation import ConfigError


def aggregate(
    rule: str | dict[str, Any] | Aggregator,
    updates: ArrayT,
    /,
    facts: Facts | None = None,
    **hyperparameters: Any,
) -> ArrayT:
    """Aggregate updates once, by a rule that remembers nothing from round to round.

    Parameters
    ----------
    rule
        The name of a rule in ``AGGREGATORS``, an aggregator, or a dictionary such as ``to_dict``
        returns.
    updates
        The updates ``(n_clients, n_parameters)``, as for :meth:`Aggregator.apply`. A row with a NaN
        or an Inf counts as zeros.
    facts
        The facts that the rule needs beside the updates. Most rules need none.
    **hyperparameters
        The parameters of the rule, such as ``n_byzantine``, if ``rule`` is a name. Without
        ``n_byzantine`` a rule withstands no Byzantine client at all, and many rules are then the
        plain mean.

    Returns
    -------
    array
        The aggregate ``(n_parameters,)``, of the same kind as ``updates``.

    Raises
    ------
    ConfigError
        If the rule remembers something of the rounds before. Such a rule needs its state, which
        :meth:`Aggregator.apply` takes and returns. All errors of :meth:`Aggregator.apply` are
        raised too.

    Examples
    --------
    >>> import numpy as np
    >>> updates = np.array([[1.0, 2.0], [1.5, 2.5], [9.0, -9.0]])
    >>> aggregate("median", updates)
    array([1.5, 2. ])
    >>> aggregate("krum", updates)
    array([1., 2.])
    """
    if isinstance(rule, str):
        rule = {"name": rule, **hyperparameters}
    elif hyperparameters:
        raise ConfigError(
            f"the parameters {', '.join(hyperparameters)} can only be given if rule is the name of "
            "a rule."
        )
    made = make_aggregator(rule)
    answer, state = made.apply(updates, None, facts)
    if _remembers(state):
        raise ConfigError(
            f"aggregator={made.name!r} remembers the rounds before: keep its state, as in "
            "aggregate, state = rule.apply(updates, state)."
        )
    return answer


def _remembers(state: Any) -> bool:
    """Return whether a state holds more than numbers of rounds."""
    if isinstance(state, tuple):
        return any(_remembers(part) for part in state)
    return state is not None and not isinstance(state, int)
