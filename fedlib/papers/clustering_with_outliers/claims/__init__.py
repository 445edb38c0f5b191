"""What the paper claims of its rules, and what this book asks of them, as data."""

from fedlib.evidence.claims import retested
from fedlib.papers.clustering_with_outliers.authors_code import CODE
from fedlib.papers.clustering_with_outliers.claims.figure_2 import FIGURE_2_CLAIMS
from fedlib.papers.clustering_with_outliers.claims.uniform import (
    CAMOUFLAGE,
    OF_UNIFORM,
    of_average_models,
)
from fedlib.papers.clustering_with_outliers.claims.worst_cases import (
    OF_LARGE_MARGINS,
    OF_WORST_CASES,
)
from fedlib.papers.clustering_with_outliers.variants import CONCENTRATION, VOTES

_OF_TEXT = (*OF_WORST_CASES, *OF_UNIFORM, *FIGURE_2_CLAIMS)

CLAIMS = (
    *_OF_TEXT,
    *of_average_models((*OF_LARGE_MARGINS, *FIGURE_2_CLAIMS)),
    *retested(CAMOUFLAGE, VOTES, f"votes on {VOTES.other} images in place of one batch of 3"),
    *retested(_OF_TEXT, CONCENTRATION, "Dir(0.1) with 0.1 for a class on average"),
    *retested(_OF_TEXT, CODE),
)
"""Each claim in runs that follow the text, and then those that runs of other choices test."""
