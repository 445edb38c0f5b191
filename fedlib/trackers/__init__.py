"""Trackers, which record the quantities of a run. Each has a name and a file of its own.

To add one, write one file here that registers a class.
"""

from fedlib.trackers.base import TRACKERS, Played, Tracker

__all__ = ["TRACKERS", "Played", "Tracker"]
