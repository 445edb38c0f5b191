"""A grid that is killed at random moments, and resumed, loses nothing (see ``kills.py``)."""

from pathlib import Path

import kills
import pytest


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for children in /proc")
def test_a_grid_killed_at_random_moments_stores_what_an_undisturbed_one_does(tmp_path):
    played = kills.Played(tmp_path, seed=3)
    played.play(3, span=0.5)
    assert played.counts["kills of the parent"] and played.counts["kills of a worker"]
    assert played.counts["complete grids"]
