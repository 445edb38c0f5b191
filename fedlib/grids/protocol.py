"""What the protocols of all papers have at each scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from fedlib.data import DataConfig


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """One scale of a paper's protocol; a paper adds fields of its own.

    Parameters
    ----------
    rounds, eval_every
        Rounds of a run, and rounds between two evaluations.
    real, embedded
        Training and test samples of a real and of an embedded data set; None takes all of a real
        one.
    """

    rounds: int
    eval_every: int
    real: tuple[int | None, int | None] = (None, None)
    embedded: tuple[int, int] = (12_000, 2_000)

    def sized(self, data: DataConfig, **changes: Any) -> DataConfig:
        """``data`` with this scale's numbers of samples, and with the ``changes`` of other fields.

        Parameters
        ----------
        data
            Where the data set comes from.
        """
        train, test = self.embedded if data.source == "embedded" else self.real
        return replace(data, train_samples=train, test_samples=test, **changes)
