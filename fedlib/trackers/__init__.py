"""Trackers: what is recorded of a run, one file a quantity, found by their names.

To add one, write one file here that registers a class.
"""

from fedlib.trackers.base import TRACKERS, Played, Tracker

__all__ = ["TRACKERS", "Played", "Tracker"]
