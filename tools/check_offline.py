"""Check that a rendered site loads nothing from elsewhere: it is read without network.

usage: check_offline.py HTML_FOLDER
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

_REMOTE = re.compile(r"^(?:https?:)?//", re.IGNORECASE)
_LOADING_LINKS = {"stylesheet", "preload", "icon", "modulepreload", "prefetch", "preconnect"}
_CSS_LOAD = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)", re.IGNORECASE)


class _Loads(HTMLParser):
    """Collects the addresses that a browser would fetch to show the page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        address = attributes.get("src") or ""
        if tag == "link" and _LOADING_LINKS & set((attributes.get("rel") or "").split()):
            address = attributes.get("href") or ""
        if tag == "object":
            address = attributes.get("data") or ""
        if _REMOTE.match(address):
            self.found.append(f"<{tag}> {address}")

    def handle_data(self, data: str) -> None:
        # An inline script may fetch modules, an inline style fonts.
        self.found += re.findall(r"import\(\s*[\"'](https?://[^\"']+)", data)
        self.found += _CSS_LOAD.findall(data)


def remote_loads(folder: Path) -> list[str]:
    """``page: what it loads from elsewhere``, for every page and style sheet under ``folder``."""
    found = []
    for page in sorted(folder.rglob("*.html")):
        parser = _Loads()
        parser.feed(page.read_text(encoding="utf-8"))
        found += [f"{page.relative_to(folder)}: {load}" for load in parser.found]
    for sheet in sorted(folder.rglob("*.css")):
        loads = _CSS_LOAD.findall(sheet.read_text(encoding="utf-8"))
        found += [f"{sheet.relative_to(folder)}: {load}" for load in loads]
    return found


def main(arguments: list[str]) -> int:
    """Print every remote load; 1 if there is one, or no page at all."""
    folder = Path(arguments[0])
    if not (folder / "index.html").exists():
        print(f"{folder} holds no index.html", file=sys.stderr)
        return 1
    found = remote_loads(folder)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
