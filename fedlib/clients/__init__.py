"""Client algorithms: frozen dataclasses with an ``init`` and a ``step``, found by their names.

To add one, write one file here that registers a frozen dataclass.
"""

from fedlib.clients.base import CLIENTS, Client, make_client
from fedlib.clients.fedprox import FedProx
from fedlib.clients.local import LocalSGD
from fedlib.clients.momentum import MomentumSGD
from fedlib.clients.robust import RobustSGD

__all__ = [
    "CLIENTS",
    "Client",
    "FedProx",
    "LocalSGD",
    "MomentumSGD",
    "RobustSGD",
    "make_client",
]
