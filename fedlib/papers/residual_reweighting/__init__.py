"""Residual reweighting: its grid of runs, its claims and its tables."""
