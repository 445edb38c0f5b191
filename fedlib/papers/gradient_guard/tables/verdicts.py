"""The table of the paper's claims."""

from __future__ import annotations

from fedlib.evidence import claims
from fedlib.evidence.claims import ClaimsTable
from fedlib.evidence.report import Archive
from fedlib.papers.gradient_guard.claims import CLAIMS


def claims_table(archive: Archive) -> ClaimsTable:
    """Each claim with its statistic, what the statistic needs to be, and the verdict."""
    return claims.claims_table(archive, CLAIMS)
