"""Make a virtual environment with the library in it, unless it is there and up to date.

usage: set_up.py VENV [EXTRAS]

EXTRAS are those of pyproject.toml, with commas between them; by default those of make test.
This program runs under whatever Python is at hand, before anything is installed: it needs the
standard library alone, and says so itself if that Python is too old.
"""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

OLDEST, TOO_NEW = (3, 11), (3, 14)
# A change of these files makes an environment out of date.
NAMED_IN = ("pyproject.toml", "constraints.txt")
EXTRAS = "book,rl,test"
# Flower asks for other versions of these packages than the book was made with.
NOT_PINNED = {"flower": ("certifi", "packaging")}


def set_up(venv: Path, extras: str = EXTRAS) -> None:
    """Make the environment, or bring it up to date.

    A lock beside the environment lets one process at a time do it, so that several commands may be
    started at once from a fresh clone.

    Parameters
    ----------
    venv
        The folder of the environment. The library is that of the working directory.
    extras
        The extras of the library, with commas between them.

    Raises
    ------
    RuntimeError
        If this Python is too old or too new.
    subprocess.CalledProcessError
        If the environment cannot be made, or a package cannot be installed.
    """
    if _is_up_to_date(venv):
        return
    version = sys.version.split()[0]
    if not OLDEST <= sys.version_info[:2] < TOO_NEW:
        raise RuntimeError(f"Python {version} is not 3.11 to 3.13: make PYTHON=python3.12")
    venv.mkdir(parents=True, exist_ok=True)
    with open(str(venv / ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_up_to_date(venv):
            return  # another process made it meanwhile
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        # Python compiles a module when it is first imported, and most modules never are. To compile
        # all of them took more than a third of the time of the whole set-up.
        install += ["--no-compile"]
        constraints = venv / "constraints.txt"
        constraints.write_text(pinned(Path("constraints.txt").read_text(), extras))
        command = [str(venv / "bin" / "python"), *install, "-c", str(constraints)]
        subprocess.run([*command, "-e", f".[{extras}]"], check=True)
        (venv / ".installed").touch()


def pinned(constraints: str, extras: str) -> str:
    """Leave out the lines of constraints that an extra does not work with."""
    free = [name for extra in extras.split(",") for name in NOT_PINNED.get(extra, ())]
    lines = constraints.splitlines(keepends=True)
    return "".join(line for line in lines if line.partition("==")[0] not in free)


def _is_up_to_date(venv: Path) -> bool:
    """Say whether the environment was made after the last change of what it is made from."""
    marker = venv / ".installed"
    if not marker.exists():
        return False
    return all(os.stat(name).st_mtime <= marker.stat().st_mtime for name in NAMED_IN)


def main(arguments: list) -> int:
    """Make the environment, and return 1 if that is not possible, otherwise 0."""
    try:
        set_up(Path(arguments[0]), *arguments[1:])
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        print(f"fedlib cannot be set up: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
