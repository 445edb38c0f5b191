"""The rules and the attacks in Flower (the ``flower`` extra).

:class:`RuleStrategy` is a strategy of ``flwr.serverapp`` that aggregates with any rule of the
catalogue. :class:`UnderAttack` lets attackers that know everything send what an attack of the
catalogue makes, whatever strategy aggregates. :class:`AttackMod` is a mod for the app of one
client that attacks by what it knows itself.
"""

# ruff: noqa: E402
from fedlib.compat import require

require("flwr")  # before the modules below import it

from fedlib.integrations.flower.attacked import UnderAttack
from fedlib.integrations.flower.facts import facts_of_model
from fedlib.integrations.flower.layout import Layout
from fedlib.integrations.flower.mod import AttackMod
from fedlib.integrations.flower.replies import FlowerRound, node_id
from fedlib.integrations.flower.strategy import RuleStrategy

__all__ = [
    "AttackMod",
    "FlowerRound",
    "Layout",
    "RuleStrategy",
    "UnderAttack",
    "facts_of_model",
    "node_id",
]
