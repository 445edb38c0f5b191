"""Sums, distances and order statistics of an update matrix, at the speed of memory.

In these modules a ``matrix`` has the shape ``(n, d)``, with a row for each client. On a CPU a
compiled kernel of :mod:`fedlib.kernels` does the work if there is one. Elsewhere lines of torch do,
which are also the definition that the tests compare the kernels with.
"""

from fedlib.blocks.columns import (
    CPU_BLOCK,
    WIDE_CPU_BLOCK,
    NonFiniteError,
    Rows,
    column_blocks,
    in_chunks,
    require_finite,
    rows_for_kernel,
)
from fedlib.blocks.distances import (
    cosines,
    distances_to,
    gram_matrix,
    inner_products,
    krum_scores,
    pairwise_squared_distances,
    row_norms,
    shortened,
)
from fedlib.blocks.order import l_estimate, mean_around_median, mean_of_nearest, of_sorted
from fedlib.blocks.sums import (
    add_within,
    mixed_columns,
    row_mean,
    row_std,
    selected_mean,
    weighted_mean,
    weighted_sum,
)

__all__ = [
    "CPU_BLOCK",
    "WIDE_CPU_BLOCK",
    "NonFiniteError",
    "Rows",
    "add_within",
    "column_blocks",
    "cosines",
    "distances_to",
    "gram_matrix",
    "in_chunks",
    "inner_products",
    "krum_scores",
    "l_estimate",
    "mean_around_median",
    "mean_of_nearest",
    "mixed_columns",
    "of_sorted",
    "pairwise_squared_distances",
    "require_finite",
    "row_mean",
    "row_norms",
    "row_std",
    "rows_for_kernel",
    "selected_mean",
    "shortened",
    "weighted_mean",
    "weighted_sum",
]
