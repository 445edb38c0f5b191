"""The claims with their verdicts, and what the choices change."""

from __future__ import annotations

from fedlib.evidence import claims
from fedlib.evidence.claims import ClaimsTable, PrintedNumber
from fedlib.evidence.report import Archive, Table
from fedlib.papers.clustering_with_outliers.authors_code import SINGLE_CHOICES
from fedlib.papers.clustering_with_outliers.claims import CLAIMS
from fedlib.papers.clustering_with_outliers.keys import CellKey
from fedlib.papers.clustering_with_outliers.methods import ATTACK_TITLES, RULE_TITLES
from fedlib.papers.clustering_with_outliers.published import published
from fedlib.papers.clustering_with_outliers.settings import heading_of
from fedlib.papers.clustering_with_outliers.variants import VARIANTS


def claims_table(archive: Archive) -> ClaimsTable:
    """Each claim with its statistic, what it needs to be, and the verdict."""
    values = published()

    def printed(cell: str, quantity: str) -> PrintedNumber | None:
        value = values.get(cell)
        if value is None or quantity != "test_accuracy":
            return None
        return PrintedNumber(100 * value.value, 100 * (value.spread or 0.0))

    return claims.claims_table(archive, CLAIMS, printed)


def variants_table(archive: Archive) -> Table:
    """What each choice changes: accuracy as used and taken the other way, at a shared scale."""

    def where(cell: str) -> str:
        key = CellKey.parse(cell)
        return f"{heading_of(key.scenario)}\n{RULE_TITLES[key.rule]}, {ATTACK_TITLES[key.attack]}"

    return claims.variants_table(
        archive, (*VARIANTS, *SINGLE_CHOICES), where, "What the choices change"
    )
