"""A Sphinx extension that mends what the theme and its parts leave wrong on the pages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

_IMAGES = ("image/svg+xml", "image/png")
_POINTS_SUFFIX = ".points.json"
"""The end of the name of a file that has the points of the picture beside it."""
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
_POINTS = '<script type="application/json" class="fedlib-points">'
"""This begins what a picture tells a reader who hovers over its points."""
_PICTURE_AND_POINTS = re.compile(
    r'(<img [^>]*>)\s*<div class="output text_html">\s*'
    rf"({re.escape(_POINTS)}[^<]*</script>)\s*</div>"
)
_PICTURE_OF_A_FILE = re.compile(r'<img [^>]*src="[^"]*_images/([^"/]*)"[^>]*>')


def add_alternative_texts(source: str) -> str:
    """Let the figures of a notebook keep what they say when it is rendered.

    A figure of the book hands its alternative text, and where its points lie, to the notebook as
    metadata of its output. The renderer reads an alternative text only from the metadata of the
    cell. It does not read the points, so they become an output of their own.

    Parameters
    ----------
    source
        The notebook as JSON.

    Returns
    -------
    str
        The notebook, in which each cell with a figure has the text of its figure, and each figure
        is followed by its points.
    """
    notebook = json.loads(source)
    for cell in notebook["cells"]:
        outputs = []
        for output in cell.get("outputs", ()):
            outputs.append(output)
            for kind in _IMAGES:
                said = output.get("metadata", {}).get(kind, {})
                if said.get("alt"):
                    options = cell["metadata"].setdefault("mystnb", {}).setdefault("image", {})
                    options.setdefault("alt", said["alt"])
                if said.get("points"):
                    shown = {"text/html": points_in_a_page(said["points"])}
                    outputs.append({"output_type": "display_data", "data": shown, "metadata": {}})
        if outputs:
            cell["outputs"] = outputs
    return json.dumps(notebook)


def points_in_a_page(points: str) -> str:
    """Return how a page holds the points of a picture, which are JSON."""
    # No sign of the JSON may end the script.
    return _POINTS + points.replace("<", "\\u003c") + "</script>"


def join_points(body: str, of_files: dict[str, str]) -> str:
    """Put every picture that has points into one element with them, which the script looks for.

    Parameters
    ----------
    body
        The body of a page.
    of_files
        The points of pictures that are no outputs of a notebook, by the picture's file name.

    Returns
    -------
    str
        The body. A picture with points can be reached by the keyboard.
    """

    def joined(picture: str, points: str) -> str:
        return f'<span tabindex="0" class="fedlib-picture fedlib-told">{picture}{points}</span>'

    def of_file(found: re.Match[str]) -> str:
        points = of_files.get(found[1])
        return joined(found[0], points_in_a_page(points)) if points else found[0]

    body = _PICTURE_AND_POINTS.sub(lambda found: joined(found[1], found[2]), body)
    return _PICTURE_OF_A_FILE.sub(of_file, body)


def _points_of_files(app: Sphinx, name: str) -> dict[str, str]:
    """Return the points of the pictures of a page that lie in files, by the picture's name."""
    found = {}
    for source, (pages, target) in app.env.images.items():
        points = (Path(app.srcdir) / source).with_suffix(_POINTS_SUFFIX)
        if name in pages and points.is_file():
            found[target] = points.read_text(encoding="utf-8")
    return found


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
        context["body"] = join_points(context["body"], _points_of_files(app, name))
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
