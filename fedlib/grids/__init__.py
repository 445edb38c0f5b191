"""Grids: the runs that a paper needs, and the runner that computes those not yet stored."""

from fedlib.grids.compute import compute_metrics
from fedlib.grids.grid import (
    Cell,
    Grid,
    Variant,
    expand,
    grid_slugs,
    load_grid,
    none_matches,
    varied,
    with_changes,
)
from fedlib.grids.pool import Outcome, run_grid
from fedlib.grids.verify import choose_stored, verify_stored

__all__ = [
    "Cell",
    "Grid",
    "Outcome",
    "Variant",
    "choose_stored",
    "compute_metrics",
    "expand",
    "grid_slugs",
    "load_grid",
    "none_matches",
    "run_grid",
    "varied",
    "verify_stored",
    "with_changes",
]
