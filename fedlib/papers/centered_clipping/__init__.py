"""Centered clipping: its grid of runs, its claims and its tables."""
