"""The claims of centered_clipping as data, in the order of the paper.

A drop that the text states counts as found within the margin of its cell in Table IV, see
:func:`fedlib.evidence.ranges.stated`. A rule counts as diverging if less than half of its clean
accuracy is left, and as converging else.
"""

from fedlib.papers.centered_clipping.claims import (
    across_settings,
    appendices,
    iid_curves,
    non_iid_curves,
    perturbations,
    short_runs,
)

CLAIMS = short_runs.with_short_runs(
    (
        *perturbations.CLAIMS,
        *iid_curves.CLAIMS,
        *non_iid_curves.CLAIMS,
        *across_settings.CLAIMS,
        *appendices.CLAIMS,
    )
)

__all__ = ["CLAIMS"]
