"""Independent random streams of one run, each named by its purpose."""

from __future__ import annotations

import zlib

import numpy as np


def _sequence(seed: int, purpose: str, *keys: int) -> np.random.SeedSequence:
    # The purpose goes in by a checksum that is the same in every process (hash() is not).
    return np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), *keys])


def stream(seed: int, purpose: str, *keys: int) -> np.random.Generator:
    """A generator that depends on ``(seed, purpose, *keys)`` alone."""
    return np.random.Generator(np.random.PCG64(_sequence(seed, purpose, *keys)))


def derived_seed(seed: int, purpose: str, *keys: int) -> int:
    """A 63-bit seed for libraries that take one number."""
    return int(_sequence(seed, purpose, *keys).generate_state(2, np.uint32).view(np.uint64)[0] >> 1)
