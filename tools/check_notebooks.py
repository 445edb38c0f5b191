"""Check that committed notebooks agree with their paired texts and have clean outputs.

usage: check_notebooks.py NOTEBOOK.ipynb ...
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import jupytext
import nbformat

# These are absolute paths on the machine that executed the notebook.
MACHINE_PATH = re.compile(
    r"(?<![\w./:])/(?:home|root|tmp|Users|work|mnt|opt|var|usr|srv|private|Volumes|content|builds)/\w"
    r"|file:///\w|\b[A-Za-z]:\\+Users"
)
_PROGRESS = re.compile(r"\d+%\||it/s\]|\r")
WARNING = re.compile(r"\b[A-Z]\w*Warning: ")


def problems(path: Path) -> list[str]:
    """Return what is wrong with the notebook at ``path``, a line for each problem."""
    notebook = nbformat.read(path, as_version=4)
    text = path.with_suffix(".md")
    if not text.exists():
        return [f"{text} is missing: jupytext --sync {path}"]
    found = []
    # The text holds only the metadata that jupytext keeps, so the notebook goes through it too.
    kept = jupytext.reads(jupytext.writes(notebook, fmt="md:myst"), fmt="md:myst")
    if _content(kept) != _content(jupytext.read(text)):
        found.append(f"differs from {text}: jupytext --sync {path}")
    if not any("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells):
        found.append("has no cell tagged 'parameters'")
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code":
            continue
        if cell.execution_count is None:
            found.append(f"cell {number} was not executed")
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"cell {number} ends with {output.ename}")
            if output.output_type == "stream" and output.name == "stderr":
                found.append(f"cell {number} writes to stderr: {output.text[:60]!r}")
            shown = _text(output)
            if MACHINE_PATH.search(shown):
                found.append(f"cell {number} shows a path of this machine")
            if _PROGRESS.search(shown):
                found.append(f"cell {number} shows a progress bar")
            if WARNING.search(shown):
                found.append(f"cell {number} shows a warning")
    return found


def _content(notebook: nbformat.NotebookNode) -> tuple[object, ...]:
    """Return what a notebook and its text must have in common."""
    cells = [(cell.cell_type, cell.source.strip(), dict(cell.metadata)) for cell in notebook.cells]
    return notebook.metadata.get("kernelspec"), cells


def _text(output: nbformat.NotebookNode) -> str:
    """Return all text that an output shows."""
    parts = [output.get("text", "")]
    parts += [
        value
        for kind, value in output.get("data", {}).items()
        if kind.startswith(("text/", "image/svg")) and isinstance(value, str)
    ]
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Print every problem, and return 1 if there is one, otherwise 0."""
    status = 0
    for name in arguments:
        for problem in problems(Path(name)):
            print(f"{name}: {problem}", file=sys.stderr)
            status = 1
    print(f"{len(arguments)} notebook(s) checked")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
