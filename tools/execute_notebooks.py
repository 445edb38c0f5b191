"""Execute notebooks in place, to commit them with their outputs.

usage: execute_notebooks.py NOTEBOOK.ipynb ...
"""

from __future__ import annotations

import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient


def execute(path: Path) -> None:
    """Execute the text of the paired Markdown file and write the notebook with its outputs."""
    notebook = jupytext.read(path.with_suffix(".md"))
    # A cell keeps its identity from one execution to the next, so that diffs stay small.
    for number, cell in enumerate(notebook.cells, 1):
        cell["id"] = f"cell-{number:02d}"
    # The times of the execution are left out, because they would differ every time.
    NotebookClient(notebook, timeout=None, kernel_name="python3", record_timing=False).execute()
    notebook.metadata.pop("language_info", None)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        execute(Path(name))
