"""A Sphinx extension that mends what the theme and its parts leave wrong on the pages."""

from __future__ import annotations

import json
from typing import Any

from sphinx.application import Sphinx

_IMAGES = ("image/svg+xml", "image/png")
_MENDED = {
    # A list must have items, and the entries of a bibliography are none.
    '<div role="list" class="citation-list">': '<div class="citation-list">',
    # What scrolls sideways on a phone must be reached by the keyboard too.
    '<div class="fedlib-table': '<div tabindex="0" class="fedlib-table',
    "<p><img ": '<p tabindex="0" class="fedlib-picture"><img ',
    '<div class="cell_output docutils container">\n<img ': (
        '<div tabindex="0" class="cell_output fedlib-picture docutils container">\n<img '
    ),
}
"""Pieces of the body of a page, and what takes their places."""


def add_alternative_texts(source: str) -> str:
    """Let the figures of a notebook keep their alternative texts when it is rendered.

    A figure of the book hands its text to the notebook as metadata of its output. The renderer
    reads such a text only from the metadata of the cell.

    Parameters
    ----------
    source
        The notebook as JSON.

    Returns
    -------
    str
        The notebook, in which each cell with a figure has the text of its figure.
    """
    notebook = json.loads(source)
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            for kind in _IMAGES:
                text = output.get("metadata", {}).get(kind, {}).get("alt")
                if text:
                    options = cell["metadata"].setdefault("mystnb", {}).setdefault("image", {})
                    options.setdefault("alt", text)
    return json.dumps(notebook)


def _read_source(app: Sphinx, name: str, content: list[str]) -> None:
    """Give the figures of a notebook their texts when Sphinx reads it."""
    if app.env.doc2path(name).endswith(".ipynb"):
        content[0] = add_alternative_texts(content[0])


def _mend_page(app: Sphinx, name: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Take from a page what it does not need, and mend what a screen reader cannot understand."""
    # Nothing runs on the pages. The scripts of sphinx-thebe also declare their constants twice.
    for files in ("script_files", "css_files"):
        context[files] = [file for file in context[files] if not _of_thebe(file)]
    if "body" in context:
        for old, new in _MENDED.items():
            context["body"] = context["body"].replace(old, new)


def _of_thebe(file: Any) -> bool:
    """Tell whether a script or style sheet belongs to sphinx-thebe."""
    body = getattr(file, "attributes", {}).get("body") or ""
    return "thebe" in str(getattr(file, "filename", file) or "") or "thebe" in body


def setup(app: Sphinx) -> dict[str, Any]:
    """Enter the extension into Sphinx."""
    app.connect("source-read", _read_source)
    # The theme has added its own files by then.
    app.connect("html-page-context", _mend_page, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
