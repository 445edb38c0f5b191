"""How much longer runs take on this machine than on those whose times are stored."""

from __future__ import annotations

import statistics
import threading
from collections import deque

_FEW = 5
"""The last runs of a process, which tell how fast its machine is now."""


class Pace:
    """What the last runs of a process took, beside what was expected.

    Examples
    --------
    >>> pace = Pace()
    >>> pace.slowness
    1.0
    >>> pace.note(expected=10.0, taken=40.0)
    >>> pace.slowness
    4.0
    """

    def __init__(self) -> None:
        self._ratios: deque[float] = deque(maxlen=_FEW)
        self._lock = threading.Lock()

    def note(self, expected: float, taken: float) -> None:
        """Take a finished run into account.

        Parameters
        ----------
        expected, taken
            The seconds that it was expected to take, and those that it has taken.
        """
        if expected > 0:
            with self._lock:
                self._ratios.append(taken / expected)

    def forget(self) -> None:
        """Forget all runs, before other ones begin."""
        with self._lock:
            self._ratios.clear()

    @property
    def slowness(self) -> float:
        """The median of taken / expected over the last five runs.

        It is at least 1, so that a run is never expected to be faster than the stored ones.
        """
        with self._lock:
            return max(1.0, statistics.median(self._ratios)) if self._ratios else 1.0


PACE = Pace()
"""The pace of this process."""
