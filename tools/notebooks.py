"""How the chapters are executed by papermill."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def execute(notebook: Path, output: Path, parameters: Sequence[tuple[str, str]] = ()) -> None:
    """Execute a notebook with papermill, and write it with its outputs.

    Parameters
    ----------
    notebook
        The notebook. It is not changed.
    output
        The file to write. It also exists if a cell fails, and shows the error then.
    parameters
        The names and values of parameters. papermill makes numbers of values that look like
        numbers.

    Raises
    ------
    subprocess.CalledProcessError
        If a cell fails. papermill has printed why.
    """
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "--log-level", "WARNING"]
    # The kernel of this environment, whatever others are installed under the name in the notebook.
    command += ["-k", "python3"]
    for name, value in parameters:
        command += ["-p", name, value]
    subprocess.run([*command, str(notebook), str(output)], check=True)


def at_once(works: Iterable[Callable[[], object]], workers: int) -> None:
    """Do several works, so many of them at a time. An error leaves out those not begun."""
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(lambda work: work(), works):
            pass


def of_book(root: Path) -> list[Path]:
    """Return all notebooks of a book, the largest files first.

    A large notebook takes long to execute as a rule. If several are executed at a time, one that
    takes long and begins last would keep all others waiting.
    """
    return sorted((root / "notebooks").glob("*.ipynb"), key=lambda path: -path.stat().st_size)
