"""What a round is played on: the data laid out, what changes, the clients' samples, and facts."""

from fedlib.federation.facts import FACTS, Facts
from fedlib.federation.federation import Federation, State, Streams
from fedlib.federation.samples import Samples

__all__ = ["FACTS", "Facts", "Federation", "Samples", "State", "Streams"]
