"""Clustering with outliers: its grid of runs, its claims and its tables."""
