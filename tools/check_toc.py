"""Check that the table of contents names every page and every chapter, and only what is there.

usage: check_toc.py [FOLDER]

The site has the pages that ``_toc.yml`` names and no others, and nothing says so if one is left
out. FOLDER is that of ``_toc.yml``; the default is the working directory.
"""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Collection
from pathlib import Path

import yaml
from sphinx_external_toc.parsing import MalformedError, parse_toc_yaml

FOLDERS = ("book", "notebooks")
ENDINGS = (".md", ".ipynb", ".rst")
LEFT_OUT: tuple[str, ...] = ()
"""Pages that are meant to have no place in the site, without their endings: ``book/draft``."""


def pages(folder: Path) -> dict[str, list[Path]]:
    """Return the files of each page below a folder, by the page's name in ``_toc.yml``.

    A chapter has two files of one name, the notebook and its text.
    """
    found: dict[str, list[Path]] = {}
    for part in FOLDERS:
        for path in sorted((folder / part).rglob("*")):
            inner = path.relative_to(folder)
            hidden = any(name.startswith((".", "_")) for name in inner.parts)
            if path.suffix in ENDINGS and path.is_file() and not hidden:
                found.setdefault(inner.with_suffix("").as_posix(), []).append(inner)
    return found


def problems(folder: Path, left_out: Collection[str] = LEFT_OUT) -> list[str]:
    """Return what is wrong with the table of contents of a folder, a line for each problem.

    Parameters
    ----------
    folder
        The folder that holds ``_toc.yml``, ``book`` and ``notebooks``.
    left_out
        The names of the pages that the table of contents need not name.
    """
    toc = folder / "_toc.yml"
    try:
        site = parse_toc_yaml(toc)
    except OSError as error:
        return [f"{toc} cannot be read: {error.strerror}"]
    except (MalformedError, yaml.YAMLError) as error:
        return [f"{toc} cannot be read: {error}"]
    there = pages(folder)
    named = {_without_ending(name) for name in site}
    globs = site.globs()
    found = []
    for name in sorted(named - there.keys()):
        found.append(
            f"_toc.yml names {name!r}, and there is no such page below {' and '.join(FOLDERS)}"
        )
    for name in sorted(there.keys() - named - set(left_out)):
        if not any(fnmatch.fnmatch(name, glob) for glob in globs):
            files = " and ".join(map(str, there[name]))
            found.append(f"_toc.yml does not name {name!r}, so that the site lacks {files}")
    for name in sorted(named & set(left_out)):
        found.append(f"_toc.yml names {name!r}, which tools/check_toc.py lists as left out")
    for name in sorted(set(left_out) - there.keys()):
        found.append(f"tools/check_toc.py lists {name!r} as left out, and there is no such file")
    for name, files in sorted(there.items()):
        if Path(name).parts[0] == "notebooks" and [path.suffix for path in files] == [".md"]:
            found.append(f"{files[0]} has no notebook, which make chapters makes of it")
    return found


def _without_ending(name: str) -> str:
    """Return the name of a page as :func:`pages` writes it."""
    path = Path(name)
    return (path.with_suffix("") if path.suffix in ENDINGS else path).as_posix()


def main(arguments: list[str]) -> int:
    """Print every problem, and return 1 if there is one, otherwise 0."""
    found = problems(Path(arguments[0] if arguments else "."))
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
