"""The commands with which a reader computes the runs of cells, or plays stored ones again."""

from __future__ import annotations

import glob
import shlex
from collections.abc import Sequence


def run_command(slug: str, scale: str, seeds: int, keys: Sequence[str]) -> str:
    """Return the command that computes the runs of cells that are not stored.

    Parameters
    ----------
    slug
        The paper's short name.
    scale
        The scale of the runs.
    seeds
        The number of seeds.
    keys
        The keys of the cells.
    """
    return f"python -m fedlib run {slug} --scale {scale} --seeds {seeds}{_only(keys)}"


def verify_command(slug: str, scale: str, keys: Sequence[str]) -> str:
    """Return the command that plays the stored runs of cells again and compares the numbers.

    Parameters
    ----------
    slug, scale, keys
        As for :func:`run_command`.
    """
    return f"python -m fedlib verify {slug} --scale {scale}{_only(keys)}"


def _only(keys: Sequence[str]) -> str:
    """Return the options that choose these cells and no others."""
    # A key is a pattern here, and the shell reads the command.
    return "".join(f" --only {shlex.quote(glob.escape(key))}" for key in keys)
