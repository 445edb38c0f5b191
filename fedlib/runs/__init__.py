"""Runs: their configuration and identity, and where their records are kept."""

from fedlib.runs.config import LocalSGD, MomentumSGD, RobustSGD, RunConfig

__all__ = ["LocalSGD", "MomentumSGD", "RobustSGD", "RunConfig"]
