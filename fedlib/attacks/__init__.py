"""The attacks, which are pure functions of the benign updates and of what the attacker may know.

``ATTACKS`` maps the name of each attack to its class.

>>> attack = ATTACKS["alie"](n_byzantine=5)
>>> state = attack.init(n_clients=25, n_parameters=1000)
>>> byzantine_updates, state = attack.apply(benign_updates, state)

To add an attack, write one file in this folder that registers a frozen dataclass.
"""

from fedlib.attacks.base import ATTACKS, Attack, make_attack

__all__ = ["ATTACKS", "Attack", "make_attack"]
