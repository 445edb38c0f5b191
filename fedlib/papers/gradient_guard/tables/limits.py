"""The table of what each defence is set to withstand."""

from __future__ import annotations

from fedlib.evidence.report import Table
from fedlib.papers.gradient_guard.players import make_rule
from fedlib.papers.gradient_guard.settings import (
    BLIND,
    N_CLIENTS,
    RULE_TITLES,
    SHARES,
    n_malicious,
)


def limits_table() -> Table:
    """How many malicious clients each rule is set to withstand, by the malicious share."""
    counts = {share: n_malicious(share) for share in SHARES}
    rows = tuple(
        (
            title,
            *(
                "–" if rule in BLIND else str(make_rule(rule, count).n_byzantine)
                for count in counts.values()
            ),
        )
        for rule, title in RULE_TITLES.items()
    )
    return Table(
        ("defence", *(f"{share} %: {count}" for share, count in counts.items())),
        rows,
        f"How many of {N_CLIENTS} clients each defence is set to withstand. A column head "
        "has a share of malicious clients and their number. A dash means that the defence has no "
        "such setting",
    )
