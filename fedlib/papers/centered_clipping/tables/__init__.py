"""What the chapter shows: Table IV, the cosines, the figures and the claims, from the store."""

import fedlib.evidence.plots  # noqa: F401  It says what to install without matplotlib.
from fedlib.papers.centered_clipping.claims import CLAIMS
from fedlib.papers.centered_clipping.settings import ATTACK_NAMES
from fedlib.papers.centered_clipping.tables.accuracies import (
    apart_table,
    summary,
    table_iv,
    table_iv_in_words,
)
from fedlib.papers.centered_clipping.tables.cifar import (
    curves,
    figure_1,
    figure_3,
    search,
    short_runs_table,
    table_iv_or_note,
)
from fedlib.papers.centered_clipping.tables.cosines import cosines_in_words, cosines_table
from fedlib.papers.centered_clipping.tables.costs import stated_costs_table
from fedlib.papers.centered_clipping.tables.figures import (
    FIGURE_1,
    accuracy_rows,
    figure_1_in_words,
    figure_1_panels,
    partition_counts,
)
from fedlib.papers.centered_clipping.tables.judged import (
    claims_table,
    compared,
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
    "accuracy_rows",
    "apart_table",
    "claims_table",
    "compared",
    "cosines_in_words",
    "cosines_table",
    "curves",
    "farthest_table",
    "figure_1",
    "figure_1_in_words",
    "figure_1_panels",
    "figure_3",
    "margins_table",
    "partition_counts",
    "recovery_by_code",
    "search",
    "short_runs_table",
    "sparse_table",
    "stated_costs_table",
    "summary",
    "table_iv",
    "table_iv_in_words",
    "table_iv_or_note",
    "variants_table",
]
