"""Tables 1 to 8, Figures 2 to 8, LOAN and the claims, from the store."""

import fedlib.evidence.plots  # noqa: F401  It says what to install without matplotlib.
from fedlib.papers.residual_reweighting.claims import CLAIMS
from fedlib.papers.residual_reweighting.tables.backdoors import backdoor_table
from fedlib.papers.residual_reweighting.tables.breakdown import breakdown_note
from fedlib.papers.residual_reweighting.tables.cells import published
from fedlib.papers.residual_reweighting.tables.figures import (
    figure_2,
    figure_3,
    figure_5,
    figure_6,
    figure_8,
    success_over_rounds,
)
from fedlib.papers.residual_reweighting.tables.overview import class_shares, summary
from fedlib.papers.residual_reweighting.tables.parameters import table_6, table_7, table_8
from fedlib.papers.residual_reweighting.tables.rules import rules_table, table_1, table_2, table_4
from fedlib.papers.residual_reweighting.tables.verdicts import (
    claims_table,
    compared,
    farthest_table,
    recovery_by_code,
    success_variants_table,
    variants_table,
    where,
)

__all__ = [
    "CLAIMS",
    "backdoor_table",
    "breakdown_note",
    "claims_table",
    "class_shares",
    "compared",
    "farthest_table",
    "figure_2",
    "figure_3",
    "figure_5",
    "figure_6",
    "figure_8",
    "published",
    "recovery_by_code",
    "rules_table",
    "success_over_rounds",
    "success_variants_table",
    "summary",
    "table_1",
    "table_2",
    "table_4",
    "table_6",
    "table_7",
    "table_8",
    "variants_table",
    "where",
]
