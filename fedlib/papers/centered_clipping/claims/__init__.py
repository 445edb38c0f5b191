"""The claims of centered_clipping as data, in the order of the paper.

A drop that the text states counts as found if ours is within the margin of Table IV's cell. A rule
counts as diverging if less than half of its clean accuracy is left, and as converging else.
"""

from fedlib.papers.centered_clipping.claims import (
    across_settings,
    appendices,
    curves,
    perturbations,
)

CLAIMS = (
    *perturbations.CLAIMS,
    *curves.CLAIMS,
    *across_settings.CLAIMS,
    *appendices.CLAIMS,
)

__all__ = ["CLAIMS"]
