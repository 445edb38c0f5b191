"""What the chapter shows: Table IV, the cosines, the figures and the claims, from the store."""

from fedlib.papers.centered_clipping.claims import CLAIMS
from fedlib.papers.centered_clipping.settings import ATTACK_NAMES
from fedlib.papers.centered_clipping.tables.accuracies import (
    apart_table,
    summary,
    table_iv,
)
from fedlib.papers.centered_clipping.tables.cosines import cosines_table
from fedlib.papers.centered_clipping.tables.costs import stated_costs_table
from fedlib.papers.centered_clipping.tables.figures import (
    FIGURE_1,
    FIGURE_3,
    FIGURE_12,
    FIGURE_13,
    accuracy_rows,
    figure_1_rows,
    figure_3_rows,
    partition_counts,
    search_rows,
)
from fedlib.papers.centered_clipping.tables.judged import (
    claims_table,
    farthest_table,
    margins_table,
    recovery_by_code,
    variants_table,
)
from fedlib.papers.centered_clipping.tables.sparse import sparse_table

__all__ = [
    "ATTACK_NAMES",
    "CLAIMS",
    "FIGURE_1",
    "FIGURE_3",
    "FIGURE_12",
    "FIGURE_13",
    "accuracy_rows",
    "apart_table",
    "claims_table",
    "cosines_table",
    "farthest_table",
    "figure_1_rows",
    "figure_3_rows",
    "margins_table",
    "partition_counts",
    "recovery_by_code",
    "search_rows",
    "sparse_table",
    "stated_costs_table",
    "summary",
    "table_iv",
    "variants_table",
]
