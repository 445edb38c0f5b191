"""Fill the front page's ``{coverage:SLUG}`` marks with what the store holds.

usage: front_page.py INTRO.md
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from fedlib.grid import load_grid
from fedlib.report import Archive


def fill(text: str) -> str:
    """``text`` with every mark replaced by the coverage of that paper's grid."""
    return re.sub(
        r"\{coverage:(\w+)\}", lambda match: Archive(load_grid(match[1])).coverage(), text
    )


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(fill(page.read_text(encoding="utf-8")), encoding="utf-8")
