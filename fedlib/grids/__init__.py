"""Grids: the runs that a paper needs, and the runner that computes those not yet stored."""

from fedlib.grids.compute import compute_metrics
from fedlib.grids.grid import (
    Cell,
    Grid,
    Variant,
    expand,
    grid_slugs,
    load_grid,
    matching,
    none_matches,
    varied,
    with_changes,
)
from fedlib.grids.pool import Outcome, run_grid

__all__ = [
    "Cell",
    "Grid",
    "Outcome",
    "Variant",
    "compute_metrics",
    "expand",
    "grid_slugs",
    "load_grid",
    "matching",
    "none_matches",
    "run_grid",
    "varied",
    "with_changes",
]
