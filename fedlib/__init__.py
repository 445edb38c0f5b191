"""fedlib: attacks on and defences of federated learning, measured and reproduced.

Data flows one way, and each step is one room of the package::

    data -> clients (gradients) -> attacks -> aggregators -> engine (server step) -> trackers
         -> runs (records) -> grids -> evidence

Data go to clients, clients take gradients, an attack replaces some, an aggregator merges them, the
engine steps and trackers watch. Runs are configured and stored, grids play many of them, evidence
judges them, and ``fedlib.papers.<slug>`` says which runs a paper owes.

What a user needs most is named here; everything else is imported from its room.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_ROOMS = {
    "AGGREGATORS": "aggregators",
    "ATTACKS": "attacks",
    "Archive": "evidence",
    "CLIENTS": "clients",
    "ConfigError": "validation",
    "DataConfig": "data",
    "Facts": "federation",
    "MODELS": "models",
    "PARTITIONS": "data",
    "RunConfig": "runs",
    "TRACKERS": "trackers",
    "aggregate": "aggregators",
    "expand": "grids",
    "load_dataset": "data",
    "load_grid": "grids",
    "resolve_source": "data",
    "run": "engine",
    "run_grid": "grids",
}

__all__ = sorted([*_ROOMS, "__version__"])


def __getattr__(name: str) -> Any:
    # A room is imported when something of it is asked for: ``import fedlib`` stays quick.
    if name in _ROOMS:
        return getattr(importlib.import_module(f"fedlib.{_ROOMS[name]}"), name)
    raise AttributeError(f"module 'fedlib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
