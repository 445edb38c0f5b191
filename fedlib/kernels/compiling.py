"""How kernels are compiled."""

from __future__ import annotations

from numba import njit

# Division by zero gives Inf or NaN, as it does in torch.
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}

kernel = njit(**_OPTIONS)
"""The decorator of a kernel."""
kernel_of_sums = njit(fastmath={"reassoc", "contract"}, **_OPTIONS)
"""The decorator of a kernel whose sums may be taken in any order."""
