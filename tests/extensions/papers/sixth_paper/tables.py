"""What the sixth paper's chapter shows."""

from __future__ import annotations

from fedlib.papers.sixth_paper.claims import CLAIMS

from fedlib.evidence import claims
from fedlib.evidence.report import Archive


def claims_table(archive: Archive) -> claims.ClaimsTable:
    """Each claim with its verdict."""
    return claims.claims_table(archive, CLAIMS)
