"""Figures, tables and claims of the chapter on the two-stage attack, from the store."""

import fedlib.evidence.plots  # noqa: F401  It says what to install without matplotlib.
from fedlib.papers.two_stage_attack.claims import CLAIMS
from fedlib.papers.two_stage_attack.tables.accuracy import (
    accuracy_table,
    krum_table,
    projection_table,
    sweep_table,
)
from fedlib.papers.two_stage_attack.tables.boundaries import figure_2
from fedlib.papers.two_stage_attack.tables.overview import figure_1
from fedlib.papers.two_stage_attack.tables.rewards import (
    reward_curves,
    rewards_in_words,
    rewards_table,
)
from fedlib.papers.two_stage_attack.tables.robustness import certificate_curves, figure_3
from fedlib.papers.two_stage_attack.tables.samples import stage_one_in_words, stage_one_table
from fedlib.papers.two_stage_attack.tables.stages import stage_one_figure
from fedlib.papers.two_stage_attack.tables.verdicts import (
    claims_table,
    stronger_table,
    variants_table,
)
from fedlib.papers.two_stage_attack.tables.worth import worth_in_words, worth_table

__all__ = [
    "CLAIMS",
    "accuracy_table",
    "certificate_curves",
    "claims_table",
    "figure_1",
    "figure_2",
    "figure_3",
    "krum_table",
    "projection_table",
    "reward_curves",
    "rewards_in_words",
    "rewards_table",
    "stage_one_figure",
    "stage_one_in_words",
    "stage_one_table",
    "stronger_table",
    "sweep_table",
    "variants_table",
    "worth_in_words",
    "worth_table",
]
