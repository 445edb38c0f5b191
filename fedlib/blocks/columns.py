"""How the columns of a matrix are shared out: in blocks for the cache, and over threads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch

from fedlib import kernels

# 25 rows of 8192 float32 values are 0.8 MB, well inside a core's second-level cache. Where little
# is done to a value, fewer operations on wider blocks were faster, by one thread and by two.
CPU_BLOCK, WIDE_CPU_BLOCK = 8192, 32_768
# What a thread's kernel gets at once: a fixed number of columns where sums over columns are taken,
# and elsewhere not less than pays for handing it to another thread.
_CHUNK, _LEAST = 32_768, 8192

T = TypeVar("T")


class NonFiniteError(ValueError):
    """A matrix that must be finite holds a NaN or an Inf."""


def column_blocks(matrix: torch.Tensor, width: int = CPU_BLOCK) -> Iterator[slice]:
    """Yield the columns of a matrix in blocks, as slices.

    Parameters
    ----------
    matrix
        A matrix of shape ``(n, d)``.
    width
        The number of columns in a block on the CPU. On another device all columns are one block.
    """
    d = matrix.shape[1]
    step = width if matrix.device.type == "cpu" else max(d, 1)
    for start in range(0, d, step):
        yield slice(start, min(start + step, d))


class Rows(NamedTuple):
    """A matrix as a kernel takes it."""

    values: np.ndarray
    """The memory from the first value to the last, of shape ``(m,)``."""
    n: int
    """The number of rows."""
    stride: int
    """How far two rows are apart, in elements."""
    d: int
    """The number of columns."""

    def as_bits(self) -> tuple[np.ndarray, Any, Any]:
        """Return the memory as integers, all bits but the sign, and the bits of Inf."""
        whole = np.int32 if self.values.dtype == np.float32 else np.int64
        infinity = self.values.dtype.type(np.inf).view(whole)
        return self.values.view(whole), whole(np.iinfo(whole).max), infinity


def rows_for_kernel(matrix: torch.Tensor) -> Rows | None:
    """Return a matrix as a kernel takes it, or None if torch must serve.

    Kernels serve float32 and float64 matrices on the CPU whose rows are contiguous.
    """
    n, d = matrix.shape
    if (
        matrix.device.type != "cpu"
        or matrix.dtype not in (torch.float32, torch.float64)
        or n == 0
        or d == 0
        or (d > 1 and matrix.stride(1) != 1)
        or not kernels.available()
    ):
        return None
    stride = matrix.stride(0) if n > 1 else d
    values = matrix.detach().as_strided(((n - 1) * stride + d,), (1,)).numpy()
    return Rows(values, n, stride, d)


def in_chunks(d: int, function: Callable[[int, int], T], *, summed: bool = False) -> list[T]:
    """Call ``function(start, stop)`` for all chunks of ``d`` columns, and return the answers.

    Each of torch's threads takes a chunk at a time. If the answers are to be ``summed``, the chunks
    do not depend on the number of threads, and neither does the order of the sums.
    """
    size = _CHUNK
    if not summed:
        # Each thread gets two chunks of one size, of whole vectors.
        threads = torch.get_num_threads()
        size = d if threads == 1 else max(math.ceil(d / (2 * threads) / 64) * 64, _LEAST)
    chunks = [(start, min(start + size, d)) for start in range(0, d, size)]
    return shared_out(chunks, lambda chunk: function(*chunk))


def shared_out(parts: list[Any], function: Callable[[Any], T]) -> list[T]:
    """Call a function for each of several parts, by torch's threads, and return the answers."""
    threads = torch.get_num_threads()
    if threads == 1 or len(parts) == 1:
        return [function(part) for part in parts]
    return list(_pool(threads).map(function, parts))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    # Kept, since a new thread's first operation costs more than a block. Each counts as one of
    # torch's threads, and must not share its work out a second time.
    return ThreadPoolExecutor(threads, "blocks", torch.set_num_threads, (1,))


def require_finite(matrix: torch.Tensor) -> None:
    """Raise NonFiniteError if a matrix on the CPU holds a NaN or an Inf.

    On another device nothing is done, since the host would have to wait for the device.
    """
    if matrix.device.type != "cpu":
        return
    # A NaN or an Inf would show in the sum of its row, so one read of the matrix is often enough. A
    # sum may also overflow, so the values of such a row decide. The first that holds one is enough.
    for row in (~torch.isfinite(matrix.sum(1))).nonzero().flatten().tolist():
        if not bool(torch.isfinite(matrix[row]).all()):
            raise NonFiniteError("The matrix holds a NaN or an Inf.")
