"""Figures, tables and claims of the chapter on clustering with outliers, from the store."""

import fedlib.evidence.plots  # noqa: F401  It says what to install without matplotlib.
from fedlib.papers.clustering_with_outliers.authors_code import CODE_BATCH
from fedlib.papers.clustering_with_outliers.claims import CLAIMS
from fedlib.papers.clustering_with_outliers.methods import ONE_PHASE, PUBLISHED_ATTACKS, TWO_PHASE
from fedlib.papers.clustering_with_outliers.published import published
from fedlib.papers.clustering_with_outliers.tables.accuracies import (
    FIGURE_2,
    accuracy_in_words,
    accuracy_table,
    figure_2_rows,
    iterates_table,
    nearness,
)
from fedlib.papers.clustering_with_outliers.tables.camouflage import camouflage_table
from fedlib.papers.clustering_with_outliers.tables.dilemma import dilemma_table, figure_1
from fedlib.papers.clustering_with_outliers.tables.theorem import constants_table
from fedlib.papers.clustering_with_outliers.tables.verdicts import (
    claims_table,
    compared,
    farthest_table,
    left_open_by_code,
    recovery,
    variants_table,
)
from fedlib.papers.clustering_with_outliers.variants import CONCENTRATION

__all__ = [
    "CLAIMS",
    "CODE_BATCH",
    "CONCENTRATION",
    "FIGURE_2",
    "ONE_PHASE",
    "PUBLISHED_ATTACKS",
    "TWO_PHASE",
    "accuracy_in_words",
    "accuracy_table",
    "camouflage_table",
    "claims_table",
    "compared",
    "constants_table",
    "dilemma_table",
    "farthest_table",
    "figure_1",
    "figure_2_rows",
    "iterates_table",
    "left_open_by_code",
    "nearness",
    "published",
    "recovery",
    "variants_table",
]
