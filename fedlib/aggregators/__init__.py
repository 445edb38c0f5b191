"""The aggregators. Each is a pure function of an update matrix and an explicit state.

``AGGREGATORS`` finds an aggregator by its name.

>>> import torch
>>> rule = AGGREGATORS["krum"](n_byzantine=5)
>>> state = rule.init(n_clients=25, n_parameters=1000)
>>> aggregated, state = rule.apply(torch.randn(25, 1000), state)
>>> aggregated.shape
torch.Size([1000])

To add an aggregator, write one file here that registers a frozen dataclass.
"""

from fedlib.aggregators.base import AGGREGATORS, Aggregator, make_aggregator
from fedlib.aggregators.once import aggregate

__all__ = ["AGGREGATORS", "Aggregator", "aggregate", "make_aggregator"]
