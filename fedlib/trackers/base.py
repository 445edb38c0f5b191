"""What every tracker shares: the hooks that the round loop calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.federation.federation import Federation, State
from fedlib.parts import Configured
from fedlib.registry import Registry

TRACKERS: Registry[Tracker] = Registry("tracker", "fedlib.trackers")


@dataclass(frozen=True)
class Played:
    """The result of a round, before the server's step.

    Attributes
    ----------
    losses
        The mean training loss of each client that computed a step, ``(n,)``. Honest clients come
        first.
    aggregate
        The aggregate along which the server will step, ``(n_parameters,)``.

    Examples
    --------
    The norm of the aggregate, as a tracker finds it:

    >>> import torch
    >>> from fedlib.trackers import Played
    >>> played = Played(losses=torch.tensor([0.5, 0.7]), aggregate=torch.tensor([3.0, 4.0]))
    >>> float(played.aggregate.norm())
    5.0
    """

    losses: torch.Tensor
    aggregate: torch.Tensor


class Tracker:
    """Base of the trackers. A tracker belongs to one run, and it stores what it needs itself.

    Parameters
    ----------
    federation, state
        The federation and the state of the run.

    Raises
    ------
    ConfigError
        If the quantity cannot be measured on these data.

    Examples
    --------
    >>> from fedlib.trackers import TRACKERS
    >>> TRACKERS["accuracy"].always, TRACKERS["cosines"].always
    (True, False)
    """

    name: ClassVar[str]
    always: ClassVar[bool] = False
    """Whether every run has this tracker. Others are named in the configuration's ``track``."""

    def __init__(self, federation: Federation, state: State) -> None:
        self.federation = federation

    @classmethod
    def check(cls, run: Configured) -> None:
        """Raise ConfigError if a run of this configuration has no such quantity."""

    def watch(self, state: State, played: Played) -> None:
        """Look at a round after the rule has decided, and before the server's step.

        ``state`` has the broadcast parameters in ``parameters``, and the aggregate of the round
        before in ``last_aggregate``.
        """

    def report(self, state: State) -> dict[str, Any]:
        """Return one more entry for each series, at an evaluation after ``state.round`` rounds.

        An entry is a number, a list of numbers, or None if the quantity is not known.
        """
        return {}

    def final(self, state: State) -> dict[str, Any]:
        """Return what is recorded only once, after the last round."""
        return {}

    def is_last(self, state: State) -> bool:
        """Whether the last round has been played."""
        return state.round == self.federation.config.rounds


def mean_of(values: Sequence[torch.Tensor]) -> float | None:
    """Return the mean of some numbers in float64, or None if there are no numbers."""
    return float(torch.stack(list(values)).double().mean()) if values else None
