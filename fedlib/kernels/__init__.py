"""Kernels that Numba compiles for the processor, each beside a readable definition in torch.

A kernel computes what a few lines of torch say, in one pass through the cache. The lines of torch
stay: they serve other devices and other dtypes, they serve where Numba is missing, and the tests
compare each kernel with them. A kernel may add up in another order, so that last digits differ.

Modules of this package import Numba, which takes a third of a second. They are therefore imported
where a kernel is called, and not at the top of a module. A kernel is compiled at its first call and
kept on disk for the next process (``@njit(cache=True)``). It holds no lock of Python
(``nogil=True``), and has no threads of its own: callers share out the columns.
"""

from __future__ import annotations

import os
from functools import cache

from fedlib.validation import check_name

SWITCH = "FEDLIB_KERNELS"
"""This environment variable switches the kernels off if it is ``off``. The default is ``on``."""


def available() -> bool:
    """Return whether compiled kernels are used here.

    Raises
    ------
    ConfigError
        If the environment variable ``FEDLIB_KERNELS`` is neither ``on`` nor ``off``.
    """
    return check_name(SWITCH, os.environ.get(SWITCH) or "on", ("on", "off")) == "on" and not _lack()


def lack() -> str:
    """Return in a sentence why kernels are not used here, or an empty text if they are."""
    if available():
        return ""
    return _lack() or f"The environment variable {SWITCH} is off."


@cache
def _lack() -> str:
    """Return in a sentence why Numba cannot be used here, or an empty text if it can."""
    try:
        import numba  # noqa: F401
    except ImportError as error:
        # Numba also raises this if it does not know so new a version of numpy.
        return f"Numba cannot be imported: {error}"
    return ""
