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
    paper_slugs,
    varied,
    with_changes,
)
from fedlib.grids.on_ray import OnRay
from fedlib.grids.pool import Outcome, Planned, run_grid, run_planned
from fedlib.grids.verify import choose_stored, verify_stored

__all__ = [
    "Cell",
    "Grid",
    "OnRay",
    "Outcome",
    "Planned",
    "Variant",
    "choose_stored",
    "compute_metrics",
    "expand",
    "grid_slugs",
    "load_grid",
    "matching",
    "none_matches",
    "paper_slugs",
    "run_grid",
    "run_planned",
    "varied",
    "verify_stored",
    "with_changes",
]
