"""The values that the protocol of every paper sets at each scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from fedlib.data import DataConfig


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One scale of a paper's protocol. A paper adds its own fields.

    Parameters
    ----------
    rounds, eval_every
        The number of rounds of a run, and the number of rounds from one evaluation to the next.
    real, embedded
        The numbers of training and test samples of a real and of an embedded data set. None takes
        all samples of a real data set.
    """

    rounds: int
    eval_every: int
    real: tuple[int | None, int | None] = (None, None)
    embedded: tuple[int, int] = (12_000, 2_000)

    def sized(self, data: DataConfig, **changes: Any) -> DataConfig:
        """Return ``data`` with this scale's numbers of samples and other ``changes`` of fields.

        Parameters
        ----------
        data
            The configuration of the data set.
        """
        train, test = self.embedded if data.source == "embedded" else self.real
        return replace(data, train_samples=train, test_samples=test, **changes)
