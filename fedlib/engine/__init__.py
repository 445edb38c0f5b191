"""The round loop: clients -> attack -> aggregator -> server step -> trackers."""

from fedlib.engine.play import Batches, Federation, State, play_round, prepare, run

__all__ = ["Batches", "Federation", "State", "play_round", "prepare", "run"]
