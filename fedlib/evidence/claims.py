"""What a paper claims, judged by the stored runs and by the numbers that the paper prints.

A paper's claims and choices import all that they are made of from here.
"""

from fedlib.evidence.choices import Choice, choices_table, variants_table
from fedlib.evidence.claim import (
    OWN,
    Claim,
    Former,
    Printed,
    PrintedNumber,
    drop,
    percent_left,
)
from fedlib.evidence.judgement import Judgement
from fedlib.evidence.judging import ClaimsTable, claims_table, linked_statistic
from fedlib.evidence.ranges import Range, above, at_least, at_most, below, near, stated
from fedlib.evidence.retested import retested
from fedlib.evidence.tally import contradicted, tally

__all__ = [
    "OWN",
    "Choice",
    "Claim",
    "ClaimsTable",
    "Former",
    "Judgement",
    "Printed",
    "PrintedNumber",
    "Range",
    "above",
    "at_least",
    "at_most",
    "below",
    "choices_table",
    "claims_table",
    "contradicted",
    "drop",
    "linked_statistic",
    "near",
    "percent_left",
    "retested",
    "stated",
    "tally",
    "variants_table",
]
