"""The paper's claims on Gradient Guard, and questions of this book, as data."""

from fedlib.papers.gradient_guard.claims.before import BEFORE
from fedlib.papers.gradient_guard.claims.headline import (
    AT_30_AND_50,
    AT_EVERY_SHARE,
    BETTER,
    WITHSTANDS,
)
from fedlib.papers.gradient_guard.claims.maps import MAPS

__all__ = ["AT_30_AND_50", "AT_EVERY_SHARE", "CLAIMS"]

CLAIMS = (*AT_EVERY_SHARE, *AT_30_AND_50, *WITHSTANDS, *BETTER, *BEFORE, *MAPS)
