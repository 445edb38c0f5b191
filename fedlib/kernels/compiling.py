"""How kernels are compiled, and where compiled ones are kept."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

_HERE = Path(__file__).parent
# Division by zero gives Inf or NaN, as it does in torch.
_OPTIONS = {"nogil": True, "error_model": "numpy"}


@cache
def folder() -> Path | None:
    """Return the folder in which compiled kernels are kept for the next process.

    Numba keeps a kernel until the kernel's own file changes, and does not see a change in another
    file from which the kernel takes parts. The folder's name therefore stands for the texts of all
    files of kernels.

    Returns
    -------
    Path or None
        A folder beside the kernels, or in the user's cache where the package's folder cannot be
        written. None if neither can: kernels are then compiled in each process.
    """
    texts = b"".join(path.read_bytes() for path in sorted(_HERE.glob("*.py")))
    name = f"kernels-{hashlib.sha256(texts).hexdigest()[:16]}"
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for base in (_HERE / "__pycache__", user / "fedlib"):
        try:
            (base / name).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=base / name):
                return base / name
        except OSError:
            continue  # This folder cannot be written.
    return None


def _decorator(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    def decorate(function: Callable[..., Any]) -> Any:
        place = folder()
        before = numba.config.CACHE_DIR
        # It is read when a function is decorated. The functions of others keep their own place.
        numba.config.CACHE_DIR = "" if place is None else str(place)
        try:
            return numba.njit(cache=place is not None, **_OPTIONS, **options)(function)
        finally:
            numba.config.CACHE_DIR = before

    return decorate


kernel = _decorator()
"""The decorator of a kernel."""
kernel_of_sums = _decorator(fastmath={"reassoc", "contract"})
"""The decorator of a kernel whose sums may be taken in any order."""
