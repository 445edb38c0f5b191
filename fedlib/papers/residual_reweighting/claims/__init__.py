"""What the paper claims, as data; ``fedlib.evidence.claims`` judges it by the stored runs."""

from fedlib.evidence.claims import Claim, retested
from fedlib.papers.residual_reweighting.authors_code import CODE
from fedlib.papers.residual_reweighting.choices import ATTACKER_RATE, SCALE
from fedlib.papers.residual_reweighting.claims.backdoors import BACKDOORS, REPLACED_ON_LOANS
from fedlib.papers.residual_reweighting.claims.conclusion import CONCLUSION
from fedlib.papers.residual_reweighting.claims.label_flips import LABEL_FLIPS
from fedlib.papers.residual_reweighting.claims.noise_and_parameters import NOISE_AND_PARAMETERS
from fedlib.papers.residual_reweighting.keys import Comparison, Unattacked, parse


def _is_of_ten_flippers(claim: Claim) -> bool:
    """Whether a claim needs no other cells of Figure 3 than those with ten attackers or none."""
    keys = [parse(cell) for cell in claim.cells]
    return all(
        isinstance(key, Unattacked)
        or (isinstance(key, Comparison) and (key.item, key.setting) in _TEN_OR_NONE)
        for key in keys
    )


_TEN_OR_NONE = {("figure_3", "0"), ("figure_3", "10")}
_OF_TEXT = (*LABEL_FLIPS, *BACKDOORS, *CONCLUSION, *NOISE_AND_PARAMETERS)
CLAIMS = (
    *_OF_TEXT,
    # Ten participants times a factor of 100 is ten times what replaces the model.
    *retested(
        REPLACED_ON_LOANS, SCALE, "update scaled by 10, the number of participants", partly=True
    ),
    # The text gives no learning rate for the label flippers on MNIST.
    *retested(
        (claim for claim in LABEL_FLIPS if _is_of_ten_flippers(claim)),
        ATTACKER_RATE,
        "label flippers at ten times the rate of the others, as in the authors' code",
        partly=True,
    ),
    *retested(_OF_TEXT, CODE),
)
"""Each claim in runs that follow the text, and then those that runs of other choices test."""

__all__ = ["CLAIMS"]
