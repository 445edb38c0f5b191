"""The chapter's figures and tables on Gradient Guard, and its claims, from the store."""

import fedlib.evidence.plots  # noqa: F401  It says what to install without matplotlib.
from fedlib.papers.gradient_guard.claims import CLAIMS
from fedlib.papers.gradient_guard.tables.accuracy import break_share, break_table, share_panels
from fedlib.papers.gradient_guard.tables.batches import batch_note
from fedlib.papers.gradient_guard.tables.cost import cost_table
from fedlib.papers.gradient_guard.tables.gallery import gallery
from fedlib.papers.gradient_guard.tables.limits import limits_table
from fedlib.papers.gradient_guard.tables.pipeline import figure_1
from fedlib.papers.gradient_guard.tables.probe import probe_table
from fedlib.papers.gradient_guard.tables.readings import headline, readings_table
from fedlib.papers.gradient_guard.tables.scores import reputation_curves, separation_table
from fedlib.papers.gradient_guard.tables.verdicts import claims_table

__all__ = [
    "CLAIMS",
    "batch_note",
    "break_share",
    "break_table",
    "claims_table",
    "cost_table",
    "figure_1",
    "gallery",
    "headline",
    "limits_table",
    "probe_table",
    "readings_table",
    "reputation_curves",
    "separation_table",
    "share_panels",
]
