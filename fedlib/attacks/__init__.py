"""Attacks: pure functions of the benign updates and of what the attacker may know, by name.

>>> import torch
>>> attack = ATTACKS["alie"](n_byzantine=5)
>>> state = attack.init(n_clients=25, n_parameters=1000)
>>> byzantine_updates, state = attack.apply(torch.randn(20, 1000), state)
>>> byzantine_updates.shape
torch.Size([5, 1000])

To add one, write one file here that registers a frozen dataclass.
"""

from fedlib.attacks.base import ATTACKS, Attack, make_attack

__all__ = ["ATTACKS", "Attack", "make_attack"]
