"""Check the pages of a rendered site: their links, pictures and texts.

usage: check_site.py HTML_FOLDER
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tools.check_notebooks import MACHINE_PATH, WARNING

_INLINE = {"a", "abbr", "b", "cite", "code", "em", "i", "small", "span", "strong", "sub", "sup"}
"""The elements at whose ends a word goes on."""
_EVERYWHERE = "/content/"
"""The folder that every machine of Colab has. A page may tell to work in it."""
_FILE_NAME = re.compile(r"\.(?:png|svg|jpe?g|gif)$|[0-9a-f]{32}", re.IGNORECASE)


@dataclass
class _Page(HTMLParser):
    """What of a page is checked.

    Attributes
    ----------
    anchors
        The names that a link can lead to.
    links
        The addresses that the page leads to or loads.
    pictures
        The address and the alternative text of every picture. The text is None if there is none.
    text
        The pieces of text that a reader sees.
    stderr
        Whether an output of a cell is of the stream for errors.
    """

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    pictures: list[tuple[str, str | None]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    stderr: bool = False
    _hidden: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        self.links += [given[name] for name in ("href", "src") if name in given]
        if tag == "img":
            self.pictures.append((given.get("src", ""), given.get("alt")))
        self.stderr |= "stderr" in given.get("class", "").split()
        if tag in ("script", "style"):
            self._hidden = tag
        if tag not in _INLINE:
            self.text.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._hidden:
            self._hidden = ""
        if tag not in _INLINE:
            self.text.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text.append(data)


def pages_of(folder: Path) -> list[Path]:
    """Return the pages of a site, without those that only lead to another page."""
    pages = [path for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts]
    return [path for path in pages if 'http-equiv="Refresh"' not in path.read_text("utf-8")]


def problems(folder: Path) -> list[str]:
    """Return a line for everything that is wrong with the pages of a site.

    Every link within the site must lead to a file and to an anchor that exist. Every picture must
    have an alternative text that is not the name of a file. No page may show an output of the
    stream for errors, a warning of Python or a path of the machine that built the site.

    Parameters
    ----------
    folder
        The folder that holds the site.
    """
    paths = pages_of(folder)
    if not paths:
        return [f"{folder} holds no page"]
    pages = {path.resolve(): _parsed(path) for path in paths}
    found = []
    for path, page in pages.items():
        wrong = [*_bad_links(path, page, pages), *_bad_pictures(page), *_bad_text(page)]
        found += [f"{path.relative_to(folder.resolve())}: {problem}" for problem in wrong]
    return found


def _parsed(path: Path) -> _Page:
    """Return what is checked of the page at ``path``."""
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _bad_links(path: Path, page: _Page, pages: dict[Path, _Page]) -> list[str]:
    """Return what is wrong with the links of a page."""
    found = []
    for link in dict.fromkeys(page.links):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if target.is_dir():
            target /= "index.html"
        anchor = unquote(parts.fragment)
        if not target.is_file():
            found.append(f"the link {link!r} leads to no file")
        elif anchor and target in pages and anchor not in pages[target].anchors:
            found.append(f"the link {link!r} leads to no anchor")
    return found


def _bad_pictures(page: _Page) -> list[str]:
    """Return what is wrong with the alternative texts of a page's pictures."""
    return [
        f"the picture {source[:80]!r} has no alternative text but {text!r}"
        for source, text in page.pictures
        if not (text or "").strip() or _FILE_NAME.search(text or "")
    ]


def _bad_text(page: _Page) -> list[str]:
    """Return what a page shows that only a developer should see."""
    found = ["shows an output of the stream for errors"] if page.stderr else []
    text = "".join(page.text)
    for pattern, what in ((MACHINE_PATH, "a path of a machine"), (WARNING, "a warning")):
        shown = next((s for s in pattern.finditer(text) if not s[0].startswith(_EVERYWHERE)), None)
        if shown:
            found.append(f"shows {what}: {text[shown.start() : shown.start() + 60]!r}")
    return found


def main(arguments: list[str]) -> int:
    """Print every problem, and return 1 if there is one, otherwise 0."""
    found = problems(Path(arguments[0]))
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
