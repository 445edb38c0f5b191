"""What the sixth paper claims."""

from __future__ import annotations

from fedlib.papers.sixth_paper.grid import Key

from fedlib.evidence.claims import Claim, at_least

CLAIMS = (
    Claim(
        place="Table 1",
        text="The median withstands IPM",
        cells=(str(Key("ipm")),),
        statistic=lambda accuracies: accuracies[0],
        needed=at_least(50),
        shown="accuracy",
    ),
)
