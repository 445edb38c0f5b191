"""Execute the chapters' texts into the notebooks beside them, to commit them with their outputs.

usage: execute_notebooks.py CHAPTER.md ...
"""

from __future__ import annotations

import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient


def execute(text: Path) -> None:
    """Execute a chapter's text and write the notebook, which is made if there is none yet."""
    notebook = jupytext.read(text)
    # A cell keeps its identity from one execution to the next, so that diffs stay small.
    for number, cell in enumerate(notebook.cells, 1):
        cell["id"] = f"cell-{number:02d}"
    # The times of the execution are left out, because they would differ every time.
    NotebookClient(notebook, timeout=None, kernel_name="python3", record_timing=False).execute()
    notebook.metadata.pop("language_info", None)
    nbformat.write(notebook, text.with_suffix(".ipynb"))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        execute(Path(name))
