"""What definitions of robustness demand, how badly a rule meets them, and what was proven."""

from fedlib.guarantees.approximation import COSTS, approximation, search_approximation
from fedlib.guarantees.bounds import BOUNDS, PRINTED, PROVED, Bound
from fedlib.guarantees.breakdown import breakdown_point
from fedlib.guarantees.definitions import DEFINITIONS, violation, violations
from fedlib.guarantees.search import KINDS, Worst, draw_points, search_worst

__all__ = [
    "BOUNDS",
    "COSTS",
    "DEFINITIONS",
    "KINDS",
    "PRINTED",
    "PROVED",
    "Bound",
    "Worst",
    "approximation",
    "breakdown_point",
    "draw_points",
    "search_approximation",
    "search_worst",
    "violation",
    "violations",
]
