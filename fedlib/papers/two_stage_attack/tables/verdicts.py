"""The claims with their verdicts, and what the choices change."""

from __future__ import annotations

from fedlib.evidence import claims
from fedlib.evidence.claims import ClaimsTable
from fedlib.evidence.report import Archive, Table
from fedlib.papers.two_stage_attack.claims import CLAIMS
from fedlib.papers.two_stage_attack.grid import ATTACK_TITLES, RULE_TITLES
from fedlib.papers.two_stage_attack.keys import CellKey
from fedlib.papers.two_stage_attack.measures import accuracy
from fedlib.papers.two_stage_attack.variants import VARIANTS


def claims_table(archive: Archive) -> ClaimsTable:
    """Each claim with its statistic, what it needs to be, and the verdict."""
    return claims.claims_table(archive, CLAIMS)


def variants_table(archive: Archive) -> Table:
    """What each choice changes: accuracy as used and taken the other way, at a shared scale."""

    def where(cell: str) -> str:
        key = CellKey.parse(cell)
        return f"{ATTACK_TITLES[key.attack]}, {RULE_TITLES[key.rule]}"

    caption = "What the choices change, synthetic data; a model that has diverged counts as 0"
    return claims.variants_table(archive, VARIANTS, where, caption, accuracy)
