"""The engine: :func:`prepare` a run once, then :func:`play_round`; :func:`run` does it all."""

from fedlib.engine.play import play_round, run, start_trackers
from fedlib.engine.prepare import prepare

__all__ = ["play_round", "prepare", "run", "start_trackers"]
