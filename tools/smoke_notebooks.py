"""Execute all chapters at smoke scale, and once more with nbval to see the same outputs.

usage: smoke_notebooks.py --build FOLDER

The results go into a folder of this build alone, and the data are the embedded ones.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from tools import notebooks
from tools.workspace import workspace


def smoke(root: Path, build_folder: Path) -> None:
    """Execute and check the chapters below a folder.

    Parameters
    ----------
    root
        The folder that holds ``notebooks``.
    build_folder
        Where a folder for the executed notebooks and their results is made.

    Raises
    ------
    subprocess.CalledProcessError
        If a cell fails, or gives another output the second time. It has printed why.
    """
    with workspace(build_folder, "smoke") as folder:
        os.environ["FEDLIB_RESULTS"] = str(folder / "results")
        # Where no data are, the embedded ones serve.
        os.environ["FEDLIB_DATA"] = str(folder / "no-data")

        def execute(notebook: Path) -> None:
            print(f"executing {notebook.relative_to(root)} at smoke scale", flush=True)
            notebooks.execute(notebook, folder / notebook.name, [("scale", "smoke"), ("jobs", "1")])

        chapters = notebooks.of_book(root)
        # Most of a chapter's time is Python's own, on one core. Two chapters keep two cores busy,
        # and workers of their own would only cost the time that they take to start.
        notebooks.at_once([partial(execute, chapter) for chapter in chapters], 2)
        executed = [folder / chapter.name for chapter in chapters]
        again = ["-q", "-p", "no:cacheprovider", "--nbval", "--nbval-cell-timeout", "300"]
        again += ["-n", "2", "--dist", "loadscope"]  # a chapter's cells stay with one process
        subprocess.run([sys.executable, "-m", "pytest", *again, *map(str, executed)], check=True)


def main(arguments: list[str]) -> int:
    """Execute the chapters, and return 1 if one fails, otherwise 0."""
    parser = argparse.ArgumentParser(prog="smoke_notebooks.py", description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True, help="where to make a folder")
    try:
        smoke(Path.cwd(), parser.parse_args(arguments).build)
    except subprocess.CalledProcessError as error:
        print(f"status {error.returncode} of {' '.join(error.cmd[1:4])} ...", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
