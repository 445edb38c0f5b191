"""Aggregators: pure functions of an update matrix and an explicit state, by name.

>>> rule = AGGREGATORS["krum"](n_byzantine=5)
>>> state = rule.init(n_clients=25, n_parameters=1000)
>>> aggregate, state = rule.apply(updates, state)

To add one, write one file here that registers a frozen dataclass.
"""

from fedlib.aggregators.base import AGGREGATORS, Aggregator, make_aggregator

__all__ = ["AGGREGATORS", "Aggregator", "make_aggregator"]
