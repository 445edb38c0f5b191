"""Render the book as a site: fill in its pages, and execute its chapters first if asked to.

usage: build_site.py [--execute] [--parameter NAME VALUE]... --build FOLDER --html FOLDER

Nothing is written into the working tree but the two folders. Each build has a folder of its own
for what it renders, so that several may run at once.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tools import check_offline, check_toc, notebooks, repository
from tools.workspace import put_in_place, workspace

SOURCES = ("book", "notebooks", "_config.yml", "_toc.yml")


class BuildError(Exception):
    """The site cannot be built; the message says why."""


def build(
    root: Path,
    build_folder: Path,
    html: Path,
    *,
    execute: bool = False,
    parameters: Sequence[tuple[str, str]] = (),
) -> None:
    """Render the site into a folder.

    Parameters
    ----------
    root
        The folder that holds ``_toc.yml``, the pages and the notebooks.
    build_folder
        Where the build makes its own folder.
    html
        Where the site goes. A site that is there is replaced when the new one is complete.
    execute
        Whether to execute the chapters. Otherwise the site shows the notebooks' stored outputs.
    parameters
        The names and values of the chapters' parameters, if they are executed.

    Raises
    ------
    BuildError
        If the table of contents and the files differ, or the site loads something from elsewhere.
    AddressError
        If the address of the repository in ``_config.yml`` cannot be used.
    subprocess.CalledProcessError
        If a chapter, the filling of pages or the rendering fails. It has printed why.
    """
    refuse(check_toc.problems(root))
    with workspace(build_folder, "site") as folder:
        source = folder / "src"
        copy_sources(root, source)
        repository.configure(source / "_config.yml")
        fill = partial(fill_pages, root, source)
        chapters = chapters_to_execute(root, source, parameters) if execute else []
        # Most of the time is Python's own, on one core. A chapter that computes runs has all cores,
        # and the pages are to show these runs.
        if dict(parameters).get("scale", "best") == "best":
            # Two at a time with a thread for each core would wait for each other.
            os.environ.setdefault("OMP_NUM_THREADS", "1")
            notebooks.at_once([fill, *chapters], 2)
        else:
            notebooks.at_once([*chapters, fill], 1)
        print("rendering the site", flush=True)
        rendered = render(source, folder / "jb")
        refuse(check_offline.remote_loads(rendered))
        put_in_place(rendered, html)
    print(f"the site: {html / 'index.html'}")


def refuse(problems: Sequence[str]) -> None:
    """Raise an error that lists the problems, if there are any."""
    if problems:
        raise BuildError("\n".join(problems))


def copy_sources(root: Path, source: Path) -> None:
    """Copy what the site is made of, because jupyter-book writes beside its sources."""
    source.mkdir()
    for name in SOURCES:
        if (root / name).is_dir():
            leave = shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__")
            shutil.copytree(root / name, source / name, ignore=leave)
        else:
            shutil.copy2(root / name, source / name)
    # The texts of the chapters have the names of the notebooks, which are what is shown.
    for text in (source / "notebooks").glob("*.md"):
        text.unlink()


def chapters_to_execute(
    root: Path, source: Path, parameters: Sequence[tuple[str, str]]
) -> list[Callable[[], None]]:
    """Return a function for each notebook that executes it into the copy."""

    def execute(notebook: Path) -> None:
        print(f"executing {notebook.relative_to(root)}", flush=True)
        notebooks.execute(notebook, source / "notebooks" / notebook.name, parameters)

    return [partial(execute, notebook) for notebook in notebooks.of_book(root)]


def fill_pages(root: Path, source: Path) -> None:
    """Fill in what the pages show of the store and of the benchmarks."""
    pages = map(str, sorted((source / "book").rglob("*.md")))
    command = [sys.executable, "-m", "fedlib.evidence.pages"]
    subprocess.run([*command, "--benchmarks", str(root / "benchmarks"), *pages], check=True)


def render(source: Path, output: Path) -> Path:
    """Render a copy of the sources with jupyter-book, and return the folder of the site."""
    # jupyter-book cannot be started by `python -m`. Its own program is not started by its path,
    # because the first line of such a program cannot hold every path.
    code = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", code, "build", str(source), "--path-output", str(output)]
    options = ["--warningiserror", "--nitpick", "--keep-going", "--quiet"]
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
    return output / "_build" / "html"


def main(arguments: list[str]) -> int:
    """Build the site, and return 1 if that fails, otherwise 0."""
    parser = argparse.ArgumentParser(prog="build_site.py", description=__doc__.splitlines()[0])
    parser.add_argument("--execute", action="store_true", help="execute the chapters first")
    parser.add_argument("--parameter", nargs=2, action="append", default=[], metavar="TEXT")
    parser.add_argument("--build", type=Path, required=True, help="for what is made on the way")
    parser.add_argument("--html", type=Path, required=True, help="where the site goes")
    options = parser.parse_args(arguments)
    given = [(name, value) for name, value in options.parameter if value]
    try:
        build(Path.cwd(), options.build, options.html, execute=options.execute, parameters=given)
    except (BuildError, repository.AddressError) as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"status {error.returncode} of {' '.join(error.cmd[1:4])} ...", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
