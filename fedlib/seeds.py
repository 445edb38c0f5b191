"""Independent random streams of one run, each named by its purpose."""

from __future__ import annotations

import zlib

import numpy as np


def _sequence(seed: int, purpose: str, *keys: int) -> np.random.SeedSequence:
    # The purpose goes in by a checksum that is the same in every process (hash() is not).
    return np.random.SeedSequence([seed, zlib.crc32(purpose.encode()), *keys])


def stream(seed: int, purpose: str, *keys: int) -> np.random.Generator:
    """Make a random generator that depends on the arguments alone.

    Parameters
    ----------
    seed
        The seed of the run, a non-negative integer.
    purpose
        What the random numbers are for. Streams with different purposes are independent.
    keys
        Non-negative integers that tell streams of one purpose apart, such as a client's number.
        All calls with one purpose must give the same number of keys. A missing key counts as 0, so
        that ``stream(s, "x")`` is ``stream(s, "x", 0)``.

    Returns
    -------
    numpy.random.Generator
        A new generator, which starts at the beginning of its stream.
    """
    return np.random.Generator(np.random.PCG64(_sequence(seed, purpose, *keys)))


def derived_seed(seed: int, purpose: str, *keys: int) -> int:
    """Make a seed for a library that takes one number.

    Parameters
    ----------
    seed, purpose, keys
        The name of the stream, as for :func:`stream`.

    Returns
    -------
    int
        A number of 63 bits that depends on the arguments alone.
    """
    return int(_sequence(seed, purpose, *keys).generate_state(2, np.uint32).view(np.uint64)[0] >> 1)
