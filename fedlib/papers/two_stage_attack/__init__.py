"""Two stage attack: its grid of runs, its claims and its tables."""
