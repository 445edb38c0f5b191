"""What the paper claims of its attack, as data.

Harm is judged by what the paper is about: the certified level rho-hat, and on the synthetic data
how far the boundary is from the circle. A model that has diverged has neither. Its seed decides
nothing here, and the tables count it.
"""

from fedlib.evidence.claims import retested
from fedlib.papers.two_stage_attack.claims.figure_2 import (
    BENEFIT,
    BLACK_BOX,
    BOUNDARIES,
    OF_FIGURE_2,
)
from fedlib.papers.two_stage_attack.claims.figure_3 import FIGURE_3_CLAIMS
from fedlib.papers.two_stage_attack.claims.stages import STAGES
from fedlib.papers.two_stage_attack.strengths import with_other_strengths
from fedlib.papers.two_stage_attack.variants import (
    IN_SMALL_BATCHES,
    ONCE,
    PROJECTED,
    RADIUS_OF_SET,
    SMALL_BATCH,
)

CLAIMS = (
    *BOUNDARIES,
    *with_other_strengths(OF_FIGURE_2),
    # By the text the attacker learns once, and uses the same policy until the end.
    *retested(OF_FIGURE_2, ONCE, "learned once, as in the text", partly=True),
    # The text does not give the batch size.
    *retested(
        (*BOUNDARIES, *OF_FIGURE_2, *BENEFIT),
        IN_SMALL_BATCHES,
        f"batches of {SMALL_BATCH} in place of 50",
    ),
    # The text projects each step of the server on a set that it does not give.
    *retested(
        (*OF_FIGURE_2, *BENEFIT), PROJECTED, f"parameters in a ball of radius {RADIUS_OF_SET:g}"
    ),
    *FIGURE_3_CLAIMS,
    *BLACK_BOX,
    *BENEFIT,
    *STAGES,
)
