"""The classes that the last model gives to the points of a grid in the plane."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from fedlib.federation.federation import Federation, State
from fedlib.trackers.base import TRACKERS, Tracker
from fedlib.validation import ConfigError


@TRACKERS.register("decision")
class Decision(Tracker):
    """Record ``decision``, the classes of points of the plane after the last round.

    Examples
    --------
    >>> from fedlib import AGGREGATORS, ATTACKS, RunConfig, load_dataset, resolve_source, run
    >>> data = resolve_source("circle")
    >>> config = RunConfig(
    ...     data=data, model="elu_4_2", n_clients=10, n_byzantine=2, rounds=40, eval_every=20,
    ...     aggregator=AGGREGATORS["median"](n_byzantine=2), attack=ATTACKS["ipm"](n_byzantine=2),
    ...     track=("decision",),
    ... )
    >>> metrics = run(config, load_dataset(data))
    >>> rows = metrics["decision"]
    >>> len(rows), len(rows[0]), set("".join(rows)) <= {"0", "1"}
    (61, 61, True)
    """

    def __init__(self, federation: Federation, state: State) -> None:
        super().__init__(federation, state)
        shape = tuple(federation.train[0].shape[1:])
        if shape != (1, 1, 2):
            raise ConfigError(
                f"track='decision' is for data with two features, not of shape {shape}."
            )

    def final(self, state: State) -> dict[str, Any]:
        """Ask the model for the classes of all points."""
        return {"decision": decisions(state.model, self.federation.device)}


def decisions(model: nn.Module, device: torch.device) -> list[str]:
    """Return the classes of the points of a grid with 61 x 61 points, from -4 to 4 on each axis.

    Returns
    -------
    list of str
        A string of digits for each row of points, the lowest row first.
    """
    place = torch.linspace(-4, 4, 61, device=device)
    points = torch.cartesian_prod(place, place).flip(1).view(-1, 1, 1, 2)
    with torch.no_grad():
        classes = model(points).argmax(1).view(61, 61).tolist()
    return ["".join(map(str, row)) for row in classes]
