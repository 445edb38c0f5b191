"""Runs: their configuration and identity, and where their records are kept."""

from fedlib.runs.config import RunConfig

__all__ = ["RunConfig"]
