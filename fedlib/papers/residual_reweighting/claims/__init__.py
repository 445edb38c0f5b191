"""What the paper claims, as data; ``fedlib.evidence.claims`` judges it by the stored runs."""

from fedlib.papers.residual_reweighting.claims.backdoors import BACKDOORS
from fedlib.papers.residual_reweighting.claims.label_flips import LABEL_FLIPS
from fedlib.papers.residual_reweighting.claims.noise_and_parameters import NOISE_AND_PARAMETERS

CLAIMS = (*LABEL_FLIPS, *BACKDOORS, *NOISE_AND_PARAMETERS)

__all__ = ["CLAIMS"]
