"""What the paper claims, as data; ``fedlib.evidence.claims`` judges it by the stored runs."""

from fedlib.evidence.claims import retested
from fedlib.papers.residual_reweighting.authors_code import CODE
from fedlib.papers.residual_reweighting.claims.backdoors import BACKDOORS
from fedlib.papers.residual_reweighting.claims.label_flips import LABEL_FLIPS
from fedlib.papers.residual_reweighting.claims.noise_and_parameters import NOISE_AND_PARAMETERS

_OF_TEXT = (*LABEL_FLIPS, *BACKDOORS, *NOISE_AND_PARAMETERS)
CLAIMS = (*_OF_TEXT, *retested(_OF_TEXT, CODE))
"""Each claim in runs that follow the text, and then those that runs of the code's choices test."""

__all__ = ["CLAIMS"]
