"""A folder for each build, so that builds at the same time do not meet."""

from __future__ import annotations

import contextlib
import errno
import itertools
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def workspace(parent: Path, name: str) -> Iterator[Path]:
    """Give a new folder, and remove it afterwards.

    After an error the folder stays, because what it holds may tell why. ``make clean`` removes it.

    Parameters
    ----------
    parent
        The folder to make it in. It is made if it is missing.
    name
        How the new folder's name begins.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent)).resolve()
    try:
        yield folder
    except BaseException:
        print(f"what was made until then is in {folder}", file=sys.stderr)
        raise
    shutil.rmtree(folder)


def put_in_place(made: Path, place: Path) -> None:
    """Move a folder to its place, and remove the folder that was there.

    A reader, or another build that ends at the same time, sees one of the two folders as a whole.

    Parameters
    ----------
    made
        The folder to move.
    place
        Where to move it. Its parent is made if it is missing.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place first, because only there a move is done at once on every file system.
    with tempfile.TemporaryDirectory(prefix=f".{place.name}-", dir=place.parent) as beside:
        new = Path(beside, "new")
        shutil.move(made, new)
        for number in itertools.count():
            with contextlib.suppress(FileNotFoundError):
                place.rename(Path(beside, f"old-{number}"))
            try:
                new.rename(place)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                # Another build put its own there meanwhile.
            else:
                return
