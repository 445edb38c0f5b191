"""Grids: the runs that a paper owes, and the runner that computes those not yet stored."""

from fedlib.grids.grid import (
    Cell,
    Grid,
    Outcome,
    Variant,
    compute_metrics,
    expand,
    grid_slugs,
    load_grid,
    none_matches,
    run_grid,
    varied,
    with_changes,
)

__all__ = [
    "Cell",
    "Grid",
    "Outcome",
    "Variant",
    "compute_metrics",
    "expand",
    "grid_slugs",
    "load_grid",
    "none_matches",
    "run_grid",
    "varied",
    "with_changes",
]
