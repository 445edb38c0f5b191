"""What the paper claims, as data; ``fedlib.evidence.claims`` judges it by the stored runs."""

from fedlib.evidence.claims import retested
from fedlib.papers.residual_reweighting.authors_code import CODE
from fedlib.papers.residual_reweighting.choices import SCALE
from fedlib.papers.residual_reweighting.claims.backdoors import BACKDOORS, REPLACED_ON_LOANS
from fedlib.papers.residual_reweighting.claims.label_flips import LABEL_FLIPS
from fedlib.papers.residual_reweighting.claims.noise_and_parameters import NOISE_AND_PARAMETERS

_OF_TEXT = (*LABEL_FLIPS, *BACKDOORS, *NOISE_AND_PARAMETERS)
CLAIMS = (
    *_OF_TEXT,
    # Ten participants times a factor of 100 is ten times what replaces the model.
    *retested(
        REPLACED_ON_LOANS, SCALE, "update scaled by 10, the number of participants", partly=True
    ),
    *retested(_OF_TEXT, CODE),
)
"""Each claim in runs that follow the text, and then those that runs of other choices test."""

__all__ = ["CLAIMS"]
