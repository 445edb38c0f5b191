"""Working memory of kernels."""

from __future__ import annotations

import numpy as np

from fedlib.kernels.compiling import kernel

_LINE = 64  # bytes of a cache's line: a vector that lies in two lines costs twice as much.


@kernel
def zeros(size, like):  # type: ignore[no-untyped-def]
    """Return ``size`` zeros of the dtype of the array ``like``, at the beginning of a line."""
    memory = np.zeros(size + _LINE, like.dtype)
    begin = (_LINE - memory.ctypes.data % _LINE) // memory.itemsize
    return memory[begin : begin + size]
