"""Check that a rendered site loads nothing from elsewhere, so that it can be read offline.

usage: check_offline.py HTML_FOLDER
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

_REMOTE = re.compile(r"^\s*(?:https?:)?//", re.IGNORECASE)
# A browser follows these attributes by itself. It follows href only on links and in drawings.
_LOADING = {"src", "poster", "background"}
_DRAWN = {"image", "use", "feimage"}
_LOADING_LINKS = {
    "stylesheet", "preload", "icon", "modulepreload", "prefetch", "preconnect", "dns-prefetch",
    "manifest", "apple-touch-icon", "mask-icon",
}  # fmt: skip
_CSS_LOAD = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)", re.IGNORECASE)
# Not every address within a script is fetched: sphinx-thebe names one that only a button uses.
_SCRIPT_LOAD = re.compile(
    r"(?:\bimport\s*\(?|\bfrom|\.src\s*=|\bfetch\(|importScripts\(|\bpaths\s*:\s*\{[^}]*?:)"
    r"\s*[\"'`]((?:https?:)?//[^\"'`\s]+)"
)


class _Loads(HTMLParser):
    """The addresses that a browser would fetch to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        given = {name: value or "" for name, value in attrs}
        addresses = [given[name] for name in _LOADING & given.keys()]
        addresses += [part.strip() for part in given.get("srcset", "").split(",")]
        if tag == "object":
            addresses.append(given.get("data", ""))
        if tag == "link" and _LOADING_LINKS & set(given.get("rel", "").lower().split()):
            addresses.append(given.get("href", ""))
        if tag in _DRAWN:
            addresses += [given.get("href", ""), given.get("xlink:href", "")]
        addresses += _CSS_LOAD.findall(given.get("style", ""))
        self.found += [f"<{tag}> {address}" for address in addresses if _REMOTE.match(address)]

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.found += _SCRIPT_LOAD.findall(data)
        elif self._inside == "style":
            self.found += _CSS_LOAD.findall(data)


def remote_loads(folder: Path) -> list[str]:
    """Return a line for everything that a page or style sheet in a folder loads from elsewhere."""
    if not (folder / "index.html").exists():
        return [f"{folder} holds no index.html"]
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
    """Print every remote load, and return 1 if there is one or no page at all, otherwise 0."""
    found = remote_loads(Path(arguments[0]))
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
